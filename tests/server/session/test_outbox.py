"""What a client that reads slowly is told, and when it is given up."""

from __future__ import annotations

import asyncio

from voxwire.protocol.session import CloseReason, Ended, Event, Final, Lag, Partial, Warned
from voxwire.server.session.outbox import MAX_EVENTS, WARN_EVENTS, Outbox, Told


def drained(outbox: Outbox, n: int) -> list[Told]:
    async def read() -> list[Told]:
        return [await outbox.get() for _ in range(n)]

    return asyncio.run(read())


def final(segment: int) -> Final:
    return Final(segment, CloseReason.COMMIT, "", (), 0, 0)


def test_partials_of_a_segment_are_joined_while_nobody_reads() -> None:
    outbox = Outbox(lambda: None)
    for partial in (
        Partial(0, "a", "a", 0.1),
        Partial(0, " b", "a b", 0.2),
        Partial(1, "c", "c", 1),
    ):
        outbox.put(partial)
    assert drained(outbox, 2) == [Partial(0, "a b", "a b", 0.2), Partial(1, "c", "c", 1)]


def test_only_the_newest_lag_is_kept() -> None:
    outbox = Outbox(lambda: None)
    outbox.put(Lag(1, 1, 1, 0.1))
    outbox.put(Lag(2, 2, 2, 0.1))
    assert drained(outbox, 1) == [Lag(2, 2, 2, 0.1)]


def test_a_slow_reader_is_warned_once_and_then_given_up_with_a_last_word() -> None:
    n_full = 0
    end = Ended(CloseReason.ERROR, 0.0)

    def on_full() -> None:
        nonlocal n_full
        n_full += 1
        if n_full == 1:
            outbox.put(end)

    outbox = Outbox(on_full)
    events: list[Event] = [final(i) for i in range(2 * MAX_EVENTS)]
    for event in events:
        outbox.put(event)
    told = drained(outbox, MAX_EVENTS + 1)
    assert told[:WARN_EVENTS] == events[:WARN_EVENTS]
    assert [event.code for event in told if isinstance(event, Warned)] == ["slow_reader"]
    assert told[-1] == end


def test_a_cancelled_read_loses_nothing() -> None:
    async def read_late() -> Told:
        outbox = Outbox(lambda: None)
        task = asyncio.create_task(outbox.get())
        await asyncio.sleep(0)
        task.cancel()
        outbox.put(final(0))
        return await outbox.get()

    assert asyncio.run(read_late()) == final(0)

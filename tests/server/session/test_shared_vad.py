"""Sessions share the detector: each hears its own, none waits for another's long message."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from tests.server.voices import FOLDER, read
from voxwire.model.silero.network import Floats, SileroVad, VadState
from voxwire.server.session.shared_vad import MAX_WINDOWS, SharedVad

SAMPLES = read(FOLDER / "fsdd-george-8150942.flac")
WINDOWS = SAMPLES[: len(SAMPLES) // 512 * 512].reshape(-1, 512)
ALONE = SileroVad().probabilities([WINDOWS], [VadState()])[0]


class Recorder(SileroVad):
    """The network, and how many windows of how many streams came at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[int]] = []
        self.fails = False

    def probabilities(self, windows: Sequence[Floats], states: Sequence[VadState]) -> list[Floats]:
        self.calls.append([len(part) for part in windows])
        if self.fails:
            raise MemoryError("for a test")
        return super().probabilities(windows, states)


def test_what_sessions_have_ready_at_once_is_one_batch_and_each_gets_its_own() -> None:
    network = Recorder()

    async def main() -> None:
        vad = SharedVad(network)
        found = await asyncio.gather(*(vad.open()(WINDOWS[:n]) for n in (3, 1, 8)))
        for answer, n in zip(found, (3, 1, 8), strict=True):
            np.testing.assert_allclose(answer, ALONE[:n], rtol=0, atol=1e-5)

    asyncio.run(main())
    assert network.calls == [[3, 1, 8]]


def test_a_long_message_is_done_in_portions_between_which_others_are_served() -> None:
    network = Recorder()
    finished: list[str] = []

    async def main() -> None:
        vad = SharedVad(network)

        async def ask(name: str, windows: Floats) -> Floats:
            found = await vad.open()(windows)
            finished.append(name)
            return found

        many = np.concatenate([WINDOWS, WINDOWS])
        long, _ = await asyncio.gather(ask("long", many), ask("short", WINDOWS[:2]))
        np.testing.assert_allclose(long[: len(ALONE)], ALONE, rtol=0, atol=1e-5)

    asyncio.run(main())
    assert finished == ["short", "long"]
    assert max(sum(call) for call in network.calls) <= MAX_WINDOWS


def test_a_session_that_left_is_not_worked_for() -> None:
    network = Recorder()

    async def main() -> None:
        vad = SharedVad(network)
        gone = asyncio.ensure_future(vad.open()(WINDOWS))
        stays = asyncio.ensure_future(vad.open()(WINDOWS[:1]))
        await asyncio.sleep(0)  # both wait now
        gone.cancel()
        await stays

    asyncio.run(main())
    assert sum(map(sum, network.calls)) <= MAX_WINDOWS + 1


def test_a_failure_reaches_every_session_of_the_batch_and_later_ones_go_on() -> None:
    network = Recorder()

    async def main() -> None:
        vad = SharedVad(network)
        network.fails = True
        asked = (vad.open()(WINDOWS[:1]) for _ in range(3))
        errors = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(error, MemoryError) for error in errors)
        network.fails = False
        np.testing.assert_allclose(await vad.open()(WINDOWS[:4]), ALONE[:4], atol=1e-5)

    asyncio.run(main())


def test_it_serves_another_event_loop_after_the_first_is_gone() -> None:
    vad = SharedVad(SileroVad())

    async def leave() -> None:
        waiting = asyncio.ensure_future(vad.open()(WINDOWS))
        await asyncio.sleep(0)
        assert not waiting.done()

    asyncio.run(leave())
    found = asyncio.run(_first_of(vad))
    assert found == pytest.approx(ALONE[0], abs=1e-5)


async def _first_of(vad: SharedVad) -> float:
    found = await vad.open()(WINDOWS[:1])
    return float(found[0])

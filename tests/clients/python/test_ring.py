"""What is said is heard once and in order, whatever breaks; what is kept is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxwire.clients.python.ring import Ring, Said
from voxwire.clients.python.timeline import Timeline
from voxwire.protocol.native.messages import Bye, Final, Lag, Partial, Word
from voxwire.protocol.session import CloseReason

pieces = st.binary(min_size=1, max_size=9) | st.text("abc", min_size=1, max_size=3)


class Server:
    """Takes what is sent, in order, and counts it by session."""

    def __init__(self) -> None:
        self.heard: list[Said] = []
        self.n_bytes = self.n_controls = 0

    def take(self, said: Said) -> None:
        self.heard.append(said)
        if isinstance(said, bytes):
            self.n_bytes += len(said)
        else:
            self.n_controls += 1

    def begin_session(self) -> None:
        self.n_bytes = self.n_controls = 0


@given(
    st.lists(pieces, max_size=12),
    st.lists(st.sampled_from(["say", "send", "lose", "receipt", "cut", "end"]), max_size=60),
)
def test_every_piece_is_heard_once_and_in_order(said: list[Said], steps: list[str]) -> None:
    ring, server, left = Ring(1 << 20), Server(), list(said)
    for step in [*steps, *["say"] * len(said), "cut", *["send"] * len(said), "receipt"]:
        if step == "say" and left:
            ring.add(left.pop(0))
        elif step == "send" and (piece := ring.next()) is not None:
            server.take(piece)
        elif step in ("lose", "receipt", "cut", "end"):
            if step == "lose":
                ring.next()  # on its way when the connection breaks
            ring.came(server.n_bytes, server.n_controls)
            if step in ("lose", "cut"):
                ring.send_again()
            elif step == "end":
                server.begin_session()
                ring.begin_session()
    assert server.heard == said
    assert not ring.kept


def test_a_ring_is_full_by_its_bytes() -> None:
    ring = Ring(10)
    for _ in range(2):
        assert ring.has_room
        ring.add(bytes(5))
    assert not ring.has_room
    ring.came(5, 0)
    assert ring.has_room


def test_a_piece_that_came_in_part_is_kept_in_part() -> None:
    ring = Ring(10)
    ring.add(b"abcdef")
    ring.came(4, 0)
    ring.add("x")
    assert ring.kept == (b"ef", "x")
    ring.came(6, 0)
    assert not ring.has_audio


def final(seq: int, segment: int, start_s: float, end_s: float) -> Final:
    word = Word(text="a", start_s=start_s, end_s=end_s, space_before=False)
    return Final(
        seq=seq,
        segment=segment,
        reason=CloseReason.ENDPOINT,
        text="a",
        words=(word,),
        start_s=start_s,
        end_s=end_s,
    )


def test_sessions_follow_each_other_on_one_timeline() -> None:
    line = Timeline()
    first = line.place(final(2, 0, 0.5, 1.0))
    line.last_seq = 7
    line.begin_session(2.5)
    second = line.place(final(2, 0, 0.5, 1.0))
    assert first == final(2, 0, 0.5, 1.0)
    assert second == final(9, 1, 3.0, 3.5)
    bye = line.place(Bye(seq=3, reason=CloseReason.END, audio_s=1.5))
    assert bye == Bye(seq=10, reason=CloseReason.END, audio_s=4.0)
    lag = Lag(seq=4, received_ms=1, processed_ms=2, emitted_ms=3, real_time_factor=0.5)
    placed = line.place(lag)
    assert isinstance(placed, Lag)
    assert (placed.received_ms, placed.emitted_ms) == (2501, 2503)


def test_a_gap_begins_where_the_last_final_ended_and_ends_its_open_segment() -> None:
    line = Timeline()
    line.place(final(2, 0, 0.5, 1.0))
    line.place(Partial(seq=3, segment=1, delta="so", text="so", at_s=1.5))
    gap = line.gap(2.0)
    assert (gap.start_s, gap.end_s, gap.segment, gap.text) == (1.0, 2.0, 1, "so")
    line.begin_session(2.0)
    third = line.place(final(2, 0, 0.0, 0.5))
    assert isinstance(third, Final)
    assert (third.segment, third.start_s) == (2, 2.0)

"""The model's axis and the session's: padding left out, skipped silence put back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxwire.server.session.clock import SessionClock


def test_without_flush_or_skip_both_axes_are_one() -> None:
    clock = SessionClock()
    clock.heard(32_000)
    assert clock.session_s(1.5) == 1.5


def test_padding_takes_no_time() -> None:
    clock = SessionClock()
    clock.heard(16_000)
    clock.flush_begins()
    assert clock.session_s(1.3) == 1.0  # within the padding
    clock.flush_done(8_000)
    clock.heard(16_000)
    assert clock.session_s(2.0) == 1.5  # half a second of it was padding


def test_skipped_silence_takes_its_time() -> None:
    clock = SessionClock()
    clock.skipped(8_000)
    clock.heard(16_000)
    clock.skipped(32_000)
    clock.heard(16_000)
    assert clock.session_s(0.5) == 1.0
    assert clock.session_s(1.0) == 1.5  # a word that ends with the turn, not after the silence
    assert clock.session_s(1.5) == 4.0


steps = st.lists(
    st.tuples(st.sampled_from(["heard", "skipped", "flush"]), st.integers(1, 40_000)), max_size=30
)


@given(steps)
def test_times_never_run_backwards_nor_past_what_was_sent(steps: list[tuple[str, int]]) -> None:
    clock, model_samples, last_s = SessionClock(), 0, 0.0
    for kind, n in steps:
        if kind == "flush":
            clock.flush_begins()
            clock.flush_done(n)
            model_samples += n
        else:
            getattr(clock, kind)(n)
            model_samples += n if kind == "heard" else 0
        now_s = clock.session_s(model_samples / 16_000)
        assert last_s <= now_s <= clock.sent_s
        last_s = now_s

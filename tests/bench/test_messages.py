"""A live client sends all of its audio, in order, and none before it is spoken."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tests.bench.messages import PACES, RATE_HZ, Pace, began_s, pace_of


@given(st.sampled_from(PACES), st.integers(0, 50_000), st.integers(0, 9))
def test_messages_cover_the_audio_in_order_and_keep_to_time(
    pace: Pace, n_samples: int, seed: int
) -> None:
    messages = list(pace.messages(n_samples, seed))
    assert [0, *(message.stop for message in messages)] == [
        *(message.start for message in messages),
        n_samples,
    ]
    for message in messages:
        assert message.stop - message.start <= pace.message_ms * RATE_HZ // 1000
        late_s = message.at_s - message.stop / RATE_HZ
        assert 0 <= late_s <= pace.jitter_ms / 1000 + 1e-9
    assert all(a.at_s <= b.at_s for a, b in itertools.pairwise(messages))


def test_half_of_the_clients_send_20_ms_and_half_100_ms() -> None:
    assert [pace_of(n).message_ms for n in range(4)] == [20, 100, 20, 100]


def test_clients_begin_at_different_times_within_a_second() -> None:
    times = [began_s(n) for n in range(50)]
    assert len(set(times)) == 50
    assert all(0 <= time <= 1 for time in times)

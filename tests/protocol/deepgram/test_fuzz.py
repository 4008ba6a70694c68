"""Anything that a client or a session may say, in any order and cutting."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.protocol.fuzz import Step, events, messages, play
from tests.protocol.golden import Golden, context
from voxwire.protocol.deepgram.dialect import Deepgram
from voxwire.protocol.deepgram.messages import ServerMessage
from voxwire.protocol.session import Audio, CloseReason, Ended

WIRE: TypeAdapter[Any] = TypeAdapter(ServerMessage)
RAW = {"encoding": "linear16", "sample_rate": "16000"}

STEPS = st.one_of(
    messages(
        ["KeepAlive", "Finalize", "CloseStream", "Configure"],
        {"channel": [0], "keyterms": [["yes"], []], "features": [{"numerals": True}]},
    ),
    events,
)


@given(st.lists(STEPS, max_size=12), st.booleans())
def test_anything_in_any_order_is_answered_in_deepgrams_own_words(
    steps: list[Step], has_vad: bool
) -> None:
    query = {**RAW, "vad_events": str(has_vad), "utterance_end_ms": "1000"}
    play(Deepgram.from_query({**query, "interim_results": "true"}, context()), steps, WIRE)


@given(st.binary(max_size=64), st.lists(st.integers(0, 64), max_size=4))
def test_audio_cut_anywhere_reaches_the_session_as_it_is(data: bytes, cuts: list[int]) -> None:
    golden = Golden(Deepgram.from_query(RAW, context()), WIRE)
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [data[a:b] for a, b in itertools.pairwise(bounds) if a < b]
    requests = [request for part in parts for request in golden.dialect.receive(part)]
    assert b"".join(item.data for item in requests if isinstance(item, Audio)) == data
    summary = golden.says(Ended(CloseReason.END, 0.0))[0]
    assert isinstance(summary, dict)
    assert summary["sha256"] == hashlib.sha256(data).hexdigest()

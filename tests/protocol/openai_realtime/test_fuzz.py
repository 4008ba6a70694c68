"""Whatever a client says and a session tells, in any order, is answered in OpenAI's words."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.protocol.fuzz import Step, events, messages, play
from tests.protocol.golden import context, pcm
from voxwire.protocol.openai_realtime.dialect import OpenAIRealtime
from voxwire.protocol.openai_realtime.server_events import ServerEvent

FORMATS = [{"type": "audio/pcm", "rate": 16000}, {"type": "audio/pcma"}, {"rate": 5}, None]
TURNS = [None, {"type": "server_vad"}, {"type": "semantic_vad"}, {"threshold": 0.1}]
SESSIONS = [
    *({"audio": {"input": {"format": form}}} for form in FORMATS),
    *({"audio": {"input": {"turn_detection": turn}}} for turn in TURNS),
    *({"turn_detection": turn} for turn in TURNS),
    {"audio": None},
    {"audio": {"input": {"transcription": {"delay": "low", "language": "de"}}}},
    {"input_audio_format": "g711_alaw", "voice": "x" * 1000},
    {"include": ["item.input_audio_transcription.logprobs", "x"]},
]
TYPES = [
    "session.update",
    "transcription_session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.retrieve",
    "conversation.item.delete",
    "conversation.item.create",
    "conversation.item.truncate",
    "response.create",
]
FIELDS: dict[str, Any] = {
    "event_id": ["mine", "x" * 1000],
    "audio": [pcm(150), pcm(1), "", "AAA"],
    "session": SESSIONS,
    "item_id": ["item_1", "item_2"],
}
steps: st.SearchStrategy[Step] = messages(TYPES, FIELDS) | events


@given(st.lists(steps, max_size=12))
def test_everything_is_answered_in_its_own_words(said: list[Step]) -> None:
    play(OpenAIRealtime.from_query({}, context()), said, TypeAdapter(ServerEvent))

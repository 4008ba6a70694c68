"""Messages and events in any order, to tell that a dialect answers all of them in its own words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from hypothesis import strategies as st
from pydantic import TypeAdapter

from voxwire.protocol.dialect import Close, Dialect, Message
from voxwire.protocol.errors import IdleError, InvalidRequestError, RowFaultError, VoxwireError
from voxwire.protocol.session import (
    Audio,
    Clear,
    Cleared,
    CloseReason,
    Commit,
    Committed,
    Configure,
    Configured,
    Draining,
    Ended,
    Event,
    Final,
    Finish,
    KeepAlive,
    Lag,
    Partial,
    Reply,
    RequestRefused,
    Score,
    SpeechStarted,
    SpeechStopped,
    Warned,
)

Step: TypeAlias = Message | Event

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_values = st.recursive(
    _scalars, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=8), x)
)
_seconds = st.floats(0, 1e4)
_scores = st.lists(st.builds(Score, st.binary(max_size=4), st.floats(-50, 0)), max_size=2)
_errors: st.SearchStrategy[VoxwireError] = st.sampled_from(
    [InvalidRequestError("wrong"), RowFaultError("broken"), IdleError("asleep")]
)
_reasons = st.sampled_from(CloseReason)
_segments = st.integers(0, 3)
_refs = st.none() | st.sampled_from(["update_1", "update_2", "mine"])

events: st.SearchStrategy[Event] = st.one_of(
    st.builds(SpeechStarted, _segments, _seconds),
    st.builds(SpeechStopped, _segments, _seconds),
    st.builds(Committed, _segments, _reasons),
    st.builds(Cleared, _refs),
    st.builds(Partial, _segments, st.text(max_size=5), st.text(max_size=5), _seconds, _scores),
    st.builds(
        Final, _segments, _reasons, st.text(max_size=9), st.just(()), _seconds, _seconds, _scores
    ),
    st.builds(Lag, st.integers(0), st.integers(0), st.integers(0), st.floats(0, 9)),
    st.builds(Warned, st.text(max_size=5), st.text(max_size=5)),
    st.builds(RequestRefused, _errors, _refs),
    st.builds(Draining, _seconds),
    st.builds(Ended, _reasons, _seconds, st.none() | _errors),
)


def messages(types: list[str], fields: Mapping[str, Sequence[Any]]) -> st.SearchStrategy[Message]:
    """Return messages from noise over nearly right to right, as text and as bytes.

    types: of events. fields: values that are good for something, by name.
    """
    good = st.fixed_dictionaries(
        {"type": st.sampled_from(types)},
        optional={name: st.sampled_from(values) for name, values in fields.items()},
    )
    bad = st.fixed_dictionaries(
        {"type": st.sampled_from(types) | _values}, optional=dict.fromkeys(fields, _values)
    )
    text = st.one_of(good, good, bad, _values).map(json.dumps)
    return st.one_of(text, text.map(str.encode), st.text(max_size=20), st.binary(max_size=20))


def play(dialect: Dialect, steps: list[Step], wire: TypeAdapter[Any]) -> None:
    """Let a client and a session say anything; every word told must be the wire format's own."""

    def check(told: list[Message | Close]) -> None:
        for one in told:
            if not isinstance(one, Close):
                wire.validate_json(one)

    check(list(dialect.greet()))
    for step in steps:
        if not isinstance(step, str | bytes):
            check(list(dialect.tell(step)))
            continue
        try:
            requests = dialect.receive(step)
        except InvalidRequestError as error:
            check(list(dialect.tell(RequestRefused(error, error.ref))))
            continue
        for request in requests:
            check(_answer(dialect, request))


def _answer(dialect: Dialect, request: object) -> list[Message | Close]:
    match request:
        case Reply():
            return [request.message]
        case Configure():
            return list(dialect.tell(Configured(request.settings, request.ref)))
        case Audio() | Commit() | Clear() | Finish() | KeepAlive():
            return []
    raise AssertionError(f"expected a request, got {request}")

"""Events are found in bytes however they are cut, or the stream is refused with a typed error."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxwire.protocol.errors import InvalidRequestError
from voxwire.protocol.wyoming.framing import (
    MAX_DATA_BYTES,
    MAX_HEADER_BYTES,
    EventReader,
    WyomingEvent,
)

MAX_PAYLOAD_BYTES = 1000

wyoming_events = st.builds(
    WyomingEvent,
    st.text(max_size=10),
    st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5)),
    st.binary(max_size=50),
)
cuttings = st.lists(st.integers(0, 500), max_size=8)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(bounds)]


def read(parts: list[bytes]) -> list[WyomingEvent | str]:
    """Return the events, and the error's words where reading ends with one."""
    reader, found = EventReader(MAX_PAYLOAD_BYTES), list[WyomingEvent | str]()
    try:
        for part in parts:
            found.extend(reader.feed(part))
    except InvalidRequestError as error:
        found.append(error.message)
    return found


@given(st.lists(wyoming_events, max_size=5), cuttings)
def test_what_was_written_is_read_however_it_is_cut(
    sent: list[WyomingEvent], cuts: list[int]
) -> None:
    assert read(pieces(b"".join(event.encode() for event in sent), cuts)) == sent


@given(st.binary(max_size=200), cuttings)
def test_noise_is_refused_at_the_same_place_however_it_is_cut(
    noise: bytes, cuts: list[int]
) -> None:
    sent = WyomingEvent("ping").encode() + noise
    assert read(pieces(sent, cuts)) == read([sent])
    assert read([sent])[0] == WyomingEvent("ping")


@given(
    st.dictionaries(
        st.sampled_from(["type", "data", "data_length", "payload_length"]),
        st.none() | st.booleans() | st.integers(-5, 2000) | st.text(max_size=3) | st.just({}),
    )
)
def test_any_header_is_read_or_refused(header: dict[str, object]) -> None:
    read([json.dumps(header).encode() + b"\n" + b"{}" * 2000])


def test_data_may_stand_in_the_header_or_behind_it() -> None:
    inline = b'{"type": "transcribe", "data": {"language": "en", "name": "a"}, "data_length": 13}\n'
    assert read([inline + b'{"name": "b"}']) == [
        WyomingEvent("transcribe", {"language": "en", "name": "b"})
    ]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"\n", "JSON object"),
        (b"[]\n", "JSON object"),
        (b'{"data": {}}\n', "type"),
        (b'{"type": "x", "data_length": -1}\n', "data_length"),
        (b'{"type": "x", "data_length": %d}\n' % (MAX_DATA_BYTES + 1), "data_length"),
        (b'{"type": "x", "payload_length": 1001}\n', "at most 1000 bytes, got 1001"),
        (b'{"type": "x", "data_length": 2}\n[]', "JSON object"),
        (b"[" * MAX_HEADER_BYTES, "a longer one"),
        (b"[" * (MAX_HEADER_BYTES - 1) + b"\n", "JSON object"),
    ],
)
def test_what_is_no_event_is_refused_with_what_was_expected(sent: bytes, message: str) -> None:
    (told,) = read([sent])
    assert isinstance(told, str)
    assert message in told


def test_a_payload_is_not_waited_for_that_would_be_too_long() -> None:
    reader = EventReader(MAX_PAYLOAD_BYTES)
    with pytest.raises(InvalidRequestError):
        list(reader.feed(b'{"type": "audio-chunk", "payload_length": 1000000000}\n'))

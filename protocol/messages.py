"""Read a client's JSON message: every fault in it becomes an InvalidRequestError, never another."""

from __future__ import annotations

import binascii
import string
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from .errors import InvalidRequestError, VoxwireError

MAX_QUOTED = 64  # characters of a client's own words that an error repeats
_WHITESPACE = string.whitespace.encode()
_OBJECT = TypeAdapter(dict[str, Any])
_Model = TypeVar("_Model", bound=BaseModel)


class MessageError(InvalidRequestError):
    """A message that is wrong in itself. wire_code: what its wire format calls the fault."""

    def __init__(self, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message, param=param)
        self.wire_code = code


def wire_code(error: VoxwireError) -> str:
    """Return the code by which a client is told of `error`."""
    return error.wire_code if isinstance(error, MessageError) else error.code


def parse_object(message: str | bytes) -> dict[str, Any]:
    """Return the JSON object that a text frame, or a binary one, holds. Raises MessageError."""
    try:
        return _OBJECT.validate_json(message)
    except (ValidationError, UnicodeError):
        raise MessageError("expected a JSON object", code="invalid_json") from None


def parse_fields(model: type[_Model], fields: dict[str, Any], path: tuple[str, ...] = ()) -> _Model:
    """Return `fields` as `model`, or raise MessageError that names the first wrong one.

    path: where in the message the fields stand.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        # Neither input nor context: the message may hold audio.
        fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    param = quoted(".".join(map(str, (*path, *fault["loc"]))))
    if fault["type"] == "missing":
        code, message = "missing_required_parameter", f"expected {param}, got nothing"
    else:
        code, message = "invalid_value", f"{param}: {own_words(fault['msg'])}"
    raise MessageError(message, code=code, param=param)


def own_words(fault: str) -> str:
    """Return pydantic's message without what it puts before that of our own ValueErrors."""
    return fault.removeprefix("Value error, ")


def decode_audio(text: str, *, param: str = "audio") -> bytes:
    """Return base64 audio as bytes. Raises MessageError."""
    try:
        return decode_base64(text)
    except ValueError:
        message = f"{param}: expected base64"
        raise MessageError(message, code="invalid_audio", param=param) from None


def decode_base64(text: str | bytes) -> bytes:
    """Return what base64 holds, with line breaks or without. Raises ValueError where it is none."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:  # only now, as nearly all of it comes without
        data = text.encode() if isinstance(text, str) else text
        return binascii.a2b_base64(data.translate(None, _WHITESPACE), strict_mode=True)


def quoted(text: str) -> str:
    """Return a client's own words, cut to a length that an error may repeat."""
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."

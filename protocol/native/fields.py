"""What fields of the messages of `/v1/stream` have in common."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from pydantic import EncoderProtocol, Field

from ..messages import decode_base64
from .parameters import drop_null

MAX_REF_CHARS = 128

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Milliseconds = Annotated[int, Field(ge=0)]
Segment = Annotated[int, Field(ge=0, description="Counted from 0 over the whole session.")]
Ref = Annotated[
    str | None,
    Field(max_length=MAX_REF_CHARS, description="The client's own id of the message."),
]


class StrictBase64(EncoderProtocol):
    """Base64 that refuses what is none; pydantic's own skips it."""

    @classmethod
    def decode(cls, data: bytes) -> bytes:
        try:
            return decode_base64(data)
        except ValueError as error:
            raise ValueError(f"expected base64: {error}") from error

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return base64.b64encode(value)

    @classmethod
    def get_json_format(cls) -> str:
        return "base64"


def tidy(schema: dict[str, Any]) -> None:
    """Show a message's schema as it is on the wire: `type` is required, and null is never sent."""
    drop_null(schema)
    for field in schema["properties"].values():
        field.pop("default", None)
    if "type" in schema["properties"]:
        schema["required"] = ["type", *schema.get("required", [])]

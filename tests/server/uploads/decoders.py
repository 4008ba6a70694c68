"""Decoding processes that do what no honest one does."""

from __future__ import annotations

import sys

import pytest

from voxwire.server.uploads import decoding


def use_decoder(monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Have uploads decoded by a program: `body`, which may `tell(kind, data)`."""
    program = f"""
import json, os, signal, struct, sys, time
def tell(kind, data):
    os.write(1, struct.pack("<BI", kind, len(data)) + data)
tell(0, b"")
{body}
"""
    monkeypatch.setattr(decoding, "COMMAND", (sys.executable, "-I", "-c", program))

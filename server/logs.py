"""The log: one line for each record, key=value, on standard error.

No key, no audio and no text is ever logged. Libraries are kept at warnings, because in detail they
log headers and frames.
"""

from __future__ import annotations

import json
import logging
import time

_NO_HANDSHAKE = "ASGI callable returned without completing handshake."


class LineFormatter(logging.Formatter):
    """Writes a record as one line, its traceback too."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = self.formatTime(record, "%Y-%m-%dT%H:%M:%S")
        level, message = record.levelname.lower(), _one_line(record.getMessage())
        line = f"{at}.{int(record.msecs):03d}Z level={level} at={record.name} {message}"
        if record.exc_info:
            line += f" traceback={json.dumps(self.formatException(record.exc_info))}"
        return line


def set_up_logging(level: str) -> None:
    """Log to standard error, our own records from `level` on, those of others from warnings on."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("voxwire").setLevel(level.upper())
    logging.getLogger("uvicorn.error").addFilter(_is_fault)


def _is_fault(record: logging.LogRecord) -> bool:
    """Tell faults from refusals: uvicorn complains of every WebSocket answered by an HTTP status.

    It could be made to write a line for each knock of a stranger. Seen in uvicorn 0.54.
    """
    return record.msg != _NO_HANDSHAKE


def _one_line(text: str) -> str:
    """Return text that cannot begin another line, as what a client sent might."""
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] for char in text)

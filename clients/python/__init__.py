"""A client of `/v1/stream` for programs: `stream` for the usual case, `connect` for all else."""

from .client import Connection, connect, stream

__all__ = ["Connection", "connect", "stream"]

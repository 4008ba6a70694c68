"""File descriptors: each connection takes one; who has none left cannot even refuse. Any thread.

Python 3.11 logs an error, with a traceback, for each connection that it could have accepted then.
"""

from __future__ import annotations

import contextlib
import resource

BACKLOG = 64  # connections that one turn of the event loop may accept
_WANTED = 65536
# macOS says that there is no limit, and refuses all beyond one that it does not say.
_ENOUGH = (_WANTED, 61440, 24576, 10240, 4096)
_SPARE = 2 * BACKLOG + 128  # for a turn's connections, for decoders and their files
_LEAST = 64


def raise_limit() -> None:
    """Take as many descriptors as the system lets us: many systems begin with 256 or 1024.

    Where it lets us have no more, what there is must do.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for enough in _ENOUGH:
        wanted = enough if hard == resource.RLIM_INFINITY else min(hard, enough)
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            return
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return


def most_connections() -> int:
    """Return how many connections may be open, so that there are descriptors for all else."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _WANTED if soft == resource.RLIM_INFINITY else max(_LEAST, soft - _SPARE)

"""File descriptors: each connection takes one; who has none left cannot even refuse. Any thread.

Python 3.11 logs an error, with a traceback, for each connection that it could have accepted then.
"""

from __future__ import annotations

import resource

BACKLOG = 64  # connections that one turn of the event loop may accept
_WANTED = 65536
_SPARE = 2 * BACKLOG + 128  # for a turn's connections, for decoders and their files
_LEAST = 64


def raise_limit() -> None:
    """Take as many descriptors as the system lets us: many systems begin with 256 or 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most_connections() -> int:
    """Return how many connections may be open, so that there are descriptors for all else."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _WANTED if soft == resource.RLIM_INFINITY else max(_LEAST, soft - _SPARE)

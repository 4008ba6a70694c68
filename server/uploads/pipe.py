"""What the decoding process tells its parent through a pipe: records with a kind and a length.

Imported by both; small, because each upload starts a decoder.
"""

from __future__ import annotations

import struct
from enum import IntEnum

HEADER = struct.Struct("<BI")  # kind, bytes that follow
BLOCK_SAMPLES = 20_480  # 1.28 s: 16 positions, which the model encodes in one pass
MAX_RECORD_BYTES = 4 * BLOCK_SAMPLES
MAX_TEXT_CHARS = 1000


class RecordKind(IntEnum):
    """What a record holds."""

    STARTED = 0  # nothing; the first record
    OPENED = 1  # JSON: duration_s, what the file claims, or null; is_estimate, that it is a guess
    AUDIO = 2  # float32 little-endian, mono, 16 kHz
    DONE = 3  # JSON: n_damaged, packets that were left out; the last record
    FAILED = 4  # JSON: expected and got; the last record

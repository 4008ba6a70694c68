"""WAV files whose samples have more room than bits, as 24 in 32: FFmpeg reads them by their bits.

It takes 24 in 32 for an old kind of float. Format: WAVEFORMATEXTENSIBLE, Microsoft's mmreg.h.
"""

from __future__ import annotations

import io
import struct
from typing import BinaryIO

_HEAD_BYTES = 1 << 16  # the format comes first, behind a broadcaster's notes at most
_FORMAT = struct.Struct("<HH8xHHHHI16s")
_EXTENSIBLE = 0xFFFE
_INTEGERS = bytes.fromhex("0100000000001000800000aa00389b71")
_CODECS = {1: "pcm_u8", 2: "pcm_s16le", 3: "pcm_s24le", 4: "pcm_s32le"}  # by bytes of room


def padded_codec(file: BinaryIO) -> str | None:
    """Return the codec by which such a file is to be read; None for every other file.

    Leaves the file where it is.
    """
    head = _head(file)
    at = head.find(b"fmt ") + 8
    if head[:4] not in (b"RIFF", b"RF64") or at < 8 or len(head) < at + _FORMAT.size:
        return None
    tag, n_channels, align, _, _, n_valid_bits, _, kind = _FORMAT.unpack_from(head, at)
    if tag != _EXTENSIBLE or kind != _INTEGERS or not n_channels or not n_valid_bits:
        return None
    n_bytes = align // n_channels
    return _CODECS.get(n_bytes) if n_bytes > -(-n_valid_bits // 8) else None


def _head(file: BinaryIO) -> bytes:
    if not file.seekable():
        return file.peek(_HEAD_BYTES) if isinstance(file, io.BufferedReader) else b""
    at = file.tell()
    head = file.read(_HEAD_BYTES)
    file.seek(at)
    return head

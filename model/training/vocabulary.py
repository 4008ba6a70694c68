"""The words the embedded checkpoint knows, and the tekken.json it is published with."""

from __future__ import annotations

import base64
from typing import Any

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
COMMANDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
WAKE_PHRASES = ("alexa", "computer", "jarvis", "snowboy", "smart mirror", "view glass")
WORDS = DIGITS + COMMANDS + tuple(word for phrase in WAKE_PHRASES for word in phrase.split())

N_SPECIAL = 1000  # text ids start here in every Voxtral checkpoint
N_BYTES = 256
FIRST_WORD_ID = N_SPECIAL + N_BYTES
BOS, EOS, PAD, STREAMING_PAD, STREAMING_WORD = 1, 2, 11, 32, 33
VOCAB_SIZE = FIRST_WORD_ID + len(WORDS)

_SPECIAL_NAMES = {
    0: "<unk>",
    BOS: "<s>",
    EOS: "</s>",
    3: "[INST]",
    4: "[/INST]",
    5: "[AVAILABLE_TOOLS]",
    6: "[/AVAILABLE_TOOLS]",
    7: "[TOOL_RESULTS]",
    8: "[/TOOL_RESULTS]",
    9: "[TOOL_CALLS]",
    10: "[IMG]",
    PAD: "<pad>",
    12: "[IMG_BREAK]",
    13: "[IMG_END]",
    14: "[PREFIX]",
    15: "[MIDDLE]",
    16: "[SUFFIX]",
    17: "[SYSTEM_PROMPT]",
    18: "[/SYSTEM_PROMPT]",
    19: "[TOOL_CONTENT]",
    24: "[AUDIO]",
    25: "[BEGIN_AUDIO]",
    STREAMING_PAD: "[STREAMING_PAD]",
    STREAMING_WORD: "[STREAMING_WORD]",
}
# Splits text into single bytes and " word" pieces, which is all this vocabulary holds.
_PATTERN = r" ?[a-z]+|\s|[^\sa-z]"


def token_id(word: str) -> int:
    """Return the token id of a domain word. Raises ValueError for any other word."""
    return FIRST_WORD_ID + WORDS.index(word)


def tekken() -> dict[str, Any]:
    """Return the content of the checkpoint's tekken.json: 256 bytes, then one token a word."""
    pieces = [bytes([b]) for b in range(N_BYTES)] + [f" {word}".encode() for word in WORDS]
    return {
        "config": {
            "pattern": _PATTERN,
            "num_vocab_tokens": len(pieces),
            "default_vocab_size": VOCAB_SIZE,
            "default_num_special_tokens": N_SPECIAL,
            "version": "v13",
        },
        "special_tokens": [
            {"rank": r, "token_str": _SPECIAL_NAMES.get(r, f"<SPECIAL_{r}>"), "is_control": True}
            for r in range(N_SPECIAL)
        ],
        "vocab": [
            {
                "rank": rank,
                "token_bytes": base64.b64encode(piece).decode(),
                "token_str": piece.decode() if len(piece) > 1 or piece[0] < 128 else None,
            }
            for rank, piece in enumerate(pieces)
        ],
        "audio": {
            "sampling_rate": 16000,
            "frame_rate": 12.5,
            "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
            "transcription_format": "streaming",
            "transcription_delay_ms": 480,
            "streaming_look_ahead_ms": 2.5,
            "streaming_look_back_ms": 52.5,
            "streaming_n_left_pad_tokens": 32,
        },
    }

"""Read a `tekken.json`: the bytes behind each token id. Decoding only; nothing here encodes.

Format: mistral-common's Tekken files. Ids below `n_special` are control tokens, id
`n_special + rank` stands for the vocabulary entry of that rank, and ids from
`config.default_vocab_size` on are not used by any model.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .config import AudioConfig
from .delay import BOS_ID, N_LEFT_PAD_TOKENS, STREAMING_PAD_ID, delay_tokens_from_ms
from .errors import ConfigError, DelayError, TokenizerError
from .fields import Section


@dataclass(frozen=True, slots=True)
class Tekken:
    """The decoding half of a tokenizer, and the settings that stand in its file.

    `vocab_bytes[i]` are the bytes of id `n_special + i`.
    """

    file: Path
    n_special: int
    bos: int
    eos: int
    streaming_pad: int
    streaming_word: int
    default_delay_ms: int
    vocab_bytes: tuple[bytes, ...]

    @classmethod
    def load(cls, file: Path) -> Tekken:
        """Read `file`: 15 MB and 130 000 entries in about 0.25 s. Raises TokenizerError."""
        data = _read(file)
        try:
            return cls._from_json(file, data)
        except ConfigError as error:
            raise TokenizerError(file, None, error.expected, error.got) from None

    @classmethod
    def _from_json(cls, file: Path, data: dict[str, Any]) -> Tekken:
        config = Section(data).section("config")
        n_special = config.integer("default_num_special_tokens")
        n_text = config.integer("default_vocab_size") - n_special
        special = _special_ids(data, n_special)
        return cls(
            file=file,
            n_special=n_special,
            bos=_special(special, "<s>"),
            eos=_special(special, "</s>"),
            streaming_pad=_special(special, "[STREAMING_PAD]"),
            streaming_word=_special(special, "[STREAMING_WORD]"),
            default_delay_ms=_default_delay_ms(Section(data).section("audio")),
            vocab_bytes=_vocab_bytes(data, n_text),
        )

    @property
    def vocab_size(self) -> int:
        """Number of ids, control tokens included."""
        return self.n_special + len(self.vocab_bytes)

    def check(self, vocab_size: int) -> None:
        """Raise TokenizerError unless a model of `vocab_size` ids can have been trained with this.

        The prompt that the model is given is made of fixed ids, so those must mean what they do.
        """
        wanted = (vocab_size, BOS_ID, STREAMING_PAD_ID)
        got = (self.vocab_size, self.bos, self.streaming_pad)
        if got != wanted:
            words = "{} ids, with <s> {} and [STREAMING_PAD] {}"
            raise TokenizerError(self.file, None, words.format(*wanted), words.format(*got))

    def token_bytes(self, token_id: int) -> bytes:
        """Return the bytes that `token_id` writes, b"" for a control token. Raises IndexError."""
        if not 0 <= token_id < self.vocab_size:
            raise IndexError(f"expected a token id of 0..{self.vocab_size - 1}, got {token_id}")
        rank = token_id - self.n_special
        return self.vocab_bytes[rank] if rank >= 0 else b""

    def decode(self, token_ids: Iterable[int]) -> str:
        """Return the text of a whole sequence; bytes that are not UTF-8 become U+FFFD."""
        joined = b"".join(self.token_bytes(token_id) for token_id in token_ids)
        return joined.decode("utf-8", errors="replace")


def _read(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_bytes())
    except OSError as error:
        raise TokenizerError(file, None, "a readable file", error.strerror or str(error)) from None
    except (ValueError, RecursionError) as error:  # ValueError: neither JSON nor UTF-8
        raise TokenizerError(file, None, "JSON", str(error)) from None
    if not isinstance(data, dict):
        raise TokenizerError(file, None, "a JSON object", type(data).__name__)
    return data


def _entries(data: dict[str, Any], key: str, text_key: str) -> Iterator[tuple[int, str]]:
    """Yield (rank, text) of every entry of a list, refusing entries of another form."""
    entries = data.get(key)
    if not isinstance(entries, list):
        raise ConfigError(expected=f"{key}: a list", got=type(entries).__name__)
    for index, entry in enumerate(entries):
        rank = entry.get("rank") if isinstance(entry, dict) else None
        text = entry.get(text_key) if isinstance(entry, dict) else None
        if type(rank) is not int or rank < 0 or not isinstance(text, str):
            wanted = f"{key}[{index}]: a rank and {text_key}"
            raise ConfigError(expected=wanted, got=repr(entry)[:60])
        yield rank, text


def _special_ids(data: dict[str, Any], n_special: int) -> dict[str, int]:
    tokens: dict[int, str] = {}
    for rank, token in _entries(data, "special_tokens", "token_str"):
        if rank in tokens or rank >= n_special:
            raise ConfigError(
                expected=f"special_tokens: ranks below {n_special}, each once",
                got=f"{token} at {rank}",
            )
        tokens[rank] = token
    return {token: rank for rank, token in tokens.items()}


def _special(ids: dict[str, int], token: str) -> int:
    if token not in ids:
        raise ConfigError(
            expected=f"special_tokens: {token}", got=f"{len(ids)} others: another model's file"
        )
    return ids[token]


def _vocab_bytes(data: dict[str, Any], n_text: int) -> tuple[bytes, ...]:
    table: dict[int, bytes] = {}
    for rank, encoded in _entries(data, "vocab", "token_bytes"):
        if rank >= n_text:
            continue  # real files list more entries than any model uses
        if rank in table:
            raise ConfigError(expected="vocab: each rank once", got=f"rank {rank} again")
        try:
            table[rank] = binascii.a2b_base64(encoded, strict_mode=True)
        except ValueError as error:
            raise ConfigError(expected=f"vocab: base64 at rank {rank}", got=str(error)) from None
    if n_text <= 0 or len(table) != n_text:
        raise ConfigError(
            expected=f"vocab: every rank of 0..{n_text - 1}", got=f"{len(table)} of them"
        )
    return tuple(table[rank] for rank in range(n_text))


def _default_delay_ms(audio: Section) -> int:
    """Check the audio section against the grid that the front end is built on; return the delay."""
    grid = AudioConfig()
    encoding = audio.section("audio_encoding_config")
    wanted = (
        (audio, "sampling_rate", grid.sampling_rate_hz),
        (audio, "frame_rate", grid.frame_rate_hz),
        (audio, "streaming_n_left_pad_tokens", N_LEFT_PAD_TOKENS),
        (encoding, "hop_length", grid.hop_samples),
        (encoding, "window_size", grid.window_samples),
    )
    for section, key, value in wanted:
        got = section.number(key)
        if got != value:
            raise ConfigError(expected=f"{section.name(key)}: {value:g}", got=f"{got:g}")
    delay_ms = audio.integer("transcription_delay_ms")
    try:
        delay_tokens_from_ms(delay_ms)
    except DelayError:
        raise ConfigError(
            expected="audio.transcription_delay_ms: 80 to 1200 in steps of 80, or 2400",
            got=str(delay_ms),
        ) from None
    return delay_ms

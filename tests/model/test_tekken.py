"""A tekken.json is read completely or refused with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.random_checkpoint import tiny_tekken
from voxwire.model.errors import TokenizerError
from voxwire.model.tekken import Tekken

Edit = Callable[[dict[str, Any]], object]


def write(directory: Path, data: object) -> Path:
    file = directory / "tekken.json"
    file.write_text(json.dumps(data))
    return file


def test_ids_are_ranks_after_the_special_tokens(tmp_path: Path) -> None:
    tekken = Tekken.load(write(tmp_path, tiny_tekken()))
    assert tekken.vocab_size == 1300
    assert tekken.token_bytes(1000 + 0x41) == b"A"
    assert tekken.decode([1000 + 0xC3, 1000 + 0xA9, 1256]) == "é the"


def test_control_tokens_have_no_bytes_and_are_found_by_name(tmp_path: Path) -> None:
    data = tiny_tekken()
    names = {token["rank"]: token for token in data["special_tokens"]}
    names[32]["token_str"], names[500]["token_str"] = "<SPECIAL_32>", "[STREAMING_PAD]"
    tekken = Tekken.load(write(tmp_path, data))
    assert (tekken.bos, tekken.eos, tekken.streaming_pad, tekken.streaming_word) == (1, 2, 500, 33)
    assert {tekken.token_bytes(control) for control in range(1000)} == {b""}


def test_order_in_the_file_does_not_matter_and_surplus_entries_are_left_out(tmp_path: Path) -> None:
    data = tiny_tekken()
    data["vocab"].reverse()
    data["vocab"].insert(0, {"rank": 300, "token_bytes": "QQ==", "token_str": "A"})
    tekken = Tekken.load(write(tmp_path, data))
    assert tekken.vocab_size == 1300
    assert tekken.token_bytes(1257) == b" one"


@pytest.mark.parametrize("token_id", [-1, 1300])
def test_an_id_outside_the_vocabulary_is_refused(tmp_path: Path, token_id: int) -> None:
    tekken = Tekken.load(write(tmp_path, tiny_tekken()))
    with pytest.raises(IndexError, match=rf"0\.\.1299, got {token_id}"):
        tekken.token_bytes(token_id)


def test_the_default_delay_comes_from_the_file(tmp_path: Path) -> None:
    assert Tekken.load(write(tmp_path, tiny_tekken(delay_ms=960))).default_delay_ms == 960


def test_a_model_with_another_vocabulary_is_refused(tmp_path: Path) -> None:
    tekken = Tekken.load(write(tmp_path, tiny_tekken()))
    tekken.check(1300)
    with pytest.raises(TokenizerError, match=r"expected 131072 ids.*got 1300 ids"):
        tekken.check(131072)


@pytest.mark.parametrize(("token", "rank"), [("<s>", 1), ("[STREAMING_PAD]", 32)])
def test_a_tokenizer_with_another_prompt_is_refused(tmp_path: Path, token: str, rank: int) -> None:
    data = tiny_tekken()
    data["special_tokens"][rank]["token_str"] = "<other>"
    data["special_tokens"][500]["token_str"] = token
    tekken = Tekken.load(write(tmp_path, data))
    with pytest.raises(TokenizerError, match=r"with <s> 1 and \[STREAMING_PAD\] 32, got.*500"):
        tekken.check(1300)


BROKEN: dict[str, tuple[Edit, str]] = {
    "no config": (lambda d: d.pop("config"), "config"),
    "no audio section": (lambda d: d.pop("audio"), "audio"),
    "no special tokens": (lambda d: d.pop("special_tokens"), "special_tokens: a list"),
    "no streaming pad": (
        lambda d: d["special_tokens"].pop(32),
        r"special_tokens: \[STREAMING_PAD\]",
    ),
    "no streaming word": (
        lambda d: d["special_tokens"].pop(33),
        r"special_tokens: \[STREAMING_WORD\]",
    ),
    "special rank twice": (
        lambda d: d["special_tokens"][40].update(rank=41),
        "each once, got <SPECIAL_41> at 41",
    ),
    "special rank too high": (
        lambda d: d["special_tokens"][40].update(rank=1000),
        "ranks below 1000.*at 1000",
    ),
    "rank twice": (lambda d: d["vocab"][5].update(rank=6), "each rank once, got rank 6 again"),
    "rank missing": (lambda d: d["vocab"].pop(5), r"every rank of 0\.\.299, got 299 of them"),
    "short vocabulary": (lambda d: d["config"].update(default_vocab_size=1400), "every rank"),
    "nothing but special tokens": (
        lambda d: d["config"].update(default_vocab_size=1000),
        "every rank",
    ),
    "no bytes": (lambda d: d["vocab"][5].pop("token_bytes"), r"vocab\[5\]: a rank and token_bytes"),
    "bad base64": (lambda d: d["vocab"][5].update(token_bytes="QQ"), "base64 at rank 5"),
    "rank not a number": (lambda d: d["vocab"][5].update(rank="5"), r"vocab\[5\]: a rank"),
    "another hop": (
        lambda d: d["audio"]["audio_encoding_config"].update(hop_length=200),
        "audio.audio_encoding_config.hop_length: 160, got 200",
    ),
    "another window": (
        lambda d: d["audio"]["audio_encoding_config"].update(window_size=512),
        "window_size: 400, got 512",
    ),
    "another rate": (
        lambda d: d["audio"].update(sampling_rate=24000),
        "audio.sampling_rate: 16000, got 24000",
    ),
    "another frame rate": (lambda d: d["audio"].update(frame_rate=25), "frame_rate: 12.5, got 25"),
    "another left pad": (
        lambda d: d["audio"].update(streaming_n_left_pad_tokens=16),
        "streaming_n_left_pad_tokens: 32, got 16",
    ),
    "delay between positions": (
        lambda d: d["audio"].update(transcription_delay_ms=500),
        "transcription_delay_ms: 80 to 1200 in steps of 80, or 2400, got 500",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_by_name_and_reason(tmp_path: Path, name: str) -> None:
    edit, message = BROKEN[name]
    data = tiny_tekken()
    edit(data)
    file = write(tmp_path, data)
    with pytest.raises(TokenizerError, match=message) as caught:
        Tekken.load(file)
    assert caught.value.file == file
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"[" * 100_000])
def test_what_is_not_a_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "tekken.json"
    file.write_bytes(content)
    with pytest.raises(TokenizerError, match=r"expected (a )?JSON"):
        Tekken.load(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="a readable file, got No such file"):
        Tekken.load(tmp_path / "tekken.json")

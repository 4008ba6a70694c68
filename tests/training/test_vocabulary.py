"""The published vocabulary reads back as the words it was trained with."""

from __future__ import annotations

import json
from pathlib import Path

from voxwire.model.tekken import Tekken
from voxwire.model.training.vocabulary import VOCAB_SIZE, WORDS, tekken, token_id


def test_every_word_is_one_token_with_its_leading_space(tmp_path: Path) -> None:
    path = tmp_path / "tekken.json"
    path.write_text(json.dumps(tekken()))
    tokenizer = Tekken.load(path)
    tokenizer.check(VOCAB_SIZE)
    for word in WORDS:
        assert tokenizer.token_bytes(token_id(word)) == f" {word}".encode()

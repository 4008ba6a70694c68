"""Every word of the attacks' lists is said once: the chaos itself draws a few of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.chaos import frames, uploads, words
from tests.chaos.attacks import Run
from tests.chaos.doors import DOORS
from tests.chaos.target import Target, target_here
from tests.random_checkpoint import PARAMS, write_mistral

N_DOORS = len(DOORS)
N_BASE64_DOORS = sum(door.in_base64 is not None for door in DOORS)
# As many turns as say each word of a list at each door: the product of the two, which have no
# common divisor.
TURNS: dict[Run, int] = {
    frames.broken_frame: len(frames.BROKEN) * N_DOORS,
    words.junk: len(words.JUNK) // 4 * N_DOORS,
    words.no_base64: len(words.NO_BASE64) * N_BASE64_DOORS,
    words.no_sound: len(words.NO_SOUND) * 3,
    words.loud_audio: len(words.LOUD),
    words.bad_address: len(words.BAD_QUERIES),
    words.bad_format: len(words.BAD_FORMATS),
    words.wyoming_junk: len(words.WYOMING_JUNK),
    uploads.no_recording: 10,
    uploads.broken_form: 8,
    uploads.broken_request: len(uploads.REQUESTS),
    uploads.broken_handshake: len(uploads.HANDSHAKES),
}


class InTurn(random.Random):
    """Draws from each list what its turn is."""

    def __init__(self, turn: int) -> None:
        super().__init__(turn)
        self.turn = turn

    def choice(self, seq: Any) -> Any:
        return seq[self.turn % len(seq)]

    def sample(self, population: Sequence[Any], k: int, *, counts: Any = None) -> list[Any]:
        return [population[(self.turn * k + at) % len(population)] for at in range(k)]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    model = write_mistral(tmp_path_factory.mktemp("model"), PARAMS["tiny"], seed=3)
    with target_here(str(model)) as served:
        yield served


@pytest.mark.parametrize("attack", TURNS, ids=lambda attack: attack.__name__)
def test_every_word_of_an_attack_is_withstood(target: Target, attack: Run) -> None:
    async def each() -> None:
        for turn in range(TURNS[attack]):
            await attack(target, InTurn(turn))

    asyncio.run(each())

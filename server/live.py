"""One stream of audio through the model: samples in, text and timed words out.

Files and live audio take this same way. MLX thread only.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..model.checkpoint.download import Progress
from ..model.checkpoint.hub import resolve_model
from ..model.checkpoint.load import load_checkpoint
from ..model.delay import MS_PER_TOKEN
from ..model.mel import Floats, MelStream
from ..model.offline import BLOCK_TOKENS, advance
from ..model.stream import SlotBatch
from ..model.tekken import Tekken
from ..model.text import Delta, TextAssembler
from ..model.voxtral import Voxtral


@dataclass(frozen=True, slots=True)
class OpenModel:
    """A loaded model with its tokenizer, under the name it was asked for by."""

    name: str
    model: Voxtral
    tekken: Tekken

    @property
    def default_delay_ms(self) -> int:
        """The transcription delay that the checkpoint asks for."""
        return self.model.config.default_delay_tokens * MS_PER_TOKEN


def open_model(spec: str, progress: Progress | None = None) -> OpenModel:
    """Find, download if need be, and load the model that `spec` names. Raises ModelError."""
    checkpoint = load_checkpoint(resolve_model(spec, progress))
    tekken = Tekken.load(checkpoint.tokenizer_file)
    return OpenModel(spec, Voxtral(checkpoint), tekken)


class LiveTranscriber:
    """One stream: each position is computed as soon as its audio is there.

    Memory does not grow with the length of the stream. Raises DelayError.
    """

    def __init__(self, opened: OpenModel, delay_tokens: int) -> None:
        self._mel = MelStream(opened.model.config, delay_tokens)
        self._batch = SlotBatch(opened.model, 1)
        self._batch.reset(0, delay_tokens)
        self._text = TextAssembler(opened.tekken)

    def feed(self, samples: Floats) -> list[Delta]:
        """Take samples, [n] float32 mono 16 kHz; return one delta for each new token.

        Raises AudioError, LogitsError.
        """
        self._mel.feed(samples)
        return self._drain()

    def finish(self) -> list[Delta]:
        """Let the model write what it has heard and not yet written; the last delta closes it.

        Raises LogitsError.
        """
        self._mel.flush()
        return [*self._drain(), self._text.finish()]

    def _drain(self) -> list[Delta]:
        deltas: list[Delta] = []
        while n_ready := self._mel.n_ready:
            tokens = advance(self._batch, self._mel, min(n_ready, BLOCK_TOKENS))
            deltas += [self._text.push(token) for token in tokens]
        return deltas

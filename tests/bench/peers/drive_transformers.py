"""transformers on torch: `generate` fed by a generator of mel chunks, as its documentation does.

The documentation uses a thread; here a greenlet, so that the driver knows when a chunk is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import transformers
from greenlet import getcurrent, greenlet
from transformers import (
    AutoProcessor,
    TextIteratorStreamer,
    VoxtralRealtimeForConditionalGeneration,
)

from tests.bench.peers.harness import RATE_HZ, Group, Ids, OneByOne, Samples, main, read_wav

_MOST_SAMPLES = 120 * RATE_HZ


class _Listening(TextIteratorStreamer):
    """A streamer that notes the tokens, the prompt left out."""

    def __init__(self, tokenizer: Any, heard: Ids) -> None:
        super().__init__(tokenizer, skip_special_tokens=True)
        self._heard = heard
        self._is_prompt = True

    def put(self, value: Any) -> None:
        if not self._is_prompt:
            self._heard += value.reshape(-1).tolist()
        self._is_prompt = False
        super().put(value)


class Stream:
    """One call of `generate`, which asks for audio as it goes."""

    def __init__(self, model: Any, processor: Any) -> None:
        self.tokens: Ids = []
        self._model, self._processor = model, processor
        self._audio = np.zeros(_MOST_SAMPLES, np.float32)  # at once: growing would cost the peer
        self._n_heard = 0
        self._is_over = False
        self._generating = greenlet(self._generate)
        self._generating.switch()

    def push(self, chunk: Samples) -> None:
        """Hand over audio."""
        if not self._generating.dead:
            self._generating.switch(chunk)

    def finish(self) -> None:
        """Hand over the right padding, and let it end."""
        if not self._generating.dead:
            self._generating.switch(None)

    def _has(self, n_samples: int) -> bool:
        """Wait until so many samples were heard; False where the audio ends before."""
        while self._n_heard < n_samples and not self._is_over:
            chunk = getcurrent().parent.switch()
            if chunk is None:
                self._is_over = True
                right_pad = self._processor.num_right_pad_tokens
                n_tokens = right_pad() if callable(right_pad) else right_pad
                self._n_heard += n_tokens * self._processor.raw_audio_length_per_tok
            else:
                self._audio[self._n_heard : self._n_heard + len(chunk)] = chunk
                self._n_heard += len(chunk)
        return self._n_heard >= n_samples

    def _generate(self) -> None:
        n_first = self._processor.num_samples_first_audio_chunk
        if not self._has(n_first):
            return
        first = self._processor(
            self._audio[:n_first],
            is_streaming=True,
            is_first_audio_chunk=True,
            return_tensors="pt",
        )
        features = self._features(first.pop("input_features"))
        streamer = _Listening(self._processor.tokenizer, self.tokens)
        self._model.generate(**first, input_features=features, streamer=streamer)

    def _features(self, first: Any) -> Iterator[Any]:
        yield first
        processor = self._processor
        half_window = processor.feature_extractor.win_length // 2
        frame = processor.num_mel_frames_first_audio_chunk
        size = processor.num_samples_per_audio_chunk
        while True:
            start = frame * processor.feature_extractor.hop_length - half_window
            if not self._has(start + size):
                return
            chunk = self._audio[start : start + size]
            yield processor(
                chunk, is_streaming=True, is_first_audio_chunk=False, return_tensors="pt"
            ).input_features
            frame += processor.audio_length_per_tok


class Engine:
    """The loaded model."""

    def __init__(self, checkpoint: str) -> None:
        transformers.logging.set_verbosity_error()
        torch.set_grad_enabled(False)
        model = VoxtralRealtimeForConditionalGeneration.from_pretrained(
            checkpoint, dtype=torch.float32
        )
        self._model = model.eval()
        self._processor = AutoProcessor.from_pretrained(checkpoint)

    def group(self, n_streams: int) -> Group:
        """Begin streams."""
        return OneByOne([Stream(self._model, self._processor) for _ in range(n_streams)])

    def file(self, wav: str) -> Ids:
        """Transcribe a whole file."""
        inputs = self._processor(read_wav(wav), return_tensors="pt")
        ids = self._model.generate(**inputs)
        self._processor.batch_decode(ids, skip_special_tokens=True)
        tokens: Ids = ids[0, inputs.input_ids.shape[1] :].tolist()
        return tokens


if __name__ == "__main__":
    main(Engine)

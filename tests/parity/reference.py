"""Run the independent implementation in transformers (torch, CPU, float32) as the reference.

Samples go to the feature extractor and the model directly, not through the processor, which
would round them to PCM16 on the way. Padding and prompt come from mistral-common.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mistral_common.tokens.tokenizers.audio import (
    AudioConfig,
    AudioEncoder,
    AudioSpectrogramConfig,
    SpecialAudioIDs,
    TranscriptionFormat,
)
from transformers import AutoConfig, VoxtralRealtimeForConditionalGeneration
from transformers.models.voxtral_realtime.feature_extraction_voxtral_realtime import (
    VoxtralRealtimeFeatureExtractor,
)

from tests.parity.compare import RELATIVE_TOLERANCE, Ids, Rows
from tests.parity.signals import SAMPLING_RATE_HZ, Samples

BOS, STREAMING_PAD = 1, 32
HOP_SAMPLES, WINDOW_SAMPLES, FRAMES_PER_TOKEN = 160, 400, 8
# Longer than any test: a window that never cuts.
NO_WINDOW = 1_000_000


@dataclass(frozen=True, slots=True)
class Reference:
    """What the reference made of one recording: float32 arrays, one row per frame or step."""

    mel: Rows  # [8 N, n_mels] 10 ms frames, all N positions with both paddings
    encoder: Rows  # [4 N, encoder width]
    adapter: Rows  # [N, decoder width]
    logits: Rows  # [steps, vocabulary] from prompt position L-1 to the last, steps = N - L + 1
    tokens: Ids  # [steps] greedy; EOS ends nothing
    streaming_tokens: Ids  # [steps] the same, fed 80 ms at a time
    streaming_logits: Rows  # [steps, vocabulary] at each step of the streaming run


@dataclass(frozen=True, slots=True)
class Request:
    """One recording made ready: padded samples, their mel and the prompt."""

    padded: Samples
    mel: torch.Tensor  # [1, n_mels, 8 N]
    prompt: torch.Tensor  # [1, L]
    n_delay_tokens: int


class ReferenceModel:
    """Hold a checkpoint of the Hugging Face layout in torch, float32, on the CPU."""

    def __init__(self, directory: Path, *, windows: bool = True) -> None:
        config = AutoConfig.from_pretrained(directory)
        if not windows:
            config.audio_config.sliding_window = NO_WINDOW
            config.text_config.sliding_window = NO_WINDOW
        self._model = VoxtralRealtimeForConditionalGeneration.from_pretrained(
            directory, config=config, dtype=torch.float32
        ).eval()
        # A live stream goes on after EOS, so generate() must not stop there either.
        self._model.generation_config.eos_token_id = None
        n_mels = config.audio_config.num_mel_bins
        self._features = VoxtralRealtimeFeatureExtractor(feature_size=n_mels)
        self._audio = audio_encoder(n_mels)

    @torch.inference_mode()
    def run(self, samples: Samples, delay_ms: int) -> Reference:
        """Transcribe float32 mono 16 kHz samples offline and streaming.

        Raises: ArithmeticError if its own ways of computing disagree.
        """
        request = self._prepare(samples, delay_ms)
        tower = self._model.model.get_audio_features(input_features=request.mel)
        stepped = self._generate(request, request.mel)
        streamed = self._generate(request, self._chunks(request))
        logits = self._forced(request, stepped.argmax(-1))
        _require_close(stepped, logits[: len(stepped)], "generate() and one forward pass")
        return Reference(
            mel=request.mel[0].T.numpy(),
            encoder=tower.last_hidden_state[0].numpy(),
            adapter=tower.pooler_output[0].numpy(),
            logits=logits,
            tokens=logits.argmax(-1).astype(np.int32),
            streaming_tokens=streamed.argmax(-1).astype(np.int32),
            streaming_logits=streamed,
        )

    def _prepare(self, samples: Samples, delay_ms: int) -> Request:
        padded = self._audio.pad(samples, SAMPLING_RATE_HZ, delay_ms)
        n_delay_tokens = self._audio.audio_config.get_num_delay_tokens(delay_ms)
        n_left = self._audio.audio_config.n_left_pad_tokens
        prompt = torch.tensor([[BOS] + [STREAMING_PAD] * (n_left + n_delay_tokens)])
        return Request(padded, self._log_mel(padded, center=True), prompt, n_delay_tokens)

    def _log_mel(self, samples: Samples, *, center: bool) -> torch.Tensor:
        batch = self._features(samples, sampling_rate=SAMPLING_RATE_HZ, center=center)
        return batch["input_features"]

    def _chunks(self, request: Request) -> Iterator[torch.Tensor]:
        """Yield mel as a live client would: the prompt's worth at once, then 80 ms a time.

        Uncentred, the extractor drops the last frame it computed, so each chunk reaches one
        hop further than its frames; zeros past the right padding let the last one complete.
        """
        half, n_frames = WINDOW_SAMPLES // 2, request.prompt.shape[1] * FRAMES_PER_TOKEN
        live = np.pad(request.padded, (0, half))
        yield self._log_mel(live[: (n_frames - 1) * HOP_SAMPLES + half], center=True)
        n_samples = FRAMES_PER_TOKEN * HOP_SAMPLES + WINDOW_SAMPLES
        for frame in range(n_frames, request.mel.shape[-1], FRAMES_PER_TOKEN):
            start = frame * HOP_SAMPLES - half
            yield self._log_mel(live[start : start + n_samples], center=False)

    def _generate(self, request: Request, features: Any) -> Rows:
        """Return the logits [steps, vocabulary] of a greedy run.

        Offline, transformers never computes the last position, so there is one step less.
        """
        result = self._model.generate(
            input_ids=request.prompt,
            input_features=features,
            num_delay_tokens=request.n_delay_tokens,
            do_sample=False,
            return_dict_in_generate=True,
            output_logits=True,
        )
        logits: Rows = torch.cat(result.logits).float().numpy()
        return logits

    def _forced(self, request: Request, tokens: Ids) -> Rows:
        """Return the logits of one pass over all positions with the given tokens fed back."""
        ids = torch.cat([request.prompt, torch.from_numpy(tokens)[None]], dim=1)
        output = self._model(
            input_ids=ids,
            input_features=request.mel,
            num_delay_tokens=request.n_delay_tokens,
            use_cache=False,
            logits_to_keep=len(tokens) + 1,
        )
        logits: Rows = output.logits[0].numpy()
        return logits


def audio_encoder(n_mels: int) -> AudioEncoder:
    """Return mistral-common's padder with the settings of the published tekken.json."""
    config = AudioConfig(
        sampling_rate=SAMPLING_RATE_HZ,
        frame_rate=12.5,
        encoding_config=AudioSpectrogramConfig(n_mels, HOP_SAMPLES, WINDOW_SAMPLES),
        transcription_format=TranscriptionFormat.STREAMING,
        transcription_delay_ms=480,
        streaming_look_ahead_ms=2.5,
        streaming_look_back_ms=52.5,
        streaming_n_left_pad_tokens=32,
    )
    return AudioEncoder(config, SpecialAudioIDs(24, 25, STREAMING_PAD, None, None))


def _require_close(first: Rows, second: Rows, what: str) -> None:
    error = float((np.abs(first - second).max(1) / np.abs(second).max(1)).max())
    if error > RELATIVE_TOLERANCE:
        raise ArithmeticError(f"{what} differ by {error:.1e} of the peak in transformers itself")

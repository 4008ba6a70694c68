"""Run the package's model on one recording and collect what every stage made of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import mlx.core as mx
import numpy as np

from tests.other_layouts import write_hf, write_mlx_audio, write_voxmlx
from tests.parity.compare import Ids, Rows
from tests.parity.frozen_file import FrozenReference
from tests.parity.signals import Samples
from tests.random_checkpoint import Params, Weights, write_mistral
from voxwire.model.checkpoint.load import load_checkpoint
from voxwire.model.delay import (
    BOS_ID,
    N_PREFIX_TOKENS,
    STREAMING_PAD_ID,
    delay_tokens_from_ms,
    prompt_tokens,
)
from voxwire.model.mel import Floats, MelStream
from voxwire.model.stream import NO_TOKEN, Probe, SlotBatch
from voxwire.model.voxtral import Voxtral

WRITERS: dict[str, Callable[[Path, Params, Weights], Path]] = {
    "mistral": write_mistral,
    "hugging-face": write_hf,
    "voxmlx": write_voxmlx,
    "mlx-audio": write_mlx_audio,
}


@dataclass(frozen=True, slots=True)
class Observed:
    """What the model made of one recording: float32 rows, from position N_PREFIX_TOKENS on.

    The positions before are the same silence in every session, and only their effect shows.
    """

    mel: Rows  # [8 n, n_mels]
    encoder: Rows  # [4 n, encoder width]
    adapter: Rows  # [n, decoder width]
    logits: Rows  # [steps, vocabulary], one row for each sampled token
    tokens: Ids  # [steps]


def load(directory: Path) -> Voxtral:
    """Load a checkpoint of any layout in float32, as the tolerances demand."""
    return Voxtral(load_checkpoint(directory, dtype=mx.float32), mx.float32)


def evenly(n_samples: int) -> Iterator[int]:
    """Yield the same chunk length for ever."""
    return itertools.repeat(n_samples)


def raggedly(seed: int) -> Iterator[int]:
    """Yield chunk lengths from one sample to a third of a second."""
    rng = np.random.default_rng(seed)
    while True:
        yield int(rng.choice([1, 40, 159, 1280, 1281, 5000]))


def observe(
    model: Voxtral,
    samples: Samples,
    delay_ms: int,
    chunk_samples: Iterator[int],
    anchor_positions: int | None = None,
) -> Observed:
    """Transcribe samples that arrive in chunks of the given lengths, taking all that is ready."""
    delay_tokens = delay_tokens_from_ms(delay_ms)
    stream = MelStream(model.config, delay_tokens)
    batch = SlotBatch(model, 1, anchor_positions)
    batch.reset(0, delay_tokens)
    mels, probes, tokens = [], [], []
    for mel in _ready(stream, samples, chunk_samples):
        mels.append(mel)
        probes.append(Probe())
        tokens.append(batch.advance([0], mel[None], probes[-1])[0])
    sampled = np.concatenate(tokens)
    return Observed(
        mel=np.concatenate(mels),
        encoder=np.concatenate([probe.frames[0] for probe in probes]),
        adapter=np.concatenate([probe.audio[0] for probe in probes]),
        logits=np.concatenate([probe.logits[0] for probe in probes])[sampled != NO_TOKEN],
        tokens=sampled[sampled != NO_TOKEN],
    )


def measure(
    wanted: FrozenReference,
    model: Voxtral,
    samples: Samples,
    delay_ms: int,
    chunk_samples: Iterator[int],
) -> dict[str, float]:
    """Assert the tokens; return the errors by stage, logits with the reference's tokens fed.

    So a tie, after which tokens may differ, does not end the comparison of logits.
    """
    observed = observe(model, samples, delay_ms, chunk_samples)
    assert wanted.unexcused(observed.tokens, model.config.decoder.window) == []
    logits = forced_logits(model, observed.mel, delay_ms, wanted.greedy.tokens)
    return wanted.errors(replace(observed, logits=logits))


def _ready(stream: MelStream, samples: Samples, chunk_samples: Iterator[int]) -> Iterator[Floats]:
    """Yield the mel of the positions that each chunk completes, and of the flush."""
    at = 0
    while at < len(samples):
        n_samples = next(chunk_samples)
        stream.feed(samples[at : at + n_samples])
        at += n_samples
        if stream.n_ready:
            yield stream.take(stream.n_ready)
    stream.flush()
    yield stream.take(stream.n_ready)


def forced_logits(model: Voxtral, mel: Rows, delay_ms: int, tokens: Ids) -> Rows:
    """Return the logits [steps, vocabulary] where the tokens before each step are given.

    mel: as `observe` returns it. All positions go through in one pass.
    """
    delay_tokens = delay_tokens_from_ms(delay_ms)
    batch = SlotBatch(model, 1)
    batch.reset(0, delay_tokens)
    n_prompt = prompt_tokens(delay_tokens)
    prompt = np.array([BOS_ID] + [STREAMING_PAD_ID] * (n_prompt - 1), np.int32)
    previous = np.concatenate([prompt, tokens[:-1]])[N_PREFIX_TOKENS:]
    logits = batch.force([0], mel[None], previous[None])
    return logits[0, n_prompt - 1 - N_PREFIX_TOKENS :]

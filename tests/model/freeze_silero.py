"""Write the detector's weights and the frozen reference from the wheel of silero-vad.

    pip download --no-deps silero-vad==6.2.3 && pip install onnx onnxruntime numpy safetensors
    python -m tests.model.freeze_silero silero_vad-6.2.3-py3-none-any.whl SAMPLES.npy

SAMPLES.npy holds the samples of model/embedded/demo/digits.flac, [n] float32 at 16 kHz. Needs
neither MLX nor the package: run it in an environment of its own.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = ROOT / "model/silero/weights.safetensors"
REFERENCE = Path(__file__).with_name("silero_reference.npz")
# This file names its tensors; the one that the package loads keeps them in branches.
NAMED, LOADED = "silero_vad/data/silero_vad_16k_op15.onnx", "silero_vad/data/silero_vad.onnx"
SOURCE = {
    **{f"conv{i + 1}": f"model.encoder.{i}.reparam_conv" for i in range(4)},
    "lstm": "model.decoder.rnn",
    "out": "model.decoder.decoder.2",
}
PARTS = {"lstm": ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}


def weights(model: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """Return the tensors of the ONNX file under our names."""
    graph = onnx.load_from_string(model).graph
    found = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    return {
        f"{ours}.{part}": found[f"{theirs}.{part}"].copy()
        for ours, theirs in SOURCE.items()
        for part in PARTS.get(ours, ("weight", "bias"))
    }


def probabilities(model: bytes, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return what ONNX Runtime gives for every whole window of 512 samples."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros(64, np.float32)
    found = []
    for window in samples[: len(samples) // 512 * 512].reshape(-1, 512):
        fed = np.concatenate([context, window])[None]
        rate = np.array(16000, np.int64)
        probability, state = session.run(None, {"input": fed, "state": state, "sr": rate})
        context = window[-64:]
        found.append(probability[0, 0])
    return np.array(found, np.float32)


if __name__ == "__main__":
    wheel = zipfile.ZipFile(sys.argv[1])
    save_file(weights(wheel.read(NAMED)), WEIGHTS)
    frozen = probabilities(wheel.read(LOADED), np.load(sys.argv[2]))
    np.savez_compressed(REFERENCE, probabilities=frozen)

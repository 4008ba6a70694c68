"""The embedded checkpoint as each peer wants it, in float32."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import numpy as np

from tests.other_layouts import write_hf, write_mlx_audio, write_voxmlx
from tests.random_checkpoint import Params, Weights, write_json
from voxwire.model.checkpoint.hub import EMBEDDED

# What transformers reads beside the weights; the sizes of the front end are the same everywhere.
_HF_PROCESSOR = {
    "processor_class": "VoxtralRealtimeProcessor",
    "feature_extractor": {
        "feature_extractor_type": "VoxtralRealtimeFeatureExtractor",
        "feature_size": 128,
        "sampling_rate": 16000,
        "hop_length": 160,
        "n_fft": 400,
        "win_length": 400,
    },
}
_HF_GENERATION = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 11}
# mistral-common asks for these control tokens by name, and the embedded checkpoint has no use for
# them: spare ones get their names.
_WANTED_TOKENS = {34: "[ARGS]", 35: "[CALL_ID]", 36: "[THINK]", 37: "[/THINK]"}
# mlx-audio makes the mask of the prompt after it wrote the prompt to its cache: a window shorter
# than two prompts of 39 positions fails. This is the shortest with which it runs.
MLX_AUDIO_WINDOW = 78
_WRITERS: dict[str, Callable[[Path, Params, Weights], Path]] = {
    "voxmlx": write_voxmlx,
    "mlx-audio": write_mlx_audio,
    "transformers": write_hf,
}


def convert(layout: str, folder: Path) -> Path:
    """Write the embedded checkpoint in a peer's layout anew; return `folder`. MLX thread only."""
    shutil.rmtree(folder, ignore_errors=True)
    params = json.loads((EMBEDDED / "params.json").read_text())
    if layout == "mlx-audio":
        params["sliding_window"] = MLX_AUDIO_WINDOW
    stored = mx.load(str(EMBEDDED / "consolidated.safetensors"))
    assert isinstance(stored, dict)
    weights = {name: np.array(array.astype(mx.float32)) for name, array in stored.items()}
    _WRITERS[layout](folder, params, weights)
    write_json(folder / "tekken.json", _tekken())
    if layout == "transformers":
        write_json(folder / "processor_config.json", _HF_PROCESSOR)
        write_json(folder / "generation_config.json", _HF_GENERATION)
    return folder


def _tekken() -> Params:
    tekken: Params = json.loads((EMBEDDED / "tekken.json").read_text())
    for token in tekken["special_tokens"]:
        token["token_str"] = _WANTED_TOKENS.get(token["rank"], token["token_str"])
    return tekken

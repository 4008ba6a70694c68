"""Run transformers beside the model on the embedded checkpoint and the bundled recordings."""

from __future__ import annotations

import json
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

import voxwire.model
from tests.other_layouts import write_hf
from tests.parity.cases import VOICES, Voice
from tests.parity.compare import RELATIVE_TOLERANCE
from tests.parity.conftest import Table
from tests.parity.frozen_file import WHOLE, FrozenReference
from tests.parity.ours import evenly, load, measure

pytest.importorskip("torch", reason="`make parity` has it")
reference = pytest.importorskip("tests.parity.reference")

pytestmark = pytest.mark.filterwarnings("ignore:Using the model-agnostic default")

EMBEDDED = Path(voxwire.model.__file__).parent / "embedded"
SOUNDS = {".wav", ".flac", ".mp3", ".ogg", ".opus"}
RECORDINGS = sorted(path.name for path in VOICES.iterdir() if path.suffix in SOUNDS)
DELAYS_MS = (480, 160, 960, 320)


@pytest.fixture(scope="module")
def hugging_face(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the embedded checkpoint in the layout that transformers reads."""
    params = json.loads((EMBEDDED / "params.json").read_text())
    stored = mx.load(str(EMBEDDED / "consolidated.safetensors"))
    assert isinstance(stored, dict)
    weights = {name: np.array(array.astype(mx.float32)) for name, array in stored.items()}
    return write_hf(tmp_path_factory.mktemp("hf"), params, weights)


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_real_voice_gives_the_same(name: str, hugging_face: Path, table: Table) -> None:
    samples, delay_ms = Voice(name).samples(), DELAYS_MS[RECORDINGS.index(name) % len(DELAYS_MS)]
    whole = reference.ReferenceModel(hugging_face).run(samples, delay_ms)
    wanted = FrozenReference.of(whole, WHOLE)
    errors = measure(wanted, load(EMBEDDED), samples, delay_ms, evenly(1280))
    table.add(f"{name}-{delay_ms}ms embedded", errors, wanted)
    assert max(errors.values()) < RELATIVE_TOLERANCE

"""A fit that was stopped ends as one that was not."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the training extra has it")

import torch

from tests.training.tones import packed
from voxwire.model.training import fit as fitting
from voxwire.model.training.fit import Plan, fit
from voxwire.model.training.net import Shape

TINY = Shape(enc_dim=8, enc_layers=1, enc_heads=1, enc_hidden=12, dec_dim=12, dec_layers=1)
PLAN = Plan("tiny", ("train",), n_steps=4, n_rows=1, shape=TINY)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    clips, audio, heard = packed()
    (folder / "clips.json").write_text("\n".join(json.dumps(asdict(clip)) for clip in clips))
    (folder / "audio.i16").write_bytes(audio.tobytes())
    (folder / "heard.f16").write_bytes(heard.astype("float16").tobytes())
    return folder


def test_a_stopped_fit_goes_on_to_the_same_weights(
    catalogue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "SAVE_EVERY", 2)
    unbroken = torch.load(fit(catalogue, tmp_path / "unbroken", PLAN), weights_only=True)

    update, n_updates = fitting._update, 0

    def stopping(*args: Any) -> None:
        nonlocal n_updates
        n_updates += 1
        if n_updates == 4:
            raise KeyboardInterrupt
        update(*args)

    monkeypatch.setattr(fitting, "_update", stopping)
    with pytest.raises(KeyboardInterrupt):
        fit(catalogue, tmp_path / "stopped", PLAN)
    assert not (tmp_path / "stopped" / "tiny.pt").exists()
    monkeypatch.setattr(fitting, "_update", update)
    resumed = torch.load(fit(catalogue, tmp_path / "stopped", PLAN), weights_only=True)
    assert unbroken.keys() == resumed.keys()
    assert all(torch.equal(unbroken[key], resumed[key]) for key in unbroken)
    assert any(not torch.equal(unbroken[key], torch.zeros_like(unbroken[key])) for key in unbroken)

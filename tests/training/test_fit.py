"""What is judged is the mean of fits, which are left as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the training extra has it")

import torch

from voxwire.model.training.fit import mean


def test_the_mean_of_fits_lies_between_them(tmp_path: Path) -> None:
    for name, value in (("one", 1.0), ("other", 4.0)):
        torch.save({"w": torch.full((2, 3), value)}, tmp_path / f"{name}.pt")
    made = mean(tmp_path, ["one", "other"], "between")
    assert made == tmp_path / "between.pt"
    assert torch.equal(torch.load(made, weights_only=True)["w"], torch.full((2, 3), 2.5))
    assert torch.equal(torch.load(tmp_path / "one.pt", weights_only=True)["w"], torch.ones(2, 3))

"""A grown net computes what the smaller one did, and refuses what it could not have grown from."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the training extra has it")

import torch

from voxwire.model.training.grow import grow
from voxwire.model.training.net import Net, Shape

SMALL = Shape(enc_dim=8, enc_layers=1, enc_heads=1, enc_hidden=12, dec_dim=12, dec_layers=1)
LARGE = Shape(enc_dim=12, enc_layers=3, enc_heads=2, enc_hidden=20, dec_dim=12, dec_layers=2)


def logits(net: Net) -> torch.Tensor:
    torch.manual_seed(3)
    mel, tokens = torch.randn(2, 320, 128), torch.randint(0, 1200, (2, 40))
    with torch.no_grad():
        told: torch.Tensor = net.eval()(mel, tokens, torch.tensor([1, 6]))[0]
    return told


def test_a_wider_and_deeper_net_begins_with_the_same_logits() -> None:
    small, large = Net(SMALL), Net(LARGE)
    for name, p in small.named_parameters():
        if "norm" in name or "bias" in name:  # else a forgotten one would not show
            torch.nn.init.uniform_(p, 0.5, 1.5)
    grow(large, small.state_dict())
    torch.testing.assert_close(logits(large), logits(small), rtol=1e-4, atol=1e-4)


def test_what_is_new_learns() -> None:
    small, large = Net(SMALL), Net(LARGE)
    grow(large, small.state_dict())
    mel, tokens = torch.randn(1, 320, 128), torch.randint(0, 1200, (1, 40))
    large(mel, tokens, torch.tensor([6]))[0].square().sum().backward()
    added = large.encoder[2].attention.wo.weight.grad, large.conv2.weight.grad[8:]
    assert all(g is not None and g.abs().max() > 0 for g in added)


def test_auxiliary_heads_may_be_missing() -> None:
    weights = {k: v for k, v in Net(SMALL).state_dict().items() if "_head." not in k}
    grow(Net(LARGE), weights)


@pytest.mark.parametrize(("own", "given"), [(SMALL, LARGE), (LARGE, Shape(dec_dim=16))])
def test_weights_of_a_larger_net_are_refused(own: Shape, given: Shape) -> None:
    with pytest.raises(ValueError, match="expected"):
        grow(Net(own), Net(given).state_dict())


def test_weights_that_lack_a_part_are_refused() -> None:
    weights = Net(SMALL).state_dict()
    del weights["adapter2.weight"]
    with pytest.raises(ValueError, match=r"adapter2\.weight"):
        grow(Net(LARGE), weights)

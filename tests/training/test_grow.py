"""A grown net computes what the shallower one did; no other weights are taken for its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch", reason="the training extra has it")

import torch

from voxwire.model.training.grow import grow
from voxwire.model.training.net import Net, Shape

SHALLOW = Shape(enc_dim=8, enc_layers=1, enc_heads=1, enc_hidden=12, dec_dim=12, dec_layers=1)
DEEP = replace(SHALLOW, enc_layers=3, dec_layers=2)


def logits(net: Net) -> torch.Tensor:
    torch.manual_seed(3)
    mel, tokens = torch.randn(2, 320, 128), torch.randint(0, 1200, (2, 40))
    with torch.no_grad():
        told: torch.Tensor = net.eval()(mel, tokens, torch.tensor([1, 6]))[0]
    return told


def test_a_deeper_net_begins_with_the_same_logits() -> None:
    shallow, deep = Net(SHALLOW), Net(DEEP)
    for name, p in shallow.named_parameters():
        if "norm" in name or "bias" in name:  # else a forgotten one would not show
            torch.nn.init.uniform_(p, 0.5, 1.5)
    grow(deep, shallow.state_dict())
    torch.testing.assert_close(logits(deep), logits(shallow), rtol=1e-4, atol=1e-4)


def test_what_is_new_learns() -> None:
    shallow, deep = Net(SHALLOW), Net(DEEP)
    grow(deep, shallow.state_dict())
    mel, tokens = torch.randn(1, 320, 128), torch.randint(0, 1200, (1, 40))
    deep(mel, tokens, torch.tensor([6]))[0].square().sum().backward()
    added = deep.encoder[2].attention.wo.weight.grad, deep.decoder[1].feed_forward.w2.weight.grad
    assert all(g is not None and g.abs().max() > 0 for g in added)


@pytest.mark.parametrize(("own", "given"), [(SHALLOW, DEEP), (DEEP, replace(SHALLOW, dec_dim=16))])
def test_weights_of_another_net_are_refused(own: Shape, given: Shape) -> None:
    with pytest.raises(ValueError, match="expected weights of a shallower net"):
        grow(Net(own), Net(given).state_dict())


def test_weights_that_lack_a_part_are_refused() -> None:
    weights = Net(SHALLOW).state_dict()
    del weights["adapter2.weight"]
    with pytest.raises(ValueError, match=r"adapter2\.weight"):
        grow(Net(DEEP), weights)

"""What encoder and adapter learn from: Whisper in full, the tokens in part."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the training extra has it")

import torch

from voxwire.model.training.net import HEARD_LATE, TOKEN_PULL, Net, Shape

TINY = Shape(enc_dim=8, enc_layers=1, enc_heads=1, enc_hidden=12, dec_dim=12, dec_layers=1)


def told(net: Net) -> tuple[torch.Tensor, ...]:
    torch.manual_seed(3)
    mel, tokens = torch.randn(2, 320, 128), torch.randint(0, 1200, (2, 40))
    out: tuple[torch.Tensor, ...] = net(mel, tokens, torch.tensor([1, 6]))
    return out


def pull(net: Net, of: int) -> torch.Tensor:
    net.zero_grad()
    told(net)[of].square().sum().backward()
    assert net.adapter2.weight.grad is not None
    return net.adapter2.weight.grad.clone()


def test_tokens_pull_less_on_what_hears_than_they_would(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net(TINY)
    eased = pull(net, of=0)
    monkeypatch.setattr("voxwire.model.training.net.TOKEN_PULL", 1.0)
    assert eased.abs().max() > 0
    torch.testing.assert_close(eased, TOKEN_PULL * pull(net, of=0))


def test_encoder_and_adapter_each_tell_what_whisper_hears() -> None:
    net = Net(TINY)
    with torch.no_grad():
        net.adapter_head.weight.normal_()
    heard = told(net)[2]
    assert heard.shape[:4] == (2, 40, 2, len(HEARD_LATE))
    assert not heard[:, :, 0].any(), "the encoder's head begins at zero"
    assert pull(net, of=2).abs().max() > 0

"""Begin a larger fit from a smaller one's weights: what is new is silent until it has learned.

Source of the idea: T. Chen and others, "Net2Net", arXiv 1511.05641; here new widths write zeros
into the residual stream instead of copies.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .net import FRAMES_PER_POSITION, Net
from .optim import HEADS

# What writes into the residual stream. Readers may start at random: they read zeros there.
WRITERS = ("attention.wo.", "feed_forward.w2.", "conv2.")
POSITION_READERS = ("adapter1.", "heard_head.")  # of several frames side by side


@torch.no_grad()
def grow(net: Net, weights: dict[str, Tensor]) -> None:
    """Take over the weights of a fit that is narrower, shallower or of the same shape.

    The grown net computes what the smaller one did. Auxiliary heads may be missing: they start
    anew. Raises ValueError where the weights are not of a smaller net.
    """
    own = net.state_dict()  # shares its storage with the net
    _check(own, weights)
    for name, new in own.items():
        if any(writer in name for writer in WRITERS):
            new.zero_()
        if name in weights:
            _widen(name, new, weights[name])


def _check(own: dict[str, Tensor], weights: dict[str, Tensor]) -> None:
    missing = [n for n in own if n not in weights and not n.startswith(("encoder.", "decoder."))]
    missing = [name for name in missing if not name.startswith(HEADS)]
    strange = [name for name in weights if name not in own]
    if missing or strange:
        raise ValueError(f"expected weights of a smaller net; missing {missing}, strange {strange}")
    for name, old in weights.items():
        if any(a < b for a, b in zip(own[name].shape, old.shape, strict=True)):
            raise ValueError(
                f"{name}: expected at most {tuple(own[name].shape)}, got {tuple(old.shape)}"
            )


def _widen(name: str, new: Tensor, old: Tensor) -> None:
    if name.startswith(POSITION_READERS) and new.ndim == 2:
        new = new.view(new.shape[0], FRAMES_PER_POSITION, -1)
        old = old.view(old.shape[0], FRAMES_PER_POSITION, -1)
    if name.endswith("norm.weight"):  # zeros beside the old channels lower their mean square
        old = old * (old.shape[0] / new.shape[0]) ** 0.5
    new[tuple(slice(n) for n in old.shape)] = old

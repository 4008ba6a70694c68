"""Begin a deeper fit from a shallower one's weights: a new layer is silent until it has learned.

Source of the idea: T. Chen and others, "Net2Net", arXiv 1511.05641.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .net import Net

LAYERS = ("encoder.", "decoder.")
WRITERS = ("attention.wo.", "feed_forward.w2.")  # of a layer, into the residual stream


@torch.no_grad()
def grow(net: Net, weights: dict[str, Tensor]) -> None:
    """Take over the weights of a fit of the same shape, or with fewer layers.

    The grown net computes what the other one did. Raises ValueError where the weights are not of
    such a net.
    """
    own = net.state_dict()  # shares its storage with the net
    missing = [name for name in own if name not in weights and not name.startswith(LAYERS)]
    strange = [
        name for name in weights if name not in own or weights[name].shape != own[name].shape
    ]
    if missing or strange:
        raise ValueError(
            f"expected weights of a shallower net; missing {missing}, strange {strange}"
        )
    for name, new in own.items():
        if name in weights:
            new.copy_(weights[name])
        elif any(writer in name for writer in WRITERS):
            new.zero_()

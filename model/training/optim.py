"""Muon for matrices, AdamW for the rest, one learning-rate curve for both.

Muon: K. Jordan, "Muon: an optimizer for hidden layers in neural networks" (2024): momentum,
orthogonalised by five Newton-Schulz steps. Same-shaped matrices are stacked into one product.
"""

from __future__ import annotations

import math
from collections import defaultdict

import torch
from torch import Tensor, nn

_NS = (3.4445, -4.7750, 2.0315)
MUON_LR, ADAM_LR = 0.02, 2e-3
MOMENTUM, WEIGHT_DECAY = 0.95, 0.02
HEADS = ("word_head", "heard_head", "adapter_head")  # auxiliary: dropped at export


def orthogonalise(g: Tensor, steps: int = 5) -> Tensor:
    """Push the singular values of each matrix of a stack [S, M, N] towards one."""
    a, b, c = _NS
    tall = g.shape[-2] > g.shape[-1]
    x = (
        g.mT if tall else g
    ).bfloat16()  # enough for an update, and far faster on a CPU that has it
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(g.dtype)


class Muon(torch.optim.Optimizer):
    """Muon over 2-D (or flattened 3-D) weights."""

    def __init__(self, params: list[nn.Parameter], lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Apply one update to every weight."""
        for group in self.param_groups:
            shapes: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
            for p in group["params"]:
                shapes[(p.shape[0], p[0].numel())].append(p)
            for (rows, columns), params in shapes.items():
                updates = torch.stack([self._momentum(p).view(rows, columns) for p in params])
                updates = orthogonalise(updates) * math.sqrt(max(1.0, rows / columns))
                for p, update in zip(params, updates, strict=True):
                    p.mul_(1 - group["lr"] * WEIGHT_DECAY)
                    p.add_(update.view_as(p), alpha=-group["lr"])

    def _momentum(self, p: nn.Parameter) -> Tensor:
        assert p.grad is not None
        buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
        buffer.lerp_(p.grad, 1 - MOMENTUM)
        return p.grad.lerp(buffer, MOMENTUM).contiguous()


def optimisers(net: nn.Module) -> list[torch.optim.Optimizer]:
    """Split the parameters: hidden matrices to Muon; embeddings, head, norms, biases to AdamW."""
    hidden: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, p in net.named_parameters():
        is_hidden = p.ndim >= 2 and not name.startswith(("embeddings", *HEADS))
        (hidden if is_hidden else rest).append(p)
    adam = torch.optim.AdamW(rest, lr=ADAM_LR, betas=(0.9, 0.98), weight_decay=0.01)
    return [Muon(hidden, MUON_LR), adam]


def rate(step: int, n_steps: int, decay: float, warm_up: int = 100) -> float:
    """Return the factor on the learning rates: warm up, hold, then fall linearly to zero."""
    down = (n_steps - step) / max(1.0, decay * n_steps)
    return max(0.0, min(1.0, (step + 1) / warm_up, down))

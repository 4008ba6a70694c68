"""The training loop: seeded, resumable, with averaged weights."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from .grow import grow
from .labels import LEFT_PAD
from .mix import LATE, LONG_DELAYS, LONG_SHARE, Mixer
from .net import HEARD_LATE, Net, Shape
from .optim import ADAM_LR, MUON_LR, optimisers, rate
from .prepare import load_packed
from .vocabulary import STREAMING_WORD

# Of the auxiliary losses, beside the tokens' one: words, and what Whisper tells.
AUXILIARY_WEIGHTS = (0.5, 10.0)
AVERAGE = 0.999  # of the weights, per step
SAVE_EVERY, LOG_EVERY = 200, 20
COMPILED_FROM = 5000  # steps; a shorter fit gains less than the compiler takes
LOSSES = ("token", "word", "whisper")


@dataclass(frozen=True, slots=True)
class Plan:
    """One fit: which splits it may hear, how long, and how it starts."""

    name: str
    splits: tuple[str, ...]
    n_steps: int
    n_rows: int = 4
    seed: int = 1
    dropout: float = 0.08
    peak: float = 1.0  # factor on the learning rates
    decay: float = 1.0  # part of the steps over which the rates fall to zero
    start_from: str | None = None  # name of the fit whose averaged weights it starts with
    shape: Shape = field(default_factory=Shape)
    late: tuple[float, ...] = LATE
    open_weight: float = 2.0  # of [STREAMING_WORD] in the loss: see `losses_of`
    long_share: float = LONG_SHARE  # of the rows that have one of `long_delays`
    long_delays: tuple[int, ...] = LONG_DELAYS


class Rows(IterableDataset[dict[str, Any]]):
    """An endless seeded stream of batches; step s is the same batch however often resumed."""

    def __init__(self, packed: Path, plan: Plan, first_step: int) -> None:
        self.packed, self.plan, self.first_step = packed, plan, first_step

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield batches from the first step on."""
        torch.set_num_threads(1)
        clips, audio, heard = load_packed(self.packed)
        allowed = [c for c in clips if c.split in self.plan.splits]
        plan = self.plan
        mixer = Mixer(allowed, audio, heard, plan.late, plan.long_share, plan.long_delays)
        step = self.first_step
        while True:
            mixer.reseed(self.plan.seed * 1_000_003 + step)
            yield mixer.batch(self.plan.n_rows)
            step += 1


def losses_of(
    net: Callable[..., tuple[Tensor, ...]], batch: dict[str, Tensor], open_weight: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the token loss, and the auxiliary losses of words and of what Whisper tells.

    Products are in bfloat16 where the processor multiplies it, several times faster.
    open_weight: weight of [STREAMING_WORD]. When exactly a word ends is uncertain by a position or
    two; unweighted, each of them alone is less likely than another pad, and the word is lost.
    """
    with torch.autocast("cpu", torch.bfloat16):
        logits, words, whisper = net(batch["mel"], batch["tokens"], batch["delay"])
    weights = torch.ones(logits.shape[-1])
    weights[STREAMING_WORD] = open_weight
    token = F.cross_entropy(logits.flatten(0, 1).float(), batch["targets"].flatten(), weights)
    word = F.cross_entropy(words.flatten(0, 1).float(), batch["words"].flatten())
    return token, word, _heard_loss(whisper, batch["heard"])


def _heard_loss(whisper: Tensor, owed: Tensor) -> Tensor:
    """whisper [B, N, 2, HEARD_LATE, HEARD_SIZE]; owed [B, positions, HEARD_SIZE], or NaN."""
    n, losses = owed.shape[1], []
    spoken = ~owed[..., 0].isnan()
    for i, late in enumerate(HEARD_LATE):
        told = whisper[:, LEFT_PAD + late : LEFT_PAD + late + n, :, i][spoken].float()
        losses.append(F.smooth_l1_loss(told, owed[spoken][:, None].expand_as(told)))
    return torch.stack(losses).mean()


def fit(packed: Path, out: Path, plan: Plan) -> Path:
    """Train by the plan, or go on where an earlier run of it stopped; returns the weights' file."""
    done, state_file = out / f"{plan.name}.pt", out / f"{plan.name}.state.pt"
    if done.exists():
        return done
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(plan.seed)
    net = Net(plan.shape, plan.dropout)
    if plan.start_from:
        grow(net, torch.load(out / f"{plan.start_from}.pt", weights_only=True))
    averaged = {k: v.detach().clone() for k, v in net.state_dict().items()}
    optims, step = optimisers(net), 0
    if state_file.exists():
        state = torch.load(state_file, weights_only=True)
        net.load_state_dict(state["net"])
        averaged, step = state["averaged"], state["step"]
        for optim, saved in zip(optims, state["optims"], strict=True):
            optim.load_state_dict(saved)
    # A fifth faster, after a minute for each of the two lengths of rows.
    compiled = torch.compile(net, dynamic=False) if plan.n_steps >= COMPILED_FROM else net
    loader = DataLoader(Rows(packed, plan, step), batch_size=None, num_workers=1, prefetch_factor=6)
    log = _Log(out / f"{plan.name}.log.jsonl", plan)
    for batch in loader:
        if step >= plan.n_steps:
            break
        torch.manual_seed(plan.seed * 1_000_003 + step)  # the same dropout when resumed
        factor = plan.peak * rate(step, plan.n_steps, plan.decay)
        losses = losses_of(compiled, batch, plan.open_weight)
        _update(net, optims, losses, factor)
        keep = min(AVERAGE, (step + 1) / (step + 20))
        for key, value in net.state_dict().items():
            averaged[key].lerp_(value, 1 - keep)
        step += 1
        log.add(step, [loss.item() for loss in losses])
        if step % SAVE_EVERY == 0:
            saved = {"net": net.state_dict(), "averaged": averaged, "step": step}
            _save({**saved, "optims": [o.state_dict() for o in optims]}, state_file)
    _save(averaged, done)
    return done


def _update(
    net: Net,
    optims: list[torch.optim.Optimizer],
    losses: tuple[Tensor, ...],
    factor: float,
) -> None:
    for optim, base in zip(optims, (MUON_LR, ADAM_LR), strict=True):
        for group in optim.param_groups:
            group["lr"] = base * factor
    token, *auxiliary = losses
    total = token + sum(w * loss for w, loss in zip(AUXILIARY_WEIGHTS, auxiliary, strict=True))
    total.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    for optim in optims:
        optim.step()
        optim.zero_grad()


def _save(value: object, path: Path) -> None:
    part = path.with_suffix(".part")
    torch.save(value, part)
    part.replace(path)


class _Log:
    """Prints and keeps the mean losses of every LOG_EVERY steps."""

    def __init__(self, path: Path, plan: Plan) -> None:
        self.path, self.plan, self.sums = path, plan, [0.0] * len(LOSSES)
        self.since = time.monotonic()

    def add(self, step: int, losses: list[float]) -> None:
        self.sums = [total + new for total, new in zip(self.sums, losses, strict=True)]
        if step % LOG_EVERY:
            return
        means = {n: total / LOG_EVERY for n, total in zip(LOSSES, self.sums, strict=True)}
        seconds = (time.monotonic() - self.since) / LOG_EVERY
        row = {"step": step, **means, "seconds_per_step": seconds}
        told = " ".join(f"{name} loss {mean:.4f}" for name, mean in means.items())
        place = f"{self.plan.name} {step}/{self.plan.n_steps}"
        print(f"{place} {told} {seconds:.2f} s a step", flush=True)
        with self.path.open("a") as lines:
            lines.write(json.dumps(row) + "\n")
        self.sums, self.since = [0.0] * len(LOSSES), time.monotonic()

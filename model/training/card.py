"""Score an exported checkpoint and write its card: tables, a plot, and the numbers as JSON."""

from __future__ import annotations

import json
import math
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from rich.progress import track

from ..checkpoint.header import read_header
from .fit import Plan
from .hear import Listener
from .prepare import load_packed
from .sphinx import Sphinx
from .trials import Judge, Trial, with_noise, word_error_rate
from .vocabulary import COMMANDS, DIGITS, WAKE_PHRASES

DELAYS_MS = (80, 160, 320, 480, 960, 1200, 2400)
SNRS_DB = (20, 10, 5, 0)
PUBLISHED_DELAY_MS = 480
FALSE_ALARMS = ("out of domain", "noise and silence")
BY_DELAY = ("joined digit strings", "natural digit strings", "commands", "wake words")
BY_NOISE = ("joined digit strings", "commands")
TEMPLATE = Path(__file__).parent / "card.md"
GRAMMARS = {
    "joined digit strings": DIGITS,
    "natural digit strings": DIGITS,
    "single digits": DIGITS,
    "known speakers": DIGITS,
    "commands": COMMANDS,
    "wake words": WAKE_PHRASES,
}

Scores = dict[str, Any]


@dataclass(slots=True)
class Court:
    """What scoring needs: the checkpoint, all trials by name, and the noises to mix under them."""

    listener: Listener
    trials: dict[str, list[Trial]]
    noises: list[np.ndarray]

    @classmethod
    def convene(cls, checkpoint: Path, packed: Path) -> Court:
        """Load the checkpoint and build its trials from the packed recordings."""
        clips, audio, _ = load_packed(packed)
        trials = Judge(clips, audio).all()
        noises = [t.samples for t in trials["noise and silence"] if t.speaker != "made"]
        return cls(Listener(checkpoint), trials, noises)

    def score(self, name: str, delay_ms: int, snr_db: int | None = None) -> Scores:
        """Return the word error rate of one set at one delay, in noise where a ratio is given."""
        trials = self.trials[name]
        if snr_db is not None:
            trials = with_noise(trials, snr_db, self.noises)
        heard = self.listener.words([t.samples for t in trials], delay_ms)
        return word_error_rate(trials, heard)

    def compare(self, name: str) -> Scores:
        """Return what PocketSphinx makes of the same clips with a grammar of the set's words."""
        trials = self.trials[name]
        heard = Sphinx(GRAMMARS[name]).words([t.samples for t in trials])
        return word_error_rate(trials, heard)


def score(checkpoint: Path, packed: Path) -> Scores:
    """Return every number of the card for a checkpoint that trained on the ``train`` split."""
    court = Court.convene(checkpoint, packed)
    jobs: list[tuple[str, int, int | None]] = [
        (name, PUBLISHED_DELAY_MS, None) for name in court.trials if court.trials[name]
    ]
    jobs += [(name, d, None) for name in BY_DELAY for d in DELAYS_MS if d != PUBLISHED_DELAY_MS]
    jobs += [(name, PUBLISHED_DELAY_MS, snr) for name in BY_NOISE for snr in SNRS_DB]
    rows = [
        {"set": name, "delay_ms": delay, "snr_db": snr, **court.score(name, delay, snr)}
        for name, delay, snr in track(jobs, "scoring")
    ]
    sphinx = {name: court.compare(name) for name in track(GRAMMARS, "PocketSphinx")}
    machine = f"{platform.system()} {platform.machine()}"
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine,
        "rows": rows,
        "pocketsphinx": sphinx,
    }


def _find(scores: Scores, name: str, delay_ms: int, snr_db: int | None) -> Scores | None:
    for row in scores["rows"]:
        if (row["set"], row["delay_ms"], row["snr_db"]) == (name, delay_ms, snr_db):
            found: Scores = row
            return found
    return None


def _percent(row: Scores | None, rate: str = "wer") -> str:
    return "" if row is None else f"{100 * row[rate]:.1f} %"


def tables(scores: Scores) -> str:
    """Return the card's tables as Markdown."""
    lines = [
        "| set | words | speakers | word errors | averaged over speakers | PocketSphinx |",
        "|---|---|---|---|---|---|",
    ]
    for row in scores["rows"]:
        if row["delay_ms"] == PUBLISHED_DELAY_MS and row["snr_db"] is None and row["words"]:
            rates = [_percent(row), _percent(row, "wer_by_speaker")]
            rates.append(_percent(scores["pocketsphinx"].get(row["set"])))
            cells = [row["set"], str(row["words"]), str(row["speakers"]), *rates]
            lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "| out of the domain | minutes | false words | a minute |", "|---|---|---|---|"]
    for name in FALSE_ALARMS:
        row = _find(scores, name, PUBLISHED_DELAY_MS, None)
        if row is not None:
            per_minute = row["ins"] / row["minutes"]
            lines.append(f"| {name} | {row['minutes']:.1f} | {row['ins']} | {per_minute:.2f} |")
    lines += ["", "| delay | " + " | ".join(BY_DELAY) + " |", "|---|" + "---|" * len(BY_DELAY)]
    for delay in DELAYS_MS:
        cells = [_percent(_find(scores, name, delay, None)) for name in BY_DELAY]
        lines.append(f"| {delay} ms | " + " | ".join(cells) + " |")
    lines += ["", "| noise | " + " | ".join(BY_NOISE) + " |", "|---|" + "---|" * len(BY_NOISE)]
    for snr in (None, *SNRS_DB):
        cells = [_percent(_find(scores, name, PUBLISHED_DELAY_MS, snr)) for name in BY_NOISE]
        label = "as recorded" if snr is None else f"{snr} dB"
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def fits(plans: Sequence[Plan]) -> str:
    """Return the fits as a Markdown table, in their order."""
    lines = [
        "| fit | steps of 64 s of audio | starts from | left-out speakers |",
        "|---|---|---|---|",
    ]
    for plan in plans:
        heard = "heard" if "held" in plan.splits else "not heard"
        lines.append(f"| {plan.name} | {plan.n_steps} | {plan.start_from or 'nothing'} | {heard} |")
    return "\n".join(lines)


def plot(scores: Scores, path: Path) -> None:
    """Draw word errors over delay and over noise, side by side, into a PNG."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
    for place, name in enumerate(BY_DELAY):
        rows = [_find(scores, name, delay, None) for delay in DELAYS_MS]
        left.plot(DELAYS_MS, _rates(rows), marker="o", color=f"C{place}", label=name)
    for name in BY_NOISE:
        rows = [_find(scores, name, PUBLISHED_DELAY_MS, snr) for snr in SNRS_DB]
        right.plot(SNRS_DB, _rates(rows), marker="o", color=f"C{BY_DELAY.index(name)}")
    left.set(xlabel="delay, ms", ylabel="word errors, %", title="by delay", xscale="log")
    left.set_xticks(DELAYS_MS, labels=map(str, DELAYS_MS), rotation=45)
    left.set_xticks([], minor=True)
    title = f"in noise, {PUBLISHED_DELAY_MS} ms delay"
    right.set(xlabel="signal to noise, dB", title=title, xticks=SNRS_DB, ylim=(0, None))
    right.invert_xaxis()
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=len(BY_DELAY))
    figure.savefig(path, dpi=110)


def _rates(rows: list[Scores | None]) -> list[float]:
    return [100 * row["wer"] for row in rows if row is not None]


def write(scores: Scores, plans: Sequence[Plan], out: Path) -> None:
    """Write scores.json, scores.png and the card README.md beside the checkpoint in ``out``."""
    (out / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    plot(scores, out / "scores.png")
    text = TEMPLATE.read_text(encoding="utf-8")
    values = {
        "size": f"{_n_parameters(out / 'consolidated.safetensors') / 1e6:.1f}",
        "date": scores["date"],
        "machine": scores["machine"],
        "tables": tables(scores),
        "fits": fits(plans),
    }
    for key, value in values.items():
        text = text.replace("{" + key + "}", value)
    (out / "README.md").write_text(text, encoding="utf-8")


def _n_parameters(file: Path) -> int:
    return sum(math.prod(tensor.shape) for tensor in read_header(file).values())

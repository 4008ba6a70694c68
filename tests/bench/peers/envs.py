"""The peers, at the releases that were tried, each in a virtual environment of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_MLX = "mlx[cpu]==0.32.4"


@dataclass(frozen=True, slots=True)
class Peer:
    """How to get and run a peer.

    installs: arguments of pip, one run after another. layout: of the checkpoint it reads.
    windows: what its attention sees, encoder frames and decoder positions; None where it keeps to
    the checkpoint's. known: why its streams write other tokens than offline, where they do.
    """

    name: str
    module: str
    installs: tuple[tuple[str, ...], ...]
    layout: str
    is_mlx: bool = True
    windows: tuple[int, int] | None = None
    known: str = ""


_SKEW = "frames the mel and the convolutions of a stream otherwise than of a file"
PEERS = (
    Peer(
        name="voxmlx 0.0.2",
        module="drive_voxmlx",
        installs=(("voxmlx==0.0.2", _MLX, "mistral-common==1.13.1", "greenlet>=3,<4"),),
        layout="voxmlx",
        windows=(100_000, 8192),
        known=_SKEW,
    ),
    Peer(
        name="whisperlivekit 0.2.26",
        module="drive_whisperlivekit",
        installs=(
            ("--no-deps", "whisperlivekit==0.2.26"),  # its backend needs none of its server
            (_MLX, "mistral-common==1.13.1", "huggingface-hub>=1,<3", "numpy>=2,<3"),
        ),
        layout="voxmlx",
        windows=(100_000, 8192),
        known=f"{_SKEW}; begins anew every 250 positions",
    ),
    Peer(
        name="mlx-audio 0.6.2",
        module="drive_mlx_audio",
        installs=(("mlx-audio==0.6.2", _MLX, "mistral-common==1.13.1"),),
        layout="mlx-audio",
        windows=(64, 78),
    ),
    Peer(
        name="transformers 5.23.0",
        module="drive_transformers",
        installs=(
            ("torch==2.13.0",),  # first and alone, so that nothing chooses another build of it
            ("transformers==5.23.0", "mistral-common[audio]==1.13.1", "greenlet>=3,<4"),
        ),
        layout="transformers",
        is_mlx=False,
    ),
)


def ensure(peer: Peer, folder: Path) -> Path:
    """Make or renew a peer's environment in `folder`; return its Python.

    Raises subprocess.CalledProcessError, with what pip said.
    """
    python, stamp = folder / "bin/python", folder / ".installed"
    wanted = json.dumps(peer.installs)
    if stamp.is_file() and stamp.read_text() == wanted:
        return python
    _run(sys.executable, "-m", "venv", "--clear", str(folder))
    for arguments in peer.installs:
        _run(str(python), "-m", "pip", "install", "--quiet", *arguments)
    stamp.write_text(wanted)
    return python


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)

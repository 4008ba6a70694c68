"""What tests of the page need: node with the page's tools, and a browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.repo.sources import ROOT
from voxwire.model.checkpoint.hub import EMBEDDED

RECORDING = EMBEDDED / "demo" / "digits.flac"
SPOKEN = (EMBEDDED / "demo" / "digits.txt").read_text().strip()
SCREENSHOTS = ROOT / ".cache" / "screenshots"
WEB = ROOT / "clients" / "web"
HERE = Path(__file__).parent

Bridge = Callable[[str, Any], Any]


@pytest.fixture(scope="session")
def node_tools() -> Path:
    """The folder of the page's sources, with its tools installed."""
    if shutil.which("npm") is None:
        pytest.skip("without node and npm the page can be served, but not built")
    subprocess.run(["sh", ROOT / ".dev" / "web", "check"], check=True)
    return WEB


@pytest.fixture(scope="session")
def bridge(node_tools: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """Calls the page's pure parts: `bridge(name, argument)`, as bridge.mjs lists them."""
    script = tmp_path_factory.mktemp("bridge") / "bridge.mjs"
    esbuild = node_tools / "node_modules" / ".bin" / "esbuild"
    flags = ["--bundle", "--platform=node", "--format=esm", "--log-level=warning"]
    subprocess.run([esbuild, HERE / "bridge.mjs", *flags, f"--outfile={script}"], check=True)
    with subprocess.Popen(
        ["node", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as node:
        assert node.stdin
        assert node.stdout

        def call(name: str, argument: Any) -> Any:
            assert node.stdin
            assert node.stdout
            node.stdin.write(json.dumps({"call": name, "argument": argument}) + "\n")
            node.stdin.flush()
            return json.loads(node.stdout.readline())

        yield call
        node.stdin.close()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium, which is what gives a page a microphone that plays a file."""
    names = ("chromium", "chromium-browser", "google-chrome", os.environ.get("CHROMIUM", ""))
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium: apt-get install chromium, or name one by CHROMIUM=...")
    return found


@pytest.fixture(scope="session")
def spoken_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled recording as what Chromium's microphone plays: WAV at 48 kHz."""
    path = tmp_path_factory.mktemp("microphone") / "digits.wav"
    with av.open(str(RECORDING)) as source, av.open(str(path), "w") as target:
        stream = target.add_stream("pcm_s16le", rate=48000, layout="mono")
        resampler = av.AudioResampler("s16", "mono", 48000)
        frames = [frame for each in source.decode(audio=0) for frame in resampler.resample(each)]
        for frame in [*frames, *resampler.resample(None)]:
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


Launch = Callable[..., Browser]


# Of a module, not of the session: while Playwright runs, no other loop may run in this thread.
@pytest.fixture(scope="module")
def launch(chromium: str, spoken_wav: Path) -> Iterator[Launch]:
    """Starts a browser with a microphone; further flags may be given."""
    flags = [
        "--no-sandbox",  # a container's root has none
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-domain-reliability",
        "--disable-sync",
        "--no-first-run",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={spoken_wav}%noloop",
    ]
    with sync_playwright() as playwright:

        def start(*more: str) -> Browser:
            return playwright.chromium.launch(executable_path=chromium, args=[*flags, *more])

        yield start


@pytest.fixture(scope="module")
def browser(launch: Launch) -> Iterator[Browser]:
    """A browser that lets every page use the microphone."""
    with launch("--use-fake-ui-for-media-stream") as started:
        yield started


def screenshot(page: Page, name: str) -> None:
    """Keep what the page looks like now."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")

"""`voxwire serve` with a model that is broken once it is loaded; test_serving.py runs it.

usage: fails_after.py WAY [FLAG...]      WAY: raise, hang or dawdle
"""

from __future__ import annotations

import sys
import time
from typing import Any

from voxwire.model.stream import SlotBatch
from voxwire.server import serving
from voxwire.server.cli.main import app
from voxwire.server.engine.engine import Engine


def fail(*arguments: Any) -> Any:
    """Fail as a step of the model may, or take long for it."""
    if WAY == "raise":
        raise RuntimeError("no step goes well any more")
    time.sleep(1e6 if WAY == "hang" else 0.5)
    return encode_as_ever(*arguments)


async def start(engine: Engine) -> None:
    """Start as ever, and break the model then: its first steps are the engine's own measure."""
    await start_as_ever(engine)
    SlotBatch._encode = fail  # type: ignore[method-assign, assignment]


WAY = sys.argv[1]
serving._STOP_S = 3.0
start_as_ever, encode_as_ever = Engine.start, SlotBatch._encode
Engine.start = start  # type: ignore[method-assign, assignment]
app(["serve", *sys.argv[2:]], prog_name="voxwire")

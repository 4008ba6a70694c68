"""`voxwire serve` with an insider who is asked over a UNIX socket; run.py starts it.

usage: watched.py SOCKET MODEL
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from tests.chaos.insider import Insider
from tests.chaos.target import SETTINGS
from voxwire.server import connection, http, serving, wyoming
from voxwire.server.cli import serve
from voxwire.server.cli.main import app
from voxwire.server.engine import loop
from voxwire.server.routes import transcriptions
from voxwire.server.service import Service
from voxwire.server.uploads.receive import ReceiveLimits

ADDRESS, MODEL = sys.argv[1:]
serve_as_ever = serving.serve


def replace(module: ModuleType, **attributes: Any) -> None:
    """Set attributes of a module that its settings do not reach."""
    for name, value in attributes.items():
        assert hasattr(module, name)
        setattr(module, name, value)


async def serve_watched(
    service: Service,
    sockets: serving.Sockets,
    ending: serving.Ending,
    on_ready: Callable[[], None],
) -> None:
    """Serve as ever, and answer who asks."""
    insider = Insider(service, own_tasks=1)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name, *given = json.loads(await reader.readline())
        try:
            said = getattr(insider, name)(*given)
        except Exception as error:
            said = {"fault": repr(error)}
        writer.write(json.dumps(said).encode() + b"\n")
        writer.close()

    def announce() -> None:
        on_ready()
        ports = {
            "port": sockets.web[0].getsockname()[1],
            "wyoming_port": sockets.wyoming[0].getsockname()[1],
        }
        print(json.dumps(ports), flush=True)

    async with await asyncio.start_unix_server(answer, ADDRESS):
        await serve_as_ever(service, sockets, ending, announce)


# Sessions are admitted up to the configured number, however slow the machine is just now.
replace(loop, LIVE_BUDGET_S=1e9, is_behind=lambda *_: False)
# The engine gives its memory back before the server is weighed: see runner.RESTED_S.
replace(loop, REST_S=0.5)
# Patience is shorter than a server's, or those who use it up would take the suite's time.
replace(http, HEAD_S=10.0, TAKES_NOTHING_S=5.0)
replace(connection, SEND_TIMEOUT_S=5.0)
replace(wyoming, SEND_TIMEOUT_S=5.0)
replace(transcriptions, ReceiveLimits=partial(ReceiveLimits, grace_s=10.0))
# Uploads are served in the end, however slow the machine is just now.
replace(transcriptions, QUEUE_PATIENCE_S=300.0)
replace(serve, serve=serve_watched)
flags = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items()]
ports = ["--port=0", "--wyoming-port=0", "--log-level=error"]
app(["serve", "--model", MODEL, *ports, *flags], prog_name="voxwire")

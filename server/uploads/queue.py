"""Uploads that wait for a place in the engine: first come, first served, and not too many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ...protocol.errors import CapacityError, OverloadedError, RefusedError
from ..engine.admission import Kind
from ..engine.engine import Engine
from ..engine.place import Place

_LOOK_AGAIN_S = 0.5  # the engine does not tell when it has room again


class UploadQueue:
    """Hands out the engine's places for uploads. Event loop only.

    max_waiting: clients beyond are refused. patience_s: how long each may wait.
    """

    def __init__(self, engine: Engine, max_waiting: int, patience_s: float) -> None:
        self._engine = engine
        self._max_waiting = max_waiting
        self._patience_s = patience_s
        self._n_waiting = 0
        self._turn = asyncio.Lock()
        self._left = asyncio.Event()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[Place]:
        """Hold a place, waiting for it.

        Raises NotReadyError, CapacityError or OverloadedError, with a hint when to come back.
        """
        place = await self._wait()
        try:
            yield place
        finally:
            place.release()
            self._left.set()

    async def _wait(self) -> Place:
        if self._n_waiting == 0:
            try:
                return self._engine.reserve(Kind.UPLOAD)
            except (CapacityError, OverloadedError):
                if self._max_waiting == 0:
                    raise
        if self._n_waiting >= self._max_waiting:
            raise CapacityError(f"{self._n_waiting} uploads wait already", self._patience_s)
        self._n_waiting += 1
        try:
            return await self._take_turn()
        finally:
            self._n_waiting -= 1

    async def _take_turn(self) -> Place:
        refusal: RefusedError = CapacityError("all uploads are taken", self._patience_s)
        try:
            async with asyncio.timeout(self._patience_s), self._turn:
                while True:
                    try:
                        return self._engine.reserve(Kind.UPLOAD)
                    except (CapacityError, OverloadedError) as error:
                        refusal = error
                    await self._somebody_leaves()
        except TimeoutError:
            raise refusal from None

    async def _somebody_leaves(self) -> None:
        self._left.clear()
        try:
            async with asyncio.timeout(_LOOK_AGAIN_S):
                await self._left.wait()
        except TimeoutError:
            pass

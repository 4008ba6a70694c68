"""voxwire: streams as rows of one batch; files through the engine, as an upload goes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import voxwire.model  # noqa: F401  # before MLX, so that it finds the BLAS
from tests.bench.peers.harness import Group as HarnessGroup
from tests.bench.peers.harness import Ids, Samples, main, read_wav
from tests.bench.upload_client import timed
from voxwire.model.delay import NO_TOKEN
from voxwire.model.mel import MelStream, frames_of
from voxwire.model.offline import BLOCK_TOKENS
from voxwire.model.tekken import Tekken
from voxwire.model.text import TextAssembler
from voxwire.server.engine.backend import Backend, load_backend
from voxwire.server.engine.engine import Engine as ServerEngine


class Group:
    """Streams that advance together: their mel, the step, and their text."""

    def __init__(self, backend: Backend, tekken: Tekken, n_streams: int) -> None:
        config = backend.config
        delay_tokens = config.default_delay_tokens
        self._audio = config.audio
        self._batch = backend.make_batch(n_streams)
        for slot in range(n_streams):
            self._batch.reset(slot, delay_tokens)
        self._mel = [MelStream(config, delay_tokens) for _ in range(n_streams)]
        self._text = [TextAssembler(tekken) for _ in range(n_streams)]
        self._tokens: list[Ids] = [[] for _ in range(n_streams)]

    def push(self, chunks: Sequence[Samples]) -> None:
        """Feed every stream, and step while all can."""
        for mel, chunk in zip(self._mel, chunks, strict=True):
            mel.feed(chunk)
        self._advance()

    def finish(self) -> None:
        """Write the rest."""
        for mel in self._mel:
            mel.flush()
        self._advance()

    def tokens(self) -> list[Ids]:
        """Return what each stream sampled."""
        return self._tokens

    def _advance(self) -> None:
        while n := min(BLOCK_TOKENS, *(mel.n_ready for mel in self._mel)):
            frames = frames_of([mel.cut(n) for mel in self._mel], self._audio)
            rows = self._batch.advance(range(len(self._mel)), frames)
            for row, text, heard in zip(rows, self._text, self._tokens, strict=True):
                ids = row[row != NO_TOKEN].tolist()
                heard += ids
                for token in ids:
                    text.push(token)


class Engine:
    """The loaded model, and the server's engine with one of its own."""

    def __init__(self, checkpoint: str) -> None:
        self._checkpoint = Path(checkpoint)
        self._backend = load_backend(self._checkpoint)
        self._tekken = Tekken.load(self._backend.tokenizer_file)
        self._loop = asyncio.new_event_loop()
        self._engine: ServerEngine | None = None

    def group(self, n_streams: int) -> HarnessGroup:
        """Begin streams."""
        return Group(self._backend, self._tekken, n_streams)

    def file(self, wav: str) -> Ids:
        """Upload a file; the first call starts the engine."""
        return self._loop.run_until_complete(self._upload(read_wav(wav)))

    async def _upload(self, samples: Samples) -> Ids:
        if self._engine is None:
            self._engine = ServerEngine(lambda: load_backend(self._checkpoint))
            await self._engine.start()
        _, ids = await timed(self._engine, [samples])
        text = TextAssembler(self._tekken)
        for token in ids[0]:
            text.push(token)
        return ids[0]


if __name__ == "__main__":
    main(Engine)

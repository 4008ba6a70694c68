"""One recording through the engine: decoded, fed, written down."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from ...model.delay import MS_PER_TOKEN
from ...model.tekken import Tekken
from ...model.text import Delta, TextAssembler
from ...protocol.openai_rest.heard import Heard, TextToken
from ..collector import SAMPLE_RATE_HZ, Collector
from ..engine.session import EngineSession, Token
from .decoding import Decoding

_SAMPLES_PER_TOKEN = SAMPLE_RATE_HZ * MS_PER_TOKEN // 1000


@dataclass(frozen=True, slots=True)
class Written:
    """What one token added. text and token: nothing and None where it wrote nothing.

    done_s: how far in the recording it stands. total_s: its length, as the file claims until it is
    decoded; None where it claims nothing.
    """

    text: str
    token: TextToken | None
    done_s: float
    total_s: float | None


class Upload:
    """The transcript of one recording. Use as an async context manager; then iterate, once.

    Feeds the recording as fast as the engine takes it. Iterating raises MediaRefusedError,
    TooLargeError, or what ended the engine's session.
    """

    def __init__(self, decoding: Decoding, session: EngineSession, tekken: Tekken) -> None:
        self._decoding = decoding
        self._session = session
        self._tekken = tekken
        self._assembler = TextAssembler(tekken)
        self._collector = Collector()
        self._tokens: list[TextToken] = []
        self._opening: float | None = None  # log-probability of a mark that a word begins
        self._n_samples = 0
        self._total_s = decoding.claimed_s
        self._error: Exception | None = None
        self._is_closed = False

    async def __aenter__(self) -> Self:
        """Begin to feed."""
        self._feeder = asyncio.create_task(self._feed())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, and give the engine's session back."""
        self._session.close()
        self._feeder.cancel()
        await asyncio.wait([self._feeder])

    def __aiter__(self) -> Self:
        """Iterate over what each token writes."""
        return self

    async def __anext__(self) -> Written:
        """Return what the next token wrote; the last one closes the text."""
        async for event in self._session:
            if isinstance(event, Token):
                return self._write(event)
        if self._error is not None:
            raise self._error
        if self._is_closed:
            raise StopAsyncIteration
        self._is_closed = True
        return self._written(self._assembler.finish(), None, self.heard_s)

    @property
    def heard_s(self) -> float:
        """Seconds that were fed so far."""
        return self._n_samples / SAMPLE_RATE_HZ

    def heard(self, model: str, delay_ms: int) -> Heard:
        """Return the whole of it, after the last token."""
        return Heard(
            transcript=self._collector.transcript(self._n_samples, model, delay_ms),
            tokens=self._tokens,
            n_positions=-(-self._n_samples // _SAMPLES_PER_TOKEN),
            n_damaged=self._decoding.n_damaged,
        )

    async def _feed(self) -> None:
        try:
            async with contextlib.aclosing(self._decoding.blocks()) as blocks:
                async for block in blocks:
                    await self._session.feed(block)
                    self._n_samples += len(block)
            self._total_s = self.heard_s
            self._session.end()
        except Exception as error:  # raised where the reader waits, which else waits for ever
            self._error = error
            self._session.close()

    def _write(self, token: Token) -> Written:
        delta = self._assembler.push(token.id)
        at_s = token.index * MS_PER_TOKEN / 1000
        return self._written(delta, self._text_token(token, at_s), at_s)

    def _text_token(self, token: Token, at_s: float) -> TextToken | None:
        """Return a token that wrote text, or None."""
        opening, self._opening = self._opening, None
        if token.id == self._tekken.streaming_word:
            self._opening = token.log_prob
            return None
        data = self._tekken.token_bytes(token.id)
        if not data:
            return None
        opening = token.log_prob if opening is None else opening
        return TextToken(token.id, at_s, data, token.log_prob, opening)

    def _written(self, delta: Delta, token: TextToken | None, at_s: float) -> Written:
        if token is not None:
            self._tokens.append(token)
        text = self._collector.add([delta])
        done_s = min(at_s, self.heard_s)
        return Written(text, token, done_s, self._total_s)

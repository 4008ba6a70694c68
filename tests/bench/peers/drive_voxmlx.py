"""voxmlx: its own `stream_transcribe` loop, with a stand-in for the microphone and for its sleep.

The loop runs in a greenlet. It sleeps once a turn; the stand-in goes back to the driver there,
and comes again with 80 ms of audio. Its 20 ms of sleep are thus not counted.
"""

from __future__ import annotations

import contextlib
import io
import sys
import time
import types
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet

from tests.bench.peers.harness import Group, Ids, OneByOne, Samples, main


class _Microphone:
    """Takes the place of sounddevice.InputStream, and remembers whom to call."""

    latest: Callable[..., None]

    def __init__(self, callback: Callable[..., None], **_: Any) -> None:
        _Microphone.latest = callback

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


sys.modules["sounddevice"] = types.SimpleNamespace(InputStream=_Microphone)  # type: ignore[assignment]

import voxmlx  # noqa: E402
import voxmlx.stream  # noqa: E402


def _next_turn(_: float) -> None:
    """Wait for the driver's next chunk; None means that the user pressed Ctrl+C."""
    chunk = getcurrent().parent.switch()
    if chunk is None:
        raise KeyboardInterrupt
    getcurrent().microphone(chunk[:, None], len(chunk), None, None)


voxmlx.stream.time = types.SimpleNamespace(monotonic=time.monotonic, sleep=_next_turn)


class _Listening:
    """A tokenizer that notes what is decoded."""

    def __init__(self, tokenizer: Any, heard: Ids) -> None:
        self._tokenizer = tokenizer
        self._heard = heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def decode(self, ids: Ids, **options: Any) -> Any:
        self._heard += ids
        return self._tokenizer.decode(ids, **options)


class Stream:
    """One run of the loop."""

    def __init__(self, loaded: tuple[Any, Any, Any]) -> None:
        self.tokens: Ids = []
        model, tokenizer, config = loaded
        listening = _Listening(tokenizer, self.tokens)

        def body() -> None:
            voxmlx.stream.load_model = lambda path: (model, listening, config)
            voxmlx.stream.stream_transcribe(model_path="")

        self._loop = greenlet(body)
        self._switch()
        self._loop.microphone = _Microphone.latest

    def push(self, chunk: Samples) -> None:
        """Let the loop make one turn."""
        self._switch(chunk)

    def finish(self) -> None:
        """Press Ctrl+C."""
        self._switch(None)
        if not self._loop.dead:
            raise RuntimeError("the loop went on after Ctrl+C")

    def _switch(self, *arguments: Any) -> None:
        if self._loop.dead:
            raise RuntimeError("the loop had ended")
        with contextlib.redirect_stdout(io.StringIO()):
            self._loop.switch(*arguments)


class Engine:
    """The loaded model."""

    def __init__(self, checkpoint: str) -> None:
        self._loaded = voxmlx.load_model(checkpoint)

    def group(self, n_streams: int) -> Group:
        """Begin streams."""
        return OneByOne([Stream(self._loaded) for _ in range(n_streams)])

    def file(self, wav: str) -> Ids:
        """Transcribe as `voxmlx.transcribe` does, without loading again."""
        model, tokenizer, _ = self._loaded
        prompt, n_delay = voxmlx._build_prompt_tokens(tokenizer)
        ids: Ids = voxmlx.generate(model, wav, prompt, n_delay, eos_token_id=tokenizer.eos_id)
        tokenizer.decode(ids, special_token_policy=voxmlx.SpecialTokenPolicy.IGNORE)
        return ids


if __name__ == "__main__":
    main(Engine)

"""WhisperLiveKit's voxtral_mlx backend: the online processor that its server feeds.

The package's own `__init__` imports the server, torch and the voice detector; it is passed by.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
import types
from pathlib import Path
from typing import Any

from tests.bench.peers.harness import RATE_HZ, Group, Ids, OneByOne, Samples, main, read_wav

_PIECE_SAMPLES = RATE_HZ  # its REST endpoint feeds files in seconds


def _pass_by_init() -> None:
    spec = importlib.util.find_spec("whisperlivekit")
    if spec is None or spec.origin is None:
        raise ImportError("whisperlivekit")
    package = types.ModuleType("whisperlivekit")
    package.__path__ = [str(Path(spec.origin).parent)]
    sys.modules["whisperlivekit"] = package


_pass_by_init()

from whisperlivekit import voxtral_mlx_asr as backend  # noqa: E402


class _Faults(logging.Handler):
    """`process_iter` logs exceptions and goes on; here they count."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            raise record.exc_info[1]


backend.logger.addHandler(_Faults())


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
    """One online processor."""

    def __init__(self, asr: Any) -> None:
        self.tokens: Ids = []
        self._processor = backend.VoxtralMLXOnlineProcessor(asr)
        self._processor._tokenizer = _Listening(asr.tokenizer, self.tokens)
        self._heard_s = 0.0

    def push(self, chunk: Samples) -> None:
        """Insert audio, and let it work."""
        self._heard_s += len(chunk) / RATE_HZ
        self._processor.insert_audio_chunk(chunk, self._heard_s)
        self._processor.process_iter()

    def finish(self) -> None:
        """End the stream."""
        self._processor.finish()


class Engine:
    """The loaded model."""

    def __init__(self, checkpoint: str) -> None:
        self._asr = backend.VoxtralMLXASR(model_path=checkpoint)

    def group(self, n_streams: int) -> Group:
        """Begin streams."""
        return OneByOne([Stream(self._asr) for _ in range(n_streams)])

    def file(self, wav: str) -> Ids:
        """Feed a file in seconds."""
        stream, samples = Stream(self._asr), read_wav(wav)
        for start in range(0, len(samples), _PIECE_SAMPLES):
            stream.push(samples[start : start + _PIECE_SAMPLES])
        stream.finish()
        return stream.tokens


if __name__ == "__main__":
    main(Engine)

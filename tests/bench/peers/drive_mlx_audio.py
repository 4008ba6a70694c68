"""mlx-audio: its streaming session, fed and stepped as by its server; `generate` for files."""

from __future__ import annotations

from typing import Any
from unittest import mock

from mlx_audio.stt.utils import load

from tests.bench.peers.harness import Group, Ids, OneByOne, Samples, main

_SERVER_TOKENS, _CLOSING_TOKENS = 8, 16  # a step of its server, and one after the end
_MAX_CLOSING_STEPS = 1000


class Stream:
    """One streaming session."""

    def __init__(self, model: Any) -> None:
        self._session = model.create_streaming_session()

    @property
    def tokens(self) -> Ids:
        """What was sampled."""
        ids: Ids = self._session.generated
        return ids

    def push(self, chunk: Samples) -> None:
        """Feed, and decode what can be."""
        self._session.feed(chunk)
        self._session.step(max_decode_tokens=_SERVER_TOKENS)

    def finish(self) -> None:
        """Close, and step until it is done."""
        self._session.close()
        for _ in range(_MAX_CLOSING_STEPS):
            if self._session.done:
                return
            self._session.step(max_decode_tokens=_CLOSING_TOKENS)
        raise RuntimeError("the session does not end")


class Engine:
    """The loaded model."""

    def __init__(self, checkpoint: str) -> None:
        self._model = load(checkpoint)

    def group(self, n_streams: int) -> Group:
        """Begin streams."""
        return OneByOne([Stream(self._model) for _ in range(n_streams)])

    def file(self, wav: str) -> Ids:
        """Transcribe a file; what is given to the tokenizer at the end are the tokens."""
        tokenizer = self._model._tokenizer
        decode = tokenizer.decode
        with mock.patch.object(tokenizer, "decode", side_effect=decode) as decoding:
            self._model.generate(wav)
        return [int(token) for token in decoding.call_args.args[0]]


if __name__ == "__main__":
    main(Engine)

"""Tell a decoder that is stuck from one that has nothing to write: pads over what is speech.

Voxtral can write [STREAMING_PAD] over real speech for minutes, each pad making the next likelier.
While text comes, this costs a counter; a voice activity detector listens only to long silence.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from ...model.silero.network import WINDOW_SAMPLES
from .samples import RATE_HZ, Samples
from .shared_vad import VoiceSource, shared_vad

_VOICE = 0.5  # probability from which a window counts as speech
_MIN_SHARE = 0.4  # of a run's windows: speech, not a cough
_CHECK_S = 2.0  # between two looks at a run that goes on
_MAX_PATIENCE_S = 120.0  # to which it grows where decoding again brings nothing
# Of a run, what is decoded again at most: less than the patience then, or there would be no end.
_MAX_AGAIN_S = 60.0
_MAX_KEPT_S = 150.0  # a run of that, and what waits for the model behind it


class StuckWatch:
    """Keeps the audio since the last text, and says when it should have become text.

    Of a run that was looked at and found silent, only the newest part is kept and counts: silence
    may be long before the speech over which the decoder is stuck.

    patience_s: how long a run of pads may be. It is doubled whenever decoding again brought
    nothing, so that a model that knows no such speech is not asked for ever.
    voices: None takes the detector that all sessions share.
    """

    def __init__(self, patience_s: float, voices: VoiceSource | None = None) -> None:
        self._first_patience_s = self._patience_s = patience_s
        self._voices = voices
        self._chunks: deque[Samples] = deque()  # heard since `_start`
        self._start = 0  # sample, on the axis of what the model heard
        self._n_kept = 0
        self._checked = 0  # sample up to which the detector has listened
        self._is_voiced: deque[bool] = deque()  # its windows, up to there
        self._listening: VoiceSource | None = None  # of this run

    def heard(self, samples: Samples) -> None:
        """Keep what the model is given, the newest `_MAX_KEPT_S` at most."""
        self._chunks.append(samples)
        self._n_kept += len(samples)
        while self._n_kept - len(self._chunks[0]) > _MAX_KEPT_S * RATE_HZ:
            self._drop(len(self._chunks[0]))

    def wrote(self, at: int) -> None:
        """Note that the model has written all that it heard before a sample."""
        self._patience_s = self._first_patience_s
        self.forget(at)

    def forget(self, before: int) -> None:
        """Drop the audio before a sample, and begin a new run there."""
        self._drop(before - self._start)
        self._checked = self._start
        self._is_voiced.clear()
        self._listening = None

    def kept(self) -> tuple[int, Samples]:
        """Return where the run began, and all its audio."""
        return self._start, np.concatenate([np.zeros(0, np.float32), *self._chunks])

    def again(self, until: int) -> tuple[int, Samples]:
        """Begin a new run that is decoded again; return its first sample, and all its audio.

        until: up to where the model heard. Patience grows, until text, when it comes, forgives.
        """
        self._patience_s = min(2 * self._patience_s, _MAX_PATIENCE_S)
        self.forget(max(self._start, until - int(_MAX_AGAIN_S * RATE_HZ)))
        return self.kept()

    async def is_stuck(self, until: int) -> bool:
        """Say whether the run up to a sample should have become text."""
        if (until - self._start) < self._patience_s * RATE_HZ:
            return False
        self._checked = max(self._checked, self._start)
        if until - self._checked < _CHECK_S * RATE_HZ:
            return False
        start, samples = self.kept()
        await self._look(samples[self._checked - start : until - start])
        self._slide()
        return sum(self._is_voiced) >= _MIN_SHARE * max(1, len(self._is_voiced))

    async def _look(self, samples: Samples) -> None:
        n_windows = len(samples) // WINDOW_SAMPLES
        self._checked += n_windows * WINDOW_SAMPLES
        if not n_windows:
            return
        windows = samples[: n_windows * WINDOW_SAMPLES].reshape(n_windows, WINDOW_SAMPLES)
        self._listening = self._listening or self._voices or shared_vad().open()
        self._is_voiced.extend(await self._listening(windows) >= _VOICE)

    def _slide(self) -> None:
        """Let the run be its newest part, as long as the patience."""
        n_extra = len(self._is_voiced) - int(self._patience_s * RATE_HZ) // WINDOW_SAMPLES
        if n_extra <= 0:
            return
        for _ in range(n_extra):
            self._is_voiced.popleft()
        self._drop(self._checked - len(self._is_voiced) * WINDOW_SAMPLES - self._start)

    def _drop(self, n_samples: int) -> None:
        """Drop the oldest samples."""
        self._start += max(0, n_samples)
        while self._chunks and n_samples > 0:
            first = self._chunks.popleft()
            self._n_kept -= len(first)
            if len(first) > n_samples:
                self._chunks.appendleft(first[n_samples:])
                self._n_kept += len(first) - n_samples
            n_samples -= len(first)

"""Cut one session's audio into turns of speech and what lies between them. Event loop only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ...model.silero.network import WINDOW_SAMPLES
from ...protocol.session import VadEndpoint
from .samples import RATE_HZ, Samples
from .shared_vad import VoiceSource, shared_vad

# A turn that has begun goes on until speech is this much less likely than what began it: without
# the gap, a probability that wavers around the threshold would cut words. Silero's own choice.
_HYSTERESIS = 0.15
_LOWEST_EXIT = 0.01


@dataclass(frozen=True, slots=True)
class Speech:
    """Samples of a turn, pre-roll and closing silence included, [n] float32."""

    samples: Samples


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """A turn began; at_sample: where, its pre-roll included."""

    at_sample: int


@dataclass(frozen=True, slots=True)
class TurnStopped:
    """The turn is over; at_sample: where, its closing silence included."""

    at_sample: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """Samples between turns, which nobody need hear."""

    n_samples: int


Heard: TypeAlias = Speech | TurnStarted | TurnStopped | Skipped


class TurnDetector:
    """The turns of one session, as OpenAI's `server_vad` has them.

    A turn begins `prefix_padding_ms` before the first window whose probability reaches the
    threshold, but never before the end of the turn before it. It stops when `silence_ms` have
    passed without speech. Every sample comes out once and in order, as Speech or as Skipped; what
    comes out depends on the audio alone, but for where Speech and Skipped are cut. While a turn is
    open nothing is held back; between turns, the pre-roll and a part of a window are.

    first: the number of the first sample that will come. voices: None takes Silero's network, which
    all sessions share. Not to be used any more when a call was cancelled or failed.
    """

    def __init__(
        self, endpoint: VadEndpoint, voices: VoiceSource | None = None, first: int = 0
    ) -> None:
        self._voices = voices or shared_vad().open()
        self._window: Samples = np.zeros(0, np.float32)  # a part of one, not looked at yet
        self._held: Samples = np.zeros(0, np.float32)  # neither given nor skipped yet
        self._n_out = first  # samples given or skipped, those before the first included
        self._is_voice = False
        self._is_turn = False
        self._voice_end = 0  # of the last window with speech, in samples
        self.configure(endpoint)

    def configure(self, endpoint: VadEndpoint) -> None:
        """Take other settings from the next window on."""
        self._enter = endpoint.threshold
        self._leave = min(endpoint.threshold, max(endpoint.threshold - _HYSTERESIS, _LOWEST_EXIT))
        self._prefix_samples = endpoint.prefix_padding_ms * RATE_HZ // 1000
        self._silence_samples = endpoint.silence_ms * RATE_HZ // 1000

    async def feed(self, samples: Samples) -> list[Heard]:
        """Take samples, [n] float32 16 kHz, finite, cut anywhere; return what became of them."""
        self._held = np.concatenate([self._held, samples])
        start = self._n_out + len(self._held) - len(samples) - len(self._window)
        pending = np.concatenate([self._window, samples])
        n_windows = len(pending) // WINDOW_SAMPLES
        self._window = pending[n_windows * WINDOW_SAMPLES :]
        heard: list[Heard] = []
        if n_windows:
            whole = pending[: n_windows * WINDOW_SAMPLES].reshape(n_windows, WINDOW_SAMPLES)
            for i, probability in enumerate(await self._voices(whole)):
                heard += self._decide(float(probability), start + (i + 1) * WINDOW_SAMPLES)
        end = self._n_out + len(self._held)
        if self._is_turn:
            return heard + self._give(end)
        return heard + self._skip(end - len(self._window) - self._prefix_samples)

    def flush(self) -> list[Heard]:
        """Return what is held, as the audio ends or is cut here.

        An open turn ends without a word. Where its speech goes on, a new one begins at once.
        """
        end = self._n_out + len(self._held)
        heard = self._give(end) if self._is_turn else self._skip(end)
        self._is_turn = self._is_voice = False
        return heard

    def release(self) -> list[Heard]:
        """Return what is held as speech, where nobody tells turns from here on."""
        return self._give(self._n_out + len(self._held))

    def _decide(self, probability: float, end: int) -> list[Heard]:
        """Take the next window's probability; the window ends at `end`."""
        self._is_voice = probability >= (self._leave if self._is_voice else self._enter)
        if self._is_voice:
            self._voice_end = end
            return [] if self._is_turn else self._start(end - WINDOW_SAMPLES)
        if self._is_turn and end - self._voice_end >= self._silence_samples:
            self._is_turn = False
            return [*self._give(end), TurnStopped(end)]
        return []

    def _start(self, at: int) -> list[Heard]:
        """Begin a turn whose first speech is at `at`."""
        self._is_turn = True
        skipped = self._skip(at - self._prefix_samples)
        return [*skipped, TurnStarted(self._n_out)]

    def _give(self, until: int) -> list[Heard]:
        given = self._take(until)
        return [Speech(given)] if len(given) else []

    def _skip(self, until: int) -> list[Heard]:
        skipped = self._take(until)
        return [Skipped(len(skipped))] if len(skipped) else []

    def _take(self, until: int) -> Samples:
        """Remove what is held before `until`, if anything is."""
        n_taken = max(0, until - self._n_out)
        taken, self._held = self._held[:n_taken], self._held[n_taken:]
        self._n_out += n_taken
        return taken

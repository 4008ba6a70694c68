"""Compose rows of audio: words, strings, sentences and pauses by voices in disguise."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .augment import bursts, coloured_noise, rumble, speed, tempo
from .clips import STRIDE, Clip
from .pools import is_sentence, pools_of
from .vocabulary import DIGITS
from .voice import Row, Voice

RATE_HZ = 16000
# How often each kind of segment is drawn.
KINDS = {
    "fsdd": 0.18,
    "command_digits": 0.11,
    "synthetic": 0.05,
    "kokoro": 0.09,
    "ocean": 0.12,
    "ocean_cut": 0.04,
    "commands": 0.30,
    "wake": 0.07,
    "negative": 0.27,
    "pause": 0.18,
}
OWED_SHARE, UNSURE_SHARE = 0.4, 0.2  # of a word that is broken off, to be written
NEGATIVE_CORPORA = {"ocean": 0.5, "lj": 0.1, "coffee": 0.1, "commands": 0.2, "kokoro": 0.1}


class Composer:
    """Draws the segments of a row from a packed catalogue, by the generator it is given."""

    def __init__(self, clips: list[Clip], audio: np.ndarray, heard: np.ndarray) -> None:
        self.rng = np.random.default_rng()
        self.audio, self.heard = audio, heard
        self.pools: dict[str, list[Clip]] = defaultdict(list)
        for clip in clips:
            for pool in pools_of(clip):
                self.pools[pool].append(clip)
        self.speakers: dict[str, dict[str, list[Clip]]] = defaultdict(lambda: defaultdict(list))
        for clip in self.pools["fsdd"]:
            self.speakers[clip.speaker][clip.text].append(clip)
        self.by_word: dict[str, list[Clip]] = defaultdict(list)
        for clip in self.pools["command_digits"] + self.pools["commands"]:
            self.by_word[clip.text].append(clip)
        self.by_speaker = _by_speaker(self.pools["commands"])
        self.cuts = [(c, s) for c in self.pools["ocean_strings"] for s in c.spans if s[0] in DIGITS]

    def compose(self, n_samples: int) -> Row:
        """Fill a row with segments drawn by KINDS; what it owes of its last word: see `_owe`."""
        row = Row.of(n_samples)
        kinds, weights = list(KINDS), np.array(list(KINDS.values()))
        at = 0 if self.rng.random() < 0.3 else int(self.rng.uniform(0, 0.8) * RATE_HZ)
        while at < n_samples:
            kind = str(self.rng.choice(kinds, p=weights / weights.sum()))
            segment: Callable[[Row, int], int] = getattr(self, f"_add_{kind}")
            at = segment(row, at) + self._gap_samples(0.05, 1.2)
        return row

    def _gap_samples(self, low_s: float, high_s: float) -> int:
        return int(np.exp(self.rng.uniform(np.log(low_s), np.log(high_s))) * RATE_HZ)

    def _between(self) -> int:
        """Draw the gap between two joined words: from an overlap to a pause, in samples."""
        draw = self.rng.random()
        if draw < 0.2:
            return int(-self.rng.uniform(0, 0.05) * RATE_HZ)
        if draw < 0.45:
            return int(self.rng.uniform(0, 0.06) * RATE_HZ)
        return self._gap_samples(0.06, 0.35 if draw < 0.8 else 1.0)

    def _place(
        self, row: Row, at: int, clip: Clip, voice: Voice, cut: tuple[float, float] | None = None
    ) -> int:
        """Add a clip (or a cut of it) in a voice; returns the sample after its end."""
        low, high = (
            (0, clip.n_samples) if cut is None else (int(cut[0] * RATE_HZ), int(cut[1] * RATE_HZ))
        )
        low, high = max(0, low), min(clip.n_samples, high)
        x = self.audio[clip.start + low : clip.start + high].astype(np.float32) / 32768
        n_in = max(1, len(x))
        x = tempo(speed(x, voice.speed), voice.tempo)
        if len(x) < 160:
            return at
        jitter = 10 ** (self.rng.normal(0, 2.0) / 20)
        fade = min(80, len(x) // 2)
        x = x * (voice.level * jitter / (np.sqrt(np.mean(x**2)) + 1e-5))
        if self.rng.random() < 0.6:  # else the hard edges of a clip that stands alone
            x[:fade] *= np.linspace(0, 1, fade)
            x[-fade:] *= np.linspace(1, 0, fade)
        end = min(at + len(x), len(row.samples))
        at = max(at, 0)
        if end <= at:
            return end
        row.samples[at:end] += x[: end - at]
        row.voices.append((at, end, voice.bank, voice.gains))
        scale = len(x) / n_in
        if clip.corpus != "noise":
            self._tell(row, at, end, clip.start + low, scale)
        for word, start_s, end_s in clip.spans:
            first, last = (
                (start_s * RATE_HZ - low) * scale + at,
                (end_s * RATE_HZ - low) * scale + at,
            )
            if is_sentence(clip):
                if last > at and first < at + len(x):
                    row.unsure.append((word, first / RATE_HZ, last / RATE_HZ))
            elif first >= at - 400:
                _owe(row, word, first, last, min(at + len(x), len(row.samples)))
        return at + len(x)

    def _cut_off(self, clip: Clip, cut: tuple[float, float] | None) -> tuple[float, float] | None:
        """Break some words off before their end, as a recording that stops too early does."""
        _, start_s, end_s = clip.spans[-1]
        if self.rng.random() > 0.2:
            return cut
        lost_s = self.rng.uniform(0, 0.7) * (end_s - start_s)
        return (0.0 if cut is None else cut[0]), end_s - lost_s

    def _tell(self, row: Row, at: int, end: int, start: int, scale: float) -> None:
        """Note what Whisper hears at the positions of a row that a clip fills.

        at, end: samples of the row; start: packed sample that stands at ``at``; scale: how much
        longer the clip has become.
        """
        positions = np.arange(-(-at // 1280), end // 1280)
        middles = 1280 * positions[:, None] + np.array([320, 960]) - at
        rows = (start + middles / scale).astype(np.int64) // STRIDE
        row.heard[positions] = self.heard[rows].astype(np.float32).mean(1)

    def _pick(self, pool: str) -> Clip:
        clips = self.pools[pool]
        return clips[int(self.rng.integers(len(clips)))]

    def _pick_command(self) -> Clip:
        """Draw from speakers by the root of what they said: those of few clips are the many."""
        at = np.searchsorted(self.by_speaker, self.rng.random(), "right")
        return self.pools["commands"][min(int(at), len(self.by_speaker) - 1)]

    def _margin(self, clip: Clip, most_s: float, whole: float) -> tuple[float, float] | None:
        """Draw how much of a clip around its words is heard; by the chance ``whole``, all of it."""
        if self.rng.random() < whole:
            return None
        before, after = self.rng.uniform(0.02, most_s, 2)
        return clip.spans[0][1] - before, clip.spans[-1][2] + after

    def _n_digits(self, most: int) -> int:
        """Draw the length of a string; many are one digit, lest a lone one be left unwritten."""
        return 1 if self.rng.random() < 0.35 else int(self.rng.integers(1, most + 1))

    def _add_fsdd(self, row: Row, at: int) -> int:
        digits = self.speakers[str(self.rng.choice(sorted(self.speakers)))]
        voice = Voice.draw(self.rng)
        for _ in range(self._n_digits(8)):
            clips = digits[str(self.rng.choice(DIGITS))]
            clip = clips[int(self.rng.integers(len(clips)))]
            at = self._place(row, at, clip, voice) + self._between()
        return at

    def _add_command_digits(self, row: Row, at: int) -> int:
        voice = Voice.draw(self.rng)
        for _ in range(self._n_digits(6)):
            clips = self.by_word[str(self.rng.choice(DIGITS))]
            clip = clips[int(self.rng.integers(len(clips)))]
            cut = self._cut_off(clip, self._margin(clip, 0.15, whole=0.2))
            at = self._place(row, at, clip, voice, cut) + self._between()
        return at

    def _add_ocean_cut(self, row: Row, at: int) -> int:
        voice = Voice.draw(self.rng)
        for _ in range(int(self.rng.integers(1, 6))):
            clip, span = self.cuts[int(self.rng.integers(len(self.cuts)))]
            cut = (span[1] - self.rng.uniform(0.0, 0.04), span[2] + self.rng.uniform(0.0, 0.05))
            alone = replace(clip, text=span[0], spans=[span])
            at = self._place(row, at, alone, voice, cut) + self._between()
        return at

    def _add_synthetic(self, row: Row, at: int) -> int:
        return self._place(row, at, self._pick("synthetic"), Voice.draw(self.rng))

    def _add_kokoro(self, row: Row, at: int) -> int:
        return self._place(row, at, self._pick("kokoro"), Voice.draw(self.rng))

    def _add_ocean(self, row: Row, at: int) -> int:
        pool = "ocean_strings" if self.rng.random() < 0.65 else "ocean"
        return self._place(row, at, self._pick(pool), Voice.draw(self.rng))

    def _add_commands(self, row: Row, at: int) -> int:
        return self._word(row, at, "commands")

    def _add_wake(self, row: Row, at: int) -> int:
        return self._word(row, at, "wake")

    def _word(self, row: Row, at: int, pool: str) -> int:
        voice = Voice.draw(self.rng)
        for _ in range(int(self.rng.integers(1, 4))):
            clip = self._pick_command() if pool == "commands" else self._pick(pool)
            cut = self._cut_off(clip, self._margin(clip, 0.35, whole=0.5))
            at = self._place(row, at, clip, voice, cut) + self._gap_samples(0.03, 0.8)
        return at

    def _add_negative(self, row: Row, at: int) -> int:
        corpus = str(self.rng.choice(list(NEGATIVE_CORPORA), p=list(NEGATIVE_CORPORA.values())))
        clip = self._pick(f"negative_{corpus}")
        length = self.rng.uniform(1.0, 6.0)
        rest = max(0.01, clip.n_samples / RATE_HZ - length)
        start = 0.0 if self.rng.random() < 0.3 else self.rng.uniform(0, rest)
        return self._place(row, at, clip, Voice.draw(self.rng), (start, start + length))

    def _add_pause(self, row: Row, at: int) -> int:
        draw, n = self.rng.random(), self._gap_samples(0.8, 3.0)
        if draw < 0.45:
            self._place(row, at, self._pick("noise"), Voice.draw(self.rng))
        elif draw < 0.9:  # sudden sounds, or steady noise far louder than the room's
            made = bursts(self.rng, n) if draw < 0.7 else coloured_noise(self.rng, n)
            end = min(at + n, len(row.samples))
            row.samples[at:end] += made[: end - at] * 10 ** (self.rng.uniform(-50, -15) / 20)
        return at + n

    def noise(self, n: int) -> np.ndarray:
        """Draw the room's noise under a whole row, in one of five with the microphone's rumble."""
        if self.rng.random() > 0.2:
            return self._room_noise(n)
        level = 10 ** (self.rng.uniform(-50, -16) / 20)
        return self._room_noise(n) + level * rumble(self.rng, n)

    def _room_noise(self, n: int) -> np.ndarray:
        """Draw the room's own noise; one row in five is digitally silent."""
        draw = self.rng.random()
        if draw < 0.2:
            return np.zeros(n, np.float32)
        if draw < 0.7:
            return coloured_noise(self.rng, n) * 10 ** (self.rng.uniform(-70, -28) / 20)
        clip = self._pick("noise")
        x = self.audio[clip.start : clip.start + clip.n_samples].astype(np.float32) / 32768
        x = np.tile(x, n // len(x) + 1)[:n]
        return x / (x.std() + 1e-5) * 10 ** (self.rng.uniform(-58, -24) / 20)


def _by_speaker(clips: list[Clip]) -> np.ndarray:
    """Return the running sum of each clip's chance, which falls with its speaker's other clips."""
    counts = Counter(clip.speaker for clip in clips)
    chances = np.array([counts[clip.speaker] ** -0.5 for clip in clips])
    return np.cumsum(chances / chances.sum())


def _owe(row: Row, word: str, first: float, last: float, end: int) -> None:
    """Note a word between two samples of which what lies before a third is heard.

    It is owed where enough of it is heard to tell it from the others, and may be written where
    a little less is.
    """
    share = (end - first) / (last - first)
    heard = (word, first / RATE_HZ, min(last, end) / RATE_HZ)
    if share > OWED_SHARE:
        row.words.append(heard)
    elif share > UNSURE_SHARE:
        row.unsure.append(heard)

"""Turn composed rows into what the fit is given: features, tokens, and what each position owes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .augment import log_mel, mask, power_frames, room
from .clips import Clip
from .compose import Composer
from .labels import LEFT_PAD, frame_labels, position_labels
from .vocabulary import FIRST_WORD_ID, VOCAB_SIZE

ROW_POSITIONS = 200  # 16 s of audio
LONG_DELAYS = (13, 14, 15, 30)
LONG_SHARE = 0.05  # of the rows that have one of them
TAIL_POSITIONS = 11  # after the audio, for what is written late
LATE = (0.45, 0.25, 0.18, 0.12)  # how often a word is written 0, 1, 2 or 3 positions late


class Mixer:
    """Draws rows from a packed catalogue. One a process; after `reseed`, always the same rows."""

    def __init__(
        self,
        clips: list[Clip],
        audio: np.ndarray,
        heard: np.ndarray,
        late: Sequence[float] = LATE,
        long_share: float = LONG_SHARE,
        long_delays: Sequence[int] = LONG_DELAYS,
    ) -> None:
        self.late = late
        self.long_share, self.long_delays = long_share, long_delays
        self._composer = Composer(clips, audio, heard)
        self.reseed(0)

    def reseed(self, seed: int) -> None:
        """Start a new stream of draws, so that a resumed run draws what an unbroken one would."""
        self.rng = self._composer.rng = np.random.default_rng(seed)

    def batch(self, n_rows: int) -> dict[str, np.ndarray]:
        """Return mel [B, 8N, 128], tokens, targets and word labels [B, N], delay [B].

        heard: float32 [B, ROW_POSITIONS, HEARD_SIZE], what Whisper tells, NaN where nothing.
        """
        delays = [self._delay() for _ in range(n_rows)]
        # Two lengths alone: each is compiled.
        longest = next(most for most in LONG_DELAYS[-2:] if most >= max(delays))
        n = LEFT_PAD + ROW_POSITIONS + longest + TAIL_POSITIONS
        rows = [self._featured(delay, n) for delay in delays]
        stacked = {key: np.stack([row[key] for row in rows]) for key in rows[0]}
        return {**stacked, "delay": np.array(delays, np.int64)}

    def _delay(self) -> int:
        draw = self.rng.random()
        if draw < 0.25:
            return 6
        if draw > 1 - self.long_share:
            return int(self.rng.choice(self.long_delays))
        return int(self.rng.integers(1, 13))

    def _featured(self, delay: int, n: int) -> dict[str, np.ndarray]:
        row = self._composer.compose(ROW_POSITIONS * 1280)
        wet = room(self.rng, row.samples) if self.rng.random() < 0.3 else row.samples
        n_frames = 8 * (n - LEFT_PAD)
        power = power_frames(wet, n_frames)
        warps = []
        for first, last, bank, gains in row.voices:
            low, high = first // 160, last // 160 + 1
            power[low:high] *= gains
            warps.append((low, high, bank))
        power += power_frames(self._composer.noise(len(row.samples)), n_frames)
        mel = np.full((8 * n, 128), -0.625, np.float32)
        mel[8 * LEFT_PAD :] = log_mel(power, warps)
        mask(self.rng, mel, 8 * LEFT_PAD)
        late = self.rng.choice(len(self.late), len(row.words), p=self.late)
        lateness = [int(k) for k in late]
        tokens, targets = position_labels(row.words, delay, n, lateness, row.unsure)
        return {
            "mel": mel,
            "tokens": self._corrupt(tokens),
            "targets": targets,
            "words": frame_labels(row.words, n, row.unsure),
            "heard": row.heard,
        }

    def _corrupt(self, tokens: np.ndarray) -> np.ndarray:
        """Swap some fed-back words for others, so that no word is guessed from the one before."""
        swap = (tokens >= FIRST_WORD_ID) & (self.rng.random(len(tokens)) < 0.2)
        drawn = self.rng.integers(FIRST_WORD_ID, VOCAB_SIZE, len(tokens))
        return np.where(swap, drawn, tokens)

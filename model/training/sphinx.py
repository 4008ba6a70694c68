"""PocketSphinx 5 with a word-loop grammar: the recogniser the card is compared with."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pocketsphinx import Decoder

from .align import EXTRA_WORDS

PAD_S = 0.3  # of faint noise on both sides: it recognises better so than at a hard edge


class Sphinx:
    """PocketSphinx's own US English model, listening for any string of the given phrases."""

    def __init__(self, phrases: Sequence[str]) -> None:
        grammar = f"#JSGF V1.0; grammar loop; public <loop> = ({' | '.join(phrases)})+;"
        with tempfile.NamedTemporaryFile("w", suffix=".gram") as file:
            file.write(grammar)
            file.flush()
            self._decoder = Decoder(lm=None, samprate=16000, loglevel="FATAL")
            for word, phones in EXTRA_WORDS.items():
                self._decoder.add_word(word, phones, True)
            self._decoder.add_jsgf_file("loop", str(Path(file.name)))
        self._decoder.activate_search("loop")

    def words(self, clips: Sequence[np.ndarray]) -> list[list[str]]:
        """Return the words heard in each clip. clips: float32 [N] at 16 kHz each."""
        return [self._words(clip) for clip in clips]

    def _words(self, clip: np.ndarray) -> list[str]:
        pad = np.random.default_rng(0).normal(0, 3, int(PAD_S * 16000))
        samples = np.concatenate([pad, np.clip(clip, -1, 1) * 32767, pad]).astype(np.int16)
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return found.hypstr.split() if found else []

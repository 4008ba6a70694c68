"""Slots of sessions that advance together, one position of audio (80 ms) after another.

The batch holds what every session has heard and written: encoder and decoder rings, the last
mel frames, the last token. Only NumPy arrays and integers cross its border.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .cache import RingCache, RingStep
from .conditioning import delay_rows
from .config import CONV_STRIDE
from .conv import N_TAIL_FRAMES
from .delay import NO_TOKEN as NO_TOKEN
from .delay import NOT_FINITE as NOT_FINITE
from .delay import STREAMING_PAD_ID, check_delay, prompt_tokens
from .mel import Floats
from .prefix import Prefix, make_prefix
from .probe import Probe as Probe
from .rope import Ints
from .voxtral import Voxtral
from .work import Tokens, Work, complete


class SlotBatch:
    """Rows of one model's caches, leased to sessions by index.

    What a call costs follows the slots it is given, not the slots there are. A row's tokens depend
    on nothing but its own audio and delay. MLX thread only.
    """

    def __init__(
        self,
        model: Voxtral,
        n_slots: int,
        anchor_positions: int | None = None,
        *,
        max_guess: int = 1,
    ) -> None:
        """Allocate `n_slots`, each of them empty until `reset`.

        anchor_positions: after how many positions rotary angles start again, by default by window.
        max_guess: how many positions `advance_guessing` may verify in one pass.
        """
        self._model = model
        self._max_guess = max_guess
        self._anchor_positions = anchor_positions
        self.encoder_cache = self._new_encoder_cache(n_slots)
        self.decoder_cache = self._new_decoder_cache(n_slots)
        n_mels = model.config.audio.n_mels
        self._tails = np.zeros((n_slots, N_TAIL_FRAMES, n_mels), np.float32)
        self._last_ids = np.zeros(n_slots, np.int32)
        self._prompts: Ints = np.zeros(n_slots, np.int64)  # prompt length; 0: never reset
        self._delays = np.zeros(n_slots, np.int32)  # places in DELAYS_TOKENS
        self._prefixes: dict[int, Prefix] = {}

    @property
    def n_slots(self) -> int:
        """Rows there are."""
        return len(self._prompts)

    @property
    def nbytes(self) -> int:
        """Memory of the caches."""
        return self.encoder_cache.nbytes + self.decoder_cache.nbytes + self._tails.nbytes

    @property
    def full_slot_nbytes(self) -> int:
        """Memory of one slot when its session has outlasted the windows."""
        rings = (self.encoder_cache.shape, self.decoder_cache.shape)
        return sum(ring.n_slot_elements for ring in rings) * self._model.dtype.size

    def reset(self, slot: int, delay_tokens: int) -> None:
        """Make a slot a new session, at the position that follows the constant left padding.

        Raises DelayError.
        """
        check_delay(delay_tokens)
        if delay_tokens not in self._prefixes:
            caches = self._new_encoder_cache(1), self._new_decoder_cache(1)
            self._prefixes[delay_tokens] = make_prefix(self._model, delay_tokens, *caches)
        prefix = self._prefixes[delay_tokens]
        self.encoder_cache.load(slot, prefix.encoder)
        self.decoder_cache.load(slot, prefix.decoder)
        self._tails[slot] = prefix.tail
        self._prompts[slot] = prompt_tokens(delay_tokens)
        self._delays[slot] = delay_rows([delay_tokens])[0]
        mx.eval(self.encoder_cache.rings, self.decoder_cache.rings)

    def widen(self, n_slots: int) -> None:
        """Add empty slots, up to `n_slots` in all. Sessions in the others notice nothing."""
        for cache in (self.encoder_cache, self.decoder_cache):
            cache.widen(n_slots)
        n_new = n_slots - self.n_slots
        self._tails = _with_zeros(self._tails, n_new)
        self._last_ids = _with_zeros(self._last_ids, n_new)
        self._prompts = _with_zeros(self._prompts, n_new)
        self._delays = _with_zeros(self._delays, n_new)

    def settle(self) -> None:
        """Wait until the caches hold what was written. Raises what MLX raises where they cannot."""
        mx.eval(self.encoder_cache.rings, self.decoder_cache.rings)

    def position(self, slot: int) -> int:
        """Return how many positions a slot has advanced, the left padding included."""
        return int(self.decoder_cache.counts[slot])

    def step(self, slots: Sequence[int], mel: Floats, probe: Probe | None = None) -> Tokens:
        """Advance some slots by one position each.

        mel: [B, frames_per_token, n_mels] float32, in the order of `slots`. Returns token ids [B],
        NO_TOKEN for a row still in its prompt, NOT_FINITE for one whose numbers are spoilt. Greedy.
        EOS is a token like others.
        """
        return self.advance(slots, mel, probe)[:, 0]

    def advance(self, slots: Sequence[int], mel: Floats, probe: Probe | None = None) -> Tokens:
        """Advance some slots by n positions each, encoding them in one pass.

        mel: [B, n * frames_per_token, n_mels] float32. Returns token ids [B, n], NO_TOKEN or
        NOT_FINITE as in `step`. Raises ValueError for slots given twice or never reset.
        """
        return complete(self.advancing(slots, mel, probe))

    def advance_scored(self, slots: Sequence[int], mel: Floats) -> tuple[Tokens, Floats]:
        """Advance as `advance` does; return the tokens' log-probabilities [B, n] float32 too."""
        probe = Probe()
        ids = self.advance(slots, mel, probe)
        return ids, probe.log_probs()

    def advance_guessing(self, slots: Sequence[int], mel: Floats) -> Tokens:
        """Advance as `advance` does, with fewer passes where the model has little to write.

        Each pass takes for granted that the next tokens are [STREAMING_PAD], and keeps the
        positions up to the first that is not: the tokens are those of `advance`.
        """
        return complete(self.guessing(slots, mel))

    def advancing(self, slots: Sequence[int], mel: Floats, probe: Probe | None = None) -> Work:
        """Return what `advance` does as work that can run beside that of another batch."""
        return self._advancing(self._rows(slots, mel), mel, probe)

    def guessing(self, slots: Sequence[int], mel: Floats) -> Work:
        """Return what `advance_guessing` does as work that can run beside another batch's."""
        return self._guessing(self._rows(slots, mel), mel)

    def _advancing(self, rows: Ints, mel: Floats, probe: Probe | None) -> Work:
        audio = yield from self._hear(rows, mel, probe)
        ids = mx.array(self._last_ids[rows])
        sampled, logits = [], []
        for index in range(audio.shape[1]):
            ids = self._following(rows, ids)[:, None]
            step, scores = self._decode(rows, audio[:, index : index + 1], ids)
            self.decoder_cache.commit(step, scores)
            ids = _greedy(scores[:, 0])
            yield ids
            sampled.append(ids)
            logits.append(scores)
        if probe is not None:
            probe.logits = _to_numpy(mx.concatenate(logits, axis=1))
        return self._written(rows, np.stack([np.array(ids) for ids in sampled], axis=1))

    def _guessing(self, rows: Ints, mel: Floats) -> Work:
        audio = yield from self._hear(rows, mel, None)
        n = audio.shape[1]
        sampled = np.empty((len(rows), n), np.int32)
        done = np.zeros(len(rows), np.int64)  # positions of each row that are decoded
        while len(active := np.flatnonzero(done < n)):
            n_guess = min(self._max_guess, int((n - done[active]).max()))
            at = done[active, None] + np.arange(n_guess)  # of a row with fewer left, beyond its end
            chosen = audio[mx.array(active)[:, None], mx.array(np.minimum(at, n - 1))]
            ids, n_kept = yield from self._guess(rows[active], chosen, n - done[active])
            for row, kept in enumerate(n_kept):
                start = done[active[row]]
                sampled[active[row], start : start + kept] = ids[row, :kept]
            done[active] += n_kept
        return self._written(rows, sampled)

    def _guess(
        self, rows: Ints, audio: mx.array, n_left: Ints
    ) -> Generator[object, None, tuple[Tokens, Ints]]:
        """Decode positions of rows [B, L] that have `n_left` each; return ids and how many hold."""
        following = self._following(rows, mx.array(self._last_ids[rows]))[:, None]
        pads = mx.full((len(rows), audio.shape[1] - 1), STREAMING_PAD_ID, mx.int32)
        step, logits = self._decode(rows, audio, mx.concatenate([following, pads], axis=1))
        likeliest = _greedy(logits)
        yield likeliest
        ids = np.array(likeliest)
        # A position of the prompt is followed by padding whatever it yields.
        positions = self.decoder_cache.counts[rows, None] + np.arange(1, ids.shape[1])
        guessed = (ids[:, :-1] == STREAMING_PAD_ID) | (positions < self._prompts[rows, None])
        n_kept = np.minimum(1 + np.cumprod(guessed, axis=1).sum(axis=1), n_left)
        self.decoder_cache.commit(step, logits, n_kept)
        self._last_ids[rows] = ids[np.arange(len(rows)), n_kept - 1]
        return ids, n_kept

    def force(self, slots: Sequence[int], mel: Floats, previous_ids: Tokens) -> Floats:
        """Advance some slots by n positions in one pass, told what token precedes each.

        mel: as for `advance`. previous_ids: [B, n]. Returns the logits [B, n, vocabulary] float32.
        """
        rows = self._rows(slots, mel)
        heard, audio = self._encode(rows, mel, None)
        self.encoder_cache.commit(heard, audio)
        step, scores = self._decode(rows, audio, mx.array(previous_ids))
        self.decoder_cache.commit(step, scores)
        logits = _to_numpy(scores)
        self._last_ids[rows] = logits[:, -1].argmax(axis=-1)
        return logits

    def _rows(self, slots: Sequence[int], mel: Floats) -> Ints:
        """Check what a pass is given; return the slots as an array."""
        rows = np.asarray(slots, np.int64)
        if not len(rows) or len(np.unique(rows)) != len(rows):
            raise ValueError(f"expected distinct slots, got {list(slots)}")
        if not self._prompts[rows].all():
            raise ValueError(f"expected slots that were reset, got {list(slots)}")
        config = self._model.config
        n_positions = mel.shape[1] // config.frames_per_token if mel.ndim == 3 else 0
        n_frames = n_positions * config.frames_per_token
        if not n_frames or mel.shape != (len(rows), n_frames, config.audio.n_mels):
            raise ValueError(
                f"expected mel of {len(rows)} rows, whole positions of "
                f"{config.frames_per_token} frames, {config.audio.n_mels} bins; got {mel.shape}"
            )
        return rows

    def _hear(
        self, rows: Ints, mel: Floats, probe: Probe | None
    ) -> Generator[object, None, mx.array]:
        """Return the audio embeddings [B, n, dim] of new mel frames."""
        step, audio = self._encode(rows, mel, probe)
        # The decoder's operations are made up while these run; a long pass commits them all.
        yield audio, step.pending
        self.encoder_cache.commit(step, audio)
        return audio

    def _encode(self, rows: Ints, mel: Floats, probe: Probe | None) -> tuple[RingStep, mx.array]:
        """Return the audio embeddings [B, n, dim] of new mel frames, and their pass to commit."""
        joined = np.concatenate([self._tails[rows], mel], axis=1)
        step = self.encoder_cache.begin(rows, mel.shape[1] // CONV_STRIDE)
        frames = self._model.encode(mx.array(joined), self.encoder_cache, step)
        audio = self._model.adapt(frames)
        self._tails[rows] = joined[:, -N_TAIL_FRAMES:]
        if probe is not None:
            probe.frames, probe.audio = _to_numpy(frames), _to_numpy(audio)
        return step, audio

    def _decode(
        self, rows: Ints, audio: mx.array, previous_ids: mx.array
    ) -> tuple[RingStep, mx.array]:
        """Return the logits [B, L, vocabulary] of new positions, and their pass to commit."""
        step = self.decoder_cache.begin(rows, audio.shape[1])
        delays = mx.array(self._delays[rows])
        return step, self._model.decode(audio, previous_ids, delays, self.decoder_cache, step)

    def _following(self, rows: Ints, ids: mx.array) -> mx.array:
        """Return the token that precedes the next position of each row: `ids` or the prompt's."""
        in_prompt = self.decoder_cache.counts[rows] < self._prompts[rows]
        return mx.where(mx.array(in_prompt), STREAMING_PAD_ID, ids) if in_prompt.any() else ids

    def _written(self, rows: Ints, sampled: Tokens) -> Tokens:
        """Remember the last tokens; return `sampled` [B, n] without those of prompt positions."""
        self._last_ids[rows] = sampled[:, -1]
        n = sampled.shape[1]
        # Position p samples a token when p is the last of the prompt or later.
        positions = self.decoder_cache.counts[rows, None] - n + np.arange(n)
        return np.where(positions < self._prompts[rows, None] - 1, NO_TOKEN, sampled)

    def _new_encoder_cache(self, n_slots: int) -> RingCache:
        shape = self._model.encoder_rings()
        return RingCache(shape, n_slots, self._model.dtype, self._anchor_positions)

    def _new_decoder_cache(self, n_slots: int) -> RingCache:
        shape = self._model.decoder_rings(self._max_guess)
        return RingCache(shape, n_slots, self._model.dtype, self._anchor_positions)


def _greedy(logits: mx.array) -> mx.array:
    """Return the likeliest ids [...] int32 of logits [..., vocabulary], NOT_FINITE where spoilt."""
    # A sum is finite only where all terms are; the arg max of NaN would be some token.
    is_finite = mx.isfinite(logits.sum(axis=-1))
    return mx.where(is_finite, mx.argmax(logits, axis=-1).astype(mx.int32), NOT_FINITE)


def _with_zeros(array: npt.NDArray[Any], n_new: int) -> npt.NDArray[Any]:
    """Return `array` with `n_new` more rows of zeros."""
    return np.concatenate([array, np.zeros((n_new, *array.shape[1:]), array.dtype)])


def _to_numpy(array: mx.array) -> Floats:
    return np.array(array.astype(mx.float32))

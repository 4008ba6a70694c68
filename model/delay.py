"""The transcription delay, and the padding and token counts that follow from it.

The model writes a word `delay` positions after it was heard. A session chooses its delay; the
prompt, the right padding and the number of tokens follow. Source: mistral-common,
`tokens/tokenizers/audio.py`.
"""

from __future__ import annotations

from .errors import DelayError

BOS_ID = 1
STREAMING_PAD_ID = 32
NO_TOKEN = -1  # what a position of the prompt yields
NOT_FINITE = -2  # what a position yields whose logits are NaN or infinite
N_LEFT_PAD_TOKENS = 32  # silence before the audio, in every session
N_BUFFER_TOKENS = 10  # silence after the audio, beyond what the delay calls for
MS_PER_TOKEN = 80
DELAYS_TOKENS = (*range(1, 16), 30)  # 80..1200 ms, and 2400 ms

# Positions whose audio is left padding alone: the same in every session of one delay. The last
# pad token is not among them, because its last mel frame reaches into the audio.
N_PREFIX_TOKENS = N_LEFT_PAD_TOKENS - 1


def delay_tokens_from_ms(delay_ms: int) -> int:
    """Return a delay in tokens. Raises DelayError unless it is 80..1200 ms by 80, or 2400 ms."""
    if delay_ms % MS_PER_TOKEN or delay_ms // MS_PER_TOKEN not in DELAYS_TOKENS:
        raise DelayError(f"expected a delay of 80 to 1200 ms in steps of 80, or 2400; {delay_ms=}")
    return delay_ms // MS_PER_TOKEN


def check_delay(delay_tokens: int) -> None:
    """Raise DelayError unless `delay_tokens` is one that the model was trained for."""
    if delay_tokens not in DELAYS_TOKENS:
        raise DelayError(f"expected a delay of 1 to 15 or 30 tokens; {delay_tokens=}")


def prompt_tokens(delay_tokens: int) -> int:
    """Return the length of the prompt: BOS, the left padding, the delay."""
    return 1 + N_LEFT_PAD_TOKENS + delay_tokens


def right_pad_tokens(delay_tokens: int) -> int:
    """Return how many positions of silence after the audio let the model finish writing."""
    return delay_tokens + 1 + N_BUFFER_TOKENS


def sampled_tokens(n_samples: int, delay_tokens: int, samples_per_token: int = 1280) -> int:
    """Return how many tokens a recording of `n_samples` yields, right padding included."""
    n_audio = -(-n_samples // samples_per_token)
    n_positions = N_LEFT_PAD_TOKENS + n_audio + right_pad_tokens(delay_tokens)
    return n_positions - prompt_tokens(delay_tokens) + 1

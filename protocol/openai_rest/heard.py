"""From what was heard in a recording to the answer that a request asked for."""

from __future__ import annotations

import math
import zlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..formats import OutputFormat, render
from ..transcript import Segment, Transcript
from .answers import (
    DurationUsage,
    InputTokens,
    LogProb,
    PlainUsage,
    Span,
    TextDone,
    TimedSegment,
    TimedWord,
    TokenUsage,
    Transcription,
    VerboseTranscription,
)
from .form import ResponseFormat, TranscriptionRequest

_DOCUMENTS = {
    ResponseFormat.TEXT: (OutputFormat.TEXT, "text/plain"),
    ResponseFormat.SRT: (OutputFormat.SRT, "application/x-subrip"),
    ResponseFormat.VTT: (OutputFormat.VTT, "text/vtt"),
}


@dataclass(frozen=True, slots=True)
class TextToken:
    """A token that wrote text. at_s: the end time of a word that begins with it.

    data: its bytes. opening_log_prob: of the token that said that a word begins, itself or the
    one before. Log-probabilities are None where they were not asked for.
    """

    id: int
    at_s: float
    data: bytes
    log_prob: float | None
    opening_log_prob: float | None


@dataclass(frozen=True, slots=True)
class Heard:
    """A whole recording. n_positions: of audio, 80 ms each. n_damaged: packets left out."""

    transcript: Transcript
    tokens: Sequence[TextToken]
    n_positions: int
    n_damaged: int = 0


def document(heard: Heard, request: TranscriptionRequest) -> tuple[str, str]:
    """Return the body of an answer that is not streamed, and its media type."""
    if request.format in _DOCUMENTS:
        form, media_type = _DOCUMENTS[request.format]
        return render(heard.transcript, form), media_type
    if request.format is ResponseFormat.VERBOSE_JSON:
        text = _verbose(heard, request).model_dump_json(exclude_none=True)
    else:
        text = _plain(heard, request).model_dump_json()  # whose null language says something
    return text, "application/json"


def done(heard: Heard, request: TranscriptionRequest) -> TextDone:
    """Return the last event of a stream."""
    verbose = request.format is ResponseFormat.VERBOSE_JSON
    return TextDone(
        text=heard.transcript.text,
        usage=_usage(heard),
        logprobs=_asked_log_probs(heard, request),
        damaged_packets=heard.n_damaged or None,
        language="und" if verbose else None,
        duration=heard.transcript.duration_s if verbose else None,
        words=_words(heard, request),
        segments=_segments(heard, request),
    )


def log_probs(tokens: Iterable[TextToken]) -> list[LogProb]:
    """Return tokens as they are answered, those apart that were not scored."""
    return [
        LogProb(
            token=token.data.decode(errors="replace"),
            bytes=list(token.data),
            logprob=token.log_prob,
        )
        for token in tokens
        if token.log_prob is not None
    ]


def _plain(heard: Heard, request: TranscriptionRequest) -> Transcription:
    return Transcription(
        text=heard.transcript.text,
        model=heard.transcript.model,
        segments=_spans(heard.transcript, request),
        usage=_plain_usage(heard),
        logprobs=_asked_log_probs(heard, request),
        damaged_packets=heard.n_damaged or None,
    )


def _spans(transcript: Transcript, request: TranscriptionRequest) -> list[Span] | None:
    if request.plain_spans is None:
        return None
    is_words = request.plain_spans == "word"
    return [
        Span(text=each.text, start=each.start_s, end=each.end_s)
        for each in (transcript.words if is_words else transcript.segments)
    ]


def _plain_usage(heard: Heard) -> PlainUsage:
    n_text = len(heard.tokens)
    return PlainUsage(
        seconds=heard.transcript.duration_s,
        prompt_audio_seconds=round(heard.transcript.duration_s),
        prompt_tokens=heard.n_positions,
        completion_tokens=n_text,
        total_tokens=heard.n_positions + n_text,
    )


def _verbose(heard: Heard, request: TranscriptionRequest) -> VerboseTranscription:
    transcript = heard.transcript
    return VerboseTranscription(
        language="und",
        duration=transcript.duration_s,
        text=transcript.text,
        words=_words(heard, request),
        segments=_segments(heard, request),
        usage=DurationUsage(seconds=transcript.duration_s),
        logprobs=_asked_log_probs(heard, request),
        damaged_packets=heard.n_damaged or None,
    )


def _asked_log_probs(heard: Heard, request: TranscriptionRequest) -> list[LogProb] | None:
    return log_probs(heard.tokens) if request.wants_log_probs else None


def _usage(heard: Heard) -> TokenUsage:
    n_text = len(heard.tokens)
    return TokenUsage(
        input_tokens=heard.n_positions,
        output_tokens=n_text,
        total_tokens=heard.n_positions + n_text,
        input_token_details=InputTokens(audio_tokens=heard.n_positions),
    )


def _words(heard: Heard, request: TranscriptionRequest) -> list[TimedWord] | None:
    if not request.wants_words:
        return None
    words = heard.transcript.words
    groups = _groups(heard.tokens, [word.end_s for word in words])
    return [
        TimedWord(
            word=word.text,
            start=word.start_s,
            end=word.end_s,
            confidence=_confidence(group) if request.wants_log_probs else None,
        )
        for word, group in zip(words, groups, strict=True)
    ]


def _segments(heard: Heard, request: TranscriptionRequest) -> list[TimedSegment] | None:
    if not request.wants_segments:
        return None
    segments = heard.transcript.segments
    first_ends = _first_word_ends(heard.transcript)
    groups = _groups(heard.tokens, first_ends)
    return [
        _segment(number, segment, group)
        for number, (segment, group) in enumerate(zip(segments, groups, strict=True))
    ]


def _segment(number: int, segment: Segment, tokens: Sequence[TextToken]) -> TimedSegment:
    data = segment.text.encode()
    opening = tokens[0].opening_log_prob if tokens else None
    return TimedSegment(
        id=number,
        start=segment.start_s,
        end=segment.end_s,
        text=segment.text,
        tokens=[token.id for token in tokens],
        avg_logprob=_mean_log_prob(tokens),
        compression_ratio=round(len(data) / len(zlib.compress(data)), 4),
        no_speech_prob=round(-math.expm1(opening), 6) if opening is not None else 0.0,
    )


def _first_word_ends(transcript: Transcript) -> list[float]:
    """Return for each segment the end of its first word, where its tokens begin."""
    starts = {word.start_s: word.end_s for word in reversed(transcript.words)}
    return [starts[segment.start_s] for segment in transcript.segments]


def _groups(tokens: Sequence[TextToken], starts_s: Sequence[float]) -> list[Sequence[TextToken]]:
    """Cut tokens at the times of those that begin a group.

    A group that begins with the same token as the next has that one alone.
    """
    times = [token.at_s for token in tokens]
    cuts = [bisect_left(times, start_s) for start_s in starts_s]
    ends = [*cuts, len(tokens)][1:]
    return [tokens[cut : max(end, cut + 1)] for cut, end in zip(cuts, ends, strict=True)]


def _mean_log_prob(tokens: Sequence[TextToken]) -> float:
    scores = [token.log_prob for token in tokens if token.log_prob is not None]
    return round(sum(scores) / len(scores), 6) if scores else 0.0


def _confidence(tokens: Sequence[TextToken]) -> float:
    """Return the probability of a word's tokens, their geometric mean."""
    return round(math.exp(_mean_log_prob(tokens)), 4)

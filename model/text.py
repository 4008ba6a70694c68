"""Turn a stream of token ids into text and into words with times on the audio clock.

The model writes one token per 80 ms position. Most are [STREAMING_PAD], nothing to write yet;
[STREAMING_WORD] opens a group, and the pieces of its word or words follow on the next positions.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass

from .delay import MS_PER_TOKEN
from .tekken import Tekken

# After this many positions without text a word is over: until then, punctuation may still join it.
SETTLED_AFTER_PADS = 4
# A script without spaces and a model that opens no group would otherwise make one endless word.
MAX_WORD_CHARS = 256
# Speaking rates behind the estimated start of a word; the model tells only where words end.
_S_PER_LETTER = 0.06
_S_PER_SYLLABLE_SIGN = 0.2  # a digit, or a character of a wide script: about one syllable
_ONSET_S = 0.1
_LONGEST_WORD_S = 1.0
_RUNS = re.compile(r"\s+|\S+")


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a transcript, with the punctuation that follows it.

    end_s: the audio time at which the word was over, 80 ms times `first_token`.
    start_s: an estimate, never before the end of the word before.
    first_token: index of the first token of its text, counted over the whole session.
    space_before: whether white space parts it from the word before in the text.
    """

    text: str
    start_s: float
    end_s: float
    first_token: int
    space_before: bool


@dataclass(frozen=True, slots=True)
class Delta:
    """What one token added: new text, and the words that are now complete."""

    text: str = ""
    words: tuple[Word, ...] = ()


class TextAssembler:
    """The text of one session, token by token. Constant time and memory per token; one thread."""

    def __init__(self, tekken: Tekken) -> None:
        self._tekken = tekken
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._words = _WordGrouper()
        self._n_tokens = 0
        self._char_token = 0  # the token that began the character not yet complete
        self._at_start = True

    def push(self, token_id: int) -> Delta:
        """Take the next sampled token; a character split over tokens appears with its last one.

        Control tokens write nothing; EOS and BOS count as [STREAMING_PAD]. Raises IndexError for
        an id that the tokenizer does not have.
        """
        index = self._n_tokens
        self._n_tokens += 1
        if token_id == self._tekken.streaming_word:
            self._words.open_group()
            return Delta()
        data = self._tekken.token_bytes(token_id)
        if not data:
            return Delta(words=tuple(self._words.pad()))
        return self._write(self._decode(data, index))

    def finish(self) -> Delta:
        """End the transcript: flush a broken last character and the open word.

        The next token begins a new transcript on the same audio clock.
        """
        tail = self._write([(self._utf8.decode(b"", final=True), self._char_token)])
        self._at_start = True
        return Delta(tail.text, (*tail.words, *self._words.close()))

    def _decode(self, data: bytes, index: int) -> list[tuple[str, int]]:
        """Return pieces of text, each with the token in which its first byte came."""
        was_pending = bool(self._utf8.getstate()[0])
        text = self._utf8.decode(data)
        n_old = 1 if was_pending and text else 0
        pieces = [(text[:n_old], self._char_token), (text[n_old:], index)]
        if text or not was_pending:
            self._char_token = index
        return pieces

    def _write(self, pieces: list[tuple[str, int]]) -> Delta:
        written = ""
        words: list[Word] = []
        for piece, index in pieces:
            text = piece.lstrip() if self._at_start else piece
            self._at_start = self._at_start and not text
            written += text
            words += self._words.add(text, index)
        return Delta(written, tuple(words))


@dataclass(slots=True)
class _Draft:
    """A word still being written; `spoken` once it holds a letter or digit."""

    text: str
    first_token: int
    space_before: bool
    spoken: bool

    def append(self, text: str, spoken: bool, space: bool = False) -> None:
        self.text += f" {text}" if space else text
        self.spoken = self.spoken or spoken


class _WordGrouper:
    """Cut text into words at [STREAMING_WORD] and at white space.

    Punctuation standing alone joins the word before, unless letters follow it without a space (an
    opening quote); so `_before` waits while `_open` is nothing but punctuation.
    """

    def __init__(self) -> None:
        self._before: _Draft | None = None
        self._open: _Draft | None = None
        self._space = False
        self._group = False
        self._n_pads = 0
        self._last_end_s = 0.0

    def open_group(self) -> None:
        """Note that the next text begins a word."""
        self._group = True

    def pad(self) -> list[Word]:
        """Count a position without text; return the words that this settles."""
        self._n_pads += 1
        return self._release() if self._n_pads == SETTLED_AFTER_PADS else []

    def add(self, text: str, index: int) -> list[Word]:
        """Take text whose first byte came in token `index`; return the words it completes."""
        words: list[Word] = []
        for run in _RUNS.findall(text):
            self._n_pads = 0
            if run.isspace():
                self._space = True
            else:
                words += self._add_run(run, index)
        return words

    def close(self) -> list[Word]:
        """Return what is left, and forget white space and group marks before what follows."""
        words = self._release()
        self._space = self._group = False
        self._n_pads = 0
        return words

    def _add_run(self, run: str, index: int) -> list[Word]:
        spoken = any(char.isalnum() for char in run)
        if self._open is None:
            self._open = _Draft(run, index, self._space, spoken)
        elif not (self._space or self._group):
            self._open.append(run, spoken)
        elif self._open.spoken or self._before:
            self._shift(_Draft(run, index, self._space, spoken))
        else:  # punctuation with no word before it: what follows joins it
            self._open.append(run, spoken, space=self._space)
        self._space = self._group = False
        return self._complete()

    def _shift(self, following: _Draft) -> None:
        """Make `following` the open word, and what was open the word before."""
        if self._before and self._open:
            self._before.append(self._open.text, False, self._open.space_before)
        else:
            self._before = self._open
        self._open = following

    def _complete(self) -> list[Word]:
        """Return the word before once the open one is a word itself, or all if it grew too long."""
        drafts = [draft for draft in (self._before, self._open) if draft]
        if sum(len(draft.text) for draft in drafts) > MAX_WORD_CHARS:
            return self._release()
        if self._before and self._open and self._open.spoken:
            before, self._before = self._before, None
            return [self._word(before)]
        return []

    def _release(self) -> list[Word]:
        if self._before and self._open:
            self._before.append(self._open.text, False, self._open.space_before)
        draft = self._before or self._open
        self._before = self._open = None
        return [self._word(draft)] if draft else []

    def _word(self, draft: _Draft) -> Word:
        end_s = draft.first_token * MS_PER_TOKEN / 1000
        start_s = max(self._last_end_s, round(end_s - _spoken_s(draft.text), 3))
        self._last_end_s = end_s
        return Word(draft.text, start_s, end_s, draft.first_token, draft.space_before)


def _spoken_s(text: str) -> float:
    """Estimate how long `text` takes to say, in seconds."""
    seconds = _ONSET_S
    for char in text:
        if char.isdecimal() or unicodedata.east_asian_width(char) in "WF":
            seconds += _S_PER_SYLLABLE_SIGN
        elif char.isalpha():
            seconds += _S_PER_LETTER
    return min(seconds, _LONGEST_WORD_S)

"""The output formats of a transcript. No I/O."""

from __future__ import annotations

from enum import StrEnum

from .subtitles import to_srt, to_vtt
from .transcript import Transcript


class OutputFormat(StrEnum):
    """What a transcript is written as; the value is also the file name's ending, text's is txt."""

    TEXT = "text"
    JSON = "json"
    SRT = "srt"
    VTT = "vtt"

    @property
    def suffix(self) -> str:
        """The ending of a file of this format, with its dot."""
        return ".txt" if self is OutputFormat.TEXT else f".{self.value}"


def render(transcript: Transcript, form: OutputFormat) -> str:
    """Return `transcript` as a document that ends with a newline, or is empty."""
    match form:
        case OutputFormat.TEXT:
            return f"{transcript.text}\n"
        case OutputFormat.JSON:
            return transcript.model_dump_json(indent=2) + "\n"
        case OutputFormat.SRT:
            return to_srt(transcript.words)
        case OutputFormat.VTT:
            return to_vtt(transcript.words)

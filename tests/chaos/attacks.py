"""The list of all attacks: what each is called, and how many of a hundred rounds it is made in."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chaos import frames, uploads, words
from tests.chaos.target import Target

Run = Callable[[Target, random.Random], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Attack:
    """One kind of hostile event. run: raises where the server does not withstand it.

    percent: of the rounds that it is made in, less where it takes long. needs_short: whether the
    short form makes it, once at least.
    """

    kind: str
    run: Run
    percent: int = 100
    is_short: bool = True

    def times(self, n_rounds: int) -> int:
        """Return how often it is made in so many rounds."""
        return max(1, n_rounds * self.percent // 100)


ATTACKS = (
    Attack("frame that is none", frames.broken_frame, 300),
    Attack("noise in place of frames", frames.noise_for_frames),
    Attack("message in a thousand fragments", frames.many_fragments, 20),
    Attack("fragments without end", frames.endless_fragments, 5),
    Attack("flood of pings", frames.flood_of_pings, 10),
    Attack("death at any byte of a conversation", frames.death_at_any_byte, 500),
    Attack("half-open socket", frames.half_open),
    Attack("storm of 20 connections that leave", frames.storm, 20),
    Attack("storm on Wyoming's port", frames.wyoming_storm, 10),
    Attack("silent socket that vanishes", frames.silent_socket),
    Attack("head sent byte by byte", frames.head_byte_by_byte, 3, is_short=False),
    Attack("client that reads no events", frames.nobody_reads_events, 3, is_short=False),
    Attack("client that reads no pongs", frames.nobody_reads_pongs, 3, is_short=False),
    Attack("client that reads no pages", frames.nobody_reads_pages, 3, is_short=False),
    Attack("client that reads nothing of Wyoming", frames.nobody_reads_wyoming, 3, is_short=False),
    Attack("message that means nothing", words.junk, 200),
    Attack("random JSON", words.random_json),
    Attack("base64 that is none", words.no_base64),
    Attack("NaN, infinity and floats beyond sound", words.no_sound),
    Attack("clipped, noisy and huge samples", words.loud_audio, 50),
    Attack("wrong rate or parameter in the address", words.bad_address),
    Attack("wrong rate in an update", words.bad_format),
    Attack("messages of one byte", words.tiny_messages, 10),
    Attack("half a minute at once", words.huge_message, 10),
    Attack("commands in any order", words.commands_in_any_order, 50),
    Attack("flood of commits", words.flood_of_commits, 10),
    Attack("token of nobody's session", words.lost_token),
    Attack("Wyoming's events, wrong", words.wyoming_junk),
    Attack("upload of what is no recording", uploads.no_recording, 30),
    Attack("upload of minutes in a few kB", uploads.long_silence, 5),
    Attack("upload that is cut off", uploads.cut_off_file, 50),
    Attack("upload that is damaged", uploads.damaged_file, 50),
    Attack("upload whose header lies", uploads.lying_header, 50),
    Attack("form that is none", uploads.broken_form),
    Attack("upload that is left", uploads.leaving_an_upload, 50),
    Attack("upload sent byte by byte", uploads.slow_upload, 3, is_short=False),
    Attack("request that is none", uploads.broken_request, 200),
    Attack("handshake that is none", uploads.broken_handshake),
)

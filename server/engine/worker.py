"""The engine's thread: the only one that touches the model."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from pathlib import Path

from ...model.config import ModelConfig
from ...model.machine import wake_quietly
from .backend import Backend
from .faults import forget_frames
from .loop import Inbox, Loop
from .messages import Command, Event, Stopped

log = logging.getLogger(__name__)


class Worker(threading.Thread):
    """Loads a model and advances all sessions, until `stop`, a failure, or the main thread's end.

    Not a daemon: a thread that uses MLX must end before the process does. load: called in this
    thread, as is `post`, which takes events; the last is Stopped.
    """

    def __init__(
        self,
        load: Callable[[], Backend],
        max_sessions: int,
        post: Callable[[list[Event]], None],
        clock: Callable[[], float],
    ) -> None:
        super().__init__(name="voxwire-engine", daemon=False)
        self.started = threading.Event()  # or failed to
        self.config: ModelConfig | None = None  # once started
        self.tokenizer_file: Path | None = None  # likewise
        self.failure: Exception | None = None
        self.beat_s = clock()
        self.real_time_factor = 0.0  # see Loop
        self._load = load
        self._release: Callable[[], None] | None = None
        self._max_sessions = max_sessions
        self._post = post
        self._clock = clock
        self._inbox: Inbox = queue.SimpleQueue()

    def send(self, command: Command) -> None:
        """Pass a command to the engine. Any thread; never waits."""
        self._inbox.put((command, self._clock()))

    def stop(self) -> None:
        """End the thread, and with it all sessions. Any thread; never waits."""
        self._inbox.put(None)

    def run(self) -> None:
        """Load, loop, and leave nothing behind."""
        try:
            self._serve()
        except Exception as error:
            log.exception("engine=failed")
            forget_frames(error)
            self.failure = error
        finally:
            # The model and its caches went with the frames of _serve; the streams can go too.
            if self._release is not None:
                self._release()
            self._post([Stopped()])
            self.started.set()

    def _serve(self) -> None:
        backend = self._load()
        self._release = backend.release
        wake_quietly()
        loop = Loop(backend, self._max_sessions, self._inbox, self._post, self._clock)
        self.config, self.tokenizer_file = backend.config, backend.tokenizer_file
        self.real_time_factor = loop.real_time_factor  # as measured, before anybody speaks
        self.started.set()
        while not loop.is_stopping and threading.main_thread().is_alive():
            self.beat_s = self._clock()
            loop.turn()
            self.real_time_factor = loop.real_time_factor

"""Bounds of time for whole exchanges, whose parts may all come in time: a byte now and then is no answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def within(seconds: float, connection: Callable[[], socket.socket | None]) -> Iterator[threading.Event]:
    """In it, after so many *seconds*, the *connection* is shut: what waits for it fails; the event is set."""
    late = threading.Event()

    def shut() -> None:
        late.set()
        there = connection()
        if there is not None:
            with contextlib.suppress(OSError):
                # Not of an SSLSocket: that would wait for the thread that reads.
                socket.socket.shutdown(there, socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, seconds), shut)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()

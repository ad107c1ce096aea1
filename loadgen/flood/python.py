"""The closed loop in Python: the specification, and what runs where there is no compiler.

A connection that has failed opens again after a tenth of a second, one that the server has closed in good
order at once.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time

import numpy as np

from loadgen.answers import AnswerError, AnswerReader
from loadgen.flood.figures import Figures
from loadgen.flood.loop import Load
from loadgen.wire.connecting import allow_descriptors, connect, parse
from loadgen.wire.interface import CLOSED, ERRORS, GARBAGE, REFUSED

AGAIN_NS = 100_000_000
_RECEIVE = 256 * 1024
#: A run ends so that its caller can take the latencies.
_LATENCIES = 65_536


class _Link:
    """One connection."""

    def __init__(self, made: socket.socket) -> None:
        self.socket = made
        self.connected = self.writing = False
        self.unanswered = 0
        self.unsent = memoryview(b"")
        self.since = 0
        self.reader: AnswerReader


class PythonLoop:
    """See the interface."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._node = parse(load.host, load.port)
        self._batch = load.request * load.pipeline
        self._head_only = load.request.startswith(b"HEAD ")
        self._poll = select.epoll()
        self._links: dict[int, _Link] = {}
        #: When each that is not open may open.
        self._closed = {number: 0 for number in range(load.connections)}
        self._numbers: dict[int, int] = {}
        self._latencies: list[int] = []
        self._figures = Figures()
        allow_descriptors()

    def run(self, until: int, figures: Figures) -> None:
        """See the interface."""
        self._figures = figures
        try:
            self._run(until)
        finally:  # Ctrl-C ends it, too
            figures.record(np.array(self._latencies, dtype=np.int64))
            self._latencies.clear()

    def _run(self, until: int) -> None:
        while (now := time.monotonic_ns()) < until and len(self._latencies) < _LATENCIES:
            for number in [number for number, at in self._closed.items() if at <= now]:
                self._open(number)
            wait = min(until - now, AGAIN_NS // 10) if self._closed else until - now
            for descriptor, events in self._poll.poll(wait / 1e9):
                link = self._links.get(descriptor)
                if link is not None and events & ~select.EPOLLOUT:
                    self._read(link)
                if events & select.EPOLLOUT and self._links.get(descriptor) is link is not None:
                    self._write(link)

    def close(self) -> None:
        """See the interface."""
        for link in self._links.values():
            link.socket.close()
        self._links.clear()
        self._poll.close()

    def _open(self, number: int) -> None:
        try:
            made = connect(self._node, self._load.first + number)
        except OSError:
            self._figures.errors[ERRORS[REFUSED]] += 1
            self._closed[number] = time.monotonic_ns() + AGAIN_NS
            return
        del self._closed[number]
        link = _Link(made)
        self._links[made.fileno()] = link
        self._numbers[made.fileno()] = number
        self._poll.register(made, select.EPOLLIN)
        self._begin_answer(link)
        self._begin_batch(link)

    def _begin_answer(self, link: _Link) -> None:
        link.reader = AnswerReader(self._load.body_bytes, self._head_only)

    def _begin_batch(self, link: _Link) -> None:
        link.unanswered = self._load.pipeline
        link.unsent = memoryview(self._batch)
        link.since = time.monotonic_ns()
        self._write(link)

    def _write(self, link: _Link) -> None:
        try:
            taken = link.socket.send(link.unsent)
        except BlockingIOError:
            taken = 0
        except OSError:
            self._close(link, CLOSED if link.connected else REFUSED)
            return
        link.connected |= taken > 0
        link.unsent = link.unsent[taken:]
        self._figures.bytes_out += taken
        if link.writing != bool(link.unsent):
            link.writing = not link.writing
            self._poll.modify(link.socket, select.EPOLLIN | (select.EPOLLOUT if link.writing else 0))

    def _read(self, link: _Link) -> None:
        try:
            data = link.socket.recv(_RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            if link.reader.ended():
                self._answered(link)
            else:
                self._close(link, CLOSED if link.connected else REFUSED)
            return
        self._figures.bytes_in += len(data)
        try:
            while True:
                data = data[link.reader.receive(data) :]
                if not link.reader.done or not self._answered(link):
                    return
                if not link.unanswered:
                    break
        except AnswerError as error:
            self._close(link, error.error)
            return
        if data or link.unsent:  # more answers than requests
            self._close(link, GARBAGE)
            return
        self._latencies.append((time.monotonic_ns() - link.since + 500) // 1000)
        self._begin_batch(link)

    def _answered(self, link: _Link) -> bool:
        """One answer is whole; whether the connection goes on."""
        self._figures.statuses[link.reader.status] += 1
        link.unanswered -= 1
        if link.reader.closing:
            self._close(link, None)
            return False
        self._begin_answer(link)
        return True

    def _close(self, link: _Link, error: int | None) -> None:
        number = self._numbers.pop(link.socket.fileno())
        del self._links[link.socket.fileno()]
        self._closed[number] = 0
        if error is not None:
            self._figures.errors[ERRORS[error]] += 1
            self._closed[number] = time.monotonic_ns() + AGAIN_NS
        with contextlib.suppress(OSError):
            link.socket.close()

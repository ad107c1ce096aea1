"""Connection attempts: from the first packet to the whole answer of the handshake.

What fails on the way is counted, closed and tried again, elsewhere, when
:mod:`loadgen.subscribers.attempt_schedule` says so.
"""

from __future__ import annotations

import random
import select
import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from loadgen.subscribers.attempt_schedule import NEVER, AttemptSchedule
from loadgen.subscribers.connect import connect
from loadgen.subscribers.handshake import Handshake, HandshakeError
from loadgen.subscribers.transport import Transport, TransportError
from loadgen.targets import Target

#: Handshakes at once.
HANDSHAKES = 256


class Opened(NamedTuple):
    """What is left of an attempt whose handshake is done."""

    #: The place of its node in ``ConnectionAttempts.nodes``.
    node: int
    #: What came after it; and whether there is more, of which no event tells.
    rest: bytes
    more: bool


class _Opening:
    """A connection attempt: connecting, or waiting for the answer to its handshake."""

    __slots__ = ("asked", "awaited", "deadline_ns", "failures", "handshake", "node")

    def __init__(self, node: int, failures: int, deadline_ns: int) -> None:
        self.node = node
        self.failures = failures
        self.deadline_ns = deadline_ns
        self.handshake = Handshake()
        #: The request is sent; the event of epoll that is waited for.
        self.asked = False
        self.awaited = select.EPOLLOUT


class ConnectionAttempts:
    """The connection attempts of one process."""

    def __init__(
        self, poll: select.epoll, transport: Transport, path: str, patience_ns: int, errors: Counter[str],
        seed: int | None,
    ) -> None:  # fmt: skip
        """*patience_ns*: for one attempt; *errors*: where failures are counted."""
        #: Attempts that were begun so far.
        self.made = 0
        self.nodes: list[Target] = []
        #: By descriptor.
        self.openings: dict[int, _Opening] = {}
        self._poll, self._transport = poll, transport
        self._path = path
        self._patience_ns = patience_ns
        self._errors = errors
        self._schedule = AttemptSchedule(random.Random(seed).random)
        self._turn = 0
        self._is_ending = False

    def want(self, count: int, nodes: Sequence[Target], per_second: float) -> None:
        """Have *count* more connections made, see :meth:`loadgen.subscribers.Subscribers.open`."""
        self.nodes += [node for node in nodes if node not in self.nodes]
        self._schedule.want(count, len(self.nodes), per_second)

    def due(self) -> int:
        """When the next attempt is to be made; ns."""
        may_begin = len(self.openings) < HANDSHAKES and not self._is_ending
        return self._schedule.due() if may_begin else NEVER

    def begin_no_more(self) -> None:
        """Let those end that were begun."""
        self._is_ending = True

    def make(self, now_ns: int) -> None:
        """Begin the attempts that are due."""
        if self._is_ending:
            return
        for node, failures in self._schedule.take(now_ns, HANDSHAKES - len(self.openings)):
            self._turn += 1
            self.made += 1
            try:
                fd = self._begin(node)
            except OSError as error:
                self.again(node, f"no connection: {error.strerror}", failures)
                continue
            self.openings[fd] = _Opening(node, failures, now_ns + self._patience_ns)
            self._poll.register(fd, select.EPOLLOUT)

    def _begin(self, node: int) -> int:
        """A socket on its way to the node; :exc:`OSError`."""
        fd = connect(self.nodes[node], self._turn)
        try:
            self._transport.begin(fd, node, self.nodes[node])
        except OSError:
            self._transport.end(fd)
            raise
        return fd

    def give_up(self, now_ns: int) -> None:
        """Close the attempts that take too long."""
        for fd in [fd for fd, opening in self.openings.items() if opening.deadline_ns <= now_ns]:
            self._fail(fd, "no answer in time")

    def ready(self, fd: int) -> Opened | None:
        """Go on with the attempt on *fd*, which is ready; the connection, once it is made."""
        opening = self.openings[fd]
        try:
            if awaited := self._transport.shake(fd):
                self._await(fd, opening, awaited)
                return None
            if not opening.asked:
                self._await(fd, opening, select.EPOLLOUT)
                self._transport.write(
                    fd, opening.handshake.request(self.nodes[opening.node].host, self._path)
                )
                opening.asked = True
                self._await(fd, opening, select.EPOLLIN)
                return None
            more, rest = True, None
            while more and rest is None:
                data, more = self._transport.read(fd)
                if not data:
                    raise HandshakeError("closed before an answer")
                rest = opening.handshake.receive(data)
        except BlockingIOError:
            return None
        except OSError as error:
            self._fail(fd, f"no connection: {error.strerror}")
            return None
        except (HandshakeError, TransportError) as error:
            self._fail(fd, str(error))
            return None
        if rest is None:
            return None
        del self.openings[fd]
        return Opened(opening.node, rest, more)

    def again(self, node: int, why: str = "", failures: int = 0) -> None:
        """Have another attempt made: a subscriber has lost *node*, after so many *failures* before that.

        *why*: what to count; "": the node has said goodbye.
        """
        if why:
            self._errors[why] += 1
        self._schedule.lost(node, failures + 1, time.monotonic_ns())

    def close(self) -> None:
        """Close all attempts."""
        for fd in self.openings:
            self._transport.end(fd)
        self.openings.clear()

    def _fail(self, fd: int, why: str) -> None:
        opening = self.openings.pop(fd)
        self._transport.end(fd)
        self.again(opening.node, why, opening.failures)

    def _await(self, fd: int, opening: _Opening, event: int) -> None:
        """Wait for *event* of *fd*."""
        if opening.awaited != event:
            opening.awaited = event
            self._poll.modify(fd, event)

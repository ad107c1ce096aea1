"""The log of received pushes, in columns: a push of each of them costs 27 bytes until it is counted."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from loadgen.histogram import Histogram
from loadgen.subscribers.feed import KINDS, Message


class Pushes(NamedTuple):
    """Received pushes, one place for each and each subscriber; times in ns of ``CLOCK_MONOTONIC``."""

    received: NDArray[np.int64]
    #: Since when it could have come, see :mod:`loadgen.subscribers.feed`; 0: unknown, or after it had come:
    #: clocks that do not agree would make the latency of a slow push the least of all.
    since: NDArray[np.int64]
    #: In the order in which nodes were first named.
    node: NDArray[np.uint16]
    #: Places in :data:`loadgen.subscribers.feed.KINDS`.
    kind: NDArray[np.uint8]
    #: How long it may have lain unread, by this process's own fault; ns.
    late: NDArray[np.int64]


class PushLog:
    """The pushes that were not taken yet, and the latencies of all."""

    def __init__(self) -> None:
        #: From "since" to "received", by kind.
        self.latency = {kind: Histogram() for kind in KINDS}
        self._received, self._since, self._late = array("q"), array("q"), array("q")
        self._node, self._kind = array("H"), array("B")

    def __len__(self) -> int:
        return len(self._kind)

    def append(self, node: int, messages: Iterable[Message]) -> None:
        """Log that one subscriber of *node* has got *messages*; when, :meth:`stamp` says."""
        for kind, since_ns, _ in messages:
            self._since.append(since_ns)
            self._node.append(node)
            self._kind.append(kind)

    def stamp(self, now_ns: int, late_ns: int = 0) -> None:
        """Date all that was logged since the last time: it was received by now.

        *late_ns*: how long it may have been there before.
        """
        new = len(self._kind) - len(self._received)
        if new:
            self._received.extend(array("q", [now_ns]) * new)
            self._late.extend(array("q", [late_ns]) * new)

    def take(self) -> Pushes:
        """Take, and count, the pushes since the last time."""
        pushes = Pushes(
            np.array(self._received, np.int64),
            np.array(self._since, np.int64),
            np.array(self._node, np.uint16),
            np.array(self._kind, np.uint8),
            np.array(self._late, np.int64),
        )
        pushes.since[pushes.since > pushes.received] = 0
        for column in (self._received, self._since, self._node, self._kind, self._late):
            del column[:]
        latency = (pushes.received - pushes.since) // 1000
        for number, kind in enumerate(KINDS):
            self.latency[kind].record(latency[(pushes.kind == number) & (pushes.since > 0)])
        return pushes

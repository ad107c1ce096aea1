"""Statistics of one second, in figures that add up over processes, machines and seconds.

Latency is corrected for coordinated omission: it counts from when the request was planned, not from when it
was sent, so that a cluster that keeps its users waiting cannot hide that.  The raw one stands beside it.  For
a request that failed, what counts is how long it had been waited for.
"""

from __future__ import annotations

import contextlib
import math
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Sequence

import numpy as np
import psutil

from loadgen.histogram import counted
from loadgen.results import Second
from loadgen.run.client.sender import LogicalRequest
from loadgen.run.messages.report import Report
from loadgen.wire.interface import CANCELLED, Answer, Handshake

#: Answers of late that a node's p95 is taken over, and how many it takes.
_RECENT, _FEW = 512, 64


class IntervalStats:
    """The counters and latencies of a second, until it is reported."""

    def __init__(self, nodes: Sequence[str]) -> None:
        """*nodes*: their names."""
        self._names = nodes
        self._cpu = time.process_time()
        self._resident = 0
        self._recent: list[deque[int]] = [deque(maxlen=_RECENT) for _ in nodes]
        self._number = 0
        self._begin()

    def _begin(self) -> None:
        self.second = Second(at=self._number)
        self.offered = 0
        self._corrected = array("q")
        self._failed = array("q")
        self._raw = array("q")
        self._lag = array("q")
        self._nodes = [array("q") for _ in self._names]
        self._statuses: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._node_requests = [0] * len(self._names)
        self._node_errors: Counter[int] = Counter()
        self._bytes: dict[int, list[int]] = {}
        self._pushes, self._push_lag = array("q"), array("q")
        #: Full handshakes, and resumed ones.
        self._handshakes = array("q"), array("q")

    def attempt(self, answer: Answer, end: int, planned: bool = True, late: int = 0) -> None:
        """Count an attempt that is over.

        *end*: when the run ends, nanoseconds; *planned*: neither retry nor hedge, which cannot be late;
        *late*: how long this process may have slept while the answer was there.
        """
        second = self.second
        if answer.begun and planned:
            self._lag.append(max(answer.begun - answer.due, late))
            # What follows from answers may be due after the end.
            self.offered += answer.begun <= end or answer.due > end
        if answer.error:
            if answer.error != CANCELLED:
                self._node_errors[answer.node] += 1
        else:
            second.answered += 1
            self._raw.append(answer.done - answer.sent)
            self._statuses[str(answer.status)] += 1
        second.sent += answer.sent > 0
        second.bytes_in += answer.bytes_in
        second.bytes_out += answer.bytes_out
        self._node_requests[answer.node] += 1
        both = self._bytes.setdefault(answer.node, [0, 0])
        both[0] += answer.bytes_in
        both[1] += answer.bytes_out

    def ended(self, request: LogicalRequest, answer: Answer | None, reason: str, now: int = 0) -> None:
        """Count a logical request that has ended; *reason*: why it failed; *now*: when, without an answer."""
        if reason:
            self._errors[reason] += 1
            self._failed.append(max(0, (now if answer is None else answer.done) - request.planned))
        elif answer is not None:
            latency = answer.done - request.planned
            self._corrected.append(latency)
            self._nodes[answer.node].append(latency)
            self._recent[answer.node].append(answer.done - answer.due)

    def pushed(self, latencies: Sequence[int], late: Sequence[int] = ()) -> None:
        """Count what subscribers received; *latencies*: nanoseconds from its publication.

        *late*: how long each may have lain unread by this process's own fault.
        """
        self._pushes.extend(latencies)
        self._push_lag.extend(late)
        self.second.pushes += len(latencies)

    def shaken(self, handshakes: Sequence[Handshake]) -> None:
        """Count TLS *handshakes* that are over."""
        for one in handshakes:
            self._handshakes[one.resumed].append(one.took_ns)

    def _memory(self) -> int:
        with contextlib.suppress(OSError):  # no descriptor may be left to look with
            self._resident = psutil.Process().memory_info().rss
        return self._resident

    def p95(self, before: Sequence[int]) -> list[int]:
        """The p95 of each node's latest answers (ns); of all while it has given few; then as *before*."""
        everything = [one for recent in self._recent for one in recent]
        if len(everything) < _FEW:
            return list(before)
        of_all = _p95(everything)
        return [of_all if len(recent) < _FEW else _p95(recent) for recent in self._recent]

    def close(self, counts: Counter[str], active: int, connections: int, asked: Sequence[int] = ()) -> Report:
        """The report of the second, which is over; the next one begins.

        *asked*: requests sent in it, by node; without, those that ended in it.
        """
        second = self.second
        second.planned = counts["requests"] + counts.pop("not_offered", 0)
        second.confirmed, second.bodies = counts["not_modified"], counts["bodies"]
        second.statuses, second.errors = dict(self._statuses), dict(self._errors)
        second.nodes = {
            name: number for name, number in zip(self._names, self._node_requests, strict=True) if number
        }
        second.active, second.connections = active, connections
        second.versions = counts["new_versions"]
        second.node_errors = {self._names[node]: number for node, number in self._node_errors.items()}
        histograms = {"corrected": self._corrected, "raw": self._raw, "lag": self._lag, "push": self._pushes}
        full, resumed = self._handshakes
        histograms |= {"handshake_full": full, "handshake_resumed": resumed}
        for name, times in zip(("handshakes_full", "handshakes_resumed"), self._handshakes, strict=True):
            if times:
                counts[name] += len(times)
        histograms |= {"failed": self._failed, "push_lag": self._push_lag}
        histograms |= {f"node:{number}": values for number, values in enumerate(self._nodes)}
        report = Report(
            second=second,
            counts=dict(counts),
            histograms={name: _counted(values) for name, values in histograms.items() if values},
            asked=list(asked or self._node_requests),
            node_errors=dict(self._node_errors),
            node_bytes={node: (both[0], both[1]) for node, both in self._bytes.items()},
            offered=self.offered,
            cpu_seconds=time.process_time() - self._cpu,
            memory_bytes=self._memory(),
        )
        counts.clear()
        self._number += 1
        self._begin()
        return report


def _p95(values: Iterable[int]) -> int:
    ordered = sorted(values)
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


def _counted(nanoseconds: array[int]) -> bytes:
    return counted(np.frombuffer(nanoseconds, dtype=np.int64) // 1000)

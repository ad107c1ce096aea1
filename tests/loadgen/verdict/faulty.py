"""Faulty targets: a cluster in memory whose nodes fail as told, and what really happened to users."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from loadgen.wire.interface import CANCELLED, CLOSED, GARBAGE, REFUSED, TIMEOUT, Answer
from tests.loadgen.run.memory_wire import Sent
from tests.loadgen.run.process.cluster import MS, START, MemoryCluster

#: Errors of the wire by the fault that makes them, and statuses.
ERRORS = {"refuse": REFUSED, "hang": TIMEOUT, "reset": CLOSED, "garbage": GARBAGE}
STATUSES = {"404": 404, "500": 500, "503": 503}
LIES = ("wrong body", "no etag", "empty body", "wrong batch")
FAULTS = (*ERRORS, *STATUSES, "slow", *LIES, "stale")
#: Which nodes, from which second on.
EXTENTS = {"all": ((0, 1, 2, 3), 0.0), "half the nodes": ((0, 1), 0.0), "the late half": ((0, 1, 2, 3), 1.5)}
OF_STALE = {"one node": ((3,), 1.0), "half the nodes": ((2, 3), 1.0)}
#: Sets of thresholds that each of them is judged by.
THRESHOLDS: tuple[tuple[str, ...], ...] = (
    (), ("p50 < 50ms",), ("p99 < 50ms",), ("p99 < 1500ms", "errors <= 0"), ("errors <= 100000",),
)  # fmt: skip


def targets() -> dict[str, tuple[str, tuple[int, ...], float]]:
    """Forty faulty targets by name: the fault, the nodes that have it, since which second."""
    found = {
        f"{fault}, {extent}": (fault, *of)
        for fault in FAULTS
        for extent, of in (OF_STALE if fault == "stale" else EXTENTS).items()
    } | {"hang, one node": ("hang", (3,), 0.0), "slow, one node": ("slow", (3,), 0.0)}
    assert len(found) == 40
    return found


class FaultyCluster(MemoryCluster):
    """Nodes with a fault, from a time on."""

    def __init__(self, fault: str, nodes: Iterable[int], since_s: float) -> None:
        super().__init__()
        self.fault, self.faulty, self.since = fault, frozenset(nodes), START + int(since_s * 1e9)
        #: Answers that a user was given, and that no node may give.
        self.lies = 0
        self._cancelled: list[Answer] = []
        if fault == "stale":
            others = tuple(node for node in range(4) if node not in self.faulty)
            self.at(since_s, lambda: self.publish("/style.css", b"h1 { color: green }", others))
        if fault == "another site":
            self.at(since_s, self._be_another_site)

    def _be_another_site(self) -> None:
        """The faulty nodes have other bodies everywhere, each with the ETag that is its own."""
        for path, body in self.nodes[0].bodies.items():
            self.publish(path, b"another " + body, tuple(self.faulty))

    def send(self, token: int, user: int, node: int, due: int, request: bytes) -> None:
        before = self.latency[node]
        if self.fault == "slow" and self._is_faulty(node, due):
            self.latency[node] = 700 * MS
        if self.fault == "hang" and self._is_faulty(node, due):
            self.latency[node] = self._timeout
        super().send(token, user, node, due, request)
        self.latency[node] = before

    def cancel(self, token: int) -> None:
        """A wire tells of those, too: they were begun."""
        if (asked := self._open.get(token)) is not None:
            due = asked.due
            self._cancelled.append(
                Answer(token, asked.node, 0, CANCELLED, due, due, due, 0, self.now, 0, 0, b"", -1, 0, 0)
            )
        super().cancel(token)

    def run(self, until: int) -> list[Answer]:
        cancelled, self._cancelled = self._cancelled, []
        return [*super().run(until), *cancelled]

    def _is_faulty(self, node: int, due: int) -> bool:
        return node in self.faulty and due >= self.since

    def _answer(self, asked: Sent, at: int) -> Answer:
        answer = super()._answer(asked, at)
        fault = self.fault
        if answer.error or not self._is_faulty(asked.node, asked.due):
            return answer
        if fault in ERRORS:
            return answer._replace(status=0, error=ERRORS[fault], head=0, body_length=0, etag=b"")
        is_ours = "/.edge/load" in asked.line
        if fault in STATUSES and not is_ours:
            return answer._replace(status=STATUSES[fault], body_length=0, etag=b"")
        lie = self._lie(asked, answer) if not is_ours else None
        if lie is not None:
            self.lies += 1
        return lie or answer

    def _lie(self, asked: Sent, answer: Answer) -> Answer | None:
        is_batch = "/.edge/revalidate" in asked.line
        if self.fault == "unasked 304" and answer.status == 200 and not is_batch:
            return answer._replace(status=304, body_length=0, etag=b"")
        if self.fault == "wrong batch" and is_batch:
            return answer._replace(body_length=3)
        if answer.status == 200 and not is_batch:
            if self.fault == "empty body":
                return answer._replace(body_length=0)
            if self.fault == "wrong body":
                return answer._replace(body_length=answer.body_length - 1)
            if self.fault == "no etag":
                return answer._replace(etag=b"")
        return None


def missed(thresholds: Iterable[str], latencies: list[float]) -> bool:
    """Whether users who had these latencies (ms; infinite: it failed) were not served as was agreed."""
    ordered, count = sorted(latencies), len(latencies)
    failed = sum(map(math.isinf, ordered))
    checks: dict[str, Callable[[float], bool]] = {
        "p50": lambda limit: ordered[round(0.5 * count) - 1] < limit,
        "p99": lambda limit: ordered[round(0.99 * count) - 1] < limit,
        "errors": lambda limit: failed <= limit,
    }
    held = [checks[text.split()[0]](float(text.split()[2].removesuffix("ms"))) for text in thresholds]
    return not all(held) or (not any("errors" in text for text in thresholds) and failed > 0.01 * count)

"""A cluster in memory, behind a wire whose clock is the test's: nodes answer a while after being asked."""

from __future__ import annotations

import heapq
import json
import re

from edge.load.document import LoadDocument
from edge.load.document import encode as encode_load
from loadgen.wire.interface import OK, REFUSED, TIMEOUT, Answer, Handshake
from tests.loadgen.run.memory_wire import Sent
from tests.loadgen.run.samples import Published, etag, load

START = 5_000_000_000_000
MS = 1_000_000


class MemoryCluster:
    """Has the form of :class:`loadgen.wire.interface.Wire`; nobody waits for anything."""

    kind = "memory"

    def __init__(self, timeout_ns: int = 2000 * MS) -> None:
        self.now = START
        #: What each node has; they differ while something is being published.
        self.nodes = [Published() for _ in range(4)]
        self.latency = [5 * MS] * 4
        self.dead: set[int] = set()
        self.silent: set[int] = set()
        #: What happens when: called once, with nothing, at a time.
        self.plan: list[tuple[int, object]] = []
        self.asked: list[Sent] = []
        #: How much had been asked when a user last left.
        self.left: dict[int, int] = {}
        self._timeout = timeout_ns
        self._open: dict[int, Sent] = {}
        self._due: list[tuple[int, int]] = []
        self._bodies = bytearray()
        self.say(load())

    # ---- what a test does ----

    def at(self, seconds: float, what: object) -> None:
        """Have *what* be called then."""
        self.plan.append((START + round(seconds * 1e9), what))
        self.plan.sort(key=lambda one: one[0])

    def publish(self, path: str, body: bytes, nodes: tuple[int, ...] = (0, 1, 2, 3)) -> None:
        """A new version, on some nodes."""
        for node in nodes:
            self.nodes[node].bodies[path] = body

    def say(self, document: LoadDocument) -> None:
        """The load document from now on."""
        self._load = encode_load(document)

    # ---- the wire ----

    def node(self, host: str, port: int, name: str = "") -> int:
        return port - 8001

    def send(self, token: int, user: int, node: int, due: int, request: bytes) -> None:
        asked = self._open[token] = Sent(token, user, node, due, request)
        self.asked.append(asked)
        wait = MS if node in self.dead else self._timeout if node in self.silent else self.latency[node]
        heapq.heappush(self._due, (max(due, self.now) + wait, token))

    def cancel(self, token: int) -> None:
        self._open.pop(token, None)

    def leave(self, user: int) -> None:
        self.left[user] = len(self.asked)

    def run(self, until: int) -> list[Answer]:
        answers = []
        self._bodies.clear()
        while self._due and self._due[0][0] <= until:
            at, token = heapq.heappop(self._due)
            asked = self._open.pop(token, None)
            if asked is not None:
                answers.append(self._answer(asked, at))
        self.now = max(self.now, until)
        while self.plan and self.plan[0][0] <= self.now:
            self.plan.pop(0)[1]()  # type: ignore[operator]
        return answers

    @property
    def bodies(self) -> memoryview:
        return memoryview(bytes(self._bodies))

    def handshakes(self) -> list[Handshake]:
        return []

    def connections(self) -> int:
        return len(self._open)

    def opened(self) -> int:
        return len(self.asked)

    def close(self) -> None:
        self._open.clear()

    # ---- the nodes ----

    def _answer(self, asked: Sent, at: int) -> Answer:
        if asked.node in self.dead or asked.node in self.silent:
            error = REFUSED if asked.node in self.dead else TIMEOUT
            due = asked.due
            return Answer(asked.token, asked.node, 0, error, due, due, due, 0, at, 100, 0, b"", -1, 0, 0)
        status, body, tag = self._respond(self.nodes[asked.node], asked)
        place = len(self._bodies)
        self._bodies += body
        return Answer(
            asked.token, asked.node, status, OK, asked.due, asked.due, asked.due, at, at, len(asked.request),
            100 + len(body), tag, -1, place, len(body),
        )  # fmt: skip

    def _respond(self, node: Published, asked: Sent) -> tuple[int, bytes, bytes]:
        method, _, target = asked.line.partition(" ")
        path = re.sub(r"[?&]~etag=.*", "", target)
        if path == "/.edge/load":
            return 200, self._load, etag(self._load).encode()
        if path == "/.edge/revalidate":
            lines = asked.request.partition(b"\r\n\r\n")[2].decode().splitlines()
            pairs = [line.split(" ") for line in lines]
            stale = [place for place, (tag, one) in enumerate(pairs) if tag != node.etag(one)]
            return 200, json.dumps({"v": 1, "seq": 7, "stale": stale}, separators=(",", ":")).encode(), b""
        if method == "POST":
            return 201, b"", b""
        current = node.etag(path).encode()
        tag = re.search(rb'(?:If-None-Match: "|[?&]~etag=)([\w-]+)', asked.request)
        if tag is not None and tag[1] == current:
            return 304, b"", current
        return 200, node.bodies[path], current

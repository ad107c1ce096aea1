"""Visitors, a gateway and servers with a seed for luck: whatever happens in whatever order, the law holds.

Visitors send requests in pieces, take answers or do not, and go.  Servers answer in pieces, say nonsense,
close, refuse connections, hang.  Time passes.  Afterwards every visitor has got whole answers, each the one
to his own request, and perhaps the beginning of one more on a connection that was cut off; and nothing is
left.
"""

from __future__ import annotations

import os
import random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure as Reason
from twisted.trial.unittest import SynchronousTestCase

from edge.http.parser import NEED_DATA, EndOfMessage, Limits, RequestHead, RequestParser
from edge.node.applications.gateway import Gateway, Place
from edge.node.applications.http_origin import HTTPOrigin, UpstreamConnection
from edge.node.applications.origin import Origin
from edge.node.applications.pool import OriginPool
from tests.node.applications.cached import CachedNode
from tests.node.applications.test_gateway import Published, Site
from tests.node.applications.test_http_origin import Wire
from tests.node.serving import Connection

#: Seeds, and steps of each.
SEEDS = int(os.environ.get("EDGE_WORLDS", "60"))
STEPS = 400


class World:
    """One gateway, two servers, some visitors; with *cached*, the shared cache before the servers."""

    def __init__(self, draw: random.Random, cached: CachedNode | None = None) -> None:
        self.draw = draw
        self.cached = cached
        self.clock: Clock = Clock() if cached is None else cached.clock
        self.wires: list[Wire] = []
        #: What servers have read, and the heads that they have not answered.
        self.parsers: dict[Wire, RequestParser] = {}
        self.heads: dict[Wire, list[RequestHead]] = {}
        #: What is still to be said on a wire, and whether it closes then.
        self.script: dict[Wire, tuple[bytes, bool]] = {}
        self.origins = [HTTPOrigin(name, self.connect, self.clock) for name in ("one", "two")]
        self.pool = OriginPool("app", self.origins, self.clock, timeout=5, queue=6, most=3, draw=draw)
        now = self.clock.seconds()
        self.first = Connection(Site(), clock=self.clock)
        self.clock.rightNow = now  # that has set another time
        reader: Any = Published()
        origin: Origin = self.pool
        if cached is not None:
            origin = cached.workers[0].origin
            cached.workers[0].origin.inner = self.pool
        self.first.site.streams = Gateway([Place(b"/", origin)], reader, self.clock, ((),))
        self.visitors: list[Connection] = []
        #: What each has still to send.
        self.sending: dict[int, bytes] = {}
        #: (method, target) of the requests of each, in order.
        self.asked: dict[int, list[tuple[bytes, bytes]]] = {}
        self.number = 0

    def connect(self, protocol: UpstreamConnection) -> Deferred[None]:
        made: Deferred[None] = Deferred()
        luck = self.draw.random()
        if luck < 0.1:
            made.errback(Reason(ConnectionRefusedError()))
        elif luck < 0.6:
            self.accept(protocol, made)
        elif luck < 0.95:
            self.clock.callLater(self.draw.random(), self.accept, protocol, made)
        return made  # or nothing ever comes of it

    def accept(self, protocol: UpstreamConnection, made: Deferred[None]) -> None:
        wire = Wire(protocol)
        self.wires.append(wire)
        protocol.makeConnection(wire)  # type: ignore[arg-type]
        made.callback(None)

    # What may happen

    def arrive(self) -> None:
        """A visitor comes, or one that is here asks for more."""
        if len(self.visitors) < 6 or self.draw.random() < 0.3:
            visitor = self.first.another(f"192.0.2.{self.draw.randrange(1, 250)}")
            self.visitors.append(visitor)
        else:
            visitor = self.draw.choice(self.visitors)
        data = self.request()
        method, target, _ = data.split(b" ", 2)
        self.asked.setdefault(id(visitor), []).append((method, target))
        self.sending[id(visitor)] = self.sending.get(id(visitor), b"") + data

    def request(self) -> bytes:
        self.number += 1
        method = self.draw.choice(("GET", "GET", "HEAD", "POST", "PUT"))
        target = self.number if self.cached is None else self.draw.randrange(5)
        head = f"{method} /{target} HTTP/1.1\r\nHost: localhost\r\n"
        if method in ("GET", "HEAD"):
            return f"{head}\r\n".encode()
        body = b"x" * self.draw.choice((0, 1, 1000, 70_000, 200_000))
        if self.draw.random() < 0.3:
            head += "Idempotency-Key: 1\r\n"
        if self.draw.random() < 0.5:
            return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk + b"0\r\n\r\n"

    def send(self) -> None:
        """A visitor sends some of what he has to."""
        for visitor in self.draw.sample(self.visitors, min(2, len(self.visitors))):
            data = self.sending.get(id(visitor), b"")
            count = self.draw.choice((1, 50, len(data)))
            if data and not visitor.transport.closed and visitor.transport.reading:
                self.sending[id(visitor)] = data[count:]
                visitor.send(data[:count])

    def take(self) -> None:
        """Visitors take, or cease to."""
        for visitor in self.visitors:
            visitor.transport.stalled = self.draw.random() < 0.2
            if not visitor.transport.stalled and not visitor.transport.closed:
                visitor.transport.take(1 << 30)

    def go(self) -> None:
        """A visitor goes."""
        if self.visitors and self.draw.random() < 0.3:
            visitor = self.draw.choice(self.visitors)
            if not visitor.transport.closed:
                visitor.transport.loseConnection()

    def answer(self) -> None:
        """A server says some of an answer, or takes some of a question."""
        wires = [wire for wire in self.wires if wire.connected]
        if not wires:
            return
        wire = self.draw.choice(wires)
        wire.room = self.draw.choice((None, None, 100))
        if wire.dataBuffer and wire.producer is not None:
            wire.drain()
        self.read(wire)
        if wire not in self.script and self.heads[wire]:
            self.script[wire] = self.composed(self.heads[wire].pop(0))
        if wire in self.script and wire.reading:
            said, closes = self.script[wire]
            count = self.draw.choice((1, 30, len(said)))
            self.script[wire] = said[count:], closes
            if said:
                wire.say(said[:count])
            elif not said:
                del self.script[wire]
                if closes and wire.connected:
                    wire.lose()

    def read(self, wire: Wire) -> None:
        """A server reads what was sent; raises if that is no HTTP."""
        parser = self.parsers.setdefault(wire, RequestParser(Limits(body=1 << 20)))
        heads = self.heads.setdefault(wire, [])
        parser.receive(wire.sent)
        wire.sent = b""
        while (event := parser.next_event()) is not NEED_DATA:
            if isinstance(event, RequestHead):
                heads.append(event)
            elif isinstance(event, EndOfMessage):
                parser.start_next_cycle()

    def composed(self, asked: RequestHead) -> tuple[bytes, bool]:
        """An answer to what was *asked*, perhaps before its body: it names the target; whether it closes."""
        method, target = asked.method, asked.target
        body = b"answer to %b." % target + b"y" * self.draw.choice((0, 10, 100_000))
        luck = self.draw.random()
        if luck < 0.08:
            return b"nonsense\r\n\r\n", False
        if luck < 0.14:
            return b"", True
        interim = b"HTTP/1.1 103 Early\r\n\r\n" if self.draw.random() < 0.2 else b""
        status = self.draw.choice((b"200", b"200", b"200", b"404", b"503"))
        head = interim + b"HTTP/1.1 %b X\r\n" % status
        if self.draw.random() < 0.5:
            head += b"Cache-Control: public, s-maxage=%d\r\n" % self.draw.randrange(4)
        if method == b"HEAD":
            return head + b"Content-Length: %d\r\n\r\n" % len(body), False
        if luck < 0.5:
            whole = head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        elif luck < 0.8:
            whole = head + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            return head + b"\r\n" + body, True
        if self.draw.random() < 0.1:
            return whole[: self.draw.randrange(len(whole))], True
        return whole, self.draw.random() < 0.2

    def lose(self) -> None:
        """A server closes, for no reason."""
        wires = [wire for wire in self.wires if wire.connected]
        if wires and self.draw.random() < 0.15:
            self.draw.choice(wires).lose()

    def wait(self) -> None:
        """Time passes."""
        self.clock.advance(self.draw.choice((0, 0, 0.01, 0.3, 1.0)))

    def run(self) -> None:
        """All of it."""
        steps = (self.arrive, self.send, self.send, self.take, self.go, self.lose, self.wait)
        for _ in range(STEPS):
            self.draw.choice((*steps, *[self.answer] * 8))()

    def end(self) -> None:
        """Everybody goes."""
        for visitor in self.visitors:
            if not visitor.transport.closed:
                visitor.transport.loseConnection()
        for wire in self.wires:
            if wire.connected:
                wire.lose()
        for origin in self.origins:
            origin.stop()
        self.clock.pump([1.0] * 70)
        self.pool.stop()


class SimulationTests(SynchronousTestCase):
    """Many worlds."""

    def test_every_visitor_gets_his_own_answers_whole_and_nothing_is_left(self) -> None:
        answers = failures = 0
        for seed in range(SEEDS):
            world = World(random.Random(seed))
            world.run()
            for visitor in world.visitors:
                got, wrong = self.check(visitor, world.asked.get(id(visitor), []), seed)
                answers, failures = answers + got, failures + wrong
            world.end()
            dispatch = world.pool.dispatch
            self.assertEqual((dispatch.unanswered, dispatch.waiting), (0, 0), seed)
            self.assertEqual([(one.busy, one.unanswered) for one in dispatch.members], [(0, 0)] * 2, seed)
            self.assertEqual(world.pool._answering, set(), seed)
            self.assertEqual(world.first.site.channels - {world.first.channel}, set(), seed)
        self.assertGreater(answers, 3 * SEEDS, "the worlds are worth something")
        self.assertGreater(failures, SEEDS // 4)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_nor_with_the_shared_cache_before_the_servers(self) -> None:
        """There, who asks for the same may have the same answer."""
        answers = 0
        for seed in range(SEEDS // 2):
            node = CachedNode(workers=1, share=("/**",))
            world = World(random.Random(seed), node)
            world.run()
            for visitor in world.visitors:
                answers += self.check(visitor, world.asked.get(id(visitor), []), seed)[0]
            world.end()
            dispatch = world.pool.dispatch
            self.assertEqual((dispatch.unanswered, dispatch.waiting), (0, 0), seed)
            self.assertEqual([(one.busy, one.unanswered) for one in dispatch.members], [(0, 0)] * 2, seed)
            node.close()
        self.assertGreater(answers, 3 * (SEEDS // 2))
        self.assertEqual(self.flushLoggedErrors(), [])

    def check(self, visitor: Connection, asked: list[tuple[bytes, bytes]], seed: int) -> tuple[int, int]:
        """(answers of the application, refusals) that *visitor* has got; each is the one to his request."""
        data = visitor.transport.written
        got = wrong = 0
        for method, target in asked:
            head, end, data = data.partition(b"\r\n\r\n")
            while head.startswith(b"HTTP/1.1 1") and end:
                head, end, data = data.partition(b"\r\n\r\n")
            if not end:
                return got, wrong  # cut off, or not answered
            self.assertTrue(head.startswith(b"HTTP/1.1 "), (seed, head[:100]))
            if head.startswith(b"HTTP/1.1 408 "):
                return got, wrong + 1  # the last word; to what, is not known if it came in the first line
            body, data = (b"", data) if method == b"HEAD" else body_of(head, data)
            if body is None:
                return got, wrong  # cut off
            if method != b"HEAD" and body.startswith(b"answer to"):
                # Where the end is that of the connection, nobody knows that it came early.
                length = min(len(body), len(target) + 11)
                self.assertEqual(body[:length], (b"answer to %b." % target)[:length], seed)
            got += body.startswith(b"answer to")
            wrong += b" 50" in head[:12]
        self.assertEqual(data, b"", seed)
        return got, wrong


def body_of(head: bytes, rest: bytes) -> tuple[bytes | None, bytes]:
    """(the body that follows *head*, what comes after it); None: it was cut off."""
    if b"Transfer-Encoding: chunked" not in head:
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        return (rest[:length], rest[length:]) if len(rest) >= length else (None, b"")
    body = b""
    while b"\r\n" in rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if len(rest) < length + 2:
            return None, b""
        body, rest = body + rest[:length], rest[length + 2 :]
        if not length:
            return body, rest
    return None, b""

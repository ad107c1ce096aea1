"""What tests of the relay share: a fast path that passes an address on, its clients, and what they get."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from edge.cache.policy import HOP_BY_HOP
from edge.cache.status import BYPASS, status_field
from edge.fastpath import select
from edge.fastpath.interface import FastPath, Handoff, Limits, Logging, News, Relay, Settings
from edge.logs.ring import Ring
from edge.node.connection.framing import OutgoingAnswer
from edge.table.segment import CounterBlock
from edge.upstream.fields import NOT_OF_VISITORS, of_answer
from tests.fastpath import site
from tests.fastpath.answerer_suite import SITES
from tests.logs.records import ring_memory

Fields = list[tuple[bytes, bytes]]

ADDRESS = b"/cart?of=1"
#: Seconds of the table's clock for which addresses are passed on here.
LONG = 3600.0
#: A test that waits for more than this has failed.
PATIENCE = 60.0
#: How many answers are compared with what Twisted makes of them.
DIFFERENTIAL = settings(
    max_examples=int(os.environ.get("EDGE_RELAYED", "150")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),  # what waits in vain is not tried again and again
)


class RelayCase(SynchronousTestCase):
    """A fast path that passes :data:`ADDRESS` on to an application; :meth:`begin` connects its members."""

    def setUp(self) -> None:
        if os.environ.get("EDGE_FAST_PATH") == "python":
            raise SkipTest("the relay is native")
        self.segment = site.published(sites=len(SITES))
        self.addCleanup(self.segment.close)
        memory, wake = ring_memory(), os.eventfd(0, os.EFD_NONBLOCK)
        self.addCleanup(os.close, wake)
        self.ring = Ring(memory)
        told = Settings(limits=self.limits(), log=Logging(memory, 1, wake), sites=SITES)
        self.fast_path: FastPath = select("native")(self.segment, 0, told)
        self.addCleanup(self.fast_path.close)
        relay = self.fast_path.relay(*NOT_OF_VISITORS)
        assert relay is not None, "it is the native one"
        self.relay: Relay = relay
        self.application = relay.application(b"", b"/shop", 30.0, 8)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.listener.setblocking(False)
        self.fast_path.listen(self.listener.fileno(), 7, True)
        self.news: list[News] = []
        self.handoffs: list[Handoff] = []
        self.begin()
        self.pass_on()

    def begin(self) -> None:
        """Connect the members of the application."""
        raise self.failureException("each case has its own")

    def serve(self) -> None:
        """One turn of the members."""

    def limits(self) -> Limits:
        return Limits()

    def pass_on(self, name: bytes = ADDRESS, seconds: float = LONG, sequence: int | None = None) -> None:
        sequence = self.segment.sequence if sequence is None else sequence
        self.relay.pass_on(self.application, name, sequence, seconds, False)

    def listening_on_ipv6(self) -> socket.socket:
        """One more listener."""
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
        self.addCleanup(listener.close)
        listener.setblocking(False)
        self.fast_path.listen(listener.fileno(), 8, True)
        return listener

    def client(self, data: bytes = b"", receive_buffer: int = 0, source: str = "") -> socket.socket:
        to = self.listening_on_ipv6() if ":" in source else self.listener
        connection = socket.socket(to.family)
        self.addCleanup(connection.close)
        if receive_buffer:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if source:
            connection.bind((source, 0))
        connection.connect(to.getsockname())
        connection.setblocking(False)
        connection.sendall(data)
        return connection

    def turn(self) -> None:
        """One turn of everybody."""
        for handoff in self.fast_path.run(0.001):
            self.handoffs.append(handoff)
            self.addCleanup(self.give_up, handoff.fd)
        self.news += self.relay.news()
        self.serve()

    def give_up(self, fd: int) -> None:
        self.fast_path.release(fd)
        os.close(fd)

    def until(self, condition: Any) -> None:
        """Turn until *condition* holds."""
        end = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, "waited in vain")
            self.turn()

    def turns(self, count: int = 5) -> None:
        for _ in range(count):
            self.turn()

    def received(self, client: socket.socket, expected: bytes) -> None:
        """*client* gets exactly *expected*, so far."""
        got = b""
        end = time.monotonic() + PATIENCE
        while len(got) < len(expected) and time.monotonic() < end:
            self.turn()
            try:
                data = client.recv(1 << 20)
            except BlockingIOError:
                continue
            if not data:
                break
            got += data
            end = time.monotonic() + PATIENCE  # it goes on
        self.assertEqual(len(got), len(expected), (got[:200], expected[:200]))
        self.assertTrue(got == expected, (got[:2000], expected[:2000]))

    def closed(self, client: socket.socket) -> bytes:
        """What *client* still gets before its connection ends."""
        got = b""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.turn()
            data = come(client)
            if data == b"":
                return got
            got += data or b""
        raise AssertionError("the connection does not end")

    def count(self, name: str) -> int:
        return CounterBlock(self.segment, 0).read()[name]


def come(connection: socket.socket) -> bytes | None:
    """What has come on *connection*, b"" at its end; None: nothing yet."""
    try:
        return connection.recv(1 << 20)
    except BlockingIOError:
        return None
    except ConnectionError:
        return b""


def get(fields: bytes = b"", address: bytes = ADDRESS, method: bytes = b"GET") -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: example.org\r\n%b\r\n" % (method, address, fields)


def passed(
    date: bytes,
    status: int,
    fields: Fields,
    length: int | None,
    pieces: list[bytes],
    head_only: bool = False,
    closing: bool = False,
) -> bytes:
    """The bytes of an answer as the Twisted side passes it on."""
    made = OutgoingAnswer(head_only, closing)
    kept = [one for one in of_answer(fields) if one[0].lower() not in HOP_BY_HOP]
    head = made.passed_head(status, [*kept, status_field(*BYPASS)], length, date, True)
    return head + b"".join(made.body(piece) for piece in pieces if piece) + made.end([])


#: What most answers here have, so that no date of a clock is in them.
DATED: Fields = [(b"date", site.DATE), (b"content-type", b"text/plain")]

"""The transport over a record layer, whatever both ends do, and whenever its socket is ready."""

from __future__ import annotations

import socket
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet import main
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from edge.fastpath.sealed import SealedTransport
from tests.fastpath.sealed_case import FastPathEnd
from tests.fastpath.test_sealed import Recording
from tests.tls.builds import BUILDS
from tests.tls.peer import Peer, server_state

SIZES = st.sampled_from([1, 2, 300, 5000, 16384, 16385, 40_000, 200_000])


class Reactor(Clock):
    """Says what a transport waits for."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = self.writing = False

    def addReader(self, reader: Any) -> None:
        self.reading = True

    def removeReader(self, reader: Any) -> None:
        self.reading = False

    def addWriter(self, writer: Any) -> None:
        self.writing = True

    def removeWriter(self, writer: Any) -> None:
        self.writing = False


class SealedMachine(RuleBasedStateMachine):
    """A transport whose reactor is the test, and a peer that reads and writes when it likes.

    What either end gets is a beginning of what the other one wrote; in the end it is all of it, and the last
    that the peer gets is close_notify.
    """

    build: Any

    def __init__(self) -> None:
        super().__init__()
        self.client, server = socket.socketpair()
        self.client.setblocking(False)
        for each in (self.client, server):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
        self.reactor, self.protocol, self.peer = Reactor(), Recording(), Peer()
        layer = self.build(server_state())
        self.transport = SealedTransport(
            server,
            self.protocol,
            ("", None),
            self.reactor,
            FastPathEnd(),
            layer,  # type: ignore[arg-type]
        )
        self.protocol.makeConnection(self.transport)
        self.transport.startReading()
        self.transport.registerProducer(self.protocol, True)
        self.written = self.told = self.asked = self.upwards = b""
        self.number = 0
        self.is_told_the_end = False

    def text(self, size: int) -> bytes:
        """Bytes that differ from those before."""
        self.number += 1
        return (b"%d," % self.number * size)[:size]

    @rule(size=SIZES)
    def writes(self, size: int) -> None:
        self.written += (data := self.text(size))
        self.transport.write(data)

    @rule(size=SIZES)
    def writes_now(self, size: int) -> None:
        self.written += (data := self.text(size))
        self.transport.write_now(data)

    @precondition(lambda self: self.reactor.writing)
    @rule()
    def is_writable(self) -> None:
        assert self.transport.doWrite() is None

    @rule(size=SIZES)
    def peer_reads(self, size: int) -> None:
        try:
            data = self.client.recv(size)
        except BlockingIOError:
            return
        opened = self.peer.open(data)
        self.told += opened.plaintext
        self.is_told_the_end = opened.closed

    @rule(size=SIZES)
    def peer_writes(self, size: int) -> None:
        self.asked += (data := self.text(size))
        self.upwards += self.peer.data(data)
        self.flush()

    @rule(requested=st.booleans(), split=st.booleans())
    def peer_updates(self, requested: bool, split: bool) -> None:
        self.asked += b"x"
        self.upwards += self.peer.key_update(requested, (2,) if split else ()) + self.peer.data(b"x")
        self.flush()

    def flush(self) -> None:
        """As much of what the peer has sealed as the socket takes."""
        try:
            while self.upwards:
                self.upwards = self.upwards[self.client.send(self.upwards) :]
        except BlockingIOError:
            pass

    @precondition(lambda self: self.reactor.reading)
    @rule()
    def is_readable(self) -> None:
        assert self.transport.doRead() is None
        self.flush()

    @rule(reads=st.booleans())
    def wants_to_read(self, reads: bool) -> None:
        (self.transport.resumeProducing if reads else self.transport.pauseProducing)()

    @invariant()
    def each_gets_what_the_other_wrote(self) -> None:
        assert self.asked.startswith(self.protocol.received)
        assert self.written.startswith(self.told)
        assert self.transport.unsent >= 0

    @invariant()
    def the_producer_is_paused_while_much_waits(self) -> None:
        last = [each for each in self.protocol.happened if each in ("pause", "resume")][-1:]
        if self.transport.unsent > 2 * self.transport.bufferSize:
            assert last == ["pause"]

    def teardown(self) -> None:
        self.transport.resumeProducing()
        while self.upwards or self.protocol.received != self.asked:
            self.is_readable()
            self.everything_leaves(until_end=False)
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self.everything_leaves(until_end=True)
        assert self.told == self.written
        assert self.is_told_the_end
        self.client.close()

    def everything_leaves(self, until_end: bool) -> None:
        """The peer takes all, to the end if there is one."""
        while self.transport.connected and (until_end or self.transport.unsent):
            if self.transport.doWrite() is main.CONNECTION_DONE:
                self.transport.connectionLost(Failure(main.CONNECTION_DONE))
            self.peer_reads(1 << 20)
        for _ in range(100):
            self.peer_reads(1 << 20)


class SealedPropertyTests(SynchronousTestCase):
    """Over all builds that are here."""

    def test_all_that_is_written_arrives_once_and_in_order(self) -> None:
        for build in BUILDS.values():
            machine = type("Machine", (SealedMachine,), {"build": staticmethod(build)})
            run_state_machine_as_test(
                machine, settings=settings(max_examples=40, stateful_step_count=40, deadline=None)
            )

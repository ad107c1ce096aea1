"""The server's end of connections on the Twisted side."""

from __future__ import annotations

import socket
import sys

from twisted.internet.error import ConnectionAborted
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from edge.fastpath.transports import MeasuredTransport


class MeasuredTransportTests(SynchronousTestCase):
    """:class:`edge.fastpath.transports.MeasuredTransport` over a socket pair."""

    def test_what_its_peer_did_not_take_ends_with_the_connection(self) -> None:
        """A transport and its protocol are a cycle, which nobody collects for the sake of a few megabytes."""
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        ours.setblocking(False)
        transport = MeasuredTransport(ours, Protocol(), ("", None), MemoryReactorClock())
        body, more = bytes(4 << 20), bytes(1 << 20)
        held = [sys.getrefcount(body), sys.getrefcount(more)]
        transport.write_now(body)
        transport.write(more)
        self.assertGreater(transport.unsent, len(more))
        self.assertGreater(sys.getrefcount(more), held[1])
        transport.connectionLost(Failure(ConnectionAborted()))
        self.assertEqual(transport.unsent, 0)
        self.assertEqual([sys.getrefcount(body), sys.getrefcount(more)], held)

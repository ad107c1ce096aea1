"""A stream between two nodes, before anything is said."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from edge.node.cluster.streams import Stream


class TcpTransport(StringTransport):
    """Of TCP: it may be told to send at once."""

    no_delay = False

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled


class StreamTests(SynchronousTestCase):
    """Both sides."""

    def test_no_message_waits_until_the_one_before_it_is_acknowledged(self) -> None:
        """Nagle's algorithm and delayed ACKs: a change took 40 ms more to be settled."""
        for dialer in (True, False):
            links: Any = None
            transport = TcpTransport()
            Stream(links, dialer, None, None, Clock()).makeConnection(transport)
            self.assertTrue(transport.no_delay)

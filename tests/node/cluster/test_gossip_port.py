"""The port of ``--gossip``."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from edge.errors import EdgeError
from edge.node.cluster.gossip_port import GossipPort
from tests.end_to_end.cluster import free_port


class GossipPortTests(SynchronousTestCase):
    """Two sockets, one number."""

    def test_both_sockets_have_the_same_number(self) -> None:
        port = GossipPort("127.0.0.1", 0)
        self.addCleanup(port.close)
        self.assertGreater(port.number, 0)
        for one in (port.streams, port.datagrams):
            self.assertEqual(one.getsockname()[1], port.number)
            self.assertFalse(one.getblocking())

    def test_a_port_in_use_is_named_and_nothing_stays_open(self) -> None:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            taken = socket.socket(socket.AF_INET, kind)
            self.addCleanup(taken.close)
            number = free_port()
            taken.bind(("127.0.0.1", number))
            if kind == socket.SOCK_STREAM:
                taken.listen()
            error = self.assertRaises(EdgeError, GossipPort, "127.0.0.1", number)
            self.assertIn(f"--gossip 127.0.0.1:{number}: cannot listen there", str(error))
            taken.close()
            GossipPort("127.0.0.1", number).close()  # the other socket was not left bound

    def test_an_address_of_another_machine_is_refused_with_a_word(self) -> None:
        error = self.assertRaises(EdgeError, GossipPort, "192.0.2.1", 0)
        self.assertIn("cannot listen there", str(error))

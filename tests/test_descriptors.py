"""How many connections and WebSockets a node holds."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.descriptors import RESERVED, connection_limit, node_connections, socket_limit


class LimitTests(SynchronousTestCase):
    """From descriptors to connections to WebSockets."""

    def test_descriptors_bound_the_connections(self) -> None:
        self.assertEqual(connection_limit(20_000), 20_000 - RESERVED)
        self.assertEqual(connection_limit(20_000, 5_000), 5_000)
        self.assertEqual(connection_limit(20_000, 50_000), 20_000 - RESERVED)

    def test_a_process_short_of_descriptors_keeps_half_for_connections(self) -> None:
        self.assertEqual(connection_limit(256), 128)
        self.assertEqual(connection_limit(1), 1)

    def test_a_node_has_what_its_workers_have(self) -> None:
        self.assertEqual(node_connections(20_000, 2), 2 * (20_000 - RESERVED))
        self.assertEqual(node_connections(20_000, 2, 30_000), 30_000)
        self.assertEqual(node_connections(20_000, 2, 100_000), 2 * (20_000 - RESERVED))
        self.assertEqual(node_connections(20_000, 0), 20_000 - RESERVED)

    def test_sockets_leave_a_tenth_of_the_connections_to_requests(self) -> None:
        self.assertEqual(socket_limit(20_000), 18_000)
        self.assertEqual(socket_limit(1), 1)

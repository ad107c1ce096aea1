"""How many connections and WebSockets a node holds."""

from __future__ import annotations

import resource

from twisted.trial.unittest import SynchronousTestCase

from edge.descriptors import (
    MOST_FILES,
    RESERVED,
    connection_limit,
    file_limit,
    node_connections,
    raise_descriptor_limit,
    socket_limit,
)


class LimitTests(SynchronousTestCase):
    """From descriptors to connections to WebSockets."""

    def test_descriptors_bound_the_connections(self) -> None:
        self.assertEqual(connection_limit(16_000 + RESERVED), 14_000)
        self.assertEqual(connection_limit(20_000, 5_000), 5_000)
        self.assertEqual(connection_limit(16_000 + RESERVED, 50_000), 14_000)

    def test_what_a_connection_can_come_to_need_is_in_the_budget(self) -> None:
        for descriptors in (1, 256, 1024, 1400, 20_000, 1 << 20):
            for wanted in (None, 100, 1 << 30):
                connections = connection_limit(descriptors, wanted)
                files = file_limit(descriptors, connections)
                self.assertGreaterEqual(files, max(1, min(connections // 8, MOST_FILES)))
                own = descriptors - connections - files
                self.assertGreaterEqual(own, min(RESERVED, descriptors // 2) - 1)

    def test_who_may_raise_the_limit_gets_what_the_connections_need(self) -> None:
        asked: list[tuple[int, int]] = []
        self.patch(resource, "getrlimit", lambda _which: (1024, 4096))
        self.patch(resource, "setrlimit", lambda _which, limits: asked.append(limits))
        for wanted in (1, 999, 100_000, 1_000_000):
            self.assertGreaterEqual(connection_limit(raise_descriptor_limit(wanted)), wanted)
        self.assertEqual(len(asked), 4)

    def test_a_process_short_of_descriptors_keeps_half_for_connections(self) -> None:
        self.assertEqual(connection_limit(256), 112)
        self.assertEqual(connection_limit(1), 1)

    def test_a_node_has_what_its_workers_have(self) -> None:
        self.assertEqual(node_connections(16_000 + RESERVED, 2), 28_000)
        self.assertEqual(node_connections(20_000, 2, 30_000), 30_000)
        self.assertEqual(node_connections(16_000 + RESERVED, 2, 100_000), 28_000)
        self.assertEqual(node_connections(16_000 + RESERVED, 0), 14_000)

    def test_sockets_leave_a_tenth_of_the_connections_to_requests(self) -> None:
        self.assertEqual(socket_limit(20_000), 18_000)
        self.assertEqual(socket_limit(1), 1)

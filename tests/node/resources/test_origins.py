"""Who may read answers: the configured origins and the nodes of the cluster."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from edge.http.own_origins import own_origins
from edge.load.document import LoadDocument, NodeLoad, encode
from edge.node.resources.origins import LIMIT, ClusterOrigins
from edge.resource import Resource
from edge.table.reader import Reader
from tests.node.serving import NOW
from tests.node.tables import Site, representation


class OwnOriginsTests(SynchronousTestCase):
    """Which pages are of this very server."""

    def test_over_plain_http_only_what_no_name_server_can_lead_elsewhere(self) -> None:
        for host in (
            b"127.0.0.1",
            b"192.0.2.7:8080",
            b"[::1]:80",
            b"[2001:db8::1]",
            b"localhost:1",
            b"n1.localhost",
        ):
            self.assertEqual(own_origins(host, False), (b"http://" + host,))
        for host in (
            None,
            b"evil.example",
            b"localhost.evil.example",
            b"evillocalhost",
            b"localhost.",
            b"127.0.0.1.evil.example",
            b"1.2.3.4@evil",
            b"[::1].evil",
            b"",
        ):
            self.assertEqual(own_origins(host, False), ())

    def test_over_tls_the_name_that_the_certificate_has_proved(self) -> None:
        self.assertEqual(own_origins(b"www.example", True), (b"https://www.example",))


class ClusterOriginsTests(SynchronousTestCase):
    """Over a real table."""

    def setUp(self) -> None:
        path = self.mktemp()
        os.makedirs(path)
        self.site = Site(path)
        self.addCleanup(self.site.close)
        self.origins = ClusterOrigins([b"https://www.example"], Reader(self.site.segment, 0))

    def publish(self, body: bytes) -> None:
        one = representation(0, body)
        self.site.writer.put(Resource(b"/.edge/load", NOW, (one,)), counts=False)

    def publish_nodes(self, *urls: str) -> None:
        nodes = [
            NodeLoad(f"n{number}", url, "alive", 1.0, 0.0, 0.0, 0.0, 0, 0, 0.0)
            for number, url in enumerate(urls)
        ]
        self.publish(encode(LoadDocument("test", 1, 1, tuple(nodes))))

    def test_the_configured_ones_come_first_and_stay(self) -> None:
        self.assertFalse(self.origins.look())
        self.assertEqual(list(self.origins), [b"https://www.example"])
        self.publish_nodes("https://n1.example", "https://n2.example")
        self.assertTrue(self.origins.look())
        self.assertEqual(
            list(self.origins), [b"https://www.example", b"https://n1.example", b"https://n2.example"]
        )
        self.assertFalse(self.origins.look())
        self.publish_nodes("https://n1.example")
        self.assertTrue(self.origins.look())
        self.assertNotIn(b"https://n2.example", self.origins)
        self.assertEqual(len(self.origins), 2)

    def test_what_cannot_be_read_changes_nothing(self) -> None:
        self.publish_nodes("https://n1.example")
        self.origins.look()
        for body in (b"{}", b"no JSON", b'{"v":9}'):
            self.publish(body)
            self.assertFalse(self.origins.look())
            self.assertIn(b"https://n1.example", self.origins)

    def test_there_are_never_more_than_the_fast_path_has_room_for(self) -> None:
        self.publish_nodes(*(f"https://n{number}.example" for number in range(100)))
        self.origins.look()
        self.assertEqual(len(self.origins), LIMIT)

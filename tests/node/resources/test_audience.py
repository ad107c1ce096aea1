"""Who may see what a node says of itself."""

from __future__ import annotations

import os

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.trial.unittest import SynchronousTestCase

from edge.node.process.own_resources import KEPT_STATUS, STATUS, status_path
from edge.node.telemetry.documents import put_document
from tests.node.serving import NOW, Answer
from tests.node.tables import Site

REMOTE, LOOPBACK = IPv4Address("TCP", "192.0.2.1", 1), IPv4Address("TCP", "127.0.0.1", 1)
SHOWN = ("status", "", "dashboard.js", "dashboard.css", "dashboard_feed.js")
HANDSHAKE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
)


class AudienceTests(SynchronousTestCase):
    """Requests for the status, the dashboard and the topic of the socket."""

    def ask(
        self, audience: str, target: str, peer: IAddress = REMOTE, *lines: str, secure: bool = False
    ) -> Answer:
        directory = self.mktemp()
        os.mkdir(directory)
        site = Site(directory)
        self.addCleanup(site.close)
        if audience != "off":
            put_document(site.writer, status_path(audience), b'{"v":1}', b"", NOW)
        connection = site.connect(audience=audience, secure=secure)
        self.patch(connection.transport, "getPeer", lambda: peer)
        head = [f"GET /.edge/{target} HTTP/1.1", *lines]
        if not any(line.startswith("Host") for line in lines):
            head.append("Host: localhost:8080")
        connection.send("\r\n".join([*head, "", ""]).encode())
        connection.turn()
        written = connection.transport.written
        connection.transport.written = written.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        status = int(written.split()[1])
        return Answer(status, {}, written.partition(b"\r\n\r\n")[2])

    def test_public_is_for_everybody_and_off_for_nobody(self) -> None:
        for name in SHOWN:
            self.assertEqual(self.ask("public", name).status, 200, name)
            self.assertEqual(self.ask("off", name, LOOPBACK).status, 404, name)
        self.assertEqual(self.ask("off", "health").status, 200)

    def test_local_is_for_this_machine(self) -> None:
        here = (
            LOOPBACK,
            IPv6Address("TCP", "::1", 1),
            IPv6Address("TCP", "::ffff:127.0.0.1", 1),
            UNIXAddress(None),
        )
        elsewhere = (REMOTE, IPv6Address("TCP", "2001:db8::1", 1), IPv6Address("TCP", "fe80::1%eth0", 1))
        for name in SHOWN:
            for peer in here:
                self.assertEqual(self.ask("local", name, peer).status, 200, (name, peer))
            for peer in elsewhere:
                self.assertEqual(self.ask("local", name, peer).status, 403, (name, peer))
        self.assertEqual(self.ask("local", "status", LOOPBACK).body, b'{"v":1}')

    def test_local_is_for_no_page_of_another_site_in_a_browser_here(self) -> None:
        for lines in (
            ("Origin: http://evil.example",),
            ("Origin: null",),
            ("Host: evil.example",),
            ("Host: evil.example", "Origin: http://evil.example"),
        ):
            self.assertEqual(self.ask("local", "status", LOOPBACK, *lines).status, 403, lines)
        self.assertEqual(self.ask("local", "status", LOOPBACK, "Origin: http://localhost:8080").status, 200)

    def test_no_request_finds_where_a_status_lies_that_is_not_public(self) -> None:
        for target in ("status%00", "status%2500", "%73tatus%00"):
            self.assertEqual(self.ask("local", target).status, 404)
        self.assertEqual((status_path("public"), status_path("local")), (STATUS, KEPT_STATUS))

    def test_the_topic_of_the_socket_is_the_choice_of_the_same(self) -> None:
        for audience, peer, status in (
            ("public", REMOTE, 101),
            ("local", REMOTE, 400),
            ("local", LOOPBACK, 101),
            ("off", LOOPBACK, 400),
        ):
            answer = self.ask(audience, "socket?topics=status", peer, HANDSHAKE)
            self.assertEqual(answer.status, status, (audience, peer))
            self.assertEqual(b'"status"' in answer.body, status == 101)
            answer = self.ask(audience, "socket", peer, HANDSHAKE)
            self.assertEqual(answer.status, 101)

"""A channel over a TLS connection that the fast path handed off, on a real socket."""

from __future__ import annotations

import os
import socket
from io import BytesIO
from typing import Any

from twisted.web.resource import Resource

from edge.node.connection.body import FileBody
from edge.node.connection.site import ChannelFactory, EdgeSite
from edge.node.connection.upgraded import PeerChannel, Upgraded
from tests.fastpath.sealed_case import SealedCase
from tests.node.serving import Answer, Counts, parse_answers
from tests.tls.peer import Peer

BIG = bytes(range(256)) * 8000
GET = b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n"


class Shouting(Upgraded):
    """An upgraded connection that sends back what it gets, louder."""

    def connected(self, transport: Any, channel: PeerChannel) -> None:
        self.transport, self.channel = transport, channel

    def received(self, data: bytes) -> None:
        if data:
            self.channel.send(data.upper())

    def drain(self) -> None:
        self.channel.end()

    def lost(self) -> None:
        """Nothing is kept."""


class Root(Resource):
    """A site in small: /big sends a file, /upgrade becomes another protocol, all else is echoed."""

    isLeaf = True

    def render_GET(self, request: Any) -> Any:
        if request.path == b"/upgrade":
            request.channel.upgrade(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", Shouting())
            return 1
        if request.path == b"/big":
            request.setHeader(b"Content-Length", b"%d" % len(BIG))
            FileBody(request, BytesIO(BIG), len(BIG)).start()
            return 1
        return b"%b, secure: %s" % (request.uri, str(request.isSecure()).encode())

    def render_POST(self, request: Any) -> bytes:
        return b"%d bytes" % len(request.content.read())


class SealedChannelTests(SealedCase):
    """What the peer of an ordinary HTTPS connection gets."""

    def setUp(self) -> None:
        super().setUp()
        self.counts = Counts()
        self.site = EdgeSite(Root(), self.reactor, self.counts)
        self.channel = ChannelFactory(self.site, secure=True, sealed=True).buildProtocol(None)

    async def ask(self, *pieces: bytes, until_end: bool = False) -> list[Answer]:
        """The answers to what is said in *pieces*: those that come at once, or all until the end."""
        for piece in pieces:
            self.say(self.peer.data(piece))
            await self.turn(2)
        if until_end:
            opened = self.peer.open(await self.read(until_end=True))
            self.assertTrue(opened.closed)
            return parse_answers(opened.plaintext)
        return parse_answers(self.peer.open(await self.read(1)).plaintext)

    async def test_requests_are_answered_and_the_connection_returns(self) -> None:
        self.connect_to(self.channel, data=GET % (b"/first", b""))
        [answer] = await self.ask()
        self.assertEqual((answer.status, answer.body), (200, b"/first, secure: True"))
        await self.turn(3)
        [(fd, layer)] = self.fast_path.adopted
        self.addCleanup(os.close, fd)
        self.assertEqual(self.site.channels, set())
        self.assertEqual(layer.open(self.peer.data(b"GET")).plaintext, b"GET")

    async def test_part_of_a_request_keeps_it_here(self) -> None:
        self.connect_to(self.channel, data=GET % (b"/first", b"") + b"GET /sec")
        [answer] = await self.ask()
        await self.turn(3)
        self.assertEqual(self.fast_path.adopted, [])
        [answer] = await self.ask(b"ond HTTP/1.1\r\nHo", b"st: x\r\n\r\n")
        self.assertEqual(answer.body, b"/second, secure: True")
        await self.turn(3)
        [(fd, _)] = self.fast_path.adopted
        self.addCleanup(os.close, fd)

    async def test_a_file_longer_than_all_buffers_arrives(self) -> None:
        self.connect_to(self.channel, data=GET % (b"/big", b"Connection: close\r\n"))
        [answer] = await self.ask(until_end=True)
        self.assertEqual(answer.body, BIG)

    async def test_an_upload_arrives_in_pieces(self) -> None:
        self.connect_to(self.channel, data=b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 50000\r\n\r\n")
        [answer] = await self.ask(*[bytes(5000)] * 10)
        self.assertEqual(answer.body, b"50000 bytes")
        await self.turn(3)
        [(fd, _)] = self.fast_path.adopted
        self.addCleanup(os.close, fd)

    async def test_the_last_answer_is_followed_by_close_notify_and_lingering(self) -> None:
        """As over TCP: our direction is closed, what comes is thrown away, and the peer's end is the end."""
        transport = self.connect_to(self.channel, data=GET % (b"/", b"Connection: close\r\n"))
        opened = self.peer.open(await self.read(until_end=True))
        self.assertEqual((opened.plaintext[:12], opened.closed), (b"HTTP/1.1 200", True))
        self.say(self.peer.data(b"too late"))
        await self.turn(3)
        self.assertTrue(transport.connected)
        self.say(self.peer.alert(0))
        await self.turn(3)
        self.assertFalse(transport.connected)
        self.assertEqual(self.fast_path.released, 1)

    async def test_a_malformed_request_is_refused(self) -> None:
        self.connect_to(self.channel, data=b"GET / HTTP/1.1\r\n\r\n")
        [answer] = await self.ask(until_end=True)
        self.assertEqual((answer.status, answer.fields["connection"]), (400, "close"))

    async def test_a_peer_that_has_closed_its_direction_is_answered(self) -> None:
        self.connect_to(self.channel, data=b"GET /x HTTP/1.1\r\n")
        self.say(self.peer.data(b"Host: x\r\n\r\n") + self.peer.alert(0))
        [answer] = await self.ask(until_end=True)
        self.assertEqual(answer.body, b"/x, secure: True")

    async def test_a_forged_record_ends_the_connection_and_its_request(self) -> None:
        transport = self.connect_to(
            self.channel, data=b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
        )
        self.say(self.peer.data(b"forged")[:-1] + b"?")
        await self.turn(3)
        self.assertFalse(transport.connected)
        self.assertEqual(self.site.channels, set())
        self.assertEqual(self.counts.values["tls_alerts_sent_bad_record_mac"], 1)

    async def test_alerts_of_the_peer_are_counted_by_kind(self) -> None:
        for number, request in ((46, b"/first"), (80, b"/upgrade")):
            self.peer, channel = (
                Peer(),
                ChannelFactory(self.site, secure=True, sealed=True).buildProtocol(None),
            )
            transport = self.connect_to(channel, data=GET % (request, b"") + b"GET")
            self.say(self.peer.alert(number))
            await self.turn(3)
            self.assertFalse(transport.connected)
        values = self.counts.values
        self.assertEqual(values["tls_alerts_received_certificate"], 1)
        self.assertEqual(values["tls_alerts_received_other"], 1)

    async def test_an_upgraded_connection_talks_on(self) -> None:
        self.connect_to(self.channel, data=GET % (b"/upgrade", b"") + b"first, ")
        self.say(self.peer.data(b"second"))
        await self.turn(3)
        told = self.peer.open(await self.read()).plaintext
        self.assertEqual(told, b"HTTP/1.1 101 Switching Protocols\r\n\r\nFIRST, SECOND")
        self.site.drain()
        self.assertEqual(self.peer.open(await self.read(until_end=True)).closed, True)
        self.client.shutdown(socket.SHUT_WR)

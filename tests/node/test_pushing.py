"""/.edge/socket over a channel: handshake, pushes, and clients that misbehave."""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionType
from wsproto.events import CloseConnection, TextMessage

from edge.node.pushing import BEHIND_BYTES
from edge.publish.resource import Resource
from tests.node.serving import NOW, parse_answers
from tests.node.tables import Site, representation

ASK = (
    b"GET /.edge/socket%b HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%b\r\n"
)


class PushingTests(SynchronousTestCase):
    """One connection to a small site."""

    def setUp(self) -> None:
        self.site = Site(self.mktemp_directory())
        self.addCleanup(self.site.close)
        self.publish_load(1)
        self.connection = self.site.connect(frozenset({b"http://friend"}))
        self.site.pushing.start()
        self.addCleanup(self.site.pushing.stop)
        self.frames = Frames(ConnectionType.CLIENT)
        self.read = 0

    def mktemp_directory(self) -> str:
        path = self.mktemp()
        os.makedirs(path)
        return path

    def publish_load(self, number: int) -> None:
        one = representation(0, b'{"v": 1, "number": %d}\n' % number)
        self.site.writer.put(Resource(b"/.edge/load", NOW, (one,)), counts=False)

    def open(
        self, query: bytes = b"", lines: bytes = b"Origin: http://a.example\r\n", more: bytes = b""
    ) -> int:
        self.connection.send(ASK % (query, lines) + more)
        head, end, _ = self.connection.transport.written.partition(b"\r\n\r\n")
        self.read = len(head) + len(end)
        return int(head.split()[1])

    def events(self) -> list[Any]:
        written = self.connection.transport.written
        self.frames.receive_data(written[self.read :])
        self.read = len(written)
        return list(self.frames.events())

    def messages(self) -> list[Any]:
        return [json.loads(one.data) for one in self.events() if isinstance(one, TextMessage)]

    def test_both_topics_come_at_once_and_when_they_change(self) -> None:
        self.assertEqual(self.open(), 101)
        load, changed = self.messages()
        self.assertEqual(load, {"type": "load", "document": {"v": 1, "number": 1}})
        self.assertEqual(changed["type"], "changed")
        self.connection.pass_time(2)
        self.assertEqual(self.messages(), [])
        self.publish_load(2)
        self.connection.pass_time(1)
        self.assertEqual([one["document"]["number"] for one in self.messages()], [2])
        self.site.put(b"/new", representation(0, b"new"))
        self.connection.pass_time(1)
        self.assertEqual(self.messages(), [{"type": "changed", "seq": changed["seq"] + 1}])

    def test_one_topic(self) -> None:
        self.assertEqual(self.open(b"?topics=changed"), 101)
        self.publish_load(2)
        self.connection.pass_time(1)
        self.assertEqual([one["type"] for one in self.messages()], ["changed"])

    def test_a_client_chooses_other_topics_later(self) -> None:
        self.open(b"?topics=changed")
        self.messages()
        self.connection.send(self.frames.send(TextMessage('{"type":"subscribe","topics":["load"]}')))
        self.assertEqual([one["type"] for one in self.messages()], ["load"])
        self.site.put(b"/new", representation(0, b"new"))
        self.publish_load(2)
        self.connection.pass_time(1)
        self.assertEqual([one["type"] for one in self.messages()], ["load"])

    def test_other_messages_end_the_connection_with_the_reason(self) -> None:
        for text in ("hello", "{}", '{"type":"subscribe","topics":["all"]}', '{"type":"subscribe"}', "\0"):
            self.setUp()
            self.open()
            self.connection.send(self.frames.send(TextMessage(text)))
            [end] = [one for one in self.events() if isinstance(one, CloseConnection)]
            self.assertEqual(end.code, 1008)
            self.assertIn("all" if "all" in text else "subscribe", end.reason)

    def test_refusals_leave_the_connection_for_other_requests(self) -> None:
        for query, lines, status in (
            (b"", b"Origin: http://evil\r\n", 403),
            (b"?topics=all", b"", 400),
            (b"", b"Origin: https://a.example\r\n", 403),
        ):
            self.setUp()
            self.assertEqual(self.open(query, lines), status)
            self.assertEqual(self.site.pushing.sockets, set())
            self.connection.send(b"GET /a.txt HTTP/1.1\r\nHost: a\r\n\r\n")
            self.assertEqual([one.status for one in self.connection.answers()], [status, 200])
        self.setUp()
        self.connection.send(b"GET /.edge/socket HTTP/1.1\r\nHost: a\r\n\r\n")
        (answer,) = parse_answers(self.connection.transport.written)
        self.assertEqual((answer.status, answer.fields["upgrade"]), (426, "websocket"))

    def test_a_friendly_origin_and_a_client_that_is_no_browser(self) -> None:
        self.assertEqual(self.open(lines=b"Origin: http://friend\r\n"), 101)
        self.setUp()
        self.assertEqual(self.open(lines=b""), 101)

    def test_frames_that_come_with_the_handshake_are_read(self) -> None:
        self.assertEqual(self.open(more=self.frames.send(CloseConnection(1000))), 101)
        self.assertIsInstance(self.events()[-1], CloseConnection)
        self.assertTrue(self.connection.transport.closed)
        self.assertEqual(self.site.pushing.sockets, set())

    def test_who_takes_nothing_is_cut_off(self) -> None:
        self.open()
        self.connection.transport.stalled = True
        big = representation(0, json.dumps({"x": "y" * 40_000}).encode())
        for number in range(20):
            body = representation(
                0, b'{"n": %d, "x": "%b"}' % (number, b"y" * (BEHIND_BYTES // 8)), lines=b""
            )
            self.site.writer.put(Resource(b"/.edge/load", NOW, (body if number else big,)), counts=False)
            self.connection.pass_time(1)
        self.assertTrue(self.connection.transport.aborted)
        self.assertEqual(self.site.pushing.sockets, set())

    def test_the_silent_are_pinged_and_given_up(self) -> None:
        self.open()
        self.events()
        self.connection.pass_time(40)
        self.assertTrue(self.events())
        self.connection.pass_time(50)
        self.assertTrue(self.connection.transport.aborted)
        self.assertEqual(self.site.pushing.sockets, set())

    def test_a_message_that_is_too_large_and_the_end_of_the_server(self) -> None:
        self.open()
        self.connection.send(self.frames.send(TextMessage("x" * 5000)))
        self.assertEqual([one.code for one in self.events() if isinstance(one, CloseConnection)], [1009])
        self.setUp()
        self.open()
        self.connection.site.drain()
        self.assertEqual([one.code for one in self.events() if isinstance(one, CloseConnection)], [1001])
        self.connection.pass_time(6)
        self.assertTrue(self.connection.transport.aborted)

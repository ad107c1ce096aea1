"""Subscribers over real sockets, on loopback: good servers, and such as do everything wrong."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import time
from unittest import mock

import msgspec
import numpy as np
from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Pong, TextMessage
from wsproto.frame_protocol import FrameProtocol

from loadgen.errors import LoadgenError
from loadgen.subscribers import KINDS, Timeouts
from loadgen.subscribers.connect import SOURCES
from loadgen.subscribers.feed import Feed
from loadgen.subscribers.sockets import PINGS
from loadgen.targets import resolve
from tests.end_to_end.node import RunningNode
from tests.loadgen.subscribers.helpers import Crowd, Server, accepted, changed, load, text, word

QUICK = Timeouts(handshake_ns=1, silent_ns=1)
FRAMES = FrameProtocol(client=False, extensions=[])


class SocketCase(SynchronousTestCase):
    """Some servers and a crowd."""

    def setUp(self) -> None:
        self.crowd = self.made()
        self.server, self.other = Server(), Server()
        self.addCleanup(self.server.close)
        self.addCleanup(self.other.close)

    def made(self, timeouts: Timeouts | None = None, topics: tuple[str, ...] = ("changed",)) -> Crowd:
        crowd = Crowd(timeouts, topics)
        self.addCleanup(crowd.subscribers.close)
        return crowd

    def open(self, count: int, *servers: Server) -> None:
        self.crowd.subscribers.open(count, [server.target for server in servers], 1e6)

    def failed(self, why: str) -> None:
        """The crowd counts this failure, and nothing else."""
        errors = self.crowd.subscribers.errors
        self.crowd.until(lambda: errors, why)
        self.assertEqual(dict(errors), {why: 1})
        errors.clear()


class PushTests(SocketCase):
    """What good servers push."""

    def test_a_push_counts_from_when_it_was_published(self) -> None:
        self.open(6, self.server, self.other)
        connections = []
        for number in range(6):
            connections.append(self.crowd.opened((self.server, self.other)[number % 2], changed(7)))
        self.assertEqual(self.crowd.subscribers.count(), 6)
        published = time.monotonic_ns()
        self.crowd.subscribers.expect(published)
        for connection in connections:
            connection.sendall(changed(8))
        self.crowd.until(lambda: self.crowd.count() == 6, "all have it")
        self.assertTrue(all((pushes.since == published).all() for pushes in self.crowd.pushes))
        received = np.concatenate([pushes.received for pushes in self.crowd.pushes])
        self.assertTrue(((published < received) & (received <= time.monotonic_ns())).all())
        nodes = np.concatenate([pushes.node for pushes in self.crowd.pushes])
        self.assertEqual(sorted(nodes.tolist()), [0, 0, 0, 1, 1, 1])
        self.assertEqual(self.crowd.subscribers.latency["changed"].count, 6)

    def crowd_of_four(self) -> list[socket.socket]:
        """Two subscribers of each server, greeted; an answer may take a second."""
        self.crowd = self.made(Timeouts(handshake_ns=1_000_000_000))
        self.open(4, self.server, self.other)
        found = [self.crowd.opened(server, changed(1)) for server in (self.server, self.other) * 2]
        self.crowd.until(lambda: self.crowd.subscribers.greeted() == 4, "all are greeted")
        return found

    def test_of_a_change_that_some_hear_of_all_have_to_hear(self) -> None:
        """A node that tells nobody, and who has come since."""
        connections = self.crowd_of_four()
        crowd = self.crowd.subscribers
        crowd.expect(time.monotonic_ns())
        connections[0].sendall(changed(2))
        connections[2].sendall(changed(2) + changed(3))
        self.open(1, self.server)
        self.crowd.opened(self.server, changed(3))
        self.crowd.until(lambda: crowd.pushes_due, "it is waited no more")
        self.assertEqual(msgspec.json.encode([crowd.pushes_due, crowd.pushes_missing]), b"[4,2]")
        for connection in connections:
            connection.sendall(changed(4))
        crowd.expect(time.monotonic_ns())
        for connection in connections:
            connection.sendall(changed(5))
        self.crowd.until(lambda: crowd.pushes_due > 4, "the next one is over")
        self.assertEqual(crowd.pushes_missing, 2)

    def test_what_nobody_hears_of_was_no_change_and_who_has_gone_is_owed_nothing(self) -> None:
        connections = self.crowd_of_four()
        crowd = self.crowd.subscribers
        crowd.expect(time.monotonic_ns())
        self.crowd.until(lambda: not crowd.is_owed, "it is waited no more")
        self.assertEqual((crowd.pushes_due, crowd.pushes_missing), (0, 0))
        crowd.expect(time.monotonic_ns())
        for connection in (connections[1], connections[3]):
            connection.close()
        self.crowd.until(lambda: crowd.count() == 2, "two have gone")
        for connection in (connections[0], connections[2]):
            connection.sendall(changed(2))
        self.crowd.until(lambda: crowd.pushes_due, "it is waited no more")
        self.assertEqual((crowd.pushes_due, crowd.pushes_missing), (2, 0))

    def test_what_was_true_when_it_opened_is_no_push(self) -> None:
        self.crowd = self.made(topics=("changed", "load"))
        self.open(1, self.server)
        connection = self.crowd.opened(self.server, load(1000) + changed(1))
        self.crowd.run()
        self.assertEqual(self.crowd.count(), 0)
        connection.sendall(load(int(time.time() * 1000)) + text('{"type": "news"}'))
        self.crowd.until(lambda: self.crowd.count() == 1, "it has it")
        (kind,) = (int(kind) for pushes in self.crowd.pushes for kind in pushes.kind)
        self.assertEqual(KINDS[kind], "load")
        self.assertEqual(self.crowd.subscribers.latency["load"].count, 1)
        self.assertEqual(self.crowd.subscribers.latency["changed"].count, 0)

    def test_nor_is_the_first_word_of_load_figures(self) -> None:
        """Behind the document, also when that came alone."""
        self.crowd = self.made(topics=("load",))
        self.open(1, self.server)
        connection, request = self.crowd.taken(self.server)
        self.assertIn(b" /.edge/socket?v=2&topics=load ", request)
        connection.sendall(accepted(request) + load(1000))
        self.crowd.until(lambda: self.crowd.subscribers.opened == 1, "the handshake is done")
        connection.sendall(word(2000))
        self.crowd.run()
        self.assertEqual(self.crowd.count(), 0)
        for _ in range(3):
            connection.sendall(word(int(time.time() * 1000)))
            before = self.crowd.count()
            self.crowd.until(lambda: self.crowd.count() > before, "it has it")  # noqa: B023
        self.assertEqual(self.crowd.subscribers.latency["load"].count, 3)

    def test_messages_in_pieces_and_in_one_packet_are_all_read(self) -> None:
        self.open(1, self.server)
        connection = self.crowd.opened(self.server, changed(1))
        for byte in FRAMES.send_data('{"type": "chan', fin=False) + FRAMES.ping(b"!"):
            connection.sendall(bytes([byte]))
            self.crowd.run()
        connection.sendall(FRAMES.send_data('ged", "seq": 2}', fin=True) + changed(3) + changed(4))
        self.crowd.until(lambda: self.crowd.count() == 3, "all have come")
        self.assertEqual(self.crowd.subscribers.unfinished(), 0)
        self.assertEqual(self.crowd.subscribers.errors, {})

    def test_pings_are_answered_also_many_of_them(self) -> None:
        self.open(1, self.server)
        connection = self.crowd.opened(self.server)
        server = Connection(ConnectionType.SERVER)
        connection.sendall(b"".join(bytes(FRAMES.ping(b"%d" % number)) for number in range(500)))
        server.receive_data(self.crowd.heard(connection, size=500 * 7))
        pongs = [event.payload for event in server.events() if isinstance(event, Pong)]
        self.assertEqual(
            [bytes(one) for one in pongs[:500]], [b"%d" % number for number in range(len(pongs))]
        )

    def test_who_pings_without_end_is_left(self) -> None:
        """Two bytes cost it nothing, and us an answer each."""
        self.open(1, self.server)
        connection = self.crowd.opened(self.server)
        lost = self.crowd.subscribers.errors
        flood = b"\x89\0" * (4 * PINGS)

        def is_lost() -> bool:
            with contextlib.suppress(OSError):
                connection.sendall(flood)
            return bool(lost)

        self.crowd.until(is_lost, "it is left")
        self.assertEqual(dict(lost), {"pings without end": 1})

    def test_who_pings_and_reads_nothing_does_not_stop_the_others(self) -> None:
        self.open(2, self.server)
        deaf, other = self.crowd.opened(self.server, changed(1)), self.crowd.opened(self.server, changed(1))
        flood = bytes(FRAMES.ping(b"x" * 125)) * 500
        lost = self.crowd.subscribers.errors
        for _ in range(2000):
            try:
                deaf.send(flood)
            except OSError:
                if lost:
                    break
            self.crowd.run()
        other.sendall(changed(2))
        self.crowd.until(lambda: self.crowd.count() == 1, "the other one has it")
        self.assertIn(dict(lost), ({}, {"takes no pongs": 1}))


class LossTests(SocketCase):
    """Connections end, and are made again."""

    def test_after_a_goodbye_another_node_is_called(self) -> None:
        self.open(1, self.server, self.other)
        connection = self.crowd.opened(self.server, changed(1))
        connection.sendall(bytes(FRAMES.close(1001, "the node stops")))
        answer = Connection(ConnectionType.SERVER)
        answer.receive_data(self.crowd.heard(connection))
        (event,) = answer.events()
        assert isinstance(event, CloseConnection)
        self.assertEqual(event.code, 1001)
        self.crowd.opened(self.other, changed(1))
        self.assertEqual(self.crowd.subscribers.count(), 1)
        self.assertEqual(self.crowd.subscribers.goodbyes, {1001: 1})
        self.assertEqual(self.crowd.subscribers.errors, {})

    def test_what_is_no_handshake_is_counted_and_called_again(self) -> None:
        self.open(1, self.server)
        for answer, why in (
            (b"SSH-2.0-OpenSSH\r\n", "not an HTTP answer"),
            (b"HTTP/1.1 503 \r\nContent-Length: 0\r\n\r\n", "refused with 503"),
            (accepted(b"Sec-WebSocket-Key: AAAA\r\n"), "wrong Sec-WebSocket-Accept"),
            (b"HTTP/1.1 101 \r\nX: " + b"x" * 100_000, "a head without an end"),
            (b"", "closed before an answer"),
        ):
            connection, _ = self.crowd.taken(self.server)
            if answer:
                connection.send(answer)
            else:
                connection.close()
            self.failed(why)
        self.crowd.opened(self.server)  # it goes on trying

    def test_what_is_no_websocket_is_counted_and_closed(self) -> None:
        for data, why in (
            (b"\xff" * 300, "not a WebSocket's frames"),
            (Connection(ConnectionType.CLIENT).send(TextMessage("{}")), "not a WebSocket's frames"),
            (b"\x81\x7f" + (1 << 40).to_bytes(8, "big") + b"x" * 99, "not a WebSocket's frames"),
            (text("[]"), "not a message"),
            (bytes(FRAMES.send_data(b"\0\1")), "not a message"),
        ):
            self.open(1, self.server)
            connection = self.crowd.opened(self.server)
            connection.sendall(data)
            said = Connection(ConnectionType.SERVER)
            said.receive_data(self.crowd.heard(connection))
            self.assertIsInstance(next(said.events()), CloseConnection, data[:9])
            self.failed(why)

    def test_a_node_that_dies_is_called_no_more_than_allowed(self) -> None:
        self.open(3, self.server)
        greetings = (changed(1), changed(1), b"")
        connections = [self.crowd.opened(self.server, greeting) for greeting in greetings]
        self.server.close()
        for connection in connections:
            connection.close()
        errors = self.crowd.subscribers.errors
        self.crowd.until(lambda: errors["no connection: Connection refused"] >= 3, "they try again")
        self.assertEqual(errors["closed early"], 3)
        subscribers = self.crowd.subscribers
        self.assertEqual((subscribers.count(), subscribers.losses), (0, 2))
        self.assertEqual(
            subscribers.attempts, 3 + errors["no connection: Connection refused"] + subscribers.opening()
        )

    def test_when_no_more_are_begun_those_that_were_go_on(self) -> None:
        self.open(2, self.server)
        connection, request = self.crowd.taken(self.server)
        self.crowd.subscribers.begin_no_more()
        self.open(5, self.server)
        connection.sendall(accepted(request))
        self.crowd.until(lambda: self.crowd.subscribers.count() == 1, "it is open")
        self.assertEqual((self.crowd.subscribers.attempts, self.crowd.subscribers.opening()), (2, 1))

    def test_who_says_nothing_is_given_up(self) -> None:
        self.crowd = self.made(QUICK)
        with mock.patch("loadgen.subscribers.sockets.TICK_NS", 1):
            self.open(1, self.server)
            self.crowd.taken(self.server)  # and no answer
            self.failed("no answer in time")
        self.crowd.opened(self.server)
        with mock.patch("loadgen.subscribers.sockets.TICK_NS", 1):
            self.failed("silent")

    def test_a_request_that_is_answered_at_once_is_no_push_lost(self) -> None:
        """Frames may come in the same packet as the handshake."""
        self.open(1, self.server)
        connection, request = self.crowd.taken(self.server)
        connection.sendall(accepted(request) + changed(1) + changed(2) + changed(3)[:5])
        self.crowd.until(lambda: self.crowd.count() == 1, "the second has come")
        connection.sendall(changed(3)[5:])
        self.crowd.until(lambda: self.crowd.count() == 2, "the third has come")

    def test_closing_says_goodbye(self) -> None:
        self.open(1, self.server)
        connection = self.crowd.opened(self.server)
        self.crowd.subscribers.close()
        connection.setblocking(True)
        said = Connection(ConnectionType.SERVER)
        said.receive_data(connection.recv(4096))
        (event,) = said.events()
        assert isinstance(event, CloseConnection)
        self.assertEqual((event.code, connection.recv(1)), (1000, b""))
        self.assertEqual(self.crowd.subscribers.count(), 0)


class ResourceTests(SocketCase):
    """Descriptors, addresses, memory."""

    def test_source_addresses_are_taken_in_turn(self) -> None:
        self.open(3, self.server)
        peers = [self.crowd.taken(self.server)[0].getpeername()[0] for _ in range(3)]
        self.assertEqual(len(set(peers)), 3)
        self.assertLessEqual(set(peers), set(SOURCES))

    def test_too_few_descriptors_are_told(self) -> None:
        with mock.patch("loadgen.subscribers.sockets.raise_descriptor_limit", lambda wanted: 1000):
            with self.assertRaises(LoadgenError) as raised:
                self.open(800, self.server)
            self.assertIn("800 WebSockets need as many open files", str(raised.exception))
            self.assertIn("ulimit -Hn", str(raised.exception))
            self.open(400, self.server)

    def test_when_descriptors_run_out_it_goes_on(self) -> None:
        """What else this process opens is not known when it begins."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.open(1, self.server)
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
        try:
            self.crowd.until(lambda: self.crowd.subscribers.errors, "it fails")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        self.assertEqual(list(self.crowd.subscribers.errors), ["no connection: Too many open files"])
        self.crowd.opened(self.server)

    def test_nothing_is_kept_of_a_connection_at_rest(self) -> None:
        """But seven bytes for each descriptor up to the highest, and some to grow."""
        feed = Feed()
        with mock.patch("loadgen.subscribers.sockets.Feed", lambda: feed):
            self.open(20, self.server)
        connections = [self.crowd.opened(self.server, changed(1)) for _ in range(20)]
        subscribers = self.crowd.subscribers
        self.assertEqual((subscribers.count(), subscribers.unfinished()), (len(connections), 0))
        self.assertEqual(len(feed.known), 1)
        highest = max(int(fd) for fd in os.listdir("/proc/self/fd"))
        self.assertLessEqual(subscribers.memory(), 7 * (highest + 1) * 5 // 4)

    def test_an_engine_can_wait_for_it_beside_other_things(self) -> None:
        self.assertGreaterEqual(self.crowd.subscribers.fileno(), 0)
        self.open(1, self.server)
        self.assertLessEqual(self.crowd.subscribers.due(), time.monotonic_ns())
        self.crowd.opened(self.server)
        self.assertGreater(self.crowd.subscribers.due(), time.monotonic_ns() - 1_000_000_000)
        self.assertEqual(len(self.crowd.subscribers.run(0).kind), 0)  # does not wait


class NodeTests(SynchronousTestCase):
    """Subscribers of a real node."""

    def test_each_hears_of_a_change_once_and_of_the_end_of_the_node(self) -> None:
        node = RunningNode(workers=1)
        self.addCleanup(node.clean_up)
        node.options.append("--no-watch")
        node.write("index.html", b"one")
        node.start()
        crowd = Crowd(topics=("changed", "load"))
        self.addCleanup(crowd.subscribers.close)
        subscribers = crowd.subscribers
        subscribers.open(100, [resolve(f"http://127.0.0.1:{node.port}/")], 1e6)
        crowd.until(lambda: subscribers.count() == 100, "all are connected")
        crowd.until(lambda: subscribers.latency["load"].count > 0, "the load is pushed")
        node.write("index.html", b"two")
        subscribers.expect(time.monotonic_ns())
        node.admin("POST", "/publish", {})
        crowd.until(lambda: subscribers.latency["changed"].count == 100, "the change is pushed")
        self.assertEqual(subscribers.errors, {})
        assert node.process is not None
        node.process.send_signal(signal.SIGTERM)
        crowd.until(lambda: subscribers.goodbyes[1001] == 100, "the node has said goodbye")
        self.assertEqual(node.stop(), 0)

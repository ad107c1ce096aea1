"""Streams and datagrams between nodes, over real sockets: who gets in and who does not."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.tcp import Connection
from twisted.internet.threads import deferToThread
from twisted.internet.udp import Port
from twisted.logger import LogLevel, globalLogPublisher
from twisted.logger import formatEvent as format_event
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from edge.errors import EdgeError
from edge.node.cluster.gossip_port import GossipPort
from edge.node.cluster.peers import Peers
from edge.node.cluster.streams import ALPN_HTTP, LANE_TABLE, VERSIONS, Hello, StreamFactory
from edge.trust.authority import certify, create, revoke
from edge.trust.contexts import PeerCertificates
from edge.trust.revocations import split_lists

PATIENCE = 60.0
#: Seconds between two looks at a condition.
LOOK = 0.01


def selectables() -> list[object]:
    """What the reactor waits for."""
    running: Any = reactor
    return [*running.getReaders(), *running.getWriters()]


class Asking(Protocol):
    """Says something, and notes its end."""

    def __init__(self, lost: Deferred[object]) -> None:
        self._lost = lost

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"GET / HTTP/1.1\r\n")

    def connectionLost(self, reason: object = None) -> None:  # type: ignore[override]
        self._lost.callback(None)


@implementer(IHandshakeListener)
class Answering(Protocol):
    """The HTTP side of a node, which only listens."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def handshakeCompleted(self) -> None:
        self._node.answering += 1


class Node:
    """A sink that remembers what it gets, and its :class:`Peers`."""

    def __init__(self, name: str, certificates: PeerCertificates, cluster: str = "test",
                 versions: tuple[int, int] = VERSIONS, said: str = "") -> None:  # fmt: skip
        self.greeting = (versions, cluster, said or name)
        self.knows_all = True
        self.others: list[tuple[str, str]] = []
        self.asked: list[str] = []
        self.ups: list[str] = []
        self.downs: list[str] = []
        self.packets: list[tuple[str, bytes, bool]] = []
        self.frames: list[tuple[str, bytes]] = []
        self.trust: list[tuple[str, bytes]] = []
        self.certificates = certificates
        self.answering = 0
        http = Factory.forProtocol(lambda: Answering(self))
        self.peers = Peers(GossipPort("127.0.0.1", 0), certificates, http, reactor)
        self.peers.start(self)

    def hello(self) -> Hello:
        versions, cluster, said = self.greeting
        return Hello(versions, cluster, said, id(self), "127.0.0.1", self.peers.port, "")

    def knows(self, host: str) -> bool:
        return self.knows_all

    def misnamed(self, expected: str, name: str) -> None:
        self.others.append((expected, name))

    def packet(self, name: str, payload: bytes, stream: bool) -> None:
        if payload == b"garbage":
            raise EdgeError("no packet")
        self.packets.append((name, payload, stream))

    def table_frame(self, name: str, payload: bytes) -> None:
        if payload == b"garbage":
            raise EdgeError("no message")
        self.frames.append((name, payload))

    def ask(self, name: str) -> None:
        self.asked.append(name)

    def trust_frame(self, name: str, payload: bytes) -> None:
        self.trust.append((name, payload))

    def up(self, hello: Hello) -> None:
        self.ups.append(hello.name)

    def down(self, name: str) -> None:
        self.downs.append(name)


class PeersTests(TestCase):
    """Nodes in one process."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        self.addCleanup(shutil.rmtree, self.folder)
        create(self.folder / "ca", "test")
        create(self.folder / "other", "test")
        self.nodes: list[Node] = []
        self.addCleanup(lambda: Deferred.fromCoroutine(self.end()))

    def node(self, name: str, ca: str = "ca", **more: Any) -> Node:
        out = self.folder / f"{ca}-{name}"
        certify(self.folder / ca, name, out)
        certificates = PeerCertificates(name, out / f"{name}.pem", out / f"{name}.key", out / "ca.pem")
        certificates.load()
        made = Node(name, certificates, **more)
        self.nodes.append(made)
        return made

    async def end(self) -> None:
        """Stop all nodes, and wait until their sockets are closed."""
        for node in self.nodes:
            node.peers.stop()
        await self.until(lambda: not any(isinstance(one, Connection | Port) for one in selectables()))

    async def until(self, condition: Callable[[], object]) -> None:
        """Return as soon as *condition* holds."""
        for _ in range(int(PATIENCE / LOOK)):
            if condition():
                return
            await deferLater(reactor, LOOK)
        self.fail("waited in vain")

    async def test_when_both_dial_one_stream_stays_and_carries_everything(self) -> None:
        a, b = self.node("a"), self.node("b")
        a.peers.dial("127.0.0.1", b.peers.port, "b")
        b.peers.dial("127.0.0.1", a.peers.port)
        await self.until(lambda: len(a.ups) == 2 and len(b.ups) == 2)
        await self.until(lambda: len(a.peers.streams["b"]) == 1 and len(b.peers.streams["a"]) == 1)
        self.assertTrue(a.peers.streams["b"][0].dialer)  # a comes first in the alphabet
        for number in range(50):
            self.assertTrue(a.peers.send_table("b", b"a%d" % number * 1000))
            self.assertTrue(b.peers.send_table("a", b"b%d" % number * 1000))
        await self.until(lambda: len(a.frames) == len(b.frames) == 50)
        self.assertEqual(b.frames, [("a", b"a%d" % number * 1000) for number in range(50)])
        self.assertEqual((a.downs, b.downs), ([], []))
        self.assertFalse(a.peers.is_full("b"))

    async def test_who_is_revoked_keeps_neither_stream_nor_http_nor_keys(self) -> None:
        a, b = self.node("a"), self.node("b")
        a.peers.dial("127.0.0.1", b.peers.port)
        await self.until(lambda: a.ups and b.ups)
        http = HostnameEndpoint(reactor, "127.0.0.1", b.peers.port)
        lost: Deferred[object] = Deferred()
        asking = Asking(lost)
        await wrapClientTLS(a.certificates.client((ALPN_HTTP,), "b"), http).connect(
            Factory.forProtocol(lambda: asking)
        )
        await self.until(lambda: b.answering)
        revoke(self.folder / "ca", "a")
        b.certificates.revocations.add(split_lists((self.folder / "ca" / "crl.pem").read_bytes())[0])
        self.assertEqual(b.peers.revoked(), ["a"])
        b.peers.expel("a")
        b.peers.hang_up()
        await self.until(lambda: b.downs == ["a"])
        await lost
        a.peers.send_datagram("b", "127.0.0.1", b.peers.port, b"late")
        await self.until(lambda: b.peers.sessions.refused.unknown)
        self.assertEqual(b.packets, [])
        a.peers.dial("127.0.0.1", b.peers.port)
        await self.until(lambda: b.peers.refusals)
        self.assertEqual(b.ups, ["a"])

    async def test_datagrams_use_the_keys_of_the_stream_and_outlive_it(self) -> None:
        a, b = self.node("a"), self.node("b")
        self.assertFalse(a.peers.send_datagram("b", "127.0.0.1", b.peers.port, b"early"))
        a.peers.dial("127.0.0.1", b.peers.port)
        await self.until(lambda: a.ups and b.ups)
        a.peers.drop("b")
        await self.until(lambda: a.downs == ["b"] and b.downs == ["a"])
        self.assertTrue(a.peers.send_datagram("b", "127.0.0.1", b.peers.port, b"garbage"))
        self.assertTrue(a.peers.send_datagram("b", "127.0.0.1", b.peers.port, b"hello"))
        await self.until(lambda: b.packets)
        self.assertEqual(b.packets, [("a", b"hello", False)])

    async def test_nobody_gets_in_who_is_not_of_this_cluster_or_not_who_it_says(self) -> None:
        b = self.node("b")
        for stranger, expected in (
            (self.node("s1", ca="other"), None),
            (self.node("s2", cluster="elsewhere"), None),
            (self.node("s3", said="a"), None),
            (self.node("s4", versions=(7, 9)), None),
            (self.node("s5"), "c"),
            (self.node("b", ca="other"), None),
        ):
            before = b.peers.refusals
            stranger.peers.dial("127.0.0.1", b.peers.port, expected)
            await self.until(lambda before=before: b.peers.refusals > before)
            await self.until(lambda stranger=stranger: not stranger.peers.dialling)
            self.assertEqual((stranger.ups, stranger.others), ([], [(expected, "b")] if expected else []))
            self.assertFalse(stranger.peers.send_datagram("b", "127.0.0.1", b.peers.port, b"x"))
        self.assertEqual((b.ups, b.packets, b.frames), ([], [], []))

    async def test_two_nodes_of_the_same_name_do_not_speak_and_a_node_not_with_itself(self) -> None:
        a, twin = self.node("a"), self.node("a")
        twin.peers.dial("127.0.0.1", a.peers.port)
        await self.until(lambda: a.peers.refusals and twin.peers.refusals)
        self.assertEqual((a.ups, twin.ups), ([], []))
        for node in (a, twin):
            (sentence,) = node.peers.namesakes.sentences(reactor.seconds()).values()  # type: ignore[attr-defined]
            for one in (a, twin):
                self.assertIn(f"127.0.0.1:{one.peers.port}", sentence)
        a.peers.host = "localhost"  # so that it does not know its own address
        a.peers.dial("127.0.0.1", a.peers.port)
        await self.until(lambda: a.peers.refusals >= 3)
        self.assertEqual(a.ups, [])

    async def test_a_name_that_a_process_has_is_not_given_to_another_until_that_one_has_ended(self) -> None:
        a, b, twin = self.node("a"), self.node("b"), self.node("b")
        b.peers.dial("127.0.0.1", a.peers.port)
        await self.until(lambda: a.ups and b.ups)
        twin.peers.dial("127.0.0.1", a.peers.port)
        await self.until(lambda: twin.peers.refusals)
        self.assertEqual((a.ups, twin.ups, a.downs), (["b"], [], []))
        self.assertEqual(a.peers.namesakes.holder("b"), ("127.0.0.1", b.peers.port))
        told = [node.peers.namesakes.sentences(reactor.seconds()) for node in (a, twin)]  # type: ignore[attr-defined]
        self.assertEqual(told[0], told[1])
        self.assertIn("b", told[0])
        self.assertTrue(b.peers.send_packet("a", b"hello"))
        await self.until(lambda: a.packets)
        b.peers.stop()
        await self.until(lambda: a.downs)
        twin.peers.dial("127.0.0.1", a.peers.port)
        await self.until(lambda: twin.ups)
        self.assertEqual(a.peers.namesakes.holder("b"), ("127.0.0.1", twin.peers.port))

    async def test_what_comes_from_who_was_not_let_in_is_neither_taken_nor_a_mistake(self) -> None:
        """It answered the hello with its own, and had more to say before it was told so."""
        a, b, twin = self.node("a"), self.node("b"), self.node("b")
        told: list[str] = []
        self.patch(a.peers, "warn", lambda kind, text: told.append(text))
        b.peers.dial("127.0.0.1", a.peers.port)
        await self.until(lambda: a.ups and b.ups)

        def speak(hello: Hello) -> None:
            twin.ups.append(hello.name)
            twin.peers.send_packet("a", b"hello")

        self.patch(twin, "up", speak)
        a.peers.dial("127.0.0.1", twin.peers.port)
        await self.until(lambda: twin.ups and twin.downs)
        await self.until(lambda: a.peers.refusals)
        self.assertEqual((a.packets, told), ([], []))

    async def test_bytes_that_are_no_tls_and_datagrams_of_strangers_get_no_answer(self) -> None:
        b = self.node("b")

        def attack() -> bytes:
            with socket.create_connection(("127.0.0.1", b.peers.port), PATIENCE) as stream:
                stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
                return stream.recv(100)

        self.assertNotIn(b"HTTP", await deferToThread(attack))
        refused = b.peers.sessions.refused
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for size in (0, 1, 32, 33, 60, 1200, 9000):
                udp.sendto(b"\1" * size, ("127.0.0.1", b.peers.port))
            await self.until(lambda: refused.malformed + refused.unknown == 7)
            # All have been looked at; over loopback an answer would be here.
            self.assertRaises(BlockingIOError, udp.recv, 100, socket.MSG_DONTWAIT)
        self.assertEqual(b.packets, [])

    async def test_strangers_get_few_handshakes_and_one_line_in_the_log(self) -> None:
        """A node whose address is known gets in all the same."""
        b = self.node("b")
        b.knows_all = False
        said: list[str] = []

        def observe(event: Any) -> None:
            if "cluster" in event.get("log_namespace", "") and event["log_level"] is LogLevel.warn:
                said.append(format_event(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)

        made: list[object] = []
        build = StreamFactory.buildProtocol
        self.patch(StreamFactory, "buildProtocol", lambda own, addr: made.append(addr) or build(own, addr))

        def attack() -> None:
            for _ in range(200):
                stream = socket.create_connection(("127.0.0.1", b.peers.port), PATIENCE)
                with stream, contextlib.suppress(OSError):
                    stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
                    stream.recv(100)

        await deferToThread(attack)
        self.assertGreaterEqual(len(made), 5)
        self.assertLessEqual(len(made), 60)
        self.assertEqual(len([line for line in said if "too many streams" in line]), 1, said)
        self.assertLess(len(said), 5)
        b.knows_all = True
        a = self.node("a")
        a.peers.dial("127.0.0.1", b.peers.port)
        await self.until(lambda: b.ups)

    async def test_a_frame_that_is_none_of_ours_ends_the_stream(self) -> None:
        a, b = self.node("a"), self.node("b")
        for lane, payload in ((LANE_TABLE, b"garbage"), (9, b"x")):
            a.peers.dial("127.0.0.1", b.peers.port)
            await self.until(lambda: a.peers.streams.get("b"))
            a.peers.streams["b"][0].send(lane, payload)
            await self.until(lambda: not a.peers.streams.get("b") and not b.peers.streams.get("a"))
        a.peers.dial("127.0.0.1", b.peers.port)
        await self.until(lambda: a.peers.streams.get("b"))
        a.peers.streams["b"][0].transport.write((1 << 30).to_bytes(4, "big") + b"\2")
        await self.until(lambda: not b.peers.streams.get("a"))
        self.assertEqual(b.frames, [])

    async def test_who_takes_nothing_is_noticed_and_gets_no_more_membership(self) -> None:
        a, b = self.node("a"), self.node("b")
        a.peers.dial("127.0.0.1", b.peers.port)
        await self.until(lambda: a.ups and b.ups)
        b.peers.streams["a"][0].transport.pauseProducing()
        for _ in range(200):
            a.peers.send_table("b", bytes(100_000))
        await self.until(lambda: a.peers.is_full("b"))
        self.assertFalse(a.peers.send_packet("b", b"x"))
        b.peers.streams["a"][0].transport.resumeProducing()
        await self.until(lambda: len(b.frames) == 200)
        await self.until(lambda: not a.peers.is_full("b"))
        self.assertTrue(a.peers.send_packet("b", b"x"))

"""What serves the connections of one worker: when it accepts, and how it ends."""

from __future__ import annotations

import socket
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from edge.config.applications import application_of
from edge.fastpath.relay import NativeRelay
from edge.load.document import LoadDocument, node_load
from edge.load.document import encode as encode_load
from edge.load.report import unknown
from edge.node.process.life import NodeState
from edge.node.process.settings import ListenerSettings, WorkerSettings
from edge.node.worker.serving import Serving
from edge.resource import Representation, Resource, etag_of
from edge.table.segment import Segment
from edge.table.writer import Writer
from tests.node.reactors import ReadingReactor


class ServingTests(SynchronousTestCase):
    """A worker with one listener, and the Python build of the fast path."""

    def setUp(self) -> None:
        self.reactor = ReadingReactor()
        self.segment = Segment.create(capacity=64, arena_bytes=1 << 18, workers=1)
        self.addCleanup(self.segment.close)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.addCleanup(self.listener.close)
        settings = WorkerSettings(0, "python", (ListenerSettings(self.listener.fileno(), ""),), "", 100)
        self.serving = Serving(settings, self.segment, self.reactor, self.unused, self.unused, self.unused)
        self.addCleanup(self.serving.stop)

    def unused(self, *_: Any) -> Any:
        raise AssertionError("nobody asks for anything here")

    def test_pages_say_what_browsers_may_fetch_while_the_node_has_nothing_better_to_do(self) -> None:
        listener = ListenerSettings(self.listener.fileno(), "")
        settings = WorkerSettings(
            0, "python", (listener,), "", 100, node="n1", speculation=30, speculation_rules="/r"
        )
        unused = (self.unused,) * 3
        serving = Serving(settings, self.segment, self.reactor, *unused)
        self.addCleanup(serving.stop)
        site, now = serving._edge_site, 0.0
        for utilization, seconds, line in (
            (None, 9, b""), (0.1, 4, b""), (0.1, 9, b'Speculation-Rules: "/r"\r\n'),
            (0.4, 1, b'Speculation-Rules: "/r"\r\n'), (0.5, 1, b""),
        ):  # fmt: skip
            if utilization is not None:
                put_load(self.segment, "n1", utilization)
            for _ in range(seconds):
                now += 1.0
                self.patch(self.reactor, "seconds", lambda now=now: now)
                serving._follow_the_cluster()
            self.assertEqual(site.speculation, line, utilization)

    def test_applications_that_the_fast_path_has_no_room_for_are_named_once_with_the_way_out(self) -> None:
        lines: list[str] = []
        globalLogPublisher.addObserver(observer := lambda event: lines.append(str(formatEvent(event))))
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        room = NativeRelay.application

        def application(relay: NativeRelay, host: bytes, at: bytes, timeout: float, queue: int) -> int:
            if at == b"/full":
                raise OSError(28, "No space left on device")
            return room(relay, host, at, timeout, queue)

        self.patch(NativeRelay, "application", application)
        told = tuple(
            application_of({"at": at, "to": "http://127.0.0.1:9"}, "", Path()) for at in ("/full", "/other")
        )
        listener = ListenerSettings(self.listener.fileno(), "")
        fills: Any = SimpleNamespace(changed=self.unused)
        for index in (0, 1):
            settings = WorkerSettings(index, "native", (listener,), "", 100, applications=told)
            segment = Segment.create(capacity=64, arena_bytes=1 << 18, workers=2)
            self.addCleanup(segment.close)
            serving = Serving(settings, segment, self.reactor, *(self.unused,) * 4, fills=fills)
            self.addCleanup(serving.stop)
            assert serving._applications is not None
            relayed = {name: one.relayed is not None for name, one in serving._applications._cached.items()}
            self.assertEqual(relayed, {"full": False, "other": True})
        [line] = [one for one in lines if "no room" in one]
        for part in (
            "requests to full are",
            "ten times",
            "No space left on device",
            "have other nodes run some",
        ):
            self.assertIn(part, line)

    def connect(self, data: bytes) -> socket.socket:
        """A client that has sent *data*."""
        client = socket.create_connection(self.listener.getsockname(), 20)
        self.addCleanup(client.close)
        client.settimeout(20)
        client.sendall(data)
        for _ in range(3):
            self.reactor.read()
        return client

    def drain(self, seconds: float) -> Deferred[int]:
        return Deferred.fromCoroutine(self.serving.drain(seconds))

    def test_nobody_is_accepted_before_it_is_told(self) -> None:
        self.assertEqual((self.reactor.readers, self.reactor.getDelayedCalls()), ([], []))
        self.serving.accept(ready=False)
        self.assertEqual(len(self.reactor.readers), 1)

    def test_a_listener_without_the_certificate_that_it_needs_serves_nobody(self) -> None:
        """OpenSSL has refused it, and the worker is about to be ended: nothing is said in the clear."""
        for fast_path in ("native", "python"):
            listeners = (ListenerSettings(self.listener.fileno(), "", secure=True),)
            settings = WorkerSettings(0, fast_path, listeners, "", 100)
            self.serving.stop()
            self.serving = Serving(
                settings, self.segment, self.reactor, self.unused, self.unused, self.unused
            )
            self.serving.accept(ready=True)
            client = self.connect(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            client.setblocking(False)
            with self.assertRaises(BlockingIOError):
                client.recv(1)
            client.close()

    def test_told_again_that_the_site_is_published_it_is_ready_and_listens_once(self) -> None:
        self.serving.accept(ready=False)
        self.assertIs(self.serving.life.state, NodeState.STARTING)
        waiting = len(self.reactor.getDelayedCalls())
        for _ in range(2):
            self.serving.accept(ready=True)
        self.assertIs(self.serving.life.state, NodeState.READY)
        self.assertEqual((len(self.reactor.readers), len(self.reactor.getDelayedCalls())), (1, waiting))

    def test_without_connections_a_drain_is_over_at_once(self) -> None:
        self.serving.accept(ready=True)
        self.assertEqual(self.successResultOf(self.drain(10.0)), 0)
        self.assertIs(self.serving.life.state, NodeState.STOPPED)
        self.assertEqual((self.reactor.readers, self.reactor.getDelayedCalls()), ([], []))

    def test_a_drain_closes_what_is_idle(self) -> None:
        self.serving.accept(ready=True)
        client = self.connect(b"")
        self.assertEqual(self.successResultOf(self.drain(10.0)), 0)
        self.assertEqual(client.recv(1), b"")

    def test_a_drain_waits_for_what_runs_and_aborts_it_in_the_end(self) -> None:
        """Not a moment before its time."""
        self.serving.accept(ready=True)
        self.connect(b"GET / HTTP/1.1\r\nHost: ")
        drained = self.drain(2.0)
        self.assertIs(self.serving.life.state, NodeState.DRAINING)
        self.reactor.pump([0.05] * 39)
        self.assertNoResult(drained)
        self.reactor.pump([0.05] * 2)
        self.assertEqual(self.successResultOf(drained), 1)
        self.assertIs(self.serving.life.state, NodeState.STOPPED)

    def test_a_drain_is_over_as_soon_as_the_last_one_has_gone(self) -> None:
        self.serving.accept(ready=True)
        client = self.connect(b"GET / HTTP/1.1\r\nHost: ")
        drained = self.drain(60.0)
        client.close()
        self.reactor.read()
        self.reactor.advance(0.05)
        self.assertEqual(self.successResultOf(drained), 0)

    def test_it_may_be_stopped_before_it_accepts_and_twice(self) -> None:
        self.serving.stop()
        self.serving.stop()
        self.assertEqual((self.reactor.readers, self.reactor.getDelayedCalls()), ([], []))


def put_load(segment: Segment, node: str, utilization: float) -> None:
    """The load document says that of *node*."""
    report = replace(unknown(node), utilization=utilization)
    body = encode_load(LoadDocument("", 1, 0, (node_load(report, ""),)))
    digest = sha256(body).digest()
    one = Representation(0, etag_of(digest), digest, len(body), b"", b"", body)
    assert Writer(segment).put(Resource(b"/.edge/load", 0, (one,)), counts=False)

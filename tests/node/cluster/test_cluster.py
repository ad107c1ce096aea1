"""Two nodes in one process: the whole way of a change, from one table to the other and its bodies."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.tcp import Connection
from twisted.internet.udp import Port
from twisted.logger import LogLevel, globalLogPublisher
from twisted.logger import formatEvent as format_event
from twisted.trial.unittest import TestCase

from edge.cache.groups import Groups
from edge.config.model import Config
from edge.load.report import LoadReport
from edge.node.cluster import peers
from edge.node.cluster.assembly import make_cluster
from edge.node.cluster.cluster import JOIN_LOOK
from edge.node.process.slices import Slices
from edge.publish.blobs import Blobs
from edge.publish.catalogue import PublishedFile
from edge.publish.site import Site
from edge.resource import Representation, Resource, etag_of
from edge.table.reader import Entry, Reader
from edge.table.segment import Segment
from edge.table.site_state import StateEntry
from edge.table.writer import Writer
from edge.trust.authority import certify, create, revoke
from tests.node.cluster.test_group_lane import Answers

PATIENCE = 60.0
#: Seconds between two looks at a condition.
LOOK = 0.01


def page(path: bytes, body: bytes, in_memory: bool = True) -> Resource:
    """One representation."""
    digest = sha256(body).digest()
    kept = body if in_memory else None
    one = Representation(0, etag_of(digest), digest, len(body), b"Content-Type: text/html\r\n", b"", kept)
    return Resource(path, 1_700_000_000, (one,))


class Node:
    """A node's part of the cluster, its table, and a reader of it."""

    def __init__(
        self, folder: Path, name: str, peers: tuple[str, ...], webroot: Path | None = Path("/srv")
    ) -> None:
        config = Config(
            webroot=webroot, node=name, cluster="test", state_dir=folder / name,
            gossip="127.0.0.1:0", peer=peers,
            cluster_ca=folder / name / "ca.pem", cluster_cert=folder / name / f"{name}.pem",
            cluster_key=folder / name / f"{name}.key",
        )  # fmt: skip
        self.segment = Segment.create(capacity=64, arena_bytes=1 << 18, workers=1)
        self.reader = Reader(self.segment, 0)
        self.blobs = Blobs(str(folder / name / "cache"))
        writer = Writer(self.segment)
        self.answers, self.groups = Answers(reactor), Groups()
        parts = make_cluster(
            config,
            f"http://{name}",
            self.blobs,
            writer,
            StateEntry(writer),
            self.answers,
            self.groups,
            Slices(reactor),
            reactor,
        )
        self.cluster, self.view, self.table, self.bodies = (
            parts.cluster,
            parts.view,
            parts.table,
            parts.bodies,
        )
        self._name = name
        self.cluster.start()

    @property
    def address(self) -> str:
        me = self.member(self._name)
        assert me is not None
        return str(me["address"])

    def member(self, name: str) -> dict[str, Any] | None:
        """A member as the admin API tells of it."""
        return next((one for one in self.view.members()["members"] if one["name"] == name), None)

    def has_stream(self, name: str) -> bool:
        """Whether anything came over a stream from there."""
        member = self.member(name)
        return member is not None and member["bytes_in"] > 0

    def publish(self, *resources: Resource) -> None:
        """As a publisher does."""
        files = {one.path.decode(): PublishedFile((), True, (one,), ()) for one in resources}
        site = Site()
        for name, published in files.items():
            site.put(name, published)
        self.bodies.hold(site)
        for one in resources:
            self.table.put(one, self.bodies.spill)

    def find(self, path: bytes) -> Entry | None:
        return self.reader.find(path)

    def close(self) -> None:
        self.cluster.stop()
        self.blobs.close()


class ClusterTests(TestCase):
    """Real sockets on loopback; every wait ends with its event."""

    timeout = 60

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        create(self.folder / "ca", "test")
        self.nodes: list[Node] = []
        self.addCleanup(lambda: Deferred.fromCoroutine(self.end()))

    def node(self, name: str, *peers: str, webroot: Path | None = Path("/srv")) -> Node:
        certify(self.folder / "ca", name, self.folder / name)
        made = Node(self.folder, name, peers, webroot)
        self.nodes.append(made)
        return made

    async def end(self) -> None:
        for node in self.nodes:
            node.close()
        running: Any = reactor
        await self.until(
            lambda: (
                not any(
                    isinstance(one, Connection | Port)
                    for one in (*running.getReaders(), *running.getWriters())
                )
            )
        )
        for node in self.nodes:
            node.segment.close()
        shutil.rmtree(self.folder)

    async def until(self, condition: Callable[[], object]) -> None:
        """Return as soon as *condition* holds."""
        for _ in range(int(PATIENCE / LOOK)):
            if condition():
                return
            await deferLater(reactor, LOOK)
        self.fail("waited in vain")

    async def test_a_change_reaches_the_other_table_its_bodies_follow_and_a_removal_too(self) -> None:
        a = self.node("a")
        b = self.node("b", a.address)
        await self.until(lambda: a.has_stream("b") and b.has_stream("a"))
        large = bytes(range(256)) * 4000
        a.blobs.put(large)
        a.publish(page(b"/small", b"hello"), page(b"/large", large, in_memory=False))
        await self.until(lambda: (found := b.find(b"/small")) is not None and found.body == b"hello")
        await self.until(lambda: b.find(b"/large") is not None and not b.table.missing)
        etag = etag_of(sha256(large).digest())
        self.assertEqual(b.blobs.read(etag, sha256(large).digest()), large)
        self.assertFalse(b.table.owns(b"/small"))
        a.table.remove(b"/small")
        await self.until(lambda: b.find(b"/small") is None)

    async def test_who_comes_later_gets_what_is_there_before_it_has_joined(self) -> None:
        a = self.node("a")
        a.publish(page(b"/x", b"hello"))
        b = self.node("b", a.address)
        await b.cluster.join()
        self.assertIsNotNone(b.find(b"/x"))
        self.assertEqual(b.view.metrics()["behind"], 0)
        await self.until(lambda: (found := b.find(b"/x")) is not None and found.body == b"hello")
        await self.until(lambda: not b.table.missing)

    async def test_who_comes_empty_waits_while_another_one_reads_its_webroot(self) -> None:
        """A path that is not there yet does not count as one that does not exist."""
        a = self.node("a")
        a.publish(page(b"/x", b"hello"))
        b = self.node("b", a.address, webroot=None)
        joining = Deferred.fromCoroutine(b.cluster.join())
        await self.until(lambda: a.has_stream("b") and b.has_stream("a"))
        for sequence, publishing in ((1, True), (2, False)):
            self.assertFalse(joining.called)
            report = LoadReport(
                "a", a.view.generation, sequence, 0.0, 0.5, 0.0, 0.0, sequence, 0, 0.0, True, publishing
            )
            a.view.tell(report)
            await self.until(
                lambda wanted=sequence: any(one.connections == wanted for one in b.view.loads())  # type: ignore[misc]
            )
            await deferLater(reactor, 2 * JOIN_LOOK)
        await joining

    async def test_a_datagram_of_who_is_being_dialled_is_no_stranger_s(self) -> None:
        """It may overtake the hello that gives its key; of a stranger's there is a line in the log."""
        said: list[str] = []

        def observe(event: Any) -> None:
            if "cluster" in event.get("log_namespace", "") and event["log_level"] is LogLevel.warn:
                said.append(format_event(event))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        self.patch(peers, "UNSEALED", 1)
        dialler, alone = self.node("a", "127.0.0.1:1"), self.node("b")
        for node, lines in ((dialler, 0), (alone, 1)):
            host, _, port = node.address.rpartition(":")
            before = node.view.metrics()["refused_unknown_total"]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                udp.sendto(b"\1" * 60, (host, int(port)))
                await self.until(lambda: node.view.metrics()["refused_unknown_total"] > before)  # noqa: B023
            self.assertEqual(len([line for line in said if "no node has sealed" in line]), lines)

    async def test_who_leaves_says_so_and_is_forgotten_as_a_peer(self) -> None:
        a = self.node("a")
        b = self.node("b", a.address)
        known = self.folder / "a" / "gossip.json"
        await self.until(lambda: a.member("b") and b.member("a"))
        self.assertIn(b.address, known.read_text())
        await b.cluster.leave()
        await self.until(lambda: (a.member("b") or {}).get("state") == "left")
        self.assertNotIn(b.address, known.read_text())

    async def test_a_stolen_node_is_shut_out_everywhere_and_knows_it(self) -> None:
        """Told to one node.  What it published before stays, what is dated later goes."""
        a = self.node("a")
        b, thief = self.node("b", a.address), self.node("thief", a.address)
        nodes = (a, b, thief)
        await self.until(lambda: all(m.has_stream(o._name) for m in nodes for o in nodes if m is not o))
        thief.publish(page(b"/before", b"good"))
        await self.until(lambda: a.find(b"/before") and b.find(b"/before"))
        since = datetime.now(timezone.utc)
        await deferLater(reactor, 1.1)  # dates in lists are whole seconds
        thief.publish(page(b"/later", b"evil"))
        await self.until(lambda: a.find(b"/later") and b.find(b"/later"))
        revoke(self.folder / "ca", "thief", since + timedelta(seconds=1))
        text = (self.folder / "ca" / "crl.pem").read_bytes()
        self.assertTrue(a.view.announce(text)["new"])
        self.assertFalse(a.view.announce(text)["new"])
        await self.until(lambda: not (a.member("thief") or b.member("thief")))
        await self.until(lambda: not (a.find(b"/later") or b.find(b"/later")))
        self.assertTrue(a.find(b"/before") and b.find(b"/before"))
        self.assertEqual([one["name"] for one in b.view.revocations()["revoked"]], ["thief"])
        await self.until(lambda: any("is revoked" in one for one in thief.view.troubles()))
        refused = a.view.metrics()["refused_streams_total"] + b.view.metrics()["refused_streams_total"]
        await self.until(lambda: thief.view.metrics()["unreached_total"] or refused < (
            a.view.metrics()["refused_streams_total"] + b.view.metrics()["refused_streams_total"]
        ))  # fmt: skip
        self.assertFalse(a.member("thief") or b.member("thief"))
        self.assertTrue((self.folder / "b" / "revoked.pem").exists())
        certify(self.folder / "ca", "thief", self.folder / "thief")
        self.assertEqual(thief.cluster.reload(), [])
        await self.until(lambda: a.has_stream("thief") and b.has_stream("thief"))
        self.assertEqual(thief.view.troubles(), [])

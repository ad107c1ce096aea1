"""Publishing into a real table."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from edge.errors import PublishError
from edge.node.bodies.store import BodyStore
from edge.node.process.slices import Slices
from edge.node.publishing.publisher import Publisher
from edge.node.publishing.table import LocalTable
from edge.publish.settings import Settings
from edge.publish.store import Store
from edge.table.reader import Reader
from edge.table.segment import Segment
from edge.table.writer import Writer


class PublisherTests(TestCase):
    """:class:`edge.node.publishing.publisher.Publisher`."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        base = Path(self.mktemp())
        self.root = base / "site"
        self.root.mkdir(parents=True)
        self.store = Store(str(base / "cache"), lambda problem: None)
        self.addCleanup(self.store.close)

    def publisher(self, capacity: int = 64, arena: int = 1 << 16) -> Publisher:
        segment = Segment.create(capacity=capacity, arena_bytes=arena, workers=1)
        self.addCleanup(segment.close)
        self.reader = Reader(segment, 0)
        return Publisher(
            Settings(root=str(self.root)),
            self.store,
            BodyStore(self.store.blobs),
            LocalTable(Writer(segment)),
            Slices(self.reactor),
            self.reactor,
        )

    def write(self, name: str, body: bytes) -> None:
        new = self.root.parent / "new"
        new.write_bytes(body)
        os.replace(new, self.root / name)

    def test_a_purge_lasts_until_the_file_changes_or_all_is_published(self) -> Deferred[None]:
        async def run() -> None:
            publisher = self.publisher()
            self.write("a", b"1")
            self.write("b", b"2")
            outcome = await publisher.publish()
            self.assertEqual((outcome.puts, outcome.removes), (2, 0))
            self.assertTrue(self.reader.complete)
            self.assertEqual(await publisher.purge([b"/a", b"/b", b"/none"]), ([b"/a", b"/b"], [b"/none"]))
            self.assertIsNone(self.reader.find(b"/a"))
            await publisher.publish()
            self.assertIsNone(self.reader.find(b"/a"))
            self.write("a", b"changed")
            await publisher.publish()
            self.assertIsNotNone(self.reader.find(b"/a"))
            self.assertIsNone(self.reader.find(b"/b"))
            outcome = await publisher.publish(everything=True)
            self.assertEqual(outcome.puts, 1)
            self.assertIsNotNone(self.reader.find(b"/b"))

        return Deferred.fromCoroutine(run())

    def test_what_does_not_fit_can_be_looked_up_and_is_put_when_there_is_room(self) -> Deferred[None]:
        async def run() -> None:
            publisher = self.publisher(capacity=4)
            for number in range(20):
                self.write(f"{number:02}", b"%d" % number)
            await publisher.publish()
            self.assertFalse(self.reader.complete)
            outside = [n for n in range(20) if self.reader.find(b"/%02d" % n) is None]
            self.assertGreater(len(outside), 5)
            path = b"/%02d" % outside[0]
            resource = publisher.look_up(path)
            assert resource is not None
            blob = self.store.blobs.path(resource.representations[0].etag)
            self.assertEqual(Path(blob).read_bytes(), b"%d" % outside[0])
            for number in range(20):
                if number != outside[0]:
                    (self.root / f"{number:02}").unlink()
            await publisher.publish()
            self.assertIsNotNone(self.reader.find(path))
            self.assertTrue(self.reader.complete)

        return Deferred.fromCoroutine(run())

    def test_bodies_beyond_the_arena_become_files(self) -> Deferred[None]:
        async def run() -> None:
            publisher = self.publisher(arena=1 << 12)
            bodies = {f"{n}.bin": os.urandom(1500) for n in range(6)}
            for name, body in bodies.items():
                self.write(name, body)
            await publisher.publish()
            for name, body in bodies.items():
                entry = self.reader.find(b"/" + name.encode())
                assert entry is not None
                found = (
                    entry.body
                    if entry.body is not None
                    else Path(self.store.blobs.path(entry.etag)).read_bytes()
                )
                self.assertEqual(found, body)

        return Deferred.fromCoroutine(run())

    def test_a_missing_directory_leaves_the_site_as_it_was(self) -> Deferred[None]:
        async def run() -> None:
            publisher = self.publisher()
            self.write("a", b"1")
            await publisher.publish()
            try:
                await publisher.publish(str(self.root / "none"))
            except PublishError as error:
                self.assertIn("none", str(error))
            else:
                raise AssertionError("it was published")
            self.assertIsNotNone(self.reader.find(b"/a"))
            self.assertEqual(publisher.settings.root, str(self.root))

        return Deferred.fromCoroutine(run())

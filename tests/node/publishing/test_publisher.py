"""Publishing into a real table."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable
from itertools import groupby, pairwise
from pathlib import Path
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import formatEvent as format_event
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from edge.errors import PublishError
from edge.node.bodies.store import BodyStore
from edge.node.process.slices import Slices
from edge.node.publishing import job_runner, scrubber
from edge.node.publishing import publisher as module
from edge.node.publishing.publisher import NotYet, Publisher, Stopped
from edge.node.publishing.scrubber import Scrubber
from edge.node.publishing.table import LocalTable
from edge.publish import jobs, schedule, webroot
from edge.publish.coding import encode
from edge.publish.problems import Kind
from edge.publish.schedule import Known
from edge.publish.settings import PublishSettings
from edge.publish.store import Store
from edge.publish.walk import Tree
from edge.resource import Coding, Representation, Resource
from edge.table.reader import Reader
from edge.table.segment import Segment
from edge.table.writer import Writer


class PublisherTestCase(TestCase):
    """A publisher of the folder ``root``."""

    timeout = 60

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        base = Path(self.mktemp())
        self.root = base / "site"
        self.root.mkdir(parents=True)
        self.store = Store(str(base / "cache"), lambda problem: None)
        self.addCleanup(self.store.close)

    def publisher(
        self,
        capacity: int = 64,
        arena: int = 1 << 16,
        table: Callable[[Writer], LocalTable] = LocalTable,
        slices: Slices | None = None,
    ) -> Publisher:
        segment = Segment.create(capacity=capacity, arena_bytes=arena, workers=1)
        self.addCleanup(segment.close)
        self.reader = Reader(segment, 0)
        self.table = table(Writer(segment))
        bodies = BodyStore(self.store.blobs)
        settings = PublishSettings(root=str(self.root))
        made = Publisher(
            settings, self.store, bodies, self.table, slices or Slices(self.reactor), self.reactor
        )
        self.addCleanup(made.stop)
        return made

    def write(self, name: str, body: bytes) -> None:
        new = self.root.parent / "new"
        new.write_bytes(body)
        os.replace(new, self.root / name)


class PublisherTests(PublisherTestCase):
    """:class:`edge.node.publishing.publisher.Publisher`."""

    async def test_a_purge_lasts_until_the_file_changes_or_all_is_published(self) -> None:
        publisher = self.publisher()
        self.write("a", b"1")
        self.write("b", b"2")
        result = await publisher.publish()
        self.assertEqual((result.puts, result.removes), (2, 0))
        self.assertTrue(self.reader.complete)
        self.assertEqual(await publisher.purge([b"/a", b"/b", b"/none"]), ([b"/a", b"/b"], [b"/none"]))
        self.assertIsNone(self.reader.find(b"/a"))
        await publisher.publish()
        self.assertIsNone(self.reader.find(b"/a"))
        self.write("a", b"changed")
        await publisher.publish()
        self.assertIsNotNone(self.reader.find(b"/a"))
        self.assertIsNone(self.reader.find(b"/b"))
        result = await publisher.publish(everything=True)
        self.assertEqual(result.puts, 1)
        self.assertIsNotNone(self.reader.find(b"/b"))

    async def test_a_start_that_cannot_list_its_files_takes_nothing_of_an_earlier_life_away(self) -> None:
        """What has gone is taken away when it is known to have."""
        gone: list[bytes] = []

        class Remembered(LocalTable):
            def vanished(self, files: Container[bytes]) -> Iterable[bytes | None]:
                found = [path for path in (b"/kept", b"/gone") if path not in files]
                gone.extend(found)
                return found

        opened: list[int] = []

        def open_tree(*arguments: Any) -> Tree:
            opened.append(0)
            if len(opened) == 2:  # the first is to see whether there is a webroot
                raise OSError(24, "Too many open files")
            return webroot.open_tree(*arguments)

        self.patch(job_runner, "STORE_AGAIN", 0.01)
        publisher = self.publisher(table=Remembered)
        self.write("kept", b"1")
        self.patch(jobs, "open_tree", lambda *arguments: open_tree(*arguments))
        result = await publisher.publish()
        self.assertEqual((gone, [one.kind for one in result.problems]), ([], [Kind.UNREADABLE]))
        while not gone:
            await deferLater(self.reactor, 0.01)
        self.assertEqual((gone, list(publisher.problems)), ([b"/gone"], []))
        self.assertIsNotNone(self.reader.find(b"/kept"))

    async def test_of_very_many_problems_some_are_logged_and_all_are_told(self) -> None:
        said: list[str] = []
        observer = lambda event: said.append(format_event(event))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.patch(job_runner, "SAID_AT_ONCE", 3)
        for number in range(10):
            (self.root / f"{number}").symlink_to("nowhere")
        publisher = self.publisher()
        result = await publisher.publish()
        self.assertEqual(len(result.problems), 10)
        self.assertEqual(sum("nowhere" in line or "does not exist" in line for line in said), 3)
        self.assertEqual([line for line in said if "more" in line], [
            "and 7 more like these; edgectl publish tells of all"
        ])  # fmt: skip
        await publisher.publish()
        self.assertEqual(sum("does not exist" in line for line in said), 3, "each once")

    async def test_what_does_not_fit_can_be_looked_up_and_is_put_when_there_is_room(self) -> None:
        publisher = self.publisher(capacity=4)
        for number in range(20):
            self.write(f"{number:02}", b"%d" % number)
        await publisher.publish()
        self.assertFalse(self.reader.complete)
        outside = [n for n in range(20) if self.reader.find(b"/%02d" % n) is None]
        self.assertGreater(len(outside), 5)
        path = b"/%02d" % outside[0]
        resource = await publisher.look_up(path)
        assert resource is not None
        blob = self.store.blobs.path(resource.representations[0].etag)
        self.assertEqual(Path(blob).read_bytes(), b"%d" % outside[0])
        for number in range(20):
            if number != outside[0]:
                (self.root / f"{number:02}").unlink()
        await publisher.publish()
        self.assertIsNotNone(self.reader.find(path))
        self.assertTrue(self.reader.complete)

    async def test_bodies_beyond_the_arena_become_files(self) -> None:
        publisher = self.publisher(arena=1 << 12)
        bodies = {f"{n}.bin": os.urandom(1500) for n in range(6)}
        for name, body in bodies.items():
            self.write(name, body)
        await publisher.publish()
        for name, body in bodies.items():
            entry = self.reader.find(b"/" + name.encode())
            assert entry is not None
            found = (
                entry.body if entry.body is not None else Path(self.store.blobs.path(entry.etag)).read_bytes()
            )
            self.assertEqual(found, body)

    async def test_a_purged_page_stays_away_while_its_bytes_stay(self) -> None:
        publisher = self.publisher()
        self.write("a", b"1")
        await publisher.publish()
        await publisher.purge([b"/a"])
        os.utime(self.root / "a", (1e9, 1e9))
        await publisher.publish()
        self.assertIsNone(self.reader.find(b"/a"))

    async def test_a_damaged_copy_is_made_anew_from_the_file(self) -> None:
        publisher = self.publisher()
        body = os.urandom(600_000)
        self.write("large.bin", body)
        await publisher.publish()
        (representation,) = publisher.site[b"/large.bin"].representations
        blob = Path(self.store.blobs.path(representation.etag))
        for damage in (lambda: blob.write_bytes(bytes(600_000)), blob.unlink):
            damage()
            self.assertTrue(await publisher.restore(b"/large.bin", representation.etag))
            self.assertEqual(blob.read_bytes(), body)
        self.assertFalse(await publisher.restore(b"/large.bin", b"x" * 16))
        self.assertFalse(await publisher.restore(b"/none", b"x" * 16))

    async def test_a_damaged_copy_of_a_small_body_is_made_anew_from_memory(self) -> None:
        publisher = self.publisher(arena=1 << 12)
        for n in range(6):
            self.write(f"{n}.bin", os.urandom(1500))
        await publisher.publish()
        (etag,) = [etag for etag in self.store.blobs.all()][:1]
        [path] = [p for p, one in publisher.site.items() if one.representations[0].etag == etag]
        Path(self.store.blobs.path(etag)).write_bytes(bytes(1500))
        self.assertTrue(await publisher.restore(path, etag))
        self.assertEqual(
            Path(self.store.blobs.path(etag)).read_bytes(), publisher.site[path].representations[0].body
        )

    async def test_all_damaged_copies_are_found_in_the_background(self) -> None:
        publisher = self.publisher()
        bodies = {f"{n}.bin": os.urandom(600_000) for n in range(3)}
        for name, body in bodies.items():
            self.write(name, body)
        await publisher.publish()
        blobs = {name: Path(self.blob_of(publisher, name)) for name in bodies}
        for name in ("0.bin", "2.bin"):
            flipped = bytearray(bodies[name])
            flipped[5] ^= 1
            blobs[name].write_bytes(flipped)
        self.patch(scrubber, "REST", 0.0)
        checking = Scrubber(self.store.blobs, publisher.renew, self.reactor)
        self.assertEqual(await checking.check_all(), 2)
        self.assertEqual({name: blob.read_bytes() for name, blob in blobs.items()}, bodies)
        self.assertEqual(await checking.check_all(), 0)

    async def test_the_background_ends_when_told(self) -> None:
        publisher = self.publisher()
        self.write("large.bin", os.urandom(600_000))
        await publisher.publish()
        checking = Scrubber(self.store.blobs, publisher.renew, self.reactor)
        checking.start()
        checking.stop()
        self.assertEqual(await checking.check_all(), 0)

    def blob_of(self, publisher: Publisher, name: str) -> str:
        """The file of the one representation of a resource."""
        (representation,) = publisher.site[b"/" + name.encode()].representations
        return self.store.blobs.path(representation.etag)

    async def test_a_missing_directory_leaves_the_site_as_it_was(self) -> None:
        publisher = self.publisher()
        self.write("a", b"1")
        await publisher.publish()
        with self.assertRaises(PublishError) as raised:
            await publisher.publish(str(self.root / "none"))
        self.assertIn("none", str(raised.exception))
        self.assertIsNotNone(self.reader.find(b"/a"))
        self.assertEqual(publisher.settings.root, str(self.root))


class BesideTests(PublisherTestCase):
    """What happens while a large file is being read."""

    def setUp(self) -> None:
        super().setUp()
        self.is_reading, self.may_go_on = Event(), Event()
        self.addCleanup(self.may_go_on.set)
        copy = self.store.blobs.copy

        def wait(fd: int, on_bytes: Callable[[int], None]) -> tuple[bytes, int]:
            self.is_reading.set()
            while not self.may_go_on.wait(0.01):
                on_bytes(1)
            return copy(fd, on_bytes)

        self.patch(self.store.blobs, "copy", wait)
        self.patch(schedule, "LARGE", 500_000)

    async def until(self, condition: Callable[[], object]) -> None:
        """Return when *condition* holds; the time-out of the test ends what never does."""
        while not condition():
            await deferLater(self.reactor, 0.01)

    async def begin(self) -> tuple[Publisher, Deferred[Any]]:
        """A publisher that reads ``large.bin``, and its first publish."""
        publisher = self.publisher()
        self.write("large.bin", b"1" * 600_000)
        for name in ("edited.html", "removed.html", "purged.html"):
            self.write(name, b"old")
        publishing = Deferred.fromCoroutine(publisher.publish())
        publishing.addErrback(lambda failure: failure.trap(Stopped))
        await publisher.served.wait()
        await self.until(self.is_reading.is_set)
        return publisher, publishing

    def body(self, path: bytes) -> bytes | None:
        entry = self.reader.find(path)
        return entry.body if entry is not None else None

    async def test_edits_removals_and_purges_wait_for_nothing(self) -> None:
        publisher, publishing = await self.begin()
        self.write("edited.html", b"new")
        (self.root / "removed.html").unlink()
        publisher.change([str(self.root.resolve())])
        self.assertEqual(await publisher.purge([b"/purged.html"]), ([b"/purged.html"], []))
        self.assertIsNone(self.reader.find(b"/purged.html"))
        await self.until(lambda: self.body(b"/edited.html") == b"new")
        await self.until(lambda: self.reader.find(b"/removed.html") is None)
        self.assertEqual((publisher.progress.unread, publishing.called), (1, False))
        self.assertFalse(self.reader.complete)
        with self.assertRaises(NotYet):
            await publisher.look_up(b"/large.bin")
        self.assertIsNone(await publisher.look_up(b"/none.html"))
        self.may_go_on.set()
        result = await publishing
        self.assertIsNotNone(self.reader.find(b"/large.bin"))
        self.assertTrue(self.reader.complete)
        self.assertEqual((publisher.progress.unread, list(result.problems)), (0, []))
        self.assertIsNone(self.reader.find(b"/purged.html"))

    async def test_a_large_file_that_is_purged_before_it_is_read_stays_away(self) -> None:
        publisher, publishing = await self.begin()
        self.assertEqual(await publisher.purge([b"/large.bin"]), ([b"/large.bin"], []))
        self.may_go_on.set()
        await publishing
        self.assertIsNone(self.reader.find(b"/large.bin"))
        self.assertIsNone(await publisher.look_up(b"/large.bin"))

    async def test_one_that_changes_is_read_anew_and_its_former_reading_ends(self) -> None:
        publisher, publishing = await self.begin()
        self.is_reading.clear()
        self.write("large.bin", b"2" * 700_000)
        publisher.change([str(self.root.resolve())])
        await self.until(self.is_reading.is_set)
        self.may_go_on.set()
        await publishing
        await self.until(lambda: self.reader.find(b"/large.bin") is not None)
        entry = self.reader.find(b"/large.bin")
        assert entry is not None
        self.assertEqual(entry.length, 700_000)

    async def test_at_the_end_nothing_is_waited_for(self) -> None:
        publisher, publishing = await self.begin()
        publisher.stop()
        await publishing


class AskingTests(PublisherTestCase):
    """What is not read yet and asked for."""

    async def test_it_is_read_before_everything_else_and_what_does_not_exist_is_known_at_once(self) -> None:
        publisher = self.publisher(capacity=1024)
        for folder in range(30):
            (self.root / f"{folder}").mkdir()
            for number in range(10):
                self.write(f"{folder}/{number}.html", b"%d" % number)
        with self.assertRaises(NotYet):
            await publisher.look_up(b"/29/9.html")  # nothing is known before it has begun
        publishing = Deferred.fromCoroutine(publisher.publish())
        await publisher.begun.wait()
        resource = await publisher.look_up(b"/29/9.html")
        assert resource is not None
        self.assertEqual(resource.representations[0].body, b"9")
        self.assertIsNone(await publisher.look_up(b"/28/none.html"))
        self.assertIsNone(await publisher.look_up(b"/none/none.html"))
        result = await publishing
        self.assertEqual(result.puts, 300)

    async def test_who_waits_for_long_looks_less_and_less_often(self) -> None:
        """Hundreds who ask for what a slow disk has not given yet would take all of the supervisor's core."""
        publisher = self.publisher()
        await publisher.publish()
        asked: list[bytes] = []

        def ask(path: bytes) -> Known:
            asked.append(path)
            return Known.SOON

        self.patch(module, "ASK_PATIENCE", 1.0)
        self.patch(publisher._schedule, "ask", ask)
        with self.assertRaises(NotYet):
            await publisher.look_up(b"/a.html")
        self.assertGreater(len(asked), 5)
        self.assertLess(len(asked), 20)

    async def test_good_codings_come_later_and_only_they_have_other_etags(self) -> None:
        publisher = self.publisher(arena=1 << 20)
        text = b"".join(b"%d bottles of beer on the wall, " % n for n in range(9000))
        for number in range(2):
            self.write(f"{number}.html", text + b"%d" % number)
        puts: list[tuple[bytes, ...]] = []
        put = self.table.put

        def note(resource: Resource, spill: Callable[[Representation], None]) -> bool:
            if resource.path == b"/1.html":
                puts.append(tuple(one.etag for one in resource.representations))
            return put(resource, spill)

        self.patch(self.table, "put", note)
        await publisher.publish()
        while publisher.progress.provisional or len(puts) < 2:
            await deferLater(self.reactor, 0.01)
        (identity, gzip, quick, quick_zstd), (same_identity, same_gzip, well, well_zstd) = puts
        self.assertEqual((identity, gzip), (same_identity, same_gzip))
        self.assertNotEqual(quick, well)
        self.assertNotEqual(quick_zstd, well_zstd)
        body = self.reader.find(b"/1.html", 2)
        assert body is not None and body.body is not None
        self.assertEqual(body.etag, well)
        self.assertEqual(bytes(body.body), encode(text + b"1", Coding.BR, 11))


class RecordingTable(LocalTable):
    """A table that keeps what happens to it, and takes its time."""

    def __init__(self, writer: Writer, clock: SlowClock) -> None:
        super().__init__(writer)
        self.clock = clock
        self.events: list[tuple[str, bytes]] = []
        #: How many events there were at the end of each slice.
        self.slices: list[int] = clock.on_turn(lambda: len(self.events))

    def put(self, resource: Resource, spill: Callable[[Representation], None]) -> bool:
        self.clock.now += 1 / 1024
        self.events.append(("put", resource.path))
        return super().put(resource, spill)

    def remove(self, path: bytes) -> bool:
        self.clock.now += 1 / 1024
        self.events.append(("remove", path))
        return super().remove(path)


class SlowClock:
    """Time passes only where the table says so; turns are those of the real reactor."""

    def __init__(self, reactor: Any) -> None:
        self.now = 0.0
        self._reactor = reactor
        self._marks: list[tuple[Callable[[], int], list[int]]] = []

    def on_turn(self, measure: Callable[[], int]) -> list[int]:
        """What *measure* gave after each slice of work."""
        results: list[int] = []
        self._marks.append((measure, results))
        return results

    def seconds(self) -> float:
        return self.now

    def callLater(self, delay: float, work: Callable[[], None]) -> Any:
        def turn() -> None:
            work()
            for measure, results in self._marks:
                results.append(measure())

        return self._reactor.callLater(delay, turn)


class DeployTests(PublisherTestCase):
    """How a deploy reaches the table."""

    async def test_assets_go_first_then_pages_then_removals_and_never_long_at_a_time(self) -> None:
        clock = SlowClock(self.reactor)
        publisher = self.publisher(slices=Slices(clock), table=lambda writer: RecordingTable(writer, clock))
        table = self.table
        assert isinstance(table, RecordingTable)
        for number in range(12):
            self.write(f"old{number:02}.html", b"old")
        await publisher.publish()
        table.events.clear()
        table.slices.clear()
        for number in range(12):
            (self.root / f"old{number:02}.html").unlink()
            self.write(f"page{number:02}.html", b"<img>")
            self.write(f"image{number:02}.png", b"\x89PNG")
            self.write(f"style{number:02}.css", b"a{}")
            self.write(f"script{number:02}.js", b"1")
        await publisher.publish()
        kinds = [
            "removal" if what == "remove" else path.rpartition(b".")[2].decode()
            for what, path in table.events
        ]
        self.assertEqual(list(dict.fromkeys(kinds)), ["png", "css", "js", "html", "removal"])
        self.assertEqual(len(kinds), len([kind for kind, _ in groupby(kinds)]) * 12)
        ends = [0, *table.slices]
        self.assertLessEqual(max(end - begin for begin, end in pairwise(ends)), 6)

    async def test_everything_brings_back_what_was_purged_and_only_that(self) -> None:
        publisher = self.publisher()
        self.write("a", b"1")
        self.write("b", b"2")
        await publisher.publish()
        await publisher.purge([b"/b"])
        result = await publisher.publish(everything=True)
        self.assertEqual((result.puts, result.unchanged), (1, 1))

    async def test_every_directory_is_told_before_it_is_listed(self) -> None:
        publisher = self.publisher()
        (self.root / "sub").mkdir()
        self.write("sub/a", b"1")
        told: list[str] = []
        await publisher.publish(on_directory=told.append)
        self.assertEqual(told, [str(self.root.resolve()), str(self.root.resolve() / "sub")])

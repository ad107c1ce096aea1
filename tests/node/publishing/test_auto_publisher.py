"""Publishing when files change, when told, and from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import TestCase

from edge.errors import PublishError
from edge.node.bodies.store import BodyStore
from edge.node.process.slices import Slices
from edge.node.publishing.auto_publisher import AutoPublisher
from edge.node.publishing.publisher import Publisher
from edge.node.publishing.table import LocalTable
from edge.publish import jobs, schedule
from edge.publish.problems import Kind
from edge.publish.settings import PublishSettings
from edge.publish.store import Store
from edge.publish.walk import open_file
from edge.resource import Resource
from edge.table.segment import Segment
from edge.table.writer import Writer


class AwaitedTable(LocalTable):
    """A table for whose next change of a path one can wait."""

    def __init__(self, writer: Writer) -> None:
        super().__init__(writer)
        self._waiting: dict[bytes, Deferred[None]] = {}
        #: What is called whenever a step has ended.
        self.ended: Callable[[], object] = lambda: None

    def end_step(self) -> None:
        super().end_step()
        self.ended()

    def change_of(self, path: bytes) -> Deferred[None]:
        return self._waiting.setdefault(path, Deferred())

    def put(self, resource: Resource, spill: Any) -> bool:
        fits = super().put(resource, spill)
        self._tell(resource.path)
        return fits

    def remove(self, path: bytes) -> bool:
        removed = super().remove(path)
        self._tell(path)
        return removed

    def _tell(self, path: bytes) -> None:
        waiting = self._waiting.pop(path, None)
        if waiting is not None:
            waiting.callback(None)


class AutoPublisherTests(TestCase):
    """With a real inotify, and events of the table instead of pauses."""

    timeout = 20

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.base = Path(self.mktemp())
        self.root = self.base / "site"
        self.root.mkdir(parents=True)
        self.store = Store(str(self.base / "cache"), lambda problem: None)
        self.addCleanup(self.store.close)
        segment = Segment.create(capacity=64, arena_bytes=1 << 16, workers=1)
        self.addCleanup(segment.close)
        self.table = AwaitedTable(Writer(segment))
        self.publisher = Publisher(
            PublishSettings(root=str(self.root)),
            self.store,
            BodyStore(self.store.blobs),
            self.table,
            Slices(self.reactor),
            self.reactor,
        )
        self.addCleanup(self.publisher.stop)

    def auto(self, watch: bool = True) -> AutoPublisher:
        made = AutoPublisher(self.publisher, watch, self.reactor)
        self.addCleanup(made.stop)
        return made

    def write(self, path: Path, body: bytes = b"x") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = self.base / "new"
        new.write_bytes(body)
        os.replace(new, path)

    def paths(self) -> set[bytes]:
        return set(self.publisher.site)

    async def test_a_new_file_in_a_new_directory_is_published_and_a_deleted_one_goes(self) -> None:
        auto = self.auto()
        await auto.publish()
        came = self.table.change_of(b"/sub/a")
        self.write(self.root / "sub" / "a")
        await came
        gone = self.table.change_of(b"/sub/a")
        (self.root / "sub" / "a").unlink()
        await gone
        # Until the publish is through, nothing may be stopped.
        await self.publisher.purge([])

    async def test_no_state_of_the_site_has_files_of_two_deploys_though_one_comes_while_the_other_is_read(
        self,
    ) -> None:
        def deploy(body: bytes) -> None:
            for name in ("a.js", "b.js"):
                self.write(self.root / name, body)

        def open_late(name: str, flags: int, directory: int) -> int:
            """Of the second deploy; when its second file is opened, there is a third one."""
            if name == "b.js" and (self.root / name).read_bytes() == b"two":
                deploy(b"three")
            return open_file(name, flags, directory)

        def in_thread(work: Callable[[], object]) -> Deferred[object]:
            done: Deferred[object] = Deferred()
            self.reactor.callFromThread(lambda: maybeDeferred(work).chainDeferred(done))
            return done

        async def in_slices(steps: Iterable[object]) -> None:
            """In the turn in which files were read: the reactor looks at events behind that."""
            for _ in steps:
                pass

        def state() -> None:
            bodies = (self.publisher.site.files[name].resources[0] for name in ("a.js", "b.js"))
            states.append(tuple(one.representations[0].body for one in bodies))
            if states[-1] == (b"three", b"three"):
                through.callback(None)

        states: list[tuple[bytes | None, ...]] = []
        through: Deferred[None] = Deferred()
        deploy(b"one")
        await self.auto().publish()
        self.patch(jobs, "open_file", open_late)
        self.patch(self.publisher._jobs.quick, "run", in_thread)
        self.patch(self.publisher._slices, "run", in_slices)
        self.table.ended = state
        deploy(b"two")
        await through
        self.assertEqual(states, [(b"three", b"three")])
        await self.publisher.purge([])

    async def test_from_another_directory_which_is_watched_from_then_on(self) -> None:
        auto = self.auto()
        self.write(self.root / "a")
        await auto.publish()
        self.write(self.base / "elsewhere" / "b")
        result = await auto.publish(str(self.base / "elsewhere"))
        self.assertEqual((result.puts, result.removes), (1, 1))
        self.assertEqual(self.paths(), {b"/b"})
        came = self.table.change_of(b"/c")
        self.write(self.base / "elsewhere" / "c")
        await came
        await self.publisher.purge([])

    async def test_a_directory_that_is_missing_changes_neither_site_nor_watch(self) -> None:
        auto = self.auto()
        self.write(self.root / "a")
        await auto.publish()
        with self.assertRaises(PublishError):
            await auto.publish(str(self.base / "missing"))
        self.assertEqual(self.publisher.settings.root, str(self.root))
        came = self.table.change_of(b"/b")
        self.write(self.root / "b")
        await came
        await self.publisher.purge([])

    async def test_other_settings_are_published_by_and_the_site_moves_only_if_it_is_to(self) -> None:
        auto = self.auto(watch=False)
        self.write(self.root / "a")
        self.write(self.base / "elsewhere" / "b")
        await auto.publish()
        settings = replace(self.publisher.settings, root=str(self.base / "elsewhere"), body_limit=5)
        await auto.publish_by(settings, moves=False)
        self.assertEqual((self.paths(), self.publisher.settings.body_limit), ({b"/a"}, 5))
        await auto.publish_by(settings, moves=True)
        self.assertEqual(self.paths(), {b"/b"})

    async def test_what_goes_wrong_without_anybody_waiting_is_logged_and_the_site_stays(self) -> None:
        auto = self.auto(watch=False)
        self.write(self.root / "a")
        await auto.publish()
        missing = replace(self.publisher.settings, root=str(self.base / "missing"))
        await auto.publish_by(missing, moves=True)
        self.assertEqual(self.paths(), {b"/a"})

    async def test_a_file_that_is_being_written_is_published_when_it_is_whole(self) -> None:
        """Also where nothing watches."""
        auto = self.auto(watch=False)
        self.patch(schedule, "LOOK_AGAIN", 0.01)
        self.patch(schedule, "_LATER", {Kind.WRITING: 0.01})
        came = self.table.change_of(b"/a")
        with (self.root / "a").open("wb", buffering=0) as file:
            file.write(b"half")
            await auto.publish()
            self.assertEqual(self.paths(), set())
            file.write(b" and half")
        await came
        await self.publisher.purge([])
        (representation,) = self.publisher.site[b"/a"].representations
        self.assertEqual(representation.body, b"half and half")

"""The schedule, with a webroot, threads and a table that are simulated: any order of what can happen."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from edge.node.publishing.purges import Purges
from edge.publish import schedule as module
from edge.publish.batches import REMOVAL_PATIENCE, Batch
from edge.publish.building import build
from edge.publish.catalogue import PublishedFile
from edge.publish.groups import groups_of
from edge.publish.lanes import Lane
from edge.publish.making import Made
from edge.publish.problems import Kind, Problem
from edge.publish.schedule import Job, Known, Look, Looked, Make, Schedule
from edge.publish.site import Site
from edge.publish.store import Coded
from edge.publish.types import content_type, media_type
from edge.publish.walk import Folder, Listing, Place, SourceFile
from edge.resource import Coding

ROOT = Place("", b"/", "/site", (), 0)
FOLDERS = ("", "d", "d/e")
#: Those that are listed while they have no index file.
LISTED = ("d", "d/e")
#: Runs; more with the environment variable.
EXAMPLES = int(os.environ.get("SCHEDULE_EXAMPLES", "150"))
NAMES = ("index.html", "c.png", "v.mp4")


class World:
    """A webroot in memory: what is on disk, what a listing and a reading find at one moment."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        #: Their inodes.
        self.folders = {"": 0}
        self.written: dict[str, int] = {}
        #: Of each file, all contents that it ever had.
        self.history: dict[str, set[bytes]] = {}
        #: Names of files that somebody writes.
        self.open: set[str] = set()
        self.clock = 0

    def write(self, name: str, body: bytes) -> str:
        """Write a file; the location in which that is an event."""
        self.clock += 1
        folder = name.rpartition("/")[0]
        parent = ""
        for part in folder.split("/") if folder else ():
            parent = f"{parent}/{part}" if parent else part
            self.folders.setdefault(parent, self.clock)
        self.files[name] = body
        self.written[name] = self.clock
        self.history.setdefault(name, set()).add(body)
        return _location(folder)

    def delete(self, name: str) -> str:
        self.files.pop(name, None)
        self.open.discard(name)
        return _location(name.rpartition("/")[0])

    def delete_folder(self, name: str) -> str:
        for one in [one for one in self.files if one.startswith(name + "/")]:
            self.delete(one)
        for one in [one for one in self.folders if one == name or one.startswith(name + "/")]:
            del self.folders[one]
        return _location(name.rpartition("/")[0])

    def list(self, place: Place) -> Looked:
        prefix = place.name + "/" if place.name else ""
        files = {}
        for name in sorted(self.files):
            folder, _, file = name.rpartition("/")
            if folder == place.name:
                files[file] = SourceFile(
                    name, b"/" + name.encode(), place.location, file, self._signature(name)
                )
        places = [
            Place(one, b"/" + one.encode() + b"/", _location(one), (), 0, (1, self.folders[one]))
            for one in sorted(self.folders)
            if one.startswith(prefix) and one and "/" not in one[len(prefix) :] and one != place.name
        ]
        listing = Listing(files, places if place.name in self.folders else [], frozenset(), [])
        page = listing_of(place.name, self.lists(place.name)) if self.is_listed(place.name) else None
        return Looked(place, listing, groups_of(Folder(place.name, files)), page=page)

    def is_listed(self, folder: str) -> bool:
        """Whether a folder is to have a page that lists it."""
        return folder in LISTED and folder in self.folders and f"{folder}/index.html" not in self.files

    def lists(self, folder: str) -> bytes:
        """What that page says."""
        names = [name for name in self.files if name.rpartition("/")[0] == folder]
        return b"listing of " + ",".join(sorted(names)).encode()

    def read(self, job: Make) -> Made:
        files: dict[str, PublishedFile | None] = {}
        problems: dict[str, Problem] = {}
        for group in job.groups:
            name = group.main.name
            body = self.files.get(name)
            if body is None:
                files[name] = None
                problems[name] = Problem(Kind.VANISHED, name, "is gone")
            elif name in self.open and name not in job.overdue:
                files[name] = None
                problems[name] = Problem(Kind.WRITING, name, "is being written")
            else:
                settled = group.main.signature == self._signature(name)
                files[name] = published(name, body, job.at_once is None, group.signatures(), settled)
        return Made(files, problems, {}, False)

    def _signature(self, name: str) -> tuple[int, int, int, int, int]:
        size = module.LARGE + 1 if name.endswith(".mp4") else len(self.files[name])
        return (1, hash(name) & 0xFFFF, size, self.written[name], self.written[name])


def _location(folder: str) -> str:
    return "/site/" + folder if folder else "/site"


def published(name: str, body: bytes, well: bool, signatures: Any, settled: bool = True) -> PublishedFile:
    """What a maker makes of it, with coded forms that differ when coded well."""
    bodies = {Coding.IDENTITY: Coded(sha256(body).digest(), len(body), body)}
    type_ = media_type(name.rpartition("/")[2])
    coded = type_.startswith("text/")
    if coded:
        data = (b"well " if well else b"quick ") + body
        bodies[Coding.BR] = Coded(sha256(data).digest(), len(data), data)
    resources = build(b"/" + name.encode(), content_type(type_, True), b"no-cache", 1, bodies, {})
    return PublishedFile(signatures, settled, resources, (), is_provisional=coded and not well)


def listing_of(folder: str, body: bytes) -> PublishedFile:
    """A listing of two pages."""
    resources = [
        resource
        for path in listing_paths(folder)
        for resource in build(
            path, b"text/html", b"x", 1, {Coding.IDENTITY: Coded(sha256(body).digest(), len(body), body)}, {}
        )
    ]
    return PublishedFile((), True, tuple(resources), ())


def listing_paths(folder: str) -> list[bytes]:
    return [f"/{folder}/{name}".encode() for name in ("", ".newest")]


def paths_of(name: str) -> list[bytes]:
    path = b"/" + name.encode()
    return [path, path[: -len(b"index.html")]] if name.endswith("index.html") else [path]


class Node:
    """A schedule, and what surrounds it in a node: jobs that run, purges, a table."""

    def __init__(self) -> None:
        self.world = World()
        self.site = Site()
        self.schedule = Schedule(self.site)
        self.purges = Purges()
        self.now = 1000.0
        self.running: list[tuple[Job, Any]] = []
        self.table: dict[bytes, bytes] = {}
        self.events: list[str] = []
        self.done: list[Batch] = []

    def take(self, slow: bool) -> Job | None:
        job = self.schedule.take_slow(self.now) if slow else self.schedule.take_quick(self.now)
        if job is not None:
            self.running.append((job, None))
        return job

    def run(self, number: int) -> None:
        """A job that was taken comes to the disk."""
        job, result = self.running[number]
        if result is None:
            if isinstance(job, Look):
                result = [self.world.list(place) for place in job.places]
            else:
                result = self.world.read(job)
            self.running[number] = job, result

    def finish(self, number: int) -> None:
        """Its result comes back."""
        self.run(number)
        job, result = self.running.pop(number)
        if isinstance(job, Look):
            for _ in self.schedule.looked(job, result):
                pass
        else:
            self.schedule.made(job, result, self.now)

    def step(self) -> bool:
        """The table is brought up to date with one path."""
        path = self.schedule.next_step(self.now)
        self.done += self.schedule.finished()
        if path is None:
            return False
        resource = self.site.get(path)
        if resource is None:
            if self.schedule.signatures_of(path) is None:
                self.purges.discard(path)
            self.table.pop(path, None)
        elif self.purges.holds(path, resource, self.schedule.signatures_of(path)):
            self.table.pop(path, None)
        else:
            body = resource.representations[0].body
            assert body is not None
            self.table[path] = body
        return True

    def purge(self, path: bytes) -> None:
        signatures = self.schedule.signatures_of(path)
        if path in self.site or signatures is not None:
            self.purges.add(path, self.site.get(path), signatures)
            self.table.pop(path, None)

    def settle(self) -> None:
        """Everything that can happen by itself happens."""
        for _ in range(10_000):
            changed = bool(self.events)
            self.deliver()
            while self.take(False) or self.take(True):
                changed = True
            while self.running:
                changed = True
                self.finish(0)
            while self.step():
                changed = True
            if not changed:
                wake = self.schedule.wake_at()
                if wake is None:
                    return
                self.now = max(self.now, wake)
        raise AssertionError("it never comes to rest")

    def deliver(self) -> None:
        if self.events:
            self.schedule.change(self.events)
            self.events = []


class Anything(RuleBasedStateMachine):
    """Edits, removals, purges, asks and finishing jobs in any order."""

    files = st.builds(
        lambda folder, name: f"{folder}/{name}" if folder else name,
        st.sampled_from(FOLDERS),
        st.sampled_from(NAMES),
    )

    @initialize(names=st.sets(files, min_size=2))
    def begin(self, names: set[str]) -> None:
        self.node = Node()
        #: What was purged, and the contents that may not come back as long as no others have been there.
        self.purged: dict[bytes, bytes] = {}
        for name in sorted(names):
            self.node.world.write(name, b"first")
        #: Files that have been there from the beginning.
        self.untouched = set(names)
        self.node.schedule.begin(ROOT, is_start=True)

    @rule(name=files, body=st.sampled_from((b"one", b"two")))
    def write(self, name: str, body: bytes) -> None:
        self.untouched.discard(name)
        missing = name.rpartition("/")[0] not in self.node.world.folders
        self.node.events.append(self.node.world.write(name, body))
        if missing:
            self.node.events.append("/site")
        for path in paths_of(name):
            self.purged.pop(path, None)

    @rule(name=files)
    def delete(self, name: str) -> None:
        self.untouched.discard(name)
        self.node.events.append(self.node.world.delete(name))
        for path in paths_of(name):
            self.purged.pop(path, None)

    @rule(name=st.sampled_from(("d", "d/e")))
    def delete_folder(self, name: str) -> None:
        self.untouched = {one for one in self.untouched if not one.startswith(name + "/")}
        self.node.events.append(self.node.world.delete_folder(name))
        for path in [path for path in self.purged if path.startswith(b"/" + name.encode() + b"/")]:
            del self.purged[path]

    @rule(name=files)
    def open_for_writing(self, name: str) -> None:
        if name in self.node.world.files:
            self.node.world.open.add(name)

    @rule()
    def close(self) -> None:
        self.node.world.open.clear()

    @rule()
    def notice(self) -> None:
        self.node.deliver()

    @rule()
    def look_at_everything(self) -> None:
        self.node.schedule.begin(ROOT)

    @rule(name=files)
    def renew(self, name: str) -> None:
        self.node.schedule.renew([name])

    @rule(
        what=st.lists(st.sampled_from(("quick", "quick", "slow", "run", "first", "last", "step")), min_size=3)
    )
    def work(self, what: list[str]) -> None:
        """Jobs are taken, come to the disk and come back, in some order."""
        node = self.node
        for one in what:
            if one in ("quick", "slow"):
                node.take(one == "slow")
            elif one == "step":
                node.step()
            elif node.running:
                node.run(-1) if one == "run" else node.finish(0 if one == "first" else -1)

    @rule()
    def work_to_the_end(self) -> None:
        """All that can be done now; what is running stays."""
        node = self.node
        node.deliver()
        running = list(node.running)
        while node.take(False) or node.take(True):
            while len(node.running) > len(running):
                node.finish(-1)
        while node.step():
            pass

    @rule(name=files, bodies=st.permutations((b"one", b"two")), purges=st.booleans())
    def overtake(self, name: str, bodies: list[bytes], purges: bool) -> None:
        """While a file is being made it changes, and that is through first; or it is purged."""
        self.write(name, bodies[0])
        self.node.deliver()
        slow = name.endswith(".mp4")
        while (job := self.node.take(False)) is not None:
            if isinstance(job, Look):
                self.node.finish(-1)
            else:
                self.node.run(-1)
        if slow and self.node.take(True) is not None:
            self.node.run(-1)
        if purges:
            self.purge(name)
        else:
            self.write(name, bodies[1])
            self.work_to_the_end()

    @precondition(lambda self: self.node.running)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        job, _ = self.node.running.pop(data.draw(st.integers(0, len(self.node.running) - 1)))
        self.node.schedule.failed(job, 1.0, self.node.now)

    @rule(seconds=st.sampled_from((0.1, 1.0, 40.0)))
    def wait(self, seconds: float) -> None:
        self.node.now += seconds

    @rule(name=files)
    def purge(self, name: str) -> None:
        body = self.node.world.files.get(name)
        for path in paths_of(name):
            self.node.purge(path)
            if body is not None and path in self.node.purges and not self.node.events:
                self.purged[path] = body

    @rule(name=files)
    def ask(self, name: str) -> None:
        path = b"/" + name.encode()
        known = self.node.schedule.ask(path)
        if known is Known.YES and name in self.untouched:
            assert path in self.node.site, "it has been there all the time"

    @invariant()
    def no_byte_is_served_that_the_file_never_had(self) -> None:
        for path, body in self.node.table.items():
            if body.startswith(b"listing of"):
                continue
            name = path.decode()[1:]
            if name == "" or name.endswith("/"):
                name += "index.html"
            assert body in self.node.world.history[name], (path, body)

    @invariant()
    def figures_are_not_negative(self) -> None:
        schedule = self.node.schedule
        assert schedule.unread >= 0 and schedule.unread_bytes >= 0 and schedule.provisional >= 0

    def teardown(self) -> None:
        if not hasattr(self, "node"):
            return
        node = self.node
        node.world.open.clear()
        node.settle()
        expected = {path: body for name, body in node.world.files.items() for path in paths_of(name)}
        for folder in filter(node.world.is_listed, LISTED):
            expected.update(dict.fromkeys(listing_paths(folder), node.world.lists(folder)))
        for path in list(expected):
            if path in node.purges:
                del expected[path]
        assert node.table == expected, (node.table, expected)
        for path, body in self.purged.items():
            assert node.table.get(path) != body or path not in node.purges
        assert node.schedule.is_complete and node.schedule.is_served
        assert (node.schedule.unread, node.schedule.provisional) == (0, 0)
        assert not node.schedule._batches, node.schedule._batches
        for resource in node.site.values():
            for one in resource.representations:
                assert one.body is None or not one.body.startswith(b"quick"), "it was never coded well"


class AnyOrderTests(SynchronousTestCase):
    """The newest state counts, nothing purged comes back, nothing is left undone."""

    def test_whatever_happens_in_whatever_order_ends_with_the_site_as_it_is(self) -> None:
        run_state_machine_as_test(
            Anything, settings=settings(max_examples=EXAMPLES, stateful_step_count=60, deadline=None)
        )


class OrderTests(SynchronousTestCase):
    """What goes before what."""

    def setUp(self) -> None:
        self.node = Node()
        self.node.world.write("index.html", b"1")
        self.node.schedule.begin(ROOT, is_start=True)
        self.node.settle()

    def change(self, *names: str, body: bytes = b"2") -> None:
        """Files are written, and that is noticed and listed."""
        self.node.events += [self.node.world.write(name, body) for name in names]
        self.look()

    def look(self) -> None:
        self.node.deliver()
        while self.node.schedule._looks:  # in new directories, too
            self.assertIsInstance(self.node.take(False), Look)
            self.node.finish(-1)

    def make(self, slow: bool = False) -> list[str]:
        """The names of the next job, which is done."""
        job = self.node.take(slow)
        assert isinstance(job, Make), job
        names = [group.main.name for group in job.groups]
        self.node.finish(-1)
        return names

    def steps(self) -> list[bytes]:
        """The paths that are brought up to date now."""
        steps = []
        while (path := self.node.schedule.next_step(self.node.now)) is not None:
            steps.append(path)
        return steps

    def test_pages_come_after_what_they_refer_to_and_removals_last(self) -> None:
        self.change("old.html")
        self.node.settle()
        self.patch(module, "JOB_FILES", 1)
        self.node.world.delete("old.html")
        self.change("a.html", "b.css", "c.png", "d.js")
        seen = []
        for _ in range(4):
            seen += self.make()
            seen += [path.decode() for path in self.steps()]
        self.assertEqual(
            seen, ["c.png", "/c.png", "b.css", "/b.css", "d.js", "/d.js", "a.html", "/a.html", "/old.html"]
        )

    def test_a_removal_waits_for_no_large_file_and_not_long_for_small_ones(self) -> None:
        self.change("old.html", "older.html")
        self.node.settle()
        self.node.world.delete("old.html")
        self.change("v.mp4")
        self.assertEqual(self.steps(), [b"/old.html"])
        self.node.world.delete("older.html")
        self.change("c.png")
        self.assertEqual(self.steps(), [])
        self.node.now += REMOVAL_PATIENCE
        self.assertEqual(self.steps(), [b"/older.html"])

    def test_a_directory_that_cannot_be_listed_is_a_problem_until_it_can(self) -> None:
        self.change("d/a.html")
        self.node.settle()
        self.node.schedule.begin(ROOT)
        job = self.node.take(False)
        assert job is not None
        self.node.running.clear()
        self.node.schedule.failed(job, 10.0, self.node.now, "too many open files")
        (problem,) = self.node.schedule.problems["/"]
        self.assertIs(problem.kind, Kind.UNREADABLE)
        self.assertIn("too many open files", problem.text)
        self.assertEqual(self.node.schedule.over(), set())
        self.node.settle()
        self.assertEqual(self.node.schedule.problems, {})
        self.assertEqual(self.node.schedule.over(), {problem})

    def test_a_site_that_has_as_many_files_as_it_may_goes_on_changing(self) -> None:
        self.node.schedule._limit = len(self.node.world.files) + 1
        self.change("z.html")
        self.node.settle()
        self.change("a.html")  # one too many, and before the other
        self.change("z.html", body=b"new")
        self.node.settle()
        self.assertEqual(self.node.table[b"/z.html"], b"new")
        self.assertNotIn(b"/a.html", self.node.table)
        self.assertEqual([one.kind for one in self.node.schedule.problems["/"]], [Kind.TOO_MANY])
        self.node.world.delete("z.html")
        self.node.world.write("a.html", b"in its place")
        self.look()

    def test_small_changes_go_before_large_deploys_and_what_is_asked_for_before_both(self) -> None:
        self.patch(module, "FEW_FILES", 3)
        self.patch(module, "JOB_FILES", 2)
        self.change(*[f"d/{number}.png" for number in range(6)])
        self.change("e/edit.html")
        self.assertIs(self.node.schedule.ask(b"/d/5.png"), Known.SOON)
        self.assertEqual(self.make(), ["d/5.png"])
        self.assertEqual(self.make(), ["e/edit.html"])
        self.assertEqual(len(self.make()), 2)

    def test_a_directory_that_is_asked_for_is_listed_next(self) -> None:
        node = Node()
        for number in range(module.LOOK_PLACES * 2):
            node.world.write(f"{number:03}/a.html", b"1")
        node.schedule.begin(ROOT, is_start=True)
        node.take(False)
        node.finish(-1)
        self.assertIs(node.schedule.ask(b"/127/a.html"), Known.SOON)
        job = node.take(False)
        assert isinstance(job, Look)
        self.assertEqual(job.places[0].name, "127")
        self.assertIs(node.schedule.ask(b"/none/a.html"), Known.YES)
        self.assertIs(Node().schedule.ask(b"/a.html"), Known.LATER)

    def test_a_start_reads_what_is_small_and_near_the_root_first(self) -> None:
        node = Node()
        sizes = {"d/e/a.html": 1, "d/a.html": 2, "b.html": 500, "a.html": 300}
        for name, size in sizes.items():
            node.world.write(name, b"x" * size)
        node.schedule.begin(ROOT, is_start=True)
        while isinstance(node.take(False), Look):
            node.finish(-1)
        job, _ = node.running[-1]
        assert isinstance(job, Make)
        self.assertEqual(
            [group.main.name for group in job.groups], ["a.html", "b.html", "d/a.html", "d/e/a.html"]
        )
        self.assertEqual((job.lane, job.at_once), (Lane.BULK, 0))

    def test_a_large_file_is_a_job_of_its_own_that_ends_when_it_changes(self) -> None:
        self.change("v.mp4", "d/v.mp4")
        job = self.node.take(True)
        assert isinstance(job, Make)
        self.assertEqual((job.lane, len(job.groups)), (Lane.LARGE, 1))
        self.assertIs(self.node.schedule.ask(b"/v.mp4"), Known.LATER)
        self.change(job.groups[0].main.name, body=b"3")
        self.assertTrue(job.is_cancelled)

    def test_codings_are_made_well_when_nothing_else_waits(self) -> None:
        self.change("a.html")
        self.make()
        self.change("b.html")
        self.assertIsNone(self.node.take(True))
        self.make()
        self.assertEqual(self.make(slow=True), ["a.html", "b.html"])
        self.assertIsNone(self.node.take(True))

    def test_a_result_that_cannot_be_taken_holds_up_no_other_file(self) -> None:
        self.change("v.mp4", "d/v.mp4")
        job = self.node.take(True)
        assert isinstance(job, Make)
        broken = Made({}, {}, {}, False)
        self.assertRaises(KeyError, self.node.schedule.made, job, broken, self.node.now)
        self.node.schedule.failed(job, 10.0, self.node.now)
        self.node.running.clear()
        self.assertEqual(len(self.make(slow=True)), 1)
        self.node.settle()
        self.assertEqual({b"/v.mp4", b"/d/v.mp4"} - self.node.table.keys(), set())

    def test_however_often_all_is_looked_at_while_a_large_file_is_read_all_are_done_with_it(self) -> None:
        """Events of very many directories ask for that twice a second, and a slow disk takes minutes."""
        self.change("v.mp4")
        job = self.node.take(True)
        assert isinstance(job, Make)
        batches = []
        for _ in range(1500):
            batches.append(self.node.schedule.begin(ROOT))
            self.look()
        self.assertEqual([one for one in batches if one.is_done], [])
        self.assertLess(sum(len(one.after) for one in batches), 4 * len(batches))
        self.node.finish(-1)
        self.node.settle()
        self.assertTrue(all(one.is_done for one in batches))

    def test_a_batch_is_done_when_all_it_brought_is_and_large_files_too(self) -> None:
        batch = self.node.schedule.begin(ROOT)
        self.node.world.write("v.mp4", b"2")
        self.look()
        self.assertEqual((self.steps(), self.node.schedule.finished()), ([], []))
        self.make(slow=True)
        self.assertEqual(self.steps(), [b"/v.mp4"])
        self.assertEqual(self.node.schedule.finished(), [batch])

    def test_a_file_that_is_being_written_is_looked_at_again_and_at_last_read_as_it_is(self) -> None:
        self.node.world.open.add("log.txt")
        self.change("log.txt")
        began = self.node.now
        while b"/log.txt" not in self.node.table:
            while self.node.take(False) is not None:
                self.node.finish(-1)
            while self.node.step():
                pass
            self.assertIs(
                self.node.schedule.ask(b"/log.txt"),
                Known.YES if b"/log.txt" in self.node.table else Known.LATER,
            )
            self.node.now = max(self.node.schedule.wake_at() or 0.0, self.node.now)
        self.assertGreaterEqual(self.node.now - began, module.LONGEST_WAIT)

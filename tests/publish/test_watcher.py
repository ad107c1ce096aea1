from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import inotify_simple
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from edge.publish import watcher as module
from edge.publish.problems import Kind, Problem
from edge.publish.walk import Tree
from edge.publish.watcher import Debounce, Event, Watcher

F = inotify_simple.flags


class Happened(NamedTuple):
    """An event, as the kernel would tell it."""

    wd: int
    mask: int
    name: str = ""


class Kernel:
    """Stands for inotify: numbers watches, and tells what it is given."""

    def __init__(self) -> None:
        self.watches: dict[str, int] = {}
        self.events: deque[Event] = deque()
        self.closed = False
        self.error: OSError | None = None

    def fileno(self) -> int:
        return 99

    def add_watch(self, path: str, mask: int) -> int:
        if self.error is not None:
            raise self.error
        return self.watches.setdefault(path, len(self.watches) + 1)

    def read(self, timeout: int) -> list[Event]:
        told = list(self.events)
        self.events.clear()
        return told

    def close(self) -> None:
        self.closed = True


class ReaderClock(Clock):
    """A clock that knows readers too."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[IReadDescriptor] = []

    def addReader(self, reader: IReadDescriptor) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: IReadDescriptor) -> None:
        self.readers.remove(reader)

    def callFromThread(self, callable: Callable[..., object], *args: object) -> None:
        callable(*args)


class WatcherTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = os.path.realpath(self.mktemp())
        os.makedirs(self.root)
        self.clock = ReaderClock()
        self.kernel = Kernel()
        self.calls: list[float] = []
        self.where: list[frozenset[str] | None] = []
        self.problems: list[Problem] = []
        self.watcher = self.make(self.root)

    def make(self, root: str) -> Watcher:
        return Watcher(
            self.clock,
            root,
            self.changed,
            self.problems.append,
            source=lambda: self.kernel,
        )

    def changed(self, where: frozenset[str] | None) -> None:
        """Something has changed there."""
        self.calls.append(round(self.clock.seconds(), 3))
        self.where.append(where)

    def begin(self) -> None:
        """Start, and watch the root as a scan does."""
        self.watcher.start()
        self.watcher.watch(self.root)

    def happen(self, directory: str, mask: int, name: str = "") -> None:
        """One event, which makes the descriptor readable."""
        self.kernel.events.append(Happened(self.kernel.watches[directory], mask, name))
        for reader in list(self.clock.readers):
            reader.doRead()


class Reporting(WatcherTestCase):
    def test_a_change_is_reported_when_things_are_quiet(self) -> None:
        self.begin()
        self.happen(self.root, F.CLOSE_WRITE, "a.html")
        self.clock.pump([0.1] * 10)
        self.assertEqual(self.calls, [0.2])

    def test_the_directories_are_told_in_which_something_has_changed(self) -> None:
        self.begin()
        inside = os.path.join(self.root, "d")
        self.watcher.watch(inside)
        for directory, mask in ((self.root, F.CLOSE_WRITE), (inside, F.MOVED_TO), (inside, F.DELETE)):
            self.happen(directory, mask, "a.html")
        self.clock.pump([0.1] * 10)
        self.happen(inside, F.CLOSE_WRITE, "a.html")
        self.clock.pump([0.1] * 10)
        self.assertEqual(self.where, [{self.root, inside}, {inside}])

    def test_after_too_many_or_lost_events_everything_is_looked_at(self) -> None:
        self.begin()
        self.patch(module, "MANY", 1)
        self.watcher.watch(os.path.join(self.root, "d"))
        for directory in self.kernel.watches:
            if directory.startswith(self.root):
                self.happen(directory, F.CLOSE_WRITE, "a.html")
        self.clock.pump([0.1] * 10)
        self.happen(self.root, F.Q_OVERFLOW)
        self.happen(self.root, F.CLOSE_WRITE, "a.html")
        self.clock.pump([0.1] * 10)
        self.assertEqual(self.where, [None, None])

    def test_changes_close_together_are_one(self) -> None:
        self.begin()
        for _ in range(3):
            self.happen(self.root, F.CLOSE_WRITE, "a.html")
            self.clock.advance(0.125)
        self.clock.advance(1)
        self.assertEqual(len(self.calls), 1)

    def test_it_is_not_quiet_as_long_as_the_kernel_has_something_to_tell(self) -> None:
        self.begin()
        self.kernel.events.append(Happened(self.kernel.watches[self.root], F.MOVED_TO, "a.html"))
        self.assertFalse(self.watcher.is_quiet)
        self.clock.advance(0.2)
        self.assertEqual((self.calls, self.watcher.is_quiet), ([0.2], True))

    def test_a_slow_copy_is_told_while_it_goes_on_and_quiet_when_it_is_over(self) -> None:
        self.begin()
        for _ in range(30):
            self.happen(self.root, F.CLOSE_WRITE, "a.html")
            self.clock.pump([0.05, 0.05, 0.05])
            self.assertFalse(self.watcher.is_quiet, self.clock.seconds())
        self.assertGreater(len(self.calls), 5)
        self.clock.advance(0.06)
        self.assertTrue(self.watcher.is_quiet)

    def test_after_its_end_it_is_quiet(self) -> None:
        self.begin()
        self.happen(self.root, F.CLOSE_WRITE, "a.html")
        self.watcher.stop()
        self.clock.advance(0.2)
        self.assertTrue(self.watcher.is_quiet)

    def test_changes_that_never_end_are_reported_after_the_longest_wait(self) -> None:
        self.begin()
        for _ in range(8):
            self.happen(self.root, F.MODIFY, "a.html")
            self.clock.advance(0.125)
        self.assertEqual(self.calls, [0.5, 1.0])

    def test_hidden_names_do_not_matter_but_well_known_does(self) -> None:
        self.begin()
        self.happen(self.root, F.CREATE, ".a.html.swp")
        self.happen(self.root, F.CREATE | F.ISDIR, ".git")
        self.clock.advance(5)
        self.assertEqual(self.calls, [])
        self.happen(self.root, F.CREATE, ".well-known")
        self.clock.advance(5)
        self.assertEqual(len(self.calls), 1)

    def test_an_overflow_of_the_queue_is_a_change(self) -> None:
        self.begin()
        self.kernel.events.append(Happened(-1, F.Q_OVERFLOW))
        self.watcher.doRead()
        self.clock.advance(1)
        self.assertEqual(len(self.calls), 1)

    def test_events_of_unknown_watches_do_not_matter(self) -> None:
        self.begin()
        self.kernel.events.append(Happened(77, F.CREATE, "a"))
        self.kernel.events.append(Happened(77, F.IGNORED))
        self.watcher.doRead()
        self.clock.advance(1)
        self.assertEqual(self.calls, [])

    def test_a_directory_that_goes_away_is_a_change(self) -> None:
        self.begin()
        self.happen(self.root, F.IGNORED)
        self.clock.advance(1)
        self.assertEqual(len(self.calls), 1)
        self.happen(self.root, F.CREATE, "a")  # its watch is gone
        self.clock.advance(1)
        self.assertEqual(len(self.calls), 1)

    def test_nothing_is_reported_after_the_end(self) -> None:
        self.begin()
        self.happen(self.root, F.CREATE, "a")
        self.watcher.stop()
        self.clock.advance(5)
        self.assertEqual((self.calls, self.clock.readers, self.kernel.closed), ([], [], True))
        self.assertEqual(self.watcher.fileno(), -1)
        self.watcher.watch(self.root)
        self.watcher.stop()

    def test_a_lost_descriptor_ends_it(self) -> None:
        self.begin()
        self.watcher.connectionLost(None)  # type: ignore[arg-type]
        self.assertTrue(self.kernel.closed)
        self.assertEqual(self.watcher.logPrefix(), "webroot")


class Watching(WatcherTestCase):
    def test_new_directories_are_watched_with_all_inside_of_them(self) -> None:
        self.begin()
        for name in ("new/deep", "new/.git", "new/.well-known"):
            os.makedirs(os.path.join(self.root, name))
        self.happen(self.root, F.CREATE | F.ISDIR, "new")
        below = {path[len(self.root) :] for path in self.kernel.watches if path.startswith(self.root)}
        self.assertEqual(below, {"", "/new", "/new/deep", "/new/.well-known"})
        self.clock.advance(1)
        self.happen(os.path.join(self.root, "new/deep"), F.CREATE, "a.html")
        self.clock.advance(1)
        self.assertEqual(len(self.calls), 2)

    def test_a_new_directory_that_is_gone_again_does_no_harm(self) -> None:
        self.begin()
        self.happen(self.root, F.MOVED_TO | F.ISDIR, "new")
        self.clock.advance(1)
        self.assertEqual(len(self.calls), 1)

    def test_exchanging_the_root_is_a_change_and_its_neighbours_are_not(self) -> None:
        self.begin()
        above, name = os.path.split(self.root)
        self.happen(above, F.CREATE, "other")
        self.clock.advance(1)
        self.assertEqual(self.calls, [])
        self.happen(above, F.MOVED_TO | F.ISDIR, name)
        self.clock.advance(1)
        self.assertEqual(len(self.calls), 1)

    def test_links_on_the_way_to_the_root_are_watched(self) -> None:
        os.makedirs(self.root + "/releases/1/public")
        os.symlink("releases/1", self.root + "/current")
        self.watcher = self.make(self.root + "/current/public")
        self.watcher.start()
        self.assertEqual(set(self.kernel.watches), {self.root, self.root + "/current"})
        self.happen(self.root, F.MOVED_TO, "current")
        self.happen(self.root, F.CREATE, "else")
        self.clock.advance(1)
        self.assertEqual(len(self.calls), 1)

    def test_so_are_links_to_which_those_lead(self) -> None:
        for name in ("app", "releases/1", "releases/2"):
            os.makedirs(self.root + "/" + name)
        os.symlink("../releases/1", self.root + "/app/current")
        os.symlink("app/current", self.root + "/www")
        self.watcher = self.make(self.root + "/www")
        self.watcher.start()
        self.assertEqual(set(self.kernel.watches), {self.root, self.root + "/app"})
        self.happen(self.root + "/app", F.MOVED_TO, "current")
        self.clock.advance(1)
        self.assertEqual(self.where, [None])

    def test_a_hidden_link_matters_since_files_may_lead_through_it(self) -> None:
        """As those do that Kubernetes makes of a ConfigMap: ``index.html -> ..data/index.html``."""
        self.begin()
        os.symlink("..2024_11_27", self.root + "/..data")
        self.happen(self.root, F.MOVED_TO, "..data")
        self.clock.advance(1)
        self.assertEqual(self.where, [frozenset({self.root})])

    def test_the_way_is_watched_again_when_what_it_was_in_is_made_anew(self) -> None:
        self.begin()
        above, name = os.path.split(self.root)
        self.happen(above, F.IGNORED)
        del self.kernel.watches[above]
        self.watcher.watch(self.root)  # it is there again, and listed
        self.happen(above, F.MOVED_TO | F.ISDIR, name)
        self.clock.advance(1)
        self.assertEqual(self.where, [None])

    def test_a_tree_that_is_moved_in_does_not_hold_the_reactor_up(self) -> None:
        self.patch(module, "AT_ONCE", 3)
        self.begin()
        for number in range(10):
            os.makedirs(f"{self.root}/new/{number}")
        self.happen(self.root, F.MOVED_TO | F.ISDIR, "new")
        self.assertEqual(sum("/new" in path for path in self.kernel.watches), 3)
        self.clock.advance(1)
        self.assertEqual(self.where, [frozenset({self.root})])  # and listing watches the rest


class Limits(WatcherTestCase):
    def test_without_room_for_watches_it_says_so_once_and_looks_now_and_then(self) -> None:
        self.begin()
        self.kernel.error = OSError(28, "No space left on device")
        self.watcher.watch(self.root + "/a")
        self.watcher.watch(self.root + "/b")
        self.assertEqual([problem.kind for problem in self.problems], [Kind.WATCH])
        self.assertIn("max_user_watches", self.problems[0].text)
        self.assertTrue(self.watcher.is_polling)
        self.clock.pump([30, 0.2, 29.8, 0.2])
        self.assertEqual(self.calls, [30.2, 60.2])
        self.watcher.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_without_inotify_it_looks_now_and_then(self) -> None:
        for error in (OSError(24, "Too many open files"), AttributeError("inotify_init1")):

            def source(error: Exception = error) -> Kernel:
                raise error

            watcher = Watcher(
                self.clock, self.root, lambda: self.calls.append(0), self.problems.append, source=source
            )
            watcher.start()
            watcher.watch(self.root)
            self.assertTrue(watcher.is_polling)
            watcher.stop()
        self.assertEqual(len(self.problems), 2)

    def test_a_directory_that_vanished_before_it_could_be_watched_does_no_harm(self) -> None:
        self.begin()
        self.kernel.error = FileNotFoundError(2, "No such file or directory")
        self.watcher.watch(self.root + "/a")
        self.assertEqual(self.problems, [])


class OneAtATime(SynchronousTestCase):
    def test_changes_during_a_publish_wait_for_its_end(self) -> None:
        clock = Clock()
        running: list[Deferred[None]] = []

        def fire() -> Deferred[None]:
            running.append(Deferred())
            return running[-1]

        debounce = Debounce(clock, fire, 0.2, 2.0)
        debounce.touch()
        clock.advance(0.2)
        debounce.touch()
        clock.advance(10)
        self.assertEqual(len(running), 1)
        running[0].callback(None)
        clock.advance(0.2)
        self.assertEqual(len(running), 2)
        running[1].callback(None)
        clock.advance(10)
        self.assertEqual(len(running), 2)

    def test_a_publish_that_fails_is_logged_and_does_not_stop_the_next(self) -> None:
        clock = Clock()
        fired: list[int] = []

        def fire() -> None:
            fired.append(1)
            raise ValueError("no")

        debounce = Debounce(clock, fire, 0.2, 2.0)
        for _ in range(2):
            debounce.touch()
            clock.advance(1)
        self.assertEqual(len(fired), 2)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)


class RealInotify(TestCase):
    def test_files_directories_and_deletions_are_noticed(self) -> Deferred[None]:
        async def follow() -> None:
            base = os.path.realpath(tempfile.mkdtemp(dir=os.path.abspath(".")))
            root = os.path.join(base, "site")
            os.makedirs(os.path.join(root, "old"))
            self.waiting: Deferred[None] = Deferred()

            def changed(where: frozenset[str] | None) -> None:
                waiting, self.waiting = self.waiting, Deferred()
                waiting.callback(None)

            problems: list[Problem] = []
            watcher = Watcher(reactor, root, changed, problems.append, quiet=0.02, longest=0.2)  # type: ignore[arg-type]
            watcher.start()
            self.addCleanup(watcher.stop)
            with Tree(root) as tree:
                list(tree.walk(problems.append, watcher.watch))

            async def after(change: Callable[[], object]) -> None:
                waiting = self.waiting.addTimeout(30, reactor)
                change()
                await waiting

            def write(name: str) -> None:
                with open(os.path.join(root, name), "w") as file:
                    file.write("x")

            await after(lambda: write("a.html"))
            await after(lambda: os.makedirs(os.path.join(root, "new/deep")))
            await after(lambda: write("new/deep/b.html"))
            await after(lambda: os.rmdir(os.path.join(root, "old")))
            await after(lambda: os.rename(root, root + "2"))
            await after(lambda: os.rename(root + "2", root))
            await after(lambda: write("a.html"))
            self.assertEqual(problems, [])

        return Deferred.fromCoroutine(follow())

"""Publishers in a simulated cluster where clocks are off by a year, names are taken, old state is restored.

:func:`run` makes one cluster of a seed: its nodes publish sites, are killed between any two steps, split, set
to other dates, started twice, restored from backups.  In the end everything runs and is connected again, and
there has to be one table with everything that was published last; a :class:`Report` says what is missing.

What counts as published last, path by path: each deploy gives what it changes a new number, and a restored
backup gives back the old ones; of what the cluster had and what lies on the disk in the end, the higher
number counts.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random

from edge.gossip.changes import Record
from edge.gossip.differences import LIMIT_MS
from edge.gossip.publication import Publication
from simulation.world import EPOCH_MS, Node, World

YEAR_MS = 365 * 86_400_000
#: Seconds for which a node that starts waits for others, and those in which everything has to come right.
PATIENCE, SETTLING = 3.0, 90.0
#: Paths of each publisher; both publish the last one.
PATHS = {"n1": (b"/a", b"/b", b"/c", b"/shared"), "n2": (b"/m", b"/n", b"/shared")}
SHARED = b"/shared"


@dataclass
class File:
    """A file: the number of its content, and its date in Unix seconds."""

    number: int
    modified: int


@dataclass
class Report:
    """What one cluster came to."""

    seed: int
    #: What happened, for whoever repeats it.
    story: list[str] = field(default_factory=list)
    #: What is wrong in the end; empty: nothing.
    problems: list[str] = field(default_factory=list)


def records(number: int) -> tuple[Record, ...]:
    """The representation of the content *number*."""
    return (Record(0, sha256(b"%d" % number).digest(), 9, b"Content-Type: text/html\r\n", b""),)


class Publisher:
    """The publishing part of one process, as the node's publisher does it: in steps, in each life anew."""

    def __init__(self, world: World, files: dict[bytes, File]) -> None:
        self.files = files
        self.is_settled = False
        self._world = world
        self._catalogue: dict[bytes, File] = {}
        self._publication: Publication | None = None
        self._life = 0
        self._publishes = False

    def start(self, node: Node) -> None:
        """A life begins: it joins, and publishes then."""
        assert node.replica is not None
        self._life, self._catalogue = node.lives, {}
        self._publishes = False
        self._publication = Publication(node.replica)
        self.is_settled = False
        self._join(node, self._world.now + PATIENCE, node.lives)

    def _join(self, node: Node, until: float, life: int) -> None:
        if node.progress is None or node.lives != life:
            return
        has_all = node.progress.has_heard and not node.progress.behind()
        if has_all or (self._world.now >= until and not node.streams):
            self.look(node)
        else:
            self._world.at(0.1, lambda: self._join(node, until, life))

    def look(self, node: Node) -> None:
        """Publish what is different from what was published in this life."""
        if self._publication is None or not node.runs or node.lives != self._life or self._publishes:
            return  # one publish at a time: its end looks again
        self._publishes = True
        self.is_settled = False
        self._next(node, self._steps(node, self._publication), self._life)

    def _next(self, node: Node, steps: Iterator[None], life: int) -> None:
        if not node.runs or node.lives != life:
            return  # killed between two steps
        if self._world.now < node.stopped_until:
            self._world.at(node.stopped_until - self._world.now, lambda: self._next(node, steps, life))
            return
        try:
            next(steps)
        except StopIteration:
            self._world.push(node)
            self._publishes = False
            self.is_settled = self._catalogue == self.files
            if not self.is_settled:
                self.look(node)
            return
        if self._world.random.random() < 0.7:  # a kill may come before it is written down, and told
            self._world.push(node)
        else:
            self._world.at(0.02, lambda: self._world.push(node) if node.replica is not None else None)
        self._world.at(self._world.random.uniform(0, 0.05), lambda: self._next(node, steps, life))

    def _steps(self, node: Node, publication: Publication) -> Iterator[None]:
        new, old = dict(self.files), self._catalogue
        self._catalogue = new
        for path, file in sorted(new.items()):
            if old.get(path) != file:
                publication.put(path, file.modified, records(file.number), self._world.now_ms(node))
                yield
        for path in sorted(old.keys() - new.keys()):
            if publication.owns(path):
                publication.remove(path, self._world.now_ms(node))
                yield
        publication.end_first()
        yield
        for gone in publication.vanished(new):
            if gone is not None:
                publication.remove(gone, self._world.now_ms(node))
                yield


class Story:
    """What happens in the cluster of one seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.report = Report(seed)
        self.random = Random(seed * 7919)
        self.world = World(seed, self.random.randint(2, 4), tables=True, folder=folder)
        self.world.on_start = self._started
        self._folder = folder
        self._publishers = {"n1": Publisher(self.world, {})}
        if self.random.random() < 0.5:
            self._publishers["n2"] = Publisher(self.world, {})
        self._number = 0
        #: Number of what was published everywhere when all was well last; below 0: a removal.
        self._served: dict[str, dict[bytes, int]] = {name: {} for name in self._publishers}
        #: The same of what lies on the disks; removals stay here after the file has gone.
        self._disk: dict[str, dict[bytes, int]] = {name: {} for name in self._publishers}
        #: Paths that each publisher's record has; those of which nobody can say what counts.
        self._recorded: dict[str, set[bytes]] = {name: set() for name in self._publishers}
        self._vague: dict[str, set[bytes]] = {name: set() for name in self._publishers}
        self._backups: dict[str, tuple[dict[bytes, File], dict[bytes, int]]] = {}
        self._duplicates: dict[str, float] = {}
        for node in self.world.nodes.values():
            self._set_clock(node, self.random.random() < 0.5)
        for name in self._publishers:
            self._deploy(name)

    def go_through(self) -> Report:
        """The whole story, and what is wrong in the end."""
        self.world.run(self.random.uniform(0.5, 6))
        actions: list[Callable[[], None]] = [
            self.deploy, self.deploy, self.deploy, self.kill, self.kill, self.start, self.start, self.lose,
            self.suspend, self.split, self.heal, self.clock, self.back_up, self.restore, self.duplicate,
        ]  # fmt: skip
        for _ in range(self.random.randint(6, 14)):
            self.random.choice(actions)()
            self.world.run(self.random.choice((0.01, 0.05, 0.3, 1.0, 4.0)))
        self._note("the end")
        if not self.settle():
            self.report.problems.append(f"not one view and one table within {SETTLING:g} s: {self._views()}")
        self._judge()
        return self.report

    def end(self) -> None:
        """Close all files."""
        for node in self.world.nodes.values():
            if node.rows is not None:
                node.rows.kill()

    # What happens

    def deploy(self) -> None:
        """New files, whether the publisher runs or not; their dates say nothing."""
        self._deploy(self._one_publisher())

    def kill(self) -> None:
        """A process ends between any two steps."""
        node = self._one_node()
        if node.runs:
            self._note(f"kill {node.key}")
            self.world.crash(node.key)

    def start(self) -> None:
        """One that does not run is started."""
        for node in self._nodes():
            if not node.runs:
                self._note(f"start {node.key}")
                self.world.start(node.key)
                return

    def lose(self) -> None:
        """A state directory is gone: a container without a volume is replaced.  Others have all of it."""
        if not self.settle():
            return
        node = self._one_node()
        self._note(f"{node.key} loses its state")
        if node.runs:
            self.world.crash(node.key)
        self.world.forget_state(node.key)
        if node.key in self._publishers:
            # Its files are all there is to go by, restored ones as well.
            served, disk = self._served[node.key], self._disk[node.key]
            self._served[node.key] = {path: disk.get(path, -1) for path in served}
            self._recorded[node.key] = set(served)
            if self.random.random() < 0.5:
                self._deploy(node.key)

    def suspend(self) -> None:
        """SIGSTOP."""
        node = self._one_node()
        if node.runs:
            self._note(f"suspend {node.key}")
            self.world.stop(node.key, self.random.uniform(0.1, 12))

    def split(self) -> None:
        """Nothing passes between two halves."""
        keys = sorted(self.world.nodes)
        half = set(self.random.sample(keys, self.random.randint(1, len(keys) - 1)))
        self._note(f"split off {sorted(half)}")
        self.world.split(half, set(keys) - half)
        self.world.run(self.random.choice((0.5, 5.0, 15.0)))

    def heal(self) -> None:
        """Everything passes again."""
        self._note("heal")
        self.world.heal()

    def clock(self) -> None:
        """A date is set, right or wrong, while the process runs."""
        self._set_clock(self._one_node(), self.random.random() < 0.5)

    def back_up(self) -> None:
        """State and files of a publisher are copied, when all is well."""
        name = self._one_publisher()
        if not self.settle():
            return
        self._note(f"back up {name}")
        shutil.copy(self._folder / f"{name}.sqlite", self._folder / f"backup-{name}.db")
        wal = self._folder / f"{name}.sqlite-wal"
        if wal.exists():
            shutil.copy(wal, self._folder / f"backup-{name}.db-wal")
        self._backups[name] = dict(self._publishers[name].files), dict(self._disk[name])

    def restore(self) -> None:
        """State and files as they were when they were backed up."""
        name = self._one_publisher()
        if name not in self._backups or not self.settle():
            return
        self._note(f"restore {name}")
        self.world.crash(name)
        self.world.forget_state(name)
        shutil.copy(self._folder / f"backup-{name}.db", self._folder / f"{name}.sqlite")
        if (self._folder / f"backup-{name}.db-wal").exists():
            shutil.copy(self._folder / f"backup-{name}.db-wal", self._folder / f"{name}.sqlite-wal")
        files, disk = self._backups[name]
        self._publishers[name].files = dict(files)
        self._disk[name] = dict(disk)
        self._recorded[name] = set(files)

    def duplicate(self) -> None:
        """A machine is copied and started beside the original, for a while."""
        if self._duplicates or not self.settle():
            return
        node = self._one_node()
        key = f"{node.key}twin{len(self.world.nodes)}"
        self._note(f"a second {node.key}")
        twin = self.world.add_stopped(key, node.name)
        twin.ahead_ms, twin.seeds = node.ahead_ms, tuple(sorted(set(self.world.nodes) - {key}))
        for suffix in ("", "-wal"):
            file = self._folder / f"{node.key}.sqlite{suffix}"
            if file.exists():
                shutil.copy(file, self._folder / f"{key}.sqlite{suffix}")
        if node.key in self._publishers:
            self._publishers[key] = Publisher(self.world, dict(self._publishers[node.key].files))
        self._duplicates[key] = self.world.now
        self.world.start(key)
        if self.random.random() < 0.5:
            self.world.run(8.0)
            for one in self.world.nodes.values():
                if one.runs and node.name not in one.namesakes.sentences(self.world.now):
                    self.report.problems.append(f"{one.key} does not tell of the second {node.name}")

    # In detail

    def _note(self, what: str) -> None:
        self.report.story.append(f"{self.world.now:.2f} {what}")

    def _nodes(self) -> list[Node]:
        nodes = [node for key, node in self.world.nodes.items() if key not in self._duplicates]
        self.random.shuffle(nodes)
        return nodes

    def _one_node(self) -> Node:
        return self._nodes()[0]

    def _one_publisher(self) -> str:
        return self.random.choice(sorted(self._served))

    def _started(self, node: Node) -> None:
        publisher = self._publishers.get(node.key)
        if publisher is not None:
            publisher.start(node)
        self._tell_load(node, node.lives)

    def _tell_load(self, node: Node, life: int) -> None:
        if node.runs and node.lives == life:
            if self.world.now >= node.stopped_until:
                self.world.tell_load(node)
            self.world.at(1.0, lambda: self._tell_load(node, life))

    def _set_clock(self, node: Node, wrong: bool) -> None:
        node.ahead_ms = self.random.choice((YEAR_MS, 86_400_000, 300_000)) if wrong else 0
        node.ahead_ms = int(node.ahead_ms * self.random.uniform(-1, 1))
        self._note(f"the clock of {node.key} is {node.ahead_ms / 1000:.0f} s ahead")

    def _deploy(self, name: str) -> None:
        publisher, random = self._publishers[name], self.random
        files, disk = dict(publisher.files), self._disk[name]
        dates = (1, EPOCH_MS // 1000, EPOCH_MS // 1000 + 10**8, 1_600_000_000)
        for path in PATHS[name]:
            what = random.random()
            self._number += 1
            if path in files and what < 0.25:
                del files[path]
                if path not in self._recorded[name] and self._served[name].get(path, 0) > 0:
                    self._vague[name].add(path)  # unknown to a restored record: it may have been published
                disk[path] = -self._number
            elif what < 0.7:
                date = (
                    files[path].modified if path in files and random.random() < 0.5 else random.choice(dates)
                )
                files[path] = File(self._number, date)
                disk[path] = self._number
        self._note(f"deploy on {name}: {sorted((p.decode(), f.number) for p, f in files.items())}")
        publisher.files = files
        node = self.world.nodes[name]
        if node.runs and publisher.is_settled:
            self.world.at(random.uniform(0.0, 0.3), lambda: publisher.look(node))

    def settle(self) -> bool:
        """Everything runs and is connected; whether all agree in time."""
        for key in self._duplicates:
            if self.world.nodes[key].runs:
                self._end(key)
        self.world.heal()
        for node in self._nodes():
            if not node.runs:
                self.world.start(node.key)
        until = self.world.now + SETTLING
        while self.world.now < until:
            self.world.run(1.0)
            self.world.repair()
            if self._is_settled():
                break
        for key in self._duplicates:
            del self.world.nodes[key]
            self._publishers.pop(key, None)
        self._duplicates.clear()
        settled = self._is_settled()
        if settled:
            for name in self._served:
                self._judge_site(name)
                for path in self._vague[name]:
                    self._disk[name][path] = self._served[name][path] = self._number_of(path)
                self._vague[name].clear()
                self._served[name] = self._expected(name)
                self._recorded[name] = set(self._publishers[name].files)
        return settled

    def _end(self, key: str) -> None:
        """A duplicate says goodbye, or is killed."""
        twin = self.world.nodes[key]
        self._note(f"the second {twin.name} ends")
        if twin.membership is not None and self.random.random() < 0.7:
            self.world.tell_load(twin, draining=True)
            self.world.run(0.2)
            twin.membership.leave(self.world.now)
            self.world.drain(twin)
            self.world.run(0.3)
        self.world.crash(key)

    def _is_settled(self) -> bool:
        running = [node for node in self._nodes() if node.runs]
        return (
            all(self.world.now >= node.stopped_until for node in running)
            and all(self._publishers[name].is_settled for name in self._served)
            and all(node.progress is not None and not node.progress.behind() for node in running)
            and self.world.agrees()
            and self._is_one_table()
            and self._loads_are_fresh()
        )

    def _is_one_table(self) -> bool:
        """Whether all serve the same.  What is remembered of removals may differ while a date is wrong."""
        tables = [
            {
                change.path: (change.clock, change.origin)
                for change in node.replica.paths(b"", 100)
                if change.records
            }
            for node in self._nodes()
            if node.replica is not None
        ]
        return all(table == tables[0] for table in tables)

    def _loads_are_fresh(self) -> bool:
        for node in self._nodes():
            for other in self._nodes():
                if node is not other and node.membership is not None:
                    found = node.membership.load_of(other.name)
                    if found is None or found[0].draining or found[1] > 5:
                        return False
        return True

    def _expected(self, name: str) -> dict[bytes, int]:
        """Path -> the number that counts, of what was served and what lies on the disk."""
        served, disk = self._served[name], self._disk[name]
        return {path: max(served.get(path, 0), disk.get(path, 0), key=abs) for path in {*served, *disk}}

    def _views(self) -> str:
        stuck = [name for name in self._served if not self._publishers[name].is_settled]
        behind = {n.key: n.progress.behind() for n in self._nodes() if n.progress is not None}
        views = {key: sorted(view) for key, view in self.world.views().items()}
        return (
            f"views {views}, tables agree: {self._is_one_table()}, publishing {stuck}, behind {behind}, "
            f"loads fresh: {self._loads_are_fresh()}"
        )

    # In the end

    def _judge(self) -> None:
        self.world.run(30)  # clocks are compared, and what was told of names is over
        problems = self.report.problems
        for node in self._nodes():
            assert node.replica is not None
            if node.replica.counters["future_refused"]:
                problems.append(f"{node.key} refused changes for their dates")
            for name in node.namesakes.sentences(self.world.now):
                problems.append(f"{node.key} still tells of two {name}")
            self._judge_clocks(node)

    def _judge_site(self, name: str) -> None:
        """Whether all serve what was published last."""
        for path, number in sorted(self._expected(name).items()):
            if (path == SHARED and len(self._served) > 1) or path in self._vague[name]:
                continue
            for node in self._nodes():
                assert node.replica is not None
                change = node.replica.get(path)
                found = change.records if change is not None else ()
                if found != (records(number) if number > 0 else ()):
                    told = found[0].digest.hex()[:8] if found else "nothing"
                    self.report.problems.append(
                        f"{self.world.now:.2f} {node.key} serves {told} under {path!r}, {number} was the last"
                    )

    def _number_of(self, path: bytes) -> int:
        """The number of what is served under *path*."""
        replica = self._one_node().replica
        change = replica.get(path) if replica is not None else None
        if change is None or change.is_tombstone:
            return 0
        return next(n for n in range(self._number + 1) if records(n) == change.records)

    def _judge_clocks(self, node: Node) -> None:
        wrong = node.differences.wrong()
        for other in self._nodes():
            difference = other.ahead_ms - node.ahead_ms
            if abs(difference) > LIMIT_MS + 1000 and other is not node and other.name not in wrong:
                self.report.problems.append(
                    f"{node.key} does not tell that {other.key} is {difference} ms ahead"
                )
            if abs(difference) < LIMIT_MS and other.name in wrong:
                self.report.problems.append(f"{node.key} blames the clock of {other.key}")


def run(seed: int) -> Report:
    """The cluster of *seed*."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        story = Story(seed, Path(folder))
        try:
            return story.go_through()
        finally:
            story.end()

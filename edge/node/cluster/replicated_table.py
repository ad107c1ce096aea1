"""The replicated table: what this node publishes reaches the others, what they publish reaches it.

It stands between the publisher and the writer of shared memory, and looks like a table to both sides.  What
the publisher puts becomes a change in the change log (:mod:`edge.gossip.replica`) first and an entry second;
:meth:`ReplicatedTable.apply` does the same with changes of other nodes, in their order and in slices of a few
milliseconds, so that neither a large deploy nor a cold join stalls the reactor.

Next on the way of a change: :mod:`edge.node.cluster.anti_entropy` tells the peers; at a peer, a body that is
not there is fetched by :mod:`edge.node.cluster.missing_bodies`, and the entry is put without it: it can be
confirmed (304) at once.

**Which files count when a node starts.**  Its webroot may be older than what the cluster has, or newer.  The
first publish of a node's life goes by the record of what it has published; later ones always count
(:mod:`edge.gossip.publication`).

**Steps.**  At the end of what belongs together this node puts a mark into its log, so that all nodes know
when they are at the same state of the site (:mod:`edge.gossip.steps`): the changes of a turn of the reactor,
or all between :meth:`ReplicatedTable.begin_step` and :meth:`ReplicatedTable.end_step`.

**Leases.**  Each entry bears the number of the node that published it (:mod:`edge.node.cluster.leases`).
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.gossip.changes import Record
from edge.gossip.publication import Publication
from edge.gossip.published import Standing
from edge.gossip.steps import MARK_RECORDS, Steps, is_mark, mark_path
from edge.node.cluster.apply_queue import ApplyQueue
from edge.node.process.clocks import date_of
from edge.node.process.counted_log import CountedLog
from edge.resource import Representation, Resource, etag_of
from edge.table.site_state import EVERYTHING, StateEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Sequence

    from twisted.internet.interfaces import IDelayedCall

    from edge.gossip.changes import Change
    from edge.gossip.replica import Replica
    from edge.node.bodies.store import BodyStore
    from edge.node.cluster.leases import Leases
    from edge.node.cluster.missing_bodies import MissingBodies
    from edge.node.process.slices import Slices
    from edge.table.writer import Writer

#: Seconds after which it is said that a step has not ended.
OPEN_SECONDS = 60
#: Changes read from the change log in one step.
STEP = 200


class ReplicatedTable:
    """This node's copy of the cluster's table; implements :class:`edge.node.publishing.table.Table`."""

    _log = Logger()

    def __init__(
        self,
        replica: Replica,
        writer: Writer,
        bodies: BodyStore,
        missing: MissingBodies,
        leases: Leases,
        body_limit: int,
        slices: Slices,
        reactor: Any,
        state: StateEntry | None = None,
        revoked: Callable[[], bytes] = lambda: b"",
    ) -> None:
        """*body_limit*: bytes up to which a body belongs into the table's memory.

        *revoked*: which certificates are revoked, equal where the same are.
        """
        self.replica = replica
        self.leases = leases
        #: Paths whose files were older than what the cluster has.
        self.kept = 0
        #: Milliseconds from a change at its origin to this table, the newest last.
        self.lags: deque[int] = deque(maxlen=1000)
        self._writer = writer
        self._bodies = bodies
        self._missing = missing
        self._body_limit = body_limit
        self._slices = slices
        self._reactor = reactor
        self._publication = Publication(replica)
        self._others = ApplyQueue(self._apply, self._applied, slices)
        self._own_changes: Deferred[None] = Deferred()
        self._telling: IDelayedCall | None = None
        #: Paths of other nodes that do not fit into the table.
        self._outside: set[bytes] = set()
        #: Whether all of this node is in the table; whether what the cluster had when it came is.
        self._has_own = self._has_clusters = False
        self._counted = CountedLog(self._log, reactor)
        self._state = state if state is not None else StateEntry(writer)
        self._revoked = revoked
        self._steps = Steps(revoked())
        #: How many hold a step open; up to where this node's own log needs no mark.
        self._held = 0
        self._marked = replica.positions[replica.node][1]
        #: Publishers whose step is open, and since when.
        self._open_since: dict[str, float] = {}

    # What the publisher sees: edge.node.publishing.table.Table

    @property
    def sequence(self) -> int:
        """Changes of the table so far."""
        return self._writer.sequence

    def put(self, resource: Resource, spill: Callable[[Representation], None]) -> bool:
        """Publish *resource* here and everywhere, unless the cluster has something newer."""
        made = self._publication.put(resource.path, resource.modified, _records(resource), self._now_ms())
        if made.standing is Standing.OLD:
            self.kept += 1
            return True  # what the cluster has is in the table already
        if made.standing is Standing.NEW:
            self._begin_change()
            self._announce()
        is_seen = not self._writer.has_originals(resource)
        fits = self._writer.put(resource, spill, origin=self.leases.number(made.change.origin))
        if made.standing is Standing.NEW:
            self._steps.applied(made.change.origin, made.change.sequence, resource.path, is_seen)
        return fits

    def remove(self, path: bytes) -> bool:
        """Take *path* away here and everywhere."""
        change = self._publication.remove(path, self._now_ms())
        self._missing.discard(path)
        if change is None:
            return self._writer.remove(path)
        self._begin_change()
        self._announce()
        removed = self._writer.remove(path)
        self._steps.applied(change.origin, change.sequence, path)
        return removed

    def begin_step(self) -> None:
        """What changes from now on belongs together."""
        self._held += 1

    def end_step(self) -> None:
        """Until now."""
        self._held -= 1
        self._announce()

    def set_complete(self, complete: bool) -> None:
        """Whether all that this node publishes is in the table; all that the cluster has must be, too."""
        self._has_own = complete
        self._tell_complete()

    def reclaim(self) -> int:
        """Free what no worker reads any more."""
        return self._writer.reclaim()

    def end_first_publish(self) -> None:
        """The files of this node count from now on, whatever the cluster has."""
        self._publication.end_first()

    def vanished(self, files: Container[bytes]) -> Iterator[bytes | None]:
        """Paths that this node published in an earlier life and has no *files* of; None: a step without."""
        return self._publication.vanished(files)

    def vanished_rules(self, kept: Container[bytes]) -> Iterator[bytes | None]:
        """Paths of rules that this node published in an earlier life and are not *kept*; None likewise."""
        return self._publication.vanished_rules(kept)

    def is_current(self, resource: Resource) -> bool:
        """Whether the cluster has *resource* as it is here."""
        known = self.replica.get(resource.path)
        return known is not None and known.records == _records(resource)

    def has_same_originals(self, resource: Resource) -> bool:
        """Whether another node has published there what is, but for its codings, *resource*.

        What is coded quickly here never takes the place of that: nobody is told that all is new.
        """
        known = self.replica.get(resource.path)
        return (
            known is not None
            and not self.owns(resource.path)
            and _originals(known.records) == _originals(_records(resource))
        )

    def owns(self, path: bytes) -> bool:
        """Whether this node published what is under *path* now."""
        return self._publication.owns(path)

    def has(self, path: bytes, here: bool) -> bool:
        """Whether the cluster has something under *path*; what this node's files have is part of that."""
        known = self.replica.get(path)
        return known is not None and not known.is_tombstone

    def look_up(self, path: bytes) -> Resource | None:
        """What another node published under *path*; its bodies are, or will be, blobs."""
        known = self.replica.get(path)
        return None if known is None or known.is_tombstone else self._resource(known, with_bodies=False)

    def bodies_of_others(self) -> Iterator[set[bytes]]:
        """ETags of all bodies that entries refer to, some at a time."""
        for changes in self._all_changes():
            yield {etag_of(record.digest) for change in changes for record in change.records}

    # Own changes, for the peers

    async def own_changes(self) -> None:
        """Return in the turn after this node has changed something, once for all that it did until then."""
        await self._own_changes

    def _announce(self) -> None:
        if self._telling is None:
            self._telling = self._reactor.callLater(0, self._tell_own_changes)

    def _tell_own_changes(self) -> None:
        self._telling = None
        if not self._held:
            self._mark()
        told, self._own_changes = self._own_changes, Deferred()
        told.callback(None)

    # Steps

    def _begin_change(self) -> None:
        """Something is about to be put: the table is at no state until that has been marked."""
        self._state.open()

    def _mark(self) -> None:
        """End a step of this node, if anything has changed in it."""
        node = self.replica.node
        if self.replica.positions[node][1] == self._marked and not self._steps.is_open(node):
            return
        mark = self.replica.put(mark_path(node), 0, MARK_RECORDS, self._now_ms())
        self._marked = mark.sequence
        self._steps.marked(node, mark.sequence)
        if not self._others:
            self._settle()

    def _settle(self) -> None:
        """All that the logs have is in the table: say at which state it is."""
        self._steps.reached(self.replica.positions)
        if self._steps.state is None or self.replica.counters["no_room"]:
            self._state.open()
        else:
            self._state.settle(self._steps.history, EVERYTHING)

    def look_after_steps(self, behind: Container[str]) -> None:
        """Mark what was changed otherwise than by :meth:`put` or :meth:`remove`, as by a renewed signature.

        So is a step that an earlier life of this node has left open.

        To be called every few seconds.  *behind*: of whose log there is more than is here.
        """
        node = self.replica.node
        if not self._held and (self.replica.positions[node][1] != self._marked or self._steps.is_open(node)):
            self._announce()
        now = self._reactor.seconds()
        self._open_since = {origin: self._open_since.get(origin, now) for origin in self._steps.open}
        if self._others:
            return  # what the logs have is not in the table yet
        self._steps.reached(self.replica.positions)
        changed = self._steps.believe(behind)
        if self._steps.resalt(self._revoked()) or changed:
            self._settle()

    def open_steps(self) -> dict[str, int]:
        """Publishers whose step is open, and for how many seconds, if that is long."""
        now = self._reactor.seconds()
        found = {origin: int(now - since) for origin, since in self._open_since.items()}
        return {origin: seconds for origin, seconds in found.items() if seconds >= OPEN_SECONDS}

    # Joining, and what others publish

    async def load(self) -> int:
        """Put everything that the change log holds into the table, after a start; how many paths.

        What comes meanwhile waits: what has been read of the log would undo it.
        """
        count = 0
        newest: dict[str, int] = {}

        def steps() -> Iterator[None]:
            nonlocal count
            for changes in self._all_changes():
                self._retain(changes)
                before = self.replica.positions
                for change in changes:
                    if self._is_mark(change):
                        continue
                    if self.replica.positions != before and not self._counts(change):
                        continue
                    newest[change.origin] = max(change.sequence, newest.get(change.origin, 0))
                    if not change.is_tombstone:
                        self._put(change)
                        count += 1
                    yield

        with self._others.held():
            await self._slices.run(steps())
            self._steps.begin(newest)
            if not self._others:
                self._settle()
        self._missing.start()
        return count

    def joined(self) -> None:
        """What the cluster had when this node came is here."""
        self._has_clusters = True
        self._tell_complete()

    def apply(self, changes: Sequence[Change]) -> Deferred[None]:
        """Take over *changes* of other nodes, after those that wait; fires when they are in the table."""
        self._retain(changes)
        if self._has_own and self._has_clusters:
            self._tell_of_namesake(changes)
        return self._others.add(changes)

    @property
    def queue(self) -> int:
        """Changes that wait to be applied."""
        return len(self._others)

    @property
    def missing(self) -> int:
        """Paths that lack a body, as far as they are remembered."""
        return len(self._missing)

    def forget(self, paths: Iterable[bytes]) -> None:
        """What stood under *paths* does not count any more, and nothing is known in its place."""
        self._begin_change()
        for path in paths:
            self._missing.discard(path)
            self._writer.remove(path)
        self._steps.resalt(self._revoked())
        if not self._others:
            self._settle()

    def stop(self) -> None:
        """Apply and fetch nothing more."""
        self._others.stop()
        self._missing.stop()

    def _tell_of_namesake(self, changes: Sequence[Change]) -> None:
        """Warn of what another process of this node's name has published in place of this one's files."""
        paths = sum(change.origin == self.replica.node and not is_mark(change) for change in changes)
        if paths:
            self._counted.warn(
                "namesake",
                f"another process called {self.replica.node} has changed {paths} paths of this node, and "
                "that stays; edgectl publish publishes the files that are here",
            )

    def _applied(self) -> None:
        self._settle()
        self._writer.reclaim()
        self._missing.start()

    def _apply(self, change: Change) -> None:
        if self._is_mark(change):
            return
        self.lags.append(max(0, self._now_ms() - (change.clock >> 16)))
        self._begin_change()
        is_seen = True
        if not self._counts(change):
            is_seen = False
        elif change.is_tombstone:
            self._missing.discard(change.path)
            self._writer.remove(change.path)
        else:
            is_seen = self._put(change)
        self._steps.applied(change.origin, change.sequence, change.path, is_seen)

    def _counts(self, change: Change) -> bool:
        """Whether *change* is what the log has; while it waited, this node may have put something newer."""
        known = self.replica.get(change.path)
        return known is not None and (known.clock, known.origin) == (change.clock, change.origin)

    def _is_mark(self, change: Change) -> bool:
        """Whether *change* is a mark, which is no entry; takes note of it."""
        if not is_mark(change):
            return False
        if change.path == mark_path(change.origin):
            self._steps.marked(change.origin, change.sequence)
        return True

    def _put(self, change: Change) -> bool:
        """Whether anybody sees a difference: not where only content codings are others."""
        resource = self._resource(change, with_bodies=True)
        is_seen = not self._writer.has_originals(resource)
        if self._writer.put(resource, _in_blobs_already, origin=self.leases.number(change.origin)):
            self._outside.discard(change.path)
        else:
            self._outside.add(change.path)
            self._tell_complete()
        return is_seen

    def _resource(self, change: Change, with_bodies: bool) -> Resource:
        made = []
        for record in change.records:
            etag = etag_of(record.digest)
            body = b"" if not record.length else None
            if with_bodies and record.length:
                body = self._body_of(change.path, etag, record)
            made.append(
                Representation(
                    record.variant, etag, record.digest, record.length, record.lines_200,
                    record.lines_304, body,
                )
            )  # fmt: skip
        return Resource(change.path, change.modified, tuple(made))

    def _body_of(self, path: bytes, etag: bytes, record: Record) -> bytes | None:
        """A small body, if it is here; what is not here will be fetched."""
        if record.length <= self._body_limit:
            body = self._bodies.read(etag, record.length)
            if body is not None:
                return body
        elif self._bodies.has(etag, record.length):
            return None
        self._missing.add(path)
        return None

    def _retain(self, changes: Iterable[Change]) -> None:
        self._bodies.retain({etag_of(record.digest) for change in changes for record in change.records})

    def _tell_complete(self) -> None:
        self._writer.set_complete(self._has_own and self._has_clusters and not self._outside)

    def _all_changes(self) -> Iterator[list[Change]]:
        """Everything that counts, by path, :data:`STEP` changes at a time; may be read while it changes."""
        after = b""
        while changes := self.replica.paths(after, STEP):
            yield changes
            after = changes[-1].path

    def _now_ms(self) -> int:
        return int(date_of(self._reactor) * 1000)


def _originals(records: tuple[Record, ...]) -> list[tuple[int, bytes, bytes]]:
    return [(one.variant, one.digest, one.lines_304) for one in records if one.variant % 4 == 0]


def _in_blobs_already(representation: Representation) -> None:
    """A body of another node that has no room in memory is in the body store already."""


def _records(resource: Resource) -> tuple[Record, ...]:
    return tuple(
        Record(one.variant, one.digest, one.length, one.lines_200, one.lines_304)
        for one in resource.representations
    )

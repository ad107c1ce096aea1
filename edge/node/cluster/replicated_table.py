"""The table of a node in a cluster: what it publishes reaches the others, what they publish reaches it.

:class:`ReplicatedTable` stands between the publisher and the table's writer and looks like the writer.  What
the publisher puts goes into the change log (:mod:`edge.gossip.replica`) first and into the table second;
:meth:`ReplicatedTable.apply` does the same with changes of other nodes, in their order and in slices of a
few milliseconds, so that neither a large deploy nor a cold join stalls the reactor.

An entry whose body is not here is put without one: it can be confirmed (304) at once; a request for the
body itself makes a worker ask for it (:meth:`ReplicatedTable.fetch`).  All missing bodies are also fetched
in the background, and small ones then move into the table's memory.

**Which files count when a node starts.**  Its webroot may be older than what the cluster has.  The first
publish of a node's life keeps the cluster's version of a path when the file is older than it (modification
time against the version's clock) and takes the file otherwise; later publishes always count.

**Leases.**  Each entry bears the number of the node that published it; until when its entries may be
confirmed stands in the segment (:mod:`edge.table.layout`).  :meth:`ReplicatedTable.renew` pushes that on.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from edge.errors import EdgeError
from edge.gossip.changes import Record
from edge.node.bodies.fetcher import Wanted
from edge.node.cluster.leases import Leases
from edge.resource import Representation, Resource, etag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge.gossip.changes import Change
    from edge.gossip.replica import Replica
    from edge.node.bodies.fetcher import BodyFetcher
    from edge.publish.blobs import Blobs
    from edge.table.writer import Writer

#: Seconds of work on the table before the reactor gets its turn.
SLICE_SECONDS = 0.005
#: Bodies that the background fetch has in hand at once; the fetcher's own limits are below it.
BACKGROUND = 16
#: Paths remembered as lacking a body; beyond it, all paths are looked through again later.
MISSING_LIMIT = 10_000
#: Paths looked at in one step of that.
SWEEP_STEP = 200


class ReplicatedTable:
    """See the module's docstring.  *announce* is called after own changes."""

    _log = Logger()

    def __init__(
        self,
        writer: Writer,
        replica: Replica,
        node: str,
        blobs: Blobs,
        body_limit: int,
        announce: Callable[[], None],
        reactor: Any,
    ) -> None:
        self.replica = replica
        #: Set by the cluster, before anything is fetched.
        self.fetcher: BodyFetcher | None = None
        self.holders: Callable[[str], Sequence[str]] = lambda origin: ()
        #: The files of this node count from now on, whatever the cluster has.
        self.files_count = False
        #: Paths whose files were older than what the cluster has.
        self.kept = 0
        #: Milliseconds from a change at its origin to this table, the newest last.
        self.lags: deque[int] = deque(maxlen=1000)
        self._writer = writer
        self._node = node
        self._blobs = blobs
        self._body_limit = body_limit
        self._announce = announce
        self._reactor = reactor
        self.leases = Leases(writer.segment, node)
        self._pending: deque[Change | Callable[[], None]] = deque()
        self._applying = False
        self._outside: set[bytes] = set()
        self._own_complete = False
        self._joined = False
        self._missing: dict[bytes, None] = {}
        self._sweep: bytes | None = None
        self._in_hand = 0
        self._starting = False
        self._stopped = False

    # What the publisher sees: the same as edge.table.writer.Writer

    @property
    def sequence(self) -> int:
        """Changes of the table so far."""
        return self._writer.sequence

    def put(self, resource: Resource, spill: Callable[[Representation], None] | None = None) -> bool:
        """Publish *resource* here and everywhere, unless the cluster has something newer."""
        known = self.replica.get(resource.path)
        records = _records(resource)
        origin = 0
        if known is not None and known.records == records and known.modified == resource.modified:
            origin = self.leases.number(known.origin)
        elif (
            known is not None and not self.files_count and resource.modified * 1000 < known.clock >> 16
            and not (known.is_tombstone and known.origin == self._node)
        ):  # fmt: skip
            self.kept += 1
            return True  # what the cluster has is in the table already
        else:
            self.replica.put(resource.path, resource.modified, records, self._now_ms())
            self._announce()
        return self._writer.put(resource, spill, origin=origin)

    def remove(self, path: bytes) -> bool:
        """Take *path* away here and everywhere."""
        if self.replica.remove(path, self._now_ms()) is not None:
            self._announce()
        self._missing.pop(path, None)
        return self._writer.remove(path)

    def set_complete(self, complete: bool) -> None:
        """Of what this node publishes."""
        self._own_complete = complete
        self._tell_complete()

    def reclaim(self) -> int:
        """Free what no worker reads any more."""
        return self._writer.reclaim()

    def is_current(self, resource: Resource) -> bool:
        """Whether the cluster has *resource* as it is here."""
        known = self.replica.get(resource.path)
        return known is not None and known.records == _records(resource)

    def owns(self, path: bytes) -> bool:
        """Whether this node published what is under *path* now."""
        known = self.replica.get(path)
        return known is not None and known.origin == self._node and not known.is_tombstone

    def has(self, path: bytes) -> bool:
        """Whether the cluster has something under *path*."""
        known = self.replica.get(path)
        return known is not None and not known.is_tombstone

    def look_up(self, path: bytes) -> Resource | None:
        """What another node published under *path*; its bodies are, or will be, blobs."""
        known = self.replica.get(path)
        return None if known is None or known.is_tombstone else self._resource(known, with_bodies=False)

    # Joining, and what others publish

    async def load(self) -> int:
        """Put everything that the change log holds into the table, after a start; how many paths."""
        count = 0
        after = b""
        while True:
            changes = list(self.replica.paths(after, SWEEP_STEP))
            if not changes:
                break
            self._retain(changes)
            for change in changes:
                if not change.is_tombstone:
                    self._put(change)
                    count += 1
            after = changes[-1].path
            await deferLater(self._reactor, 0)
        self._start_fetching()
        return count

    def joined(self) -> None:
        """What the cluster had when this node came is here."""
        self._joined = True
        self._tell_complete()

    def apply(self, changes: Sequence[Change], then: Callable[[], None] | None = None) -> None:
        """Take over *changes* of other nodes, after those that still wait; then call *then*."""
        self._retain(changes)
        self._pending.extend(changes)
        if then is not None:
            self._pending.append(then)
        if not self._applying:
            self._slice()

    def _slice(self) -> None:
        self._applying = False
        if self._stopped:
            return
        until = self._reactor.seconds() + SLICE_SECONDS
        while self._pending:
            item = self._pending.popleft()
            if callable(item):
                item()
            else:
                self._apply(item)
            if self._reactor.seconds() >= until and self._pending:
                self._applying = True
                self._reactor.callLater(0, self._slice)
                return
        self._writer.reclaim()
        self._start_fetching()

    def _apply(self, change: Change) -> None:
        self.lags.append(max(0, self._now_ms() - (change.clock >> 16)))
        if change.is_tombstone:
            self._missing.pop(change.path, None)
            self._writer.remove(change.path)
        else:
            self._put(change)

    def _put(self, change: Change) -> None:
        resource = self._resource(change, with_bodies=True)
        if self._writer.put(resource, self._spill, origin=self.leases.number(change.origin)):
            self._outside.discard(change.path)
        else:
            self._outside.add(change.path)
            self._tell_complete()

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
        try:
            if record.length > self._body_limit:
                if os.stat(self._blobs.path(etag)).st_size == record.length:
                    return None
            else:
                body = _read(self._blobs.path(etag), record.length)
                if len(body) == record.length:
                    return body
        except OSError:
            pass
        self._lacks(path)
        return None

    def _spill(self, representation: Representation) -> None:
        """The body did not fit into memory: it is in the blob store already."""

    def _retain(self, changes: Iterable[Change]) -> None:
        self._blobs.retain({etag_of(record.digest) for change in changes for record in change.records})

    def _tell_complete(self) -> None:
        self._writer.set_complete(self._own_complete and self._joined and not self._outside)

    def _now_ms(self) -> int:
        return int(self._reactor.seconds() * 1000)

    # Bodies

    def bodies(self) -> Iterable[bytes]:
        """ETags of all bodies that entries of other nodes refer to."""
        after = b""
        while changes := list(self.replica.paths(after, SWEEP_STEP)):
            for change in changes:
                for record in change.records:
                    yield etag_of(record.digest)
            after = changes[-1].path

    async def fetch(self, path: bytes, etag: bytes) -> bool:
        """Have the body *etag* of *path* here now, for a request that waits; whether it is."""
        change = self.replica.get(path)
        for record in change.records if change is not None else ():
            if etag_of(record.digest) == etag and self.fetcher is not None and change is not None:
                try:
                    await self._fetch(change, record, urgent=True)
                except EdgeError as error:
                    self._log.warn("{path}: {error}", path=path.decode("ascii", "replace"), error=error)
                    return False
                return True
        return self._blobs_has(etag)

    def _blobs_has(self, etag: bytes) -> bool:
        return os.path.exists(self._blobs.path(etag))

    async def _fetch(self, change: Change, record: Record, urgent: bool) -> None:
        assert self.fetcher is not None
        wanted = Wanted(record.digest, record.length, change.path, record.variant)
        await self.fetcher.fetch(wanted, lambda: self.holders(change.origin), urgent)
        if record.length <= self._body_limit:
            etag = etag_of(record.digest)
            with open(self._blobs.path(etag), "rb") as file:
                self._writer.set_body(change.path, record.variant, etag, file.read())

    def _lacks(self, path: bytes) -> None:
        if len(self._missing) < MISSING_LIMIT:
            self._missing[path] = None
        elif self._sweep is None:
            self._sweep = b""

    def _start_fetching(self) -> None:
        """Fetch in the background what is missing."""
        if self._starting:
            return  # a body was here already: the loop below goes on
        self._starting = True
        until = self._reactor.seconds() + SLICE_SECONDS
        while self.fetcher is not None and self._in_hand < BACKGROUND and not self._stopped:
            if not self._missing and not self._look_for_missing():
                break
            path = next(iter(self._missing))
            del self._missing[path]
            self._in_hand += 1
            Deferred.fromCoroutine(self._complete(path))
            if self._reactor.seconds() >= until:
                self._reactor.callLater(0, self._start_fetching)
                break
        self._starting = False

    def _look_for_missing(self) -> bool:
        """One step of looking through all paths; whether there is something to fetch."""
        if self._sweep is None:
            return False
        changes = list(self.replica.paths(self._sweep, SWEEP_STEP))
        self._sweep = changes[-1].path if changes else None
        for change in changes:
            for record in change.records:
                if record.length and not self._blobs_has(etag_of(record.digest)):
                    self._missing[change.path] = None
        if not self._missing and changes:
            self._reactor.callLater(0.01, self._start_fetching)
        return bool(self._missing)

    async def _complete(self, path: bytes) -> None:
        """Fetch all bodies of *path* that are not here."""
        try:
            change = self.replica.get(path)
            for record in change.records if change is not None else ():
                if record.length and not self._blobs_has(etag_of(record.digest)) and change is not None:
                    await self._fetch(change, record, urgent=False)
        except EdgeError:
            if not self._stopped:  # no holder has it now: later
                self._reactor.callLater(5.0, self._again, path)
        except Exception:
            self._log.failure("a body could not be fetched")
        finally:
            self._in_hand -= 1
            self._start_fetching()

    def _again(self, path: bytes) -> None:
        self._lacks(path)
        self._start_fetching()

    @property
    def queue(self) -> int:
        """Changes that wait to be applied."""
        return len(self._pending)

    @property
    def missing(self) -> int:
        """Paths that lack a body, as far as they are remembered."""
        return len(self._missing) + self._in_hand

    def stop(self) -> None:
        """Apply and fetch nothing more."""
        self._stopped = True


def _read(path: str, length: int) -> bytes:
    """At most *length* + 1 bytes of a file; a million of them are read in a cold join."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, length + 1)
    finally:
        os.close(fd)


def _records(resource: Resource) -> tuple[Record, ...]:
    return tuple(
        Record(one.variant, one.digest, one.length, one.lines_200, one.lines_304)
        for one in resource.representations
    )

"""The bodies that entries of other nodes lack here, and how they come: the last step of a change's way.

In the background, a few at a time, until nothing is missing; at once for a client that waits.  A small body
that has come moves into the table's memory, a large one stays a blob.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from edge.errors import EdgeError
from edge.node.bodies.store import Wanted
from edge.node.process.counted_log import CountedLog
from edge.resource import etag_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from twisted.internet.interfaces import IDelayedCall

    from edge.gossip.changes import Change, Record
    from edge.gossip.replica import Replica
    from edge.node.bodies.store import BodyStore
    from edge.node.process.slices import Slices
    from edge.table.writer import Writer

#: Paths that the background has in hand at once; the fetcher's own limits are below it.
BACKGROUND = 16
#: Paths remembered as lacking a body; beyond it, all paths are looked through again later.
LIMIT = 10_000
#: Paths looked at in one step of that, and seconds between two steps that find nothing.
SWEEP_STEP, SWEEP_PAUSE = 200, 0.01
#: Seconds after which a path is tried again whose bodies nobody had.
RETRY_SECONDS = 5.0


class MissingBodies:
    """Paths whose bodies are not all in the body store, and their fetching."""

    _log = Logger()

    def __init__(
        self,
        replica: Replica,
        bodies: BodyStore,
        writer: Writer,
        body_limit: int,
        slices: Slices,
        reactor: Any,
    ) -> None:
        """*body_limit*: bytes up to which a body belongs into the table's memory."""
        self._replica = replica
        self._bodies = bodies
        self._writer = writer
        self._body_limit = body_limit
        self._slices = slices
        self._reactor = reactor
        self._paths: dict[bytes, None] = {}
        #: Where looking through all paths has come to; None: that is not needed.
        self._sweep: bytes | None = None
        self._runners = self._in_hand = 0
        self._stopped = False
        self._counted = CountedLog(self._log, reactor)
        #: Paths whose bodies nobody had, and when they are tried again, all together.
        self._later: dict[bytes, None] = {}
        self._sweep_later = False
        self._retry: IDelayedCall | None = None

    def __len__(self) -> int:
        """Paths that lack a body, as far as they are remembered."""
        return len(self._paths) + self._in_hand

    def add(self, path: bytes) -> None:
        """A body of *path* is not here; :meth:`start` fetches it."""
        if len(self._paths) < LIMIT:
            self._paths[path] = None
        elif self._sweep is None:
            self._sweep = b""

    def discard(self, path: bytes) -> None:
        """Nothing is published under *path* any more."""
        self._paths.pop(path, None)

    def start(self) -> None:
        """Fetch in the background what is missing, until nothing is."""
        wanted = len(self) + (self._sweep is not None)
        while self._runners < min(BACKGROUND, wanted) and not self._stopped:
            self._runners += 1
            Deferred.fromCoroutine(self._run())

    async def fetch(self, path: bytes, etag: bytes) -> bool:
        """Have the body *etag* of *path* here now, for a request that waits; whether it is."""
        change = self._replica.get(path)
        for record in change.records if change is not None else ():
            if etag_of(record.digest) == etag and change is not None:
                try:
                    await self._fetch(change, record, urgent=True)
                except EdgeError as error:
                    # Anybody may ask for it, again and again.
                    self._counted.warn("body", f"{path.decode('ascii', 'replace')}: {error}")
                    return False
                return True
        return self._bodies.has(etag)

    def stop(self) -> None:
        """Fetch nothing more."""
        self._stopped = True
        if self._retry is not None and self._retry.active():
            self._retry.cancel()

    async def _run(self) -> None:
        try:
            await self._slices.run(self._steps())
        except Exception:
            self._log.failure("bodies could not be fetched")
        finally:
            self._runners -= 1

    def _steps(self) -> Iterator[Deferred[None] | None]:
        """The work of one of up to :data:`BACKGROUND` runners: a path after the other."""
        while not self._stopped:
            if self._paths:
                path = next(iter(self._paths))
                del self._paths[path]
                yield Deferred.fromCoroutine(self._complete(path))
            elif self._sweep is not None:
                self._sweep = self._look_through(self._sweep)
                yield None if self._paths else deferLater(self._reactor, SWEEP_PAUSE)
            else:
                return

    def _look_through(self, after: bytes) -> bytes | None:
        """Look at the paths after *after*, :data:`SWEEP_STEP` of them; the last one, None at the end."""
        changes = self._replica.paths(after, SWEEP_STEP)
        for change in changes:
            if any(not self._is_here(record) for record in change.records):
                self._paths[change.path] = None
        return changes[-1].path if changes else None

    async def _complete(self, path: bytes) -> None:
        """Fetch all bodies of *path* that are not here."""
        self._in_hand += 1
        try:
            change = self._replica.get(path)
            for record in change.records if change is not None else ():
                if change is not None and not self._is_here(record):
                    await self._fetch(change, record, urgent=False)
        except EdgeError:
            self._try_later(path)  # no holder has it now
        except Exception:
            self._log.failure("a body could not be fetched")
        finally:
            self._in_hand -= 1

    def _try_later(self, path: bytes) -> None:
        if self._stopped:
            return
        if len(self._later) < LIMIT:
            self._later[path] = None
        else:
            self._sweep_later = True
        if self._retry is None:
            self._retry = self._reactor.callLater(RETRY_SECONDS, self._again)

    def _again(self) -> None:
        self._retry = None
        again, self._later = self._later, {}
        for path in again:
            self.add(path)
        if self._sweep_later and self._sweep is None:
            self._sweep = b""
        self._sweep_later = False
        self.start()

    def _is_here(self, record: Record) -> bool:
        return not record.length or self._bodies.has(etag_of(record.digest), record.length)

    async def _fetch(self, change: Change, record: Record, urgent: bool) -> None:
        wanted = Wanted(record.digest, record.length, change.path, record.variant, change.origin)
        await self._bodies.fetch(wanted, urgent)
        if record.length <= self._body_limit:
            etag = etag_of(record.digest)
            body = self._bodies.read(etag, record.length)
            if body is not None:
                self._writer.set_body(change.path, record.variant, etag, body)

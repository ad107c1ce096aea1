"""The body fetcher: content-addressed bodies that this node lacks, from the nodes that hold them.

Holders are tried in turn, the least busy first.  Where one breaks off, the next resumes at the byte
reached.  The whole is verified by SHA-256 before it becomes a blob.  If a body of several holders is
wrong, nobody knows whose bytes were: it is fetched again, whole, from one holder at a time.

Urgent fetches (a client waits) go before background ones, and a quarter of all places is kept for
them.  Background ones share a token bucket: who overdraws it by b bytes pauses for b / rate seconds.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import quote_from_bytes

from twisted.internet import protocol
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import connectionDone
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone

from edge.errors import EdgeError
from edge.node.bodies.store import NoHolderError, Wanted
from edge.node.process.counted_log import CountedLog
from edge.node.process.deadline import Deadline
from edge.publish.blobs import CHECK_AT_ONCE, Blobs, PartialBlob
from edge.resource import etag_of

_CONTENT_RANGE = re.compile(rb"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})")
#: Times that one holder may break off a body.
_BREAKS = 2

#: The node that published a body -> the nodes that may have it, best first.
Holders = Callable[[str], Sequence[str]]


class Client(Protocol):
    """How holders are asked: :class:`edge.node.cluster.peer_endpoints.BodyClient`."""

    def get(self, holder: str, target: str, headers: Mapping[str, str]) -> Awaitable[Any]:
        """GET *target*, path and query: a response with ``code``, ``headers``, ``deliverBody``."""

    def close(self) -> object:
        """Close connections that are kept."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """How much is fetched at once, how fast, and how long a holder may be silent."""

    #: Fetches at once, in all and from one holder.
    parallel: int = 8
    per_holder: int = 4
    #: Of all background fetches together.
    bytes_per_second: float = 50e6
    #: A holder that sends less than :data:`PROGRESS` bytes in so long, or not the end, is given up.
    patience_s: float = 10.0


#: Of an answer without a body, what is read at most, so that the connection can be used again.
EXPLANATION_BYTES = 4096
#: Bytes after which a holder has the patience of FetchLimits anew: one that trickles is cut off.
PROGRESS = 16 * 1024


class _WrongBytes(Exception):
    """The holder has sent what is not the body."""


class _Broken(Exception):
    """The holder has broken off, fallen silent, or does not have the body."""


class _Job:
    """One body on its way."""

    def __init__(self, wanted: Wanted, urgent: bool) -> None:
        self.wanted = wanted
        self.urgent = urgent
        self.waiters: list[Deferred[None]] = []
        self.out: set[str] = set()
        self.breaks: dict[str, int] = {}
        self.alone = False
        #: Waits for a place at a holder.
        self.place: Deferred[None] | None = None
        self.receiver: _Receiver | None = None


class BodyFetcher:
    """Fetches bodies from other nodes into *blobs*; implements :class:`edge.node.bodies.store.Fetcher`."""

    _log = Logger()

    def __init__(
        self,
        blobs: Blobs,
        client: Client,
        holders: Holders,
        reactor: Any,
        limits: FetchLimits | None = None,
    ) -> None:
        """*holders* is asked again before each attempt."""
        self._blobs = blobs
        self._client = client
        self._holders = holders
        self._reactor = reactor
        self._limits = limits or FetchLimits()
        self._jobs: dict[bytes, _Job] = {}
        #: In the order of their coming; dicts, for a promoted one is taken from the middle.
        self._urgent: dict[bytes, _Job] = {}
        self._patient: dict[bytes, _Job] = {}
        self._starting = False
        self._running: list[_Job] = []
        self._busy: dict[str, int] = {}
        self._tokens, self._filled = 0.0, reactor.seconds()
        self._counted = CountedLog(self._log, reactor)
        self.fetched = self.bytes = self.resumed = self.wrong_hash = self.failures = 0

    @property
    def waiting(self) -> int:
        """Bodies that wait for their turn."""
        return len(self._urgent) + len(self._patient)

    @property
    def running(self) -> int:
        """Bodies being fetched."""
        return len(self._running)

    async def fetch(self, wanted: Wanted, urgent: bool) -> None:
        """Return when the body is a blob, verified and retained.

        :raises NoHolderError: none of its holders gave it.
        """
        if self._blobs.has(etag_of(wanted.digest), wanted.length):
            return
        job = self._jobs.get(wanted.digest)
        if job is None:
            job = self._jobs[wanted.digest] = _Job(wanted, urgent)
            (self._urgent if urgent else self._patient)[wanted.digest] = job
        elif urgent and not job.urgent:
            job.urgent = True
            if self._patient.pop(wanted.digest, None) is not None:
                self._urgent[wanted.digest] = job
            if job.receiver is not None:
                job.receiver.hurry()
            _wake(job)
        waiter: Deferred[None] = Deferred()
        job.waiters.append(waiter)
        self._start()
        await waiter

    def stop(self) -> None:
        """Close what is kept open; fetches that run are not ended."""
        self._client.close()

    def _start(self) -> None:
        """Begin what there is a place for, urgent ones first."""
        if self._starting:
            return  # a job that ended at once; the loop below goes on, instead of going deeper
        self._starting = True
        try:
            while len(self._running) < self._limits.parallel:
                if self._urgent:
                    queue = self._urgent
                elif self._patient and len(self._running) < _background(self._limits.parallel):
                    queue = self._patient
                else:
                    return
                job = queue.pop(next(iter(queue)))
                self._running.append(job)
                Deferred.fromCoroutine(self._run(job)).addBoth(self._finish, job)
        finally:
            self._starting = False

    def _finish(self, result: Any, job: _Job) -> None:
        self._running.remove(job)
        del self._jobs[job.wanted.digest]
        for waiter in job.waiters:
            if not waiter.called:
                waiter.callback(result)
        self._start()

    def _tell_wrong(self, job: _Job, holders: set[str]) -> None:
        path, senders = job.wanted.path.decode("ascii", "replace"), ", ".join(sorted(holders))
        told = f"wrong bytes of {path} came from {senders}: they are fetched again; see the disks there"
        self._counted.warn("wrong bytes", told)

    async def _run(self, job: _Job) -> None:
        partial = self._blobs.partial()
        contributors: set[str] = set()
        try:
            while True:
                holder = await self._place(job)
                before = partial.length
                try:
                    await self._attempt(job, holder, partial)
                    contributors.add(holder)
                    if await self._install(partial, job.wanted.digest):
                        self.fetched += 1
                        return
                    raise _WrongBytes
                except _WrongBytes:
                    self.wrong_hash += 1
                    self._tell_wrong(job, {holder, *contributors})
                    partial.reset()
                    if len(contributors - {holder}) and not job.alone:
                        job.alone = True
                        job.out -= contributors
                    else:
                        job.out.add(holder)
                except _Broken:
                    self.failures += 1
                    job.breaks[holder] = job.breaks.get(holder, 0) + 1
                    if partial.length <= before or job.breaks[holder] >= _BREAKS:
                        job.out.add(holder)
                    contributors.add(holder)
                    if job.alone:
                        partial.reset()
                finally:
                    self._leave(holder)
                if not partial.length:
                    contributors.clear()
        finally:
            partial.close()

    async def _install(self, partial: PartialBlob, digest: bytes) -> bool:
        """Make it a blob; the disk is waited for in a thread."""
        if partial.length <= CHECK_AT_ONCE:
            return partial.install(digest)
        pool = self._reactor.getThreadPool()
        return bool(await deferToThreadPool(self._reactor, pool, partial.install, digest))

    async def _place(self, job: _Job) -> str:
        """A holder that is not out, and has a place."""
        while True:
            left = [holder for holder in self._holders(job.wanted.origin) if holder not in job.out]
            if not left:
                name = job.wanted.path.decode("ascii", "replace")
                raise NoHolderError(f"no node gives the body of {name}; is one that holds it alive?")
            bound = self._limits.per_holder if job.urgent else _background(self._limits.per_holder)
            holder = min(left, key=lambda name: self._busy.get(name, 0))
            if self._busy.get(holder, 0) < bound:
                self._busy[holder] = self._busy.get(holder, 0) + 1
                return holder
            job.place = Deferred()
            await job.place

    def _leave(self, holder: str) -> None:
        self._busy[holder] -= 1
        if not self._busy[holder]:
            del self._busy[holder]
        for job in sorted(self._running, key=lambda job: not job.urgent):
            _wake(job)

    async def _attempt(self, job: _Job, holder: str, partial: PartialBlob) -> None:
        wanted, start = job.wanted, partial.length
        target = (
            f"/.edge/body/{wanted.digest.hex()}?path={quote_from_bytes(wanted.path, safe='')}"
            f"&variant={wanted.variant}"
        )
        asking: Deferred[Any] = Deferred.fromCoroutine(
            _awaited(self._client.get(holder, target, {"Range": f"bytes={start}-"} if start else {}))
        )
        deadline = Deadline(self._reactor, asking.cancel)
        deadline.set(self._limits.patience_s)
        try:
            response = await asking
        except (Exception, CancelledError) as error:
            raise _Broken from error
        finally:
            deadline.clear()
        if response.code != 200 and not (response.code == 206 and start):
            response.deliverBody(_Explanation(self._reactor, self._limits.patience_s))
            raise _Broken
        receiver = job.receiver = _Receiver(self, job, partial)
        response.deliverBody(receiver)
        if response.code == 206:
            value = response.headers.getRawHeaders(b"Content-Range", [b""])[0]
            match = _CONTENT_RANGE.fullmatch(value)
            if match is None or (int(match[1]), int(match[2])) != (start, wanted.length):
                receiver.give_up(_WrongBytes())
            else:
                self.resumed += 1
        else:
            partial.reset()
        try:
            receiver.begin()
            await receiver.done
        finally:
            job.receiver = None

    def delay_of(self, count: int) -> float:
        """Seconds to pause after *count* bytes in the background; the bucket holds a quarter second."""
        now, rate = self._reactor.seconds(), self._limits.bytes_per_second
        self._tokens = min(self._tokens + (now - self._filled) * rate, rate / 4) - count
        self._filled = now
        return max(-self._tokens / rate, 0.0)


class _Explanation(protocol.Protocol):
    """Reads why a holder does not give a body, and throws it away, so that its connection can be used again.

    A connection that was cut instead would cost both a TLS handshake for each body that a holder lacks.
    """

    transport: Any

    def __init__(self, reactor: Any, seconds: float) -> None:
        self._left = EXPLANATION_BYTES
        self._deadline = Deadline(reactor, self._cut)
        self._deadline.set(seconds)

    def _cut(self) -> None:
        self.transport.loseConnection()

    # Twisted's overrides

    def dataReceived(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._cut()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self._deadline.clear()


class _Receiver(protocol.Protocol):
    """Writes one response into the partial blob; :attr:`done` fires at its end."""

    transport: Any

    def __init__(self, fetcher: BodyFetcher, job: _Job, partial: PartialBlob) -> None:
        self.done: Deferred[None] = Deferred()
        self._fetcher = fetcher
        self._job = job
        self._partial = partial
        self._early: list[bytes] | None = []
        self._over: Failure | None = None
        self._progress = 0
        self._silence = Deadline(fetcher._reactor, lambda: self.give_up(_Broken()))
        self._pause = Deadline(fetcher._reactor, self.hurry)

    def begin(self) -> None:
        """The head is right: take the body."""
        early, self._early = self._early or [], None
        if not self.done.called:
            self._silence.set(self._fetcher._limits.patience_s)
        for data in early:
            self.dataReceived(data)
        if self._over is not None:
            self.connectionLost(self._over)

    def hurry(self) -> None:
        """End a pause."""
        if self._pause.running or not self._silence.running:
            self._pause.clear()
            if not self.done.called and self._early is None:
                self._silence.set(self._fetcher._limits.patience_s)
                self.transport.resumeProducing()

    def give_up(self, error: Exception) -> None:
        """Cut the holder off."""
        if not self.done.called:
            self._end(Failure(error))
            self.transport.loseConnection()

    def _end(self, result: Failure | None) -> None:
        self._silence.clear()
        self._pause.clear()
        self.done.callback(result)

    # Twisted's overrides

    def dataReceived(self, data: bytes) -> None:
        if self.done.called:
            return
        if self._early is not None:
            self._early.append(data)
            return
        if self._partial.length + len(data) > self._job.wanted.length:
            self.give_up(_WrongBytes())
            return
        try:
            self._partial.write(data)
        except EdgeError as error:
            self.give_up(error)
            return
        self._fetcher.bytes += len(data)
        self._progress += len(data)
        if self._progress >= PROGRESS:
            self._progress = 0
            self._silence.set(self._fetcher._limits.patience_s)
        delay = 0.0 if self._job.urgent else self._fetcher.delay_of(len(data))
        if delay:
            self._silence.clear()
            self._pause.set(delay)
            self.transport.pauseProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._early is not None:
            self._over = reason
        elif not self.done.called:
            if self._partial.length == self._job.wanted.length:
                self._end(None)
            else:
                self._end(Failure(_WrongBytes() if reason.check(ResponseDone) else _Broken()))


def _wake(job: _Job) -> None:
    """Let a job that waits for a place at a holder look again."""
    place, job.place = job.place, None
    if place is not None:
        place.callback(None)


def _background(places: int) -> int:
    """How many of so many places background fetches may take."""
    return max(places - places // 4, 1)


async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable

"""Checking the blob store in the background: disks flip bits, and nothing but the digest shows it.

After a start, and then once a day, every blob is read and compared with the digest that names it, with
pauses, so that it takes a quarter of one core and of the disk at most.  What does not agree is removed, said,
and published again from the webroot; the bodies of other nodes' entries are fetched again when somebody asks
for them.

Workers check a blob themselves before they first send it (:mod:`edge.node.worker.checked_blobs`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Set
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from edge.publish.blobs import Blobs

#: Seconds from one pass to the next.
INTERVAL = 86_400.0
#: Seconds of rest for each second of reading.
REST = 3.0


class Scrubber:
    """Reads all blobs now and then, and has the damaged ones made anew."""

    _log = Logger()

    def __init__(self, blobs: Blobs, renew: Callable[[Set[bytes]], Awaitable[object]], reactor: Any) -> None:
        """*renew* makes the bodies with these etags anew from the webroot."""
        self._blobs = blobs
        self._renew = renew
        self._reactor = reactor
        self._stopped = False
        self._rest: Deferred[None] | None = None

    def start(self) -> None:
        """Begin the first pass."""
        Deferred.fromCoroutine(self._run())

    def stop(self) -> None:
        """Read no more."""
        self._stopped = True
        if self._rest is not None:
            self._rest.cancel()

    async def check_all(self) -> int:
        """Read every blob once; how many were damaged."""
        damaged: set[bytes] = set()
        for etag in self._blobs.all():
            began = self._reactor.seconds()
            is_whole = await self._in_thread(self._blobs.check, etag, lambda: self._stopped)
            if self._stopped:
                break
            if not is_whole:
                damaged.add(etag)
                self._log.warn(
                    "the blob {etag} was damaged on disk; it is removed, and made anew from its source",
                    etag=etag.decode("ascii"),
                )
            await self._pause((self._reactor.seconds() - began) * REST)
        if damaged and not self._stopped:
            await self._renew(damaged)
        return len(damaged)

    async def _run(self) -> None:
        try:
            while not self._stopped:
                await self.check_all()
                await self._pause(INTERVAL)
        except CancelledError:
            return
        except Exception:
            self._log.failure("the blobs could not be checked")

    async def _pause(self, seconds: float) -> None:
        if self._stopped:
            return
        self._rest = deferLater(self._reactor, seconds)
        try:
            await self._rest
        finally:
            self._rest = None

    async def _in_thread(self, work: Callable[..., Any], *arguments: object) -> Any:
        return await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work, *arguments)

"""The webroot that a node serves: published when it changes, when told, and from elsewhere when told.

Next on the way of a change: :meth:`edge.node.publishing.publisher.Publisher.publish`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.errors import EdgeError
from edge.node.publishing.publisher import Stopped
from edge.publish.problems import Kind
from edge.publish.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from twisted.internet.interfaces import IDelayedCall

    from edge.node.publishing.publisher import Publisher, PublishResult
    from edge.publish.problems import Problem
    from edge.publish.settings import PublishSettings


#: Seconds until the next look at files that were being written.
LOOK_AGAIN = 2.0
#: Seconds until it is tried again to keep what could not be written: nothing tells when the disk has room.
STORE_AGAIN = 10.0


class AutoPublisher:
    """Tells a publisher when to publish, and watches the directory that it publishes.

    Files that were being written are looked at again without an event: that nobody writes any more has none.
    """

    _log = Logger()

    def __init__(self, publisher: Publisher, watch: bool, reactor: Any) -> None:
        """*watch*: see changes by inotify; otherwise publish only when told."""
        self._publisher = publisher
        self._reactor = reactor
        self._watches = watch
        self._watcher = self._watch(publisher.settings.root)
        self._next_look: IDelayedCall | None = None
        self._stopped = False
        self._said = ""

    async def publish(self, root: str | None = None, everything: bool = False) -> PublishResult:
        """Publish now, from another directory if *root* is given; raises as the publisher does.

        *everything* brings purged paths back.
        """
        if root is None or root == self._publisher.settings.root:
            return await self._publish(None, everything)
        old, self._watcher = self._watcher, self._watch(root)
        try:
            result = await self._publish(root, everything)
        except BaseException:
            _stop(self._watcher)
            self._watcher = old
            raise
        _stop(old)
        return result

    async def publish_by(self, settings: PublishSettings, moves: bool) -> None:
        """Publish by other *settings*; from their directory only if the site *moves* there."""
        root = settings.root if moves else self._publisher.settings.root
        self._publisher.use(settings)
        await self._quietly(self.publish(root))

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped = True
        _stop(self._watcher)
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None

    async def _publish(self, root: str | None, everything: bool) -> PublishResult:
        result = await self._publisher.publish(root, everything, self._on_directory)
        if self._publisher.catalogue.look_again:
            self._look_in(LOOK_AGAIN)
        elif any(problem.kind is Kind.STORE for problem in result.problems):
            self._look_in(STORE_AGAIN)
        return result

    def _look_in(self, seconds: float) -> None:
        if self._next_look is None and not self._stopped:
            self._next_look = self._reactor.callLater(seconds, self._look)

    def _look(self) -> None:
        self._next_look = None
        self._changed()

    def _on_directory(self, path: str) -> None:
        """A scan is about to list a directory: watch it first.  Called in the scanning thread."""
        if self._watcher is not None:
            self._watcher.watch(path)

    def _report(self, problem: Problem) -> None:
        self._log.warn("{problem}", problem=problem)

    def _watch(self, root: str) -> Watcher | None:
        if not self._watches or not root:
            return None
        watcher = Watcher(self._reactor, root, self._changed, self._report)
        watcher.start()
        return watcher

    def _changed(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._quietly(self.publish()))

    async def _quietly(self, publishing: Awaitable[PublishResult]) -> None:
        """Publish without anybody waiting: what goes wrong is logged, the site stays as it was."""
        try:
            result = await publishing
        except Stopped:
            return
        except EdgeError as error:
            if str(error) != self._said:
                self._log.error("the site stays as it was: {error}", error=error)
            self._said = str(error)
            self._look_in(STORE_AGAIN)
            return
        self._said = ""
        if result.puts or result.removes:
            self._log.info(
                "published changes: {puts} resources put, {removes} removed",
                puts=result.puts,
                removes=result.removes,
            )


def _stop(watcher: Watcher | None) -> None:
    if watcher is not None:
        watcher.stop()

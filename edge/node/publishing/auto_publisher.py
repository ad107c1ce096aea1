"""The webroot that a node serves: published when it changes, when told, and from elsewhere when told.

Next on the way of a change: :meth:`edge.node.publishing.publisher.Publisher.change`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.errors import EdgeError
from edge.node.publishing.publisher import Stopped
from edge.publish.schedule import STORE_AGAIN
from edge.publish.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from edge.node.publishing.publisher import Publisher, PublishResult
    from edge.publish.problems import Problem
    from edge.publish.settings import PublishSettings


class AutoPublisher:
    """Tells a publisher when to publish, and watches the directory that it publishes."""

    _log = Logger()

    def __init__(self, publisher: Publisher, watch: bool, reactor: Any) -> None:
        """*watch*: see changes by inotify; otherwise publish only when told."""
        self._publisher = publisher
        self._reactor = reactor
        self._watches = watch
        self._watcher = self._watch(publisher.settings.root)
        publisher.deploy.is_quiet = self._is_quiet
        self._again: Any = None
        self._stopped = False
        self._said = ""

    async def publish(self, root: str | None = None, everything: bool = False) -> PublishResult:
        """Publish now, from another directory if *root* is given; raises as the publisher does.

        *everything* brings purged paths back.
        """
        if root is None or root == self._publisher.settings.root:
            return await self._publisher.publish(None, everything, self._on_directory)
        old, self._watcher = self._watcher, self._watch(root)
        try:
            result = await self._publisher.publish(root, everything, self._on_directory)
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
        if self._again is not None and self._again.active():
            self._again.cancel()

    def _on_directory(self, path: str) -> None:
        """A directory is about to be listed: watch it first.  Called in the listing thread."""
        if self._watcher is not None:
            self._watcher.watch(path)

    def _is_quiet(self) -> bool:
        """Whether nobody is changing files just now."""
        return self._watcher is None or self._watcher.is_quiet

    def _report(self, problem: Problem) -> None:
        self._log.warn("{problem}", problem=problem)

    def _watch(self, root: str) -> Watcher | None:
        if not self._watches or not root:
            return None
        watcher = Watcher(self._reactor, root, self._changed, self._report)
        watcher.start()
        return watcher

    def _changed(self, where: frozenset[str] | None) -> None:
        if where is not None:
            self._publisher.change(where)
        else:
            self._look_at_everything()

    def _look_at_everything(self) -> None:
        if not self._stopped:
            Deferred.fromCoroutine(self._quietly(self._publisher.look_at_everything()))

    async def _quietly(self, publishing: Awaitable[object]) -> None:
        """Publish without anybody waiting: what goes wrong is logged, the site stays as it was."""
        try:
            await publishing
        except Stopped:
            return
        except EdgeError as error:
            if str(error) != self._said:
                self._log.error("the site stays as it was: {error}", error=error)
            self._said = str(error)
            if not self._stopped and (self._again is None or not self._again.active()):
                self._again = self._reactor.callLater(STORE_AGAIN, self._look_at_everything)
            return
        self._said = ""


def _stop(watcher: Watcher | None) -> None:
    if watcher is not None:
        watcher.stop()

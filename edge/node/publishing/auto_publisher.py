"""The webroot that a node serves: published when it changes, when told, and from elsewhere when told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.errors import EdgeError
from edge.node.publishing.publisher import Stopped
from edge.publish.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.node.publishing.publisher import Outcome, Publisher
    from edge.publish.problems import Problem
    from edge.publish.settings import Settings


class AutoPublisher:
    """Tells *publisher* when to publish."""

    _log = Logger()

    def __init__(self, publisher: Publisher, watch: bool, reactor: Any) -> None:
        """*watch*: see changes by inotify; otherwise publish only when told."""
        self._publisher = publisher
        self._reactor = reactor
        self._watches = watch
        self._watcher: Watcher | None = None
        self._watch(publisher.settings.root)

    async def publish(self, root: str | None, everything: bool) -> Outcome:
        """Publish now, from another directory if *root* is given; raises as the publisher does.

        *everything* brings purged paths back.
        """
        publisher = self._publisher
        if root is None or root == publisher.settings.root:
            return await publisher.publish(None, everything)
        old, on_directory = self._watcher, publisher.on_directory
        self._watch(root)
        try:
            outcome = await publisher.publish(root, everything)
        except BaseException:
            self.stop()
            self._watcher, publisher.on_directory = old, on_directory
            raise
        if old is not None:
            old.stop()
        return outcome

    async def publish_by(self, settings: Settings, moves: bool) -> None:
        """Publish by other *settings*; from their directory only if the site *moves* there."""
        root = settings.root if moves else self._publisher.settings.root
        self._publisher.settings = replace(settings, root=self._publisher.settings.root)
        await self._quietly(lambda: self.publish(root, False))

    def stop(self) -> None:
        """Watch no longer."""
        if self._watcher is not None:
            self._watcher.stop()

    def _report(self, problem: Problem) -> None:
        self._log.warn("{problem}", problem=problem)

    def _watch(self, root: str) -> None:
        if self._watches and root:
            watcher = self._watcher = Watcher(self._reactor, root, self._changed, self._report)
            watcher.start()
            self._publisher.on_directory = watcher.watch

    def _changed(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._quietly(self._publisher.publish))

    async def _quietly(self, publish: Callable[[], Any]) -> None:
        """Publish without anybody waiting: what goes wrong is logged, the site stays as it was."""
        try:
            outcome = await publish()
        except Stopped:
            return
        except EdgeError as error:
            self._log.error("the site stays as it was: {error}", error=error)
            return
        if outcome.puts or outcome.removes:
            self._log.info(
                "published changes: {puts} resources put, {removes} removed",
                puts=outcome.puts,
                removes=outcome.removes,
            )

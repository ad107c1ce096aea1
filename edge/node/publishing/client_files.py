"""The smart client's own files, published beside a site: coded quickly at first, then well."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.config.paths import default_webroot
from edge.errors import EdgeError
from edge.publish.catalogue import Catalogue
from edge.publish.client import CACHE_RULES, RULES, unpack
from edge.publish.webroot import scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.node.publishing.job_runner import JobRunner
    from edge.publish.schedule import Schedule
    from edge.publish.settings import PublishSettings
    from edge.publish.store import Store


class ClientFiles:
    """Publishes the smart client by the *settings* in force; *changed* is called after each step."""

    _log = Logger()

    def __init__(
        self,
        settings: Callable[[], PublishSettings],
        schedule: Schedule,
        store: Store,
        jobs: JobRunner,
        changed: Callable[[], None],
    ) -> None:
        #: Whether they are there, or are not to be, or cannot.
        self.is_there = not settings().client
        self._settings = settings
        self._schedule = schedule
        self._store = store
        self._jobs = jobs
        self._changed = changed
        self._published = Catalogue()
        self._is_running = False

    def begin(self) -> Deferred[None] | None:
        """Publish them as they are now, unless that is under way; fires when they are there."""
        if not self._settings().client or self._is_running:
            return None
        self._is_running = True
        return Deferred.fromCoroutine(self._put(0))

    async def _put(self, at_once: int | None) -> None:
        """*at_once*: see :class:`edge.publish.making.Maker`."""
        threads = self._jobs.slow if at_once is None else self._jobs.quick
        try:
            client = await threads.run(partial(self._scan, self._settings(), at_once))
        except (EdgeError, OSError, ValueError) as error:
            self._log.error("the smart client is not published: {error}", error=error)
            self._is_running, self.is_there = False, True
            return
        if self._jobs.is_stopped:
            return
        self._published, self.is_there = client, True
        own = Path(self._settings().root) == default_webroot()
        # The site that comes with this program has the client's sources; the rules are its own.
        files = {name: one for name, one in client.files.items() if not own or name != RULES}
        self._schedule.step(self._schedule.site.set_client(files, own))
        if any(one.is_provisional for one in client.files.values()):
            Deferred.fromCoroutine(self._put(None))
        else:
            self._is_running = False
        self._changed()

    def _scan(self, settings: PublishSettings, at_once: int | None) -> Catalogue:
        """They as they are now.  Runs in a thread."""
        folder = Path(settings.client)
        folder.mkdir(parents=True, exist_ok=True)
        unpack(default_webroot(), folder)
        own = replace(settings, root=settings.client, cache_rules=CACHE_RULES, node="")
        previous = self._published if at_once is not None else None
        return scan(own, self._store, previous, at_once=at_once)

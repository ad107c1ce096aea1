"""Rules of addresses and fields, brought into force: those of the configuration and of files in the webroot.

``_redirects`` and ``_headers`` are files like others until they have been made; a file that is being written
is waited for as any other one is.  Then the rules are understood in a thread, and the site is asked, file by
file, where everything is now.  What changes meanwhile counts afterwards.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from edge.addresses.files import HEADERS, LARGEST, REDIRECTS
from edge.publish.settings import AddressSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.node.process.slices import Slices
    from edge.node.publishing.threads import Threads
    from edge.publish.addressing import Addressing
    from edge.publish.schedule import Schedule
    from edge.publish.site import Site
    from edge.publish.store import Store

#: What rules depend on: the configuration, and the ETags of the files.
_Key = tuple[AddressSettings, tuple[bytes, ...]]


class Readdressing:
    """The rules that are in force for a site."""

    _log = Logger()

    def __init__(
        self,
        site: Site,
        schedule: Schedule,
        store: Store,
        slices: Slices,
        threads: Threads,
        show_rules: Callable[[bytes], object],
    ) -> None:
        self._site = site
        self._schedule = schedule
        self._store = store
        self._slices = slices
        self._threads = threads
        self._show_rules = show_rules
        self._in_force: _Key = (AddressSettings(), ())
        self._one_at_a_time = DeferredLock()
        self._said: frozenset[str] = frozenset()

    def is_due(self, settings: AddressSettings) -> bool:
        """Whether other rules than those are to be in force."""
        return self._key(settings) != self._in_force

    @property
    def is_running(self) -> bool:
        """Whether other rules are being brought into force just now."""
        return bool(self._one_at_a_time.locked)

    async def bring_about(self, settings: AddressSettings) -> None:
        """Return when the rules of *settings*, and of the files as they are now, are in force."""
        async with self._one_at_a_time:
            while (key := self._key(settings)) != self._in_force:
                addressing, wrong = await self._threads.run(partial(self._understand, settings))
                self._say(wrong)
                self._show_rules(addressing.document())
                await self._slices.run(self._ask(addressing))
                self._in_force = key

    def begin(self, settings: AddressSettings) -> None:
        """The rules of *settings* are in force, before anything is published."""
        addressing, _ = settings.addressing()
        self._show_rules(addressing.document())
        for paths in self._site.use(addressing):
            self._schedule.step(paths)
        self._in_force = settings, ()

    def _understand(self, settings: AddressSettings) -> tuple[Addressing, list[str]]:
        """What the rules are now, and sentences about what files say in vain.  Runs in a thread."""
        return settings.addressing(self._read(REDIRECTS), self._read(HEADERS))

    def _ask(self, addressing: Addressing) -> Iterator[None]:
        """Ask the whole site where it is now."""
        for paths in self._site.use(addressing):
            self._schedule.step(paths)
            yield
        yield from self._schedule.readdress()

    def _key(self, settings: AddressSettings) -> _Key:
        files = [self._site.files.get(name) for name in (REDIRECTS, HEADERS)]
        return settings, tuple(
            file.resources[0].representations[0].etag if file is not None else b"" for file in files
        ) if any(files) else ()

    def _read(self, name: str) -> bytes:
        """What the file *name* holds."""
        file = self._site.files.get(name)
        if file is None:
            return b""
        one = file.resources[0].representations[0]
        if one.body is not None:
            return one.body
        if one.length > LARGEST:
            return b"\0" * (LARGEST + 1)  # the reader says that it is too large
        return b"".join(self._store.blobs.pieces(one.etag))

    def _say(self, wrong: list[str]) -> None:
        """Log *wrong*, each once."""
        for sentence in wrong:
            if sentence not in self._said:
                self._log.warn("{sentence}", sentence=sentence)
        self._said = frozenset(wrong)

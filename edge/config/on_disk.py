"""What is published under one path, from the webroot alone: only the folders on its way are read.

A whole site may take minutes to publish; who asks about one address waits for none of the rest.
"""

from __future__ import annotations

import os
import stat
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from edge.addresses.globs import decoded
from edge.config.model import Config, Site
from edge.config.publishing import publish_settings
from edge.errors import PublishError
from edge.publish.addressing import Addressing
from edge.publish.coding import Qualities
from edge.publish.jobs import look, make
from edge.publish.lanes import Lane
from edge.publish.schedule import Look, Make
from edge.publish.site import Site as PublishedSite
from edge.publish.store import Store
from edge.publish.walk import Place, Tree
from edge.resource import Resource

#: As good as the node's own in what decides; the bytes are a few more.
_QUICK = Qualities(brotli=5, gzip=9, zstd=6)


class OnDisk:
    """One site, read where it is asked for.  Use it in a ``with`` statement."""

    def __init__(self, config: Config, site: Site) -> None:
        self._folder = TemporaryDirectory(prefix="edge-try-")
        qualities = replace(_QUICK, zstd=min(config.zstd_level, _QUICK.zstd))
        self._settings = replace(publish_settings(config, site), qualities=qualities, node="", client="")
        self._store = Store(self._folder.name, lambda problem: None)
        self._site = PublishedSite()
        self._looked: set[str] = set()
        for _ in self._site.use(self._settings.addresses.addressing(*self._rule_files())[0]):
            pass

    def __enter__(self) -> OnDisk:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._store.close()
        self._folder.cleanup()

    @property
    def addressing(self) -> Addressing:
        """The rules in force."""
        return self._site.addressing

    def find(self, path: bytes) -> Resource | None:
        """What is published under the canonical *path*; :class:`~edge.errors.PublishError`: no webroot."""
        if not self._settings.root or path.startswith(b"/.edge/"):
            return None
        names = decoded(path).strip("/").split("/")
        place: Place | None = self._tree().root_place()
        for name in [*names, None]:
            if place is None:
                break
            inner = self._look(place)
            place = inner.get(f"{place.name}/{name}" if place.name else str(name)) if name else None
        return self._site.get(path)

    def _tree(self) -> Tree:
        return Tree(self._settings.root, follow_symlinks=self._settings.follow_symlinks)

    def _look(self, place: Place) -> dict[str, Place]:
        """Read the folder at *place*; the folders in it by name."""
        (looked,) = look(Look([place]), self._settings, self._store, self._site, None)
        if place.name not in self._looked:
            self._looked.add(place.name)
            job = Make(looked.groups, Lane.CHANGE, None, frozenset())
            made = make(job, self._settings, self._store, self._site, lambda problem: None, lambda: False)
            for name, published in made.files.items():
                self._site.put(name, published)
            if looked.page is not None:
                self._site.put(place.name + "/", looked.page)
        return {one.name: one for one in looked.listing.places}

    def _rule_files(self) -> tuple[bytes, bytes]:
        """The contents of ``_redirects`` and ``_headers``."""
        root = Path(self._settings.root) if self._settings.root else None
        redirects, headers = (_read(root / name) if root else b"" for name in ("_redirects", "_headers"))
        return redirects, headers


class AllOnDisk:
    """All sites of a configuration, each read when it is asked for.  Use it in a ``with`` statement."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sites: dict[str, OnDisk] = {}
        self._open = ExitStack()

    def __enter__(self) -> AllOnDisk:
        return self

    def __exit__(
        self, type_: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._open.close()

    def find(self, site: Site, path: bytes) -> Resource | None:
        """What *site* has at the canonical *path*."""
        return self._of(site).find(path)

    def addressing(self, site: Site) -> Addressing:
        """The rules in force for *site*."""
        return self._of(site).addressing

    def _of(self, site: Site) -> OnDisk:
        if site.name not in self._sites:
            self._sites[site.name] = self._open.enter_context(OnDisk(self._config, site))
        return self._sites[site.name]


def _read(file: Path) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):
            return b""
        return file.read_bytes()[: 4 << 20]
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise PublishError(f"{file} cannot be read ({error.strerror}); see its permissions") from None

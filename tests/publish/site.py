"""A webroot and a state directory for a test."""

from __future__ import annotations

import os
import time
from hashlib import sha256
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from edge.publish.catalogue import Catalogue
from edge.publish.coding import Qualities
from edge.publish.problems import Kind, Problem
from edge.publish.settings import PublishSettings
from edge.publish.store import Store
from edge.publish.walk import open_file
from edge.publish.webroot import scan
from edge.resource import Resource

#: Text that codes well.
PROSE = b"All happy families are alike; each unhappy family is unhappy in its own way. " * 20
#: Fast, and enough to see that coding works.
FAST = Qualities(brotli=1, gzip=1, zstd=1)


def later() -> float:
    """A time at which everything written so far has settled."""
    return time.time() + 10


def noise(length: int) -> bytes:
    """Bytes that no coding makes smaller, the same each time."""
    value, out = 1, bytearray()
    while len(out) < length:
        value = value * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
        out += (value >> 32).to_bytes(4, "big")
    return bytes(out[:length])


class SiteTestCase(SynchronousTestCase):
    """Tests with a webroot at ``self.root`` and a state directory at ``self.state``."""

    def setUp(self) -> None:
        base = os.path.abspath(self.mktemp())
        self.root = os.path.join(base, "site")
        self.state = os.path.join(base, "state")
        os.makedirs(self.root)
        self.problems: list[Problem] = []

    def write(self, name: str, body: bytes = PROSE, *, age: float = 100.0) -> str:
        """Write a file of the webroot, *age* seconds ago."""
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(body)
        when = time.time() - age
        os.utime(path, (when, when))
        return path

    def link(self, name: str, target: str) -> None:
        """Make a symbolic link in the webroot."""
        path = os.path.join(self.root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)

    def store(self, **options: Any) -> Store:
        """A store that is closed at the end."""
        store = Store(self.state, self.problems.append, **options)
        self.addCleanup(store.close)
        return store

    def scan(
        self,
        store: Store,
        previous: Catalogue | None = None,
        *,
        hooks: dict[str, Any] | None = None,
        **settings: Any,
    ) -> Catalogue:
        """One scan with fast coding, at a time when everything has settled."""
        given = PublishSettings(self.root, **{"qualities": FAST, **settings})
        return scan(given, store, previous, report=self.problems.append, **{"now": later, **(hooks or {})})

    def kinds(self) -> dict[str, Kind]:
        """What was reported: file name -> why."""
        return {problem.name: problem.kind for problem in self.problems}


class ScanTestCase(SiteTestCase):
    def bodies(self, resource: Resource) -> dict[int, bytes]:
        """The bodies by variant, wherever they are, each checked against its digest and length."""
        store = self.store()
        found = {}
        for representation in resource.representations:
            body = representation.body
            if body is None:
                with open(store.blobs.path(representation.etag), "rb") as file:
                    body = file.read()
            self.assertEqual(sha256(body).digest(), representation.digest)
            self.assertEqual(len(body), representation.length)
            found[representation.variant] = body
        return found


def refuse(*names: str) -> dict[str, Any]:
    """Options for a scan in which files with these names cannot be opened."""

    def opener(name: str, flags: int, directory: int | None) -> int:
        if name in names:
            raise PermissionError(13, "Permission denied")
        return open_file(name, flags, directory)

    return {"opener": opener}

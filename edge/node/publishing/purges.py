"""Purges: paths that were taken away by command, and stay away while their files stay as they are.

What a purge takes away are bytes.  So a path stays away as long as what would be published there has the
bytes that were there, whatever the time of the file and however it is coded; of a file that had not been read
yet, as long as stat says the same of it.  A changed file, ``edgectl publish`` and a restart bring it back.
"""

from __future__ import annotations

from typing import NamedTuple

from edge.publish.schedule import Signatures
from edge.resource import Resource

#: (variant, SHA-256) of what is not coded.
_Originals = tuple[tuple[int, bytes], ...]


class _Purged(NamedTuple):
    signatures: Signatures | None
    #: None: not read yet.
    originals: _Originals | None


class Purges:
    """The purged paths."""

    def __init__(self) -> None:
        self._purged: dict[bytes, _Purged] = {}

    def __contains__(self, path: bytes) -> bool:
        return path in self._purged

    def add(self, path: bytes, resource: Resource | None, signatures: Signatures | None) -> None:
        """*path* is taken away: *resource*, or what will be made of files with these *signatures*."""
        self._purged[path] = _Purged(signatures, _originals(resource) if resource is not None else None)

    def holds(self, path: bytes, resource: Resource, signatures: Signatures | None) -> bool:
        """Whether *resource*, made of files with these *signatures*, stays away."""
        purged = self._purged.get(path)
        if purged is None:
            return False
        originals = _originals(resource)
        if purged.originals is None and purged.signatures == signatures:
            self._purged[path] = _Purged(signatures, originals)
            return True
        if purged.originals == originals:
            return True
        del self._purged[path]
        return False

    def discard(self, path: bytes) -> None:
        """Nothing is there any more that could come back."""
        self._purged.pop(path, None)

    def clear(self) -> list[bytes]:
        """Let all come back; the paths."""
        paths = list(self._purged)
        self._purged.clear()
        return paths


def _originals(resource: Resource) -> _Originals:
    return tuple((one.variant, one.digest) for one in resource.representations if one.variant % 4 == 0)

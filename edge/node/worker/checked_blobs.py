"""The blobs that a worker may send: those whose bytes have the digest that names them.

A blob is read and compared before this worker first sends it, in a thread, one after the other.  Those of
more than :data:`~edge.publish.blobs.CHECK_AT_ONCE` bytes are left to the supervisor's scrubber
(:mod:`edge.node.publishing.scrubber`): no client waits for gigabytes to be read.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.internet.threads import deferToThreadPool

from edge.publish.blobs import CHECK_AT_ONCE, has_name_of_bytes

#: Blobs remembered as whole; beyond that all are forgotten, and checked again.
_REMEMBERED = 100_000


class CheckedBlobs:
    """Says which blobs are whole."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._whole: set[str] = set()
        self._one_at_a_time = DeferredLock()

    async def is_whole(self, path: str) -> bool:
        """Whether the blob with this file name is there, and holds what its name says."""
        if path in self._whole:
            return os.path.exists(path)
        try:
            if os.stat(path).st_size > CHECK_AT_ONCE:
                return True
        except OSError:
            return False
        async with self._one_at_a_time:
            if path not in self._whole:
                pool = self._reactor.getThreadPool()
                if not await deferToThreadPool(self._reactor, pool, has_name_of_bytes, path):
                    return False
                if len(self._whole) >= _REMEMBERED:
                    self._whole.clear()
                self._whole.add(path)
        return True

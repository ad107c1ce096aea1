"""Which blobs a worker sends."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from edge.node.worker import checked_blobs
from edge.node.worker.checked_blobs import CheckedBlobs
from edge.publish.blobs import Blobs, has_name_of_bytes
from edge.resource import etag_of

BODY = b"a large body" * 1000


class CheckedBlobsTests(TestCase):
    """:class:`edge.node.worker.checked_blobs.CheckedBlobs`."""

    def setUp(self) -> None:
        from twisted.internet import reactor

        blobs = Blobs(self.mktemp())
        self.addCleanup(blobs.close)
        blobs.put(BODY)
        self.path = blobs.path(etag_of(sha256(BODY).digest()))
        self.checked = CheckedBlobs(reactor)
        self.reads = 0

        def read(path: str) -> bool:
            self.reads += 1
            return has_name_of_bytes(path)

        self.patch(checked_blobs, "has_name_of_bytes", read)

    def flip(self) -> None:
        with open(self.path, "r+b") as file:
            file.write(b"A")

    async def test_a_whole_one_is_read_once_however_many_ask(self) -> None:
        asked: list[Any] = [Deferred.fromCoroutine(self.checked.is_whole(self.path)) for _ in range(5)]
        self.assertEqual(await gatherResults(asked), [True] * 5)
        self.assertEqual(self.reads, 1)

    async def test_a_damaged_one_is_none_until_it_is_replaced(self) -> None:
        self.flip()
        self.assertFalse(await self.checked.is_whole(self.path))
        with open(self.path, "wb") as file:
            file.write(BODY)
        self.assertTrue(await self.checked.is_whole(self.path))

    async def test_a_missing_one_is_none(self) -> None:
        self.assertTrue(await self.checked.is_whole(self.path))
        os.unlink(self.path)
        self.assertFalse(await self.checked.is_whole(self.path))

    async def test_no_client_waits_for_gigabytes(self) -> None:
        self.patch(checked_blobs, "CHECK_AT_ONCE", len(BODY) - 1)
        self.flip()
        self.assertTrue(await self.checked.is_whole(self.path))
        self.assertEqual(self.reads, 0)

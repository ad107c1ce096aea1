"""A real node whose disk has flipped bits."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.node import RunningNode

BODY = os.urandom(700_000)
#: Its coded forms are blobs, too.
TEXT = os.urandom(350_000).hex().encode()


def blobs_of(node: RunningNode) -> list[Path]:
    return [path for path in (node.state / "cache" / "blobs").glob("*/*") if path.parent.name != "tmp"]


def flip(path: Path) -> None:
    """Seven bits; the length stays."""
    body = bytearray(path.read_bytes())
    for at in range(0, 70_000, 10_000):
        body[at] ^= 1
    path.write_bytes(body)


class DamageTests(SynchronousTestCase):
    """No answer has the ETag of other bytes."""

    def test_what_was_damaged_while_the_node_was_down_is_made_anew(self) -> None:
        node = RunningNode("--brotli-quality=1", workers=2)
        self.addCleanup(node.clean_up)
        node.write("big.bin", BODY)
        node.write("text.txt", TEXT)
        node.start()
        etag = node.ask("/big.bin")[1]["ETag"]
        node.stop()
        blobs = blobs_of(node)
        self.assertGreaterEqual(len(blobs), 4)
        for blob in blobs:
            flip(blob)
        node.start()
        status, fields, body = node.ask("/big.bin")
        self.assertEqual((status, fields["ETag"], body == BODY), (200, etag, True))
        self.assertEqual(node.ask("/text.txt")[2], TEXT)
        self.assertEqual(node.ask("/big.bin", {"Range": "bytes=0-9"})[2], BODY[:10])

    def test_what_is_lost_while_it_runs_comes_back(self) -> None:
        node = RunningNode(workers=0)
        self.addCleanup(node.clean_up)
        node.write("big.bin", BODY)
        node.start()
        for blob in blobs_of(node):
            blob.unlink()
        self.assertEqual(node.ask("/big.bin")[2], BODY)

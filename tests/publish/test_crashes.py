"""The power fails at any step of publishing, on a disk that loses what was not synchronized."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from edge.publish import blobs as module
from edge.publish.blobs import Blobs, has_name_of_bytes
from edge.publish.settings import PublishSettings
from edge.publish.store import Store
from edge.publish.webroot import scan
from edge.resource import etag_of
from tests.publish.crashing import CrashingDisk
from tests.publish.site import FAST

#: Crashes of one run; more with the environment variable.
CRASHES = int(os.environ.get("CRASHES", "60"))
#: Bytes above which nobody compares a blob before it is sent.
LIMIT = 4096


class CrashTests(SynchronousTestCase):
    """0 wrong bytes: what a node sends after a crash is what its name, the strong ETag, says."""

    def setUp(self) -> None:
        self.base = Path(self.mktemp()).absolute()
        self.root, self.state = self.base / "site", self.base / "state"
        self.root.mkdir(parents=True)
        self.state.mkdir()
        self.patch(module, "CHECK_AT_ONCE", LIMIT)
        self.patch(module, "_CHUNK", 1000)
        random = Random(20)
        self.bodies = {
            f"{number:02}.bin": random.randbytes(random.choice((700, 3000, 5000, 20_000)))
            for number in range(12)
        }

    def scan(self, state: Path) -> dict[bytes, list[tuple[bytes, bytes | None]]]:
        """Publish the webroot from *state*: by path, the ETags and the bodies in memory."""
        store = Store(str(state), lambda problem: None)
        try:
            settings = PublishSettings(str(self.root), body_limit=500, qualities=FAST)
            found = scan(settings, store, now=lambda: 4e9)
            store.blobs.collect(found.blobs())
        finally:
            store.close()
        return {path: [(one.etag, one.body) for one in made.representations] for path, made in found.items()}

    def publish_and_change(self, disk_folder: Path) -> None:
        """What a node does in its life: reads, is told to take bodies of peers, changes, collects."""
        for name, body in self.bodies.items():
            (self.root / name).write_bytes(body)
        self.scan(disk_folder)
        with Blobs(str(disk_folder)) as blobs:
            for size in (2000, 9000):
                theirs = Random(size).randbytes(size)
                partial = blobs.partial()
                for start in range(0, size, 1500):
                    partial.write(theirs[start : start + 1500])
                self.assertTrue(partial.install(sha256(theirs).digest()))
                partial.close()
        for name in list(self.bodies)[:6]:
            (self.root / name).write_bytes(self.bodies[name][::-1])
        self.scan(disk_folder)

    def test_after_a_crash_at_any_step_no_wrong_bytes_are_sent(self) -> None:
        disk = CrashingDisk(self.state / "blobs", self.patch)
        self.publish_and_change(self.state)
        self.assertGreater(disk.steps, 200)
        random = Random(1)
        damaged = 0
        for seed in range(CRASHES):
            crashed = self.base / "crashed"
            shutil.rmtree(crashed, ignore_errors=True)
            # The worst: the cache remembers everything, and says that all blobs are there.
            shutil.copytree(self.state, crashed, ignore=shutil.ignore_patterns("blobs", "owners"))
            disk.image(random.randint(1, disk.steps), seed, crashed / "blobs")
            damaged += self.check(crashed)
        self.assertGreater(damaged, CRASHES // 10, "the disk has lost nothing: this test shows nothing")

    def check(self, crashed: Path) -> int:
        """What a node with this state directory sends is right; how many blobs were damaged."""
        damaged = 0
        for path in crashed.glob("blobs/??/*"):
            if not has_name_of_bytes(str(path)):
                damaged += 1
                self.assertLessEqual(path.stat().st_size, LIMIT, "it would be sent without being compared")
        for etags in self.scan(crashed).values():
            for etag, body in etags:
                if body is not None:
                    self.assertEqual(etag_of(sha256(body).digest()), etag)
        with Blobs(str(crashed)) as blobs:
            lost = {etag for etags in self.scan(crashed).values() for etag, body in etags if body is None}
            for etag in lost:
                blobs.check(etag)  # as a worker does before it sends it, and the supervisor makes it anew
        for path, etags in self.scan(crashed).items():
            for etag, body in etags:
                if body is None:
                    name = etag.decode()
                    sent = (crashed / "blobs" / name[:2] / name).read_bytes()
                    self.assertEqual(etag_of(sha256(sent).digest()), etag, path)
        return damaged

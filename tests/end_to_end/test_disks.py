"""A node on a disk that is full or read-only: a sentence at the start, another attempt later."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests import processes
from tests.end_to_end.node import PATIENCE, RunningNode

#: Free pages of 4 KiB with which a start is tried; all of them with the environment variable ALL_PAGES.
PAGES = (1, 2, 4, 7, 12, 20, 40)


class OwnerTests(SynchronousTestCase):
    """Each thing that a start needs belongs to somebody else: a sentence that names it."""

    def test_what_belongs_to_another_user_is_named(self) -> None:
        if os.geteuid() or not shutil.which("setpriv"):
            raise SkipTest("only root can give files away, and then do without the right to use them")
        node = RunningNode(workers=0)
        self.addCleanup(node.clean_up)
        node.write("index.html", b"hello")
        node.write("big.bin", os.urandom(600_000))
        log = node.directory / "logs" / "access"
        log.parent.mkdir()
        node.options += ["--access-log", str(log)]
        node.start()
        node.stop()
        node.prefix = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
        cache = node.state / "cache"
        names = (
            node.site, node.state, node.state / "lock", cache, cache / "blobs", cache / "blobs" / "tmp",
            cache / "owners", cache / "collect.lock", cache / "cache-1.sqlite", node.state / "client", log,
        )  # fmt: skip
        for path in names:
            if not path.exists():
                self.assertEqual(path, log, f"{path} is not made any more: this test has to follow")
                log.write_bytes(b"")
            before = path.stat()
            os.chown(path, 65534, 65534)
            path.chmod(0o700 if path.is_dir() else 0o600)
            node.log.write_text("")
            process = node.spawn()
            node_ended = self.wait(node, process)
            said = node.log.read_text()
            self.assertNotIn("Traceback", said, path)
            self.assertIn(str(path), said)
            self.assertTrue(node_ended or path == node.state / "client", f"it is ready without {path}")
            if not node_ended:
                node.stop()
            os.chown(path, before.st_uid, before.st_gid)
            path.chmod(before.st_mode & 0o7777)

    def wait(self, node: RunningNode, process: subprocess.Popen[bytes]) -> bool:
        """Until it has ended, with 1, or is ready; whether it has ended."""
        until = time.monotonic() + PATIENCE
        while process.poll() is None and "#info] ready" not in node.log.read_text():
            self.assertLess(time.monotonic(), until, node.log.read_text())
            time.sleep(0.02)
        if process.poll() is None:
            return False
        self.assertEqual(process.returncode, 1, node.log.read_text())
        return True


class DiskTests(SynchronousTestCase):
    """The state directory on a small file system in memory."""

    def setUp(self) -> None:
        if os.geteuid() or not shutil.which("mount"):
            raise SkipTest("only root can mount a small disk")
        self.node = RunningNode(workers=1)
        self.addCleanup(self.node.clean_up)
        self.disk = self.node.directory / "disk"
        self.disk.mkdir()
        made = processes.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(self.disk)],
            capture_output=True,
            check=False,
        )
        if made.returncode:
            raise SkipTest("no disk can be mounted here")
        self.addCleanup(processes.run, ["umount", "-l", str(self.disk)], check=True)
        self.node.state = self.disk / "state"
        self.node.write("index.html", b"hello")

    def fill(self) -> Path:
        """Use up what is left of the disk."""
        path = self.disk / "fill"
        with path.open("wb", buffering=0) as file:
            for size in (65536, 1):
                try:
                    while file.write(bytes(size)):
                        pass
                except OSError:
                    continue
        return path

    def refused(self) -> str:
        """The node cannot start: what it said."""
        self.assertEqual(self.node.spawn().wait(PATIENCE), 1, self.node.log.read_text())
        said = self.node.log.read_text()
        self.assertNotIn("Traceback", said)
        return said

    def test_a_full_disk_at_the_start_is_a_sentence(self) -> None:
        """Whatever is the first that does not fit; with room it starts."""
        fill = self.fill()
        self.assertIn("make room on that disk", self.refused())
        os.truncate(fill, os.path.getsize(fill) - 3 * 4096)
        self.node.log.write_text("")
        self.refused()
        fill.unlink()
        self.node.start()

    def test_whatever_is_the_first_that_does_not_fit_is_a_sentence(self) -> None:
        """With a page more each time, until it is ready."""
        fill = self.fill()
        full = os.path.getsize(fill)
        pages = PAGES if os.environ.get("ALL_PAGES") is None else range(1, 200)
        for count in pages:
            shutil.rmtree(self.node.state, ignore_errors=True)
            with fill.open("ab", buffering=0) as file:
                file.truncate(0)
                file.write(bytes(full - count * 4096))
            self.node.log.write_text("")
            process = self.node.spawn()
            until = time.monotonic() + PATIENCE
            while process.poll() is None and "#info] ready" not in self.node.log.read_text():
                self.assertLess(time.monotonic(), until, self.node.log.read_text())
                time.sleep(0.02)
            if process.poll() is None:
                self.node.stop()
            else:
                self.assertEqual(process.returncode, 1)
                self.assertRegex(self.node.log.read_text().lower(), "no space|make room|is full|disk")
            self.assertNotIn("Traceback", self.node.log.read_text(), f"with {count} pages")

    def test_a_read_only_disk_is_a_sentence(self) -> None:
        """It names the state directory."""
        processes.run(["mount", "-o", "remount,ro", str(self.disk)], check=True)
        self.assertIn(f"--state-dir {self.node.state}", self.refused())

    def test_what_did_not_fit_is_published_when_there_is_room(self) -> None:
        """Nothing but the room has changed then."""
        self.node.start()
        fill = self.fill()
        big = os.urandom(700_000)
        self.node.write("big.bin", big)
        self.node.wait_for(lambda: "big.bin" in self.node.log.read_text(), "it says that it does not fit")
        self.assertEqual(self.node.ask("/")[2], b"hello")
        fill.unlink()
        self.node.wait_for(lambda: self.node.ask("/big.bin")[2] == big, "it is published")
        self.assertNotIn("Traceback", self.node.log.read_text())

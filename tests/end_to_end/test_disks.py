"""A node on a disk that is full or read-only: a sentence at the start, another attempt later."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.node import PATIENCE, RunningNode


class DiskTests(SynchronousTestCase):
    """The state directory on a small file system in memory."""

    def setUp(self) -> None:
        if os.geteuid() or not shutil.which("mount"):
            raise SkipTest("only root can mount a small disk")
        self.node = RunningNode(workers=1)
        self.addCleanup(self.node.clean_up)
        self.disk = self.node.directory / "disk"
        self.disk.mkdir()
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(self.disk)],
            capture_output=True,
            check=False,
        )
        if made.returncode:
            raise SkipTest("no disk can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.disk)], check=True)
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

    def test_a_read_only_disk_is_a_sentence(self) -> None:
        """It names the state directory."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.disk)], check=True)
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

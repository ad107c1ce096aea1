"""The units for systemd, as systemd itself judges them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests import processes

UNITS = Path(__file__).parents[2] / "ops/systemd"
SERVICE = UNITS / "twistd-edge.service"


class UnitTests(SynchronousTestCase):
    """Service and socket."""

    def analyze(self, *arguments: str) -> str:
        """What ``systemd-analyze`` prints; it fails the test if it fails."""
        program = shutil.which("systemd-analyze")
        if program is None:
            raise SkipTest("there is no systemd-analyze here")
        done = processes.run([program, "--no-pager", *arguments], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_the_exposure_of_the_service_is_at_most_2(self) -> None:
        """Of 10; the threshold counts tenths."""
        said = self.analyze("security", "--offline=true", "--threshold=20", str(SERVICE))
        self.assertRegex(said, r"Overall exposure level for twistd-edge.service: 1\.\d")

    def test_systemd_knows_every_line(self) -> None:
        """A setting that it does not know would be ignored, and its protection with it."""
        said = self.analyze("security", "--offline=true", str(SERVICE))
        self.assertNotRegex(said, "ignoring|Unknown|invalid")

    def test_workers_may_still_confine_themselves(self) -> None:
        """The filter of the unit lets through what their confinement needs."""
        filters = " ".join(
            re.findall(r"^SystemCallFilter=([^~].*)", SERVICE.read_text(), re.MULTILINE)
        ).split()
        for name in ("capset", "seccomp", "landlock_restrict_self"):
            self.assertIn(name, filters)

    def test_the_how_to_shows_these_files(self) -> None:
        """It includes them, so that no copy can grow old."""
        text = (UNITS.parents[1] / "docs/howto/systemd.md").read_text()
        for unit in sorted(UNITS.iterdir()):
            self.assertIn(f"../../ops/systemd/{unit.name}", text)

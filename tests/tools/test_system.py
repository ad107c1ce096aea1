"""What the machine lacks is installed where we may, and asked for where not."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tools.system import VENV, Need, ensure

MISSING = Need("no-such-program", "no-such-package another")


class EnsureTests(SynchronousTestCase):
    """On a machine that the test describes."""

    def setUp(self) -> None:
        self.commands: list[list[str]] = []
        self.patch(sys, "stdout", io.StringIO())
        self.patch(sys, "stderr", io.StringIO())
        self.patch(subprocess, "run", self.run_nothing)
        self.patch(os, "geteuid", lambda: 0)
        self.patch(
            shutil, "which", lambda name, path=None: f"/usr/bin/{name}" if name in self.programs else None
        )
        self.programs = {"apt-get"}

    def run_nothing(self, command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        self.commands.append(command)
        return subprocess.CompletedProcess(command, 0)

    @property
    def advice(self) -> str:
        return sys.stderr.getvalue()  # type: ignore[attr-defined, no-any-return]

    def test_what_is_there_is_not_installed(self) -> None:
        self.programs.add("gcc")
        self.assertEqual(ensure([Need("gcc", "gcc")], "for tests"), [])
        self.assertEqual(self.commands, [])

    def test_root_on_debian_installs(self) -> None:
        def install(command: list[str], **options: Any) -> None:
            self.run_nothing(command)
            self.programs.add("no-such-program")

        self.patch(subprocess, "run", install)
        self.assertEqual(ensure([MISSING], "for tests"), [])
        self.assertEqual(self.commands[0][:2], ["apt-get", "update"])
        self.assertEqual(self.commands[1][-2:], ["another", "no-such-package"])
        self.assertEqual(self.advice, "")

    def test_others_are_told_how(self) -> None:
        self.patch(os, "geteuid", lambda: 1000)
        self.assertEqual(ensure([MISSING], "for tests"), ["no-such-program"])
        self.assertEqual(self.commands, [])
        self.assertEqual(
            self.advice,
            "missing: no-such-program (for tests); on Debian: apt-get install another no-such-package\n",
        )

    def test_so_is_root_where_there_is_no_apt(self) -> None:
        self.programs.clear()
        self.assertEqual(ensure([MISSING], "for tests"), ["no-such-program"])
        self.assertEqual(self.commands, [])

    def test_an_installation_that_does_not_help_is_told(self) -> None:
        self.assertEqual(ensure([MISSING], "for tests"), ["no-such-program"])
        self.assertIn("apt-get install another no-such-package", self.advice)

    def test_a_python_without_venv_is_noticed(self) -> None:
        self.patch(subprocess, "run", lambda command, **options: subprocess.CompletedProcess(command, 1))
        self.assertFalse(VENV.is_there())

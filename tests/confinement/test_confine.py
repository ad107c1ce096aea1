"""A confined process, and what the kernel says of it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from edge.confinement import identity, landlock, system_calls
from edge.confinement.confine import Confined, Confinement, confine, program_files
from edge.confinement.in_force import InForce, in_force, name_of
from edge.errors import ConfigError
from tests import processes

ROOT = Path(__file__).parents[2]
REFUSED = {"EPERM", "EACCES", "ENOSYS"}


class Prison:
    """A confined process, and the files that it may and may not read."""

    def __init__(self, **confinement: object) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        folder.chmod(0o755)
        for name in ("open", "secret", "scratch"):
            (folder / name).mkdir()
            (folder / name).chmod(0o777)
            (folder / name / "file").write_text(name)
        confinement = {
            "mode": "auto",
            "readable": (str(folder / "open"),),
            "writable": (str(folder / "scratch"),),
            **confinement,
        }
        told = {
            "confinement": confinement,
            "readable": str(folder / "open/file"),
            "writable": str(folder / "scratch/new"),
            "secret": str(folder / "secret/file"),
        }
        self._process = processes.start(
            [sys.executable, "-m", "tests.confinement.prisoner", json.dumps(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        self.said: dict[str, Any] = json.loads(processes.first_line(self._process) or "{}")
        self.in_force = in_force(self._process.pid)

    @property
    def attempts(self) -> dict[str, str]:
        """What came of each attempt."""
        return dict(self.said["attempts"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=processes.PATIENCE)
        self._folder.cleanup()


class ConfineTests(SynchronousTestCase):
    """A process that gives up what it can."""

    def prison(self, **confinement: object) -> Prison:
        """A confined process, ended after the test."""
        made = Prison(**confinement)
        self.addCleanup(made.close)
        return made

    def needs(self, *, root: bool = False) -> None:
        """Skip on a machine that cannot do what is tested."""
        if not landlock.abi():
            raise SkipTest("this kernel has no Landlock")
        if platform.machine() != "x86_64":
            raise SkipTest("the numbers of the system calls that are tried are those of x86-64")
        if root and os.geteuid():
            raise SkipTest("only root can become somebody else")

    def test_a_worker_that_was_taken_over_can_go_nowhere(self) -> None:
        """It serves its connections, imports modules, starts threads, and nothing else."""
        self.needs()
        prison = self.prison()
        self.assertEqual(prison.said["confined"]["missing"], [])
        done = {name for name, outcome in prison.attempts.items() if outcome == "done"}
        self.assertEqual(
            done,
            {
                "read what it may",
                "write a temporary file",
                "import a module",
                "start a thread",
                "talk on an accepted connection",
            },
        )
        for name, outcome in prison.attempts.items():
            self.assertIn(outcome, REFUSED | {"done"}, name)

    def test_the_kernel_says_what_is_in_force(self) -> None:
        """No capability is left, not even by executing a file; system calls are filtered."""
        self.needs()
        found = self.prison().in_force
        assert found is not None
        self.assertEqual(
            (found.capabilities, found.no_new_privileges, found.filters_system_calls), (0, True, True)
        )

    def test_root_becomes_nobody_for_good(self) -> None:
        """All four user numbers, and no group of root's."""
        self.needs(root=True)
        prison = self.prison(uid=65534, gid=65534, restricts=False)
        found = prison.in_force
        assert found is not None
        self.assertEqual((set(found.users), found.groups), ({65534}, ()))
        self.assertEqual((found.capabilities, found.bounding), (0, 0))
        self.assertEqual(prison.attempts["become root"], "EPERM")

    def test_beside_an_application_files_and_system_calls_stay(self) -> None:
        """Capabilities go all the same."""
        self.needs()
        prison = self.prison(restricts=False)
        found = prison.in_force
        assert found is not None
        self.assertEqual(
            (found.capabilities, found.no_new_privileges, found.filters_system_calls), (0, True, False)
        )
        self.assertEqual(prison.attempts["read a secret"], "done")
        self.assertEqual(prison.attempts["execute"], "done")

    def test_what_is_required_and_cannot_be_had_is_refused_with_the_way_out(self) -> None:
        """Else it is reported, and the rest is done."""

        def missing(*_: object) -> int:
            raise OSError(38, "this kernel has no Landlock")

        done: list[str] = []
        for name in ("drop_capabilities", "forbid_new_privileges", "hide_memory"):
            self.patch(identity, name, partial(done.append, name))
        self.patch(landlock, "restrict", missing)
        self.patch(system_calls, "restrict", partial(done.append, "seccomp"))
        self.assertEqual(
            confine(Confinement("auto")), Confined(0, ("Landlock: this kernel has no Landlock",))
        )
        self.assertEqual(done, ["drop_capabilities", "forbid_new_privileges", "hide_memory", "seccomp"])
        with self.assertRaisesRegex(
            ConfigError, "required: Landlock: this kernel has no Landlock; start .* auto"
        ):
            confine(Confinement("required"))

    def test_off_gives_up_nothing(self) -> None:
        """Not even in this process."""
        self.assertEqual(confine(Confinement()), Confined())

    def test_the_working_directory_is_not_part_of_the_program(self) -> None:
        """Whoever starts a node from / does not let its workers read everything."""
        before = os.getcwd()
        self.addCleanup(os.chdir, before)
        os.chdir("/")
        self.patch(sys, "path", [*sys.path, "/", "relative", ""])
        paths = program_files()
        self.assertNotIn("/", paths)
        self.assertIn(sys.prefix, paths)
        self.assertTrue(all(map(os.path.isabs, paths)))


class InForceTests(SynchronousTestCase):
    """What ``/proc`` says."""

    def test_an_ordinary_process(self) -> None:
        """This one."""
        found = in_force(os.getpid())
        self.assertIsInstance(found, InForce)
        assert found is not None
        self.assertEqual(found.users[0], os.getuid())
        self.assertFalse(found.filters_system_calls)

    def test_a_process_that_has_ended(self) -> None:
        """There is nothing to say."""
        process = processes.start(["true"])
        process.wait(processes.PATIENCE)
        self.assertIsNone(in_force(process.pid))

    def test_users_have_names_or_numbers(self) -> None:
        """As the system knows them."""
        self.assertEqual(name_of(0), "root (0)")
        self.assertEqual(name_of(4_000_000_000), "4000000000")

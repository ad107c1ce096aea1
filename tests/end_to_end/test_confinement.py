"""Nodes whose workers give up what they do not need."""

from __future__ import annotations

import os
import signal
import stat
import sys
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from edge.confinement import landlock
from edge.confinement.in_force import in_force
from tests import processes
from tests.end_to_end.node import PATIENCE, ROOT, RunningNode

NOBODY = 65534


#: Where this interpreter imports from; another one of the same version may, too.
IMPORT_PATH = (str(ROOT), *(path for path in sys.path if path.endswith("site-packages")))


_CAN_BE_READ = "from edge.node.supervisor.worker_user import *; find_worker_user(None, True, SAME_USER)"


def readable_python() -> str:
    """An interpreter that nobody may read, and that can import what this one imports."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for name in (sys.executable, f"/usr/bin/python{version}", f"/usr/local/bin/python{version}"):
        environment = {"PYTHONPATH": os.pathsep.join(IMPORT_PATH)}
        command = [name, "-c", _CAN_BE_READ]
        try:
            done = processes.run(command, env=environment, cwd="/", capture_output=True, check=False)
        except OSError:
            continue
        if done.returncode == 0:
            return name
    raise SkipTest("there is no Python here that nobody may read, with this checkout")


class ConfinementTests(SynchronousTestCase):
    """Real workers, real kernel."""

    def node(self, *options: str, workers: int = 2) -> RunningNode:
        """A node that is not started yet."""
        node = RunningNode(*options, workers=workers)
        self.addCleanup(node.clean_up)
        node.write("index.html", b"<p>small")
        node.write("big.bin", os.urandom(600_000))
        return node

    def test_workers_of_a_node_that_root_starts_are_nobody_and_serve_everything(self) -> None:
        """Large bodies out of a folder that they could not find, and a log that they could not open."""
        if os.geteuid():
            raise SkipTest("only root can start workers as somebody else")
        node = self.node()
        logs = node.directory / "logs"
        logs.mkdir(mode=0o700)
        node.options += ["--access-log", str(logs / "access")]
        node.python = readable_python()
        node.environment["PYTHONPATH"] = os.pathsep.join(IMPORT_PATH)
        node.start()
        for pid in node.worker_pids():
            found = in_force(pid)
            assert found is not None
            self.assertEqual((set(found.users), found.groups, found.capabilities), ({NOBODY}, (), 0))
        self.assertEqual(node.ask("/")[0], 200)
        self.assertEqual(len(node.ask("/big.bin")[2]), 600_000)
        node.wait_for(lambda: "/big.bin" in (logs / "access").read_text(), "the access log is written")
        (logs / "access").rename(logs / "access.1")
        assert node.process is not None
        node.process.send_signal(signal.SIGUSR1)
        node.wait_for((logs / "access").exists, "there is a new file")
        node.wait_for(lambda: node.ask("/") and (logs / "access").read_text(), "the new file is written")
        self.assertEqual(stat.S_IMODE((logs / "access").stat().st_mode), 0o640)
        node.write("later.bin", os.urandom(700_000))
        node.wait_for(lambda: node.ask("/later.bin")[0] == 200, "what is published later is served")
        self.assertEqual(len(node.ask("/later.bin")[2]), 700_000)
        failed = [one["name"] for one in node.admin("GET", "/security")[1]["checks"] if not one["ok"]]
        self.assertEqual(failed, [] if landlock.abi() else ["Landlock"])

    def test_the_check_tells_what_the_kernel_says(self) -> None:
        """Switched off, it fails."""
        if not landlock.abi():  # the rest of confinement is tested without it
            raise SkipTest("this kernel has no Landlock")
        node = self.node(workers=1)
        node.start()
        checks = {one["name"]: one["ok"] for one in node.admin("GET", "/security")[1]["checks"]}
        for name in ("capabilities", "no_new_privs", "Landlock", "table"):
            self.assertTrue(checks[name], name)
        off = self.node("--confinement", "off", workers=1)
        off.start()
        [problem] = [one for one in off.admin("GET", "/security")[1]["checks"] if not one["ok"]]
        self.assertIn("--confinement off", problem["detail"])

    def test_a_worker_user_that_cannot_be_had_is_named(self) -> None:
        """Before anything runs."""
        if os.geteuid():
            raise SkipTest("only root can start workers as somebody else")
        node = self.node("--worker-user", "nemo9")
        self.assertEqual(node.spawn().wait(PATIENCE), 1)
        said = node.log.read_text()
        self.assertIn("there is no such user", said)
        self.assertNotIn("Traceback", said)

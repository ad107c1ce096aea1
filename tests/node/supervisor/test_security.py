"""What ``edgectl check --security`` tells."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.config import Config
from edge.confinement.confine import Confined
from edge.confinement.in_force import InForce
from edge.node.supervisor import security
from edge.node.supervisor.security import security_checks
from edge.node.supervisor.workers import WorkerStatus
from edge.table.segment import Segment

CONFINED = InForce((65534,) * 4, (), 0, 0, True, True)
ROOT = InForce((0,) * 4, (0,), 1 << 21, 1 << 21, False, False)


class SecurityTests(SynchronousTestCase):
    """A node with two workers."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.config = Config(webroot=None, state_dir=Path(directory.name), workers=2)
        self.segment = Segment.create(capacity=16, arena_bytes=4096)
        self.addCleanup(self.segment.close)
        self.states: dict[int, InForce | None] = {1: CONFINED, 2: CONFINED}
        self.patch(security, "in_force", self.states.get)
        self.confined = Confined(landlock=7)

    def failed(self, **changes: object) -> dict[str, str]:
        """What is not as it should be, with the detail."""
        workers = [WorkerStatus(pid, pid, "ready", 0, self.confined) for pid in self.states]
        checks = security_checks(replace(self.config, **changes), workers, self.segment)  # type: ignore[arg-type]
        return {check.name: check.detail for check in checks if not check.ok}

    def test_a_node_whose_workers_gave_everything_up_is_in_order(self) -> None:
        """By the word of the kernel."""
        self.assertEqual(self.failed(), {})

    def test_one_worker_that_is_root_is_enough_to_fail(self) -> None:
        """Each line tells what would mend it."""
        self.states[2] = ROOT
        failed = self.failed()
        self.assertEqual(set(failed), {"user", "groups", "capabilities", "no_new_privs", "seccomp"})
        self.assertRegex(failed["user"], r"root \(0\), nobody \(65534\); start the node as root")
        self.assertEqual(failed["capabilities"], "0x200000")
        self.assertIn("libseccomp2", failed["seccomp"])

    def test_a_kernel_without_landlock_is_named(self) -> None:
        """With the version that has it."""
        self.confined = Confined()
        self.assertIn("Linux 5.13", self.failed()["Landlock"])

    def test_an_application_in_the_worker_is_said(self) -> None:
        """It may open any file, and so may who takes the worker over."""
        failed = self.failed(mount=("/app=module:name",))
        self.assertEqual(set(failed), {"Landlock", "seccomp"})
        self.assertIn("--mount", failed["Landlock"])

    def test_what_is_switched_off_is_said(self) -> None:
        """By the option that did it."""
        self.assertEqual(set(self.failed(confinement="off")), {"confinement"})
        self.assertEqual(set(self.failed(workers=0)), {"workers"})

    def test_without_a_worker_nothing_can_be_said_of_workers(self) -> None:
        """While they start, or after one died."""
        self.states.update({1: None, 2: None})
        self.assertEqual(self.failed(), {"workers": "none runs now"})

    def test_files_that_others_can_read_are_named_with_the_command(self) -> None:
        """State directory and keys."""
        self.config.state_dir.chmod(0o755)
        key = self.config.state_dir / "key.pem"
        key.touch(mode=0o644)
        listen = (f"tls:443:privateKey={key}:certKey={key}",)
        failed = self.failed(listen=listen)
        self.assertEqual(set(failed), {"state directory", "certificate key"})
        self.assertIn(f"chmod o-rwx {key}", failed["certificate key"])

    def test_a_table_that_others_could_write_is_said(self) -> None:
        """On a kernel before Linux 5.1, as in a file here."""
        file = tempfile.TemporaryFile()  # noqa: SIM115
        self.segment = Segment.create(capacity=16, arena_bytes=4096, fd=file.fileno())
        self.assertIn("Linux 5.1", self.failed()["table"])

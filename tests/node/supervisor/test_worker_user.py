"""Whom workers become."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from edge.errors import ConfigError
from edge.node.supervisor import worker_user
from edge.node.supervisor.directories import SAME_USER, User
from edge.node.supervisor.worker_user import find_worker_user


class Log:
    """Keeps warnings in *said*."""

    def __init__(self, said: list[str]) -> None:
        self._said = said

    def warn(self, text: str, **fields: str) -> None:
        """See :class:`twisted.logger.Logger`."""
        self._said.append(text.format(**fields))


class WorkerUserTests(SynchronousTestCase):
    """Started by root, by somebody else, or with ``--uid``."""

    def started_by(self, uid: int, unreadable: str = "") -> None:
        """As if the node were started by *uid*, and its workers could not read *unreadable*."""
        self.patch(os, "geteuid", lambda: uid)
        self.patch(worker_user, "_unreadable_for", lambda user: unreadable)

    def test_root_starts_them_as_nobody(self) -> None:
        """Unless another is named."""
        self.started_by(0)
        nobody = pwd.getpwnam("nobody")
        self.assertEqual(find_worker_user(None, False, SAME_USER), User(nobody.pw_uid, nobody.pw_gid))
        daemon = pwd.getpwnam("daemon")
        self.assertEqual(find_worker_user("daemon", False, SAME_USER), User(daemon.pw_uid, daemon.pw_gid))

    def test_root_may_be_named(self) -> None:
        """Then nothing changes: who does so wants it."""
        self.started_by(0)
        self.assertEqual(find_worker_user("root", False, SAME_USER), SAME_USER)

    def test_who_is_not_root_stays_who_it_is(self) -> None:
        """Started so, or made so by ``--uid``."""
        self.started_by(1000)
        self.assertEqual(find_worker_user(None, False, SAME_USER), SAME_USER)
        self.started_by(0)
        self.assertEqual(find_worker_user(None, True, User(33, 33)), SAME_USER)

    def test_who_is_not_root_cannot_name_another(self) -> None:
        """With the way out."""
        self.started_by(1000)
        with self.assertRaisesRegex(ConfigError, "daemon: only root .*; start the node as root"):
            find_worker_user("daemon", False, SAME_USER)

    def test_a_user_that_is_not_there_is_named(self) -> None:
        """With the command that makes it."""
        self.started_by(0)
        with self.assertRaisesRegex(ConfigError, "no such user; make one .useradd --system nemo9."):
            find_worker_user("nemo9", False, SAME_USER)

    def test_a_python_that_a_link_leads_to_is_named_as_well(self) -> None:
        """An environment under /opt may be one of a Python that lies below /root."""
        if os.geteuid():
            raise SkipTest("root may read everything, and become somebody else")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(mode=0o700)
        (folder / "real").touch()
        link = Path("/tmp") / f"python-{os.getpid()}"
        link.symlink_to(folder / "real")
        self.addCleanup(link.unlink)
        self.patch(sys, "executable", str(link))
        with self.assertRaisesRegex(
            ConfigError, f"program in {link}, which leads to {folder}/real; install it"
        ):
            find_worker_user("nobody", True, SAME_USER)

    def test_a_program_that_nobody_can_read_leaves_them_root_and_says_so(self) -> None:
        """Unless a user was named, or confinement is required."""
        self.started_by(0, unreadable="/srv/one/venv/bin/python")
        said: list[str] = []
        self.patch(worker_user, "_log", Log(said))
        self.assertEqual(find_worker_user(None, False, SAME_USER), SAME_USER)
        [warning] = said
        self.assertRegex(warning, "workers run as root: nobody .* cannot read the program in /srv/one/venv")
        for name, required in (("nobody", False), (None, True)):
            with self.assertRaisesRegex(ConfigError, "--worker-user nobody: .* cannot read .*; install it"):
                find_worker_user(name, required, SAME_USER)

"""The state directory: one node at a time, and files that are read whole, by whom they are for."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.errors import ConfigError
from edge.node.supervisor.statedir import StateDirectory


class StateDirectoryTests(SynchronousTestCase):
    """Of one node."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "state"
        self.directory = StateDirectory(self.path)
        self.closed = False
        self.addCleanup(self.close)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.directory.close()

    def mode(self, name: str) -> int:
        return stat.S_IMODE((self.path / name).stat().st_mode)

    def test_a_second_node_is_refused_and_told_by_whom_and_the_first_stays(self) -> None:
        for _ in range(2):
            error = self.assertRaises(ConfigError, StateDirectory, self.path)
            self.assertIn(f"in use by another twistd edge (pid {os.getpid()})", str(error))

    def test_once_it_is_closed_the_next_node_may_have_it_whatever_was_left_there(self) -> None:
        self.close()
        (self.path / "lock").write_text("4711 and much more than a process id\n")
        StateDirectory(self.path).close()
        self.assertEqual((self.path / "lock").read_text(), f"{os.getpid()}\n")

    def test_the_refused_one_leaves_no_descriptor_open(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        self.assertRaises(ConfigError, StateDirectory, self.path)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_a_lock_that_is_a_link_is_not_followed(self) -> None:
        """Started by root, it would write where the owner of the directory wants it to."""
        self.close()
        victim = Path(self.mktemp())
        victim.write_text("precious")
        (self.path / "lock").unlink()
        (self.path / "lock").symlink_to(victim.absolute())
        self.assertRaises(ConfigError, StateDirectory, self.path)
        self.assertEqual(victim.read_text(), "precious")

    def test_the_process_id_is_written_anew_after_a_fork_without_a_rest_of_the_old_one(self) -> None:
        (self.path / "lock").write_text("99999999999\n")
        self.directory.write_pid()
        self.assertEqual((self.path / "lock").read_text(), f"{os.getpid()}\n")

    def test_what_it_listens_on_is_there_until_it_is_closed(self) -> None:
        self.directory.tell_listening(["http://127.0.0.1:1"], "unix:/a")
        self.directory.tell_listening(["http://127.0.0.1:2"], "http://127.0.0.1:3")
        told = json.loads((self.path / "listening.json").read_text())
        self.assertEqual(
            told, {"pid": os.getpid(), "urls": ["http://127.0.0.1:2"], "admin": "http://127.0.0.1:3"}
        )
        self.close()
        self.assertFalse((self.path / "listening.json").exists())

    def test_a_token_is_for_its_user_alone_and_never_the_same_twice(self) -> None:
        """Whatever the umask; 256 bits in 43 characters."""
        self.addCleanup(os.umask, os.umask(0))
        tokens = [self.directory.admin_token() for _ in range(2)]
        self.assertEqual((self.mode("admin.token"), len({*tokens})), (0o600, 2))
        self.assertEqual([len(token) for token in tokens], [43, 43])
        self.assertEqual((self.path / "admin.token").read_text(), tokens[1] + "\n")

    def test_a_reader_that_has_the_old_file_open_reads_it_to_its_end(self) -> None:
        first = self.directory.admin_token()
        with (self.path / "admin.token").open() as reader:
            self.directory.admin_token()
            self.assertEqual(reader.read(), first + "\n")

    def test_what_a_killed_node_left_half_written_is_in_nobody_s_way(self) -> None:
        """A link there least of all."""
        victim = Path(self.mktemp())
        victim.write_text("precious")
        (self.path / ".admin.token.new").symlink_to(victim.absolute())
        token = self.directory.admin_token()
        self.assertEqual((self.path / "admin.token").read_text(), token + "\n")
        self.assertEqual(victim.read_text(), "precious")
        self.assertEqual(sorted(one.name for one in self.path.iterdir()), ["admin.token", "lock"])

"""Files of users: read when they change, and what is wrong with one changes nothing."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from edge.errors import ConfigError
from edge.node.supervisor.user_files import UserFiles
from tests.access.test_passwords import BCRYPT


class UserFilesTests(SynchronousTestCase):
    """One file, and a second one later."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.one, self.other = (Path(folder.name) / name for name in ("one", "other"))
        self.one.write_bytes(b"ada:" + BCRYPT + b"\n")
        self.names = [str(self.one)]
        self.told = 0
        self.said: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)
        self.files = UserFiles(lambda: self.names, self.tell)

    def observe(self, event: LogEvent) -> None:
        """Keep what is said of files of users."""
        if "users" in formatEvent(event) or "log in" in formatEvent(event):
            self.said.append(formatEvent(event))

    def tell(self) -> None:
        """Workers are told."""
        self.told += 1

    def packed(self) -> dict[str, bytes]:
        """What workers would be told."""
        return msgspec.msgpack.decode(self.files.packed, type=dict[str, bytes])

    def test_a_change_is_told_and_nothing_else(self) -> None:
        self.files.start_with()
        self.files.look()
        self.assertEqual((self.told, list(self.packed())), (0, [str(self.one)]))
        self.one.write_bytes(b"eve:" + BCRYPT + b"\n")
        self.files.look()
        self.files.look()
        self.assertEqual((self.told, self.packed()[str(self.one)][:3]), (1, b"eve"))

    def test_what_cannot_be_understood_changes_nothing_and_is_said_once(self) -> None:
        self.files.start_with()
        for data in (b"eve:{SHA}x\n", b"bob:plain\n"):
            self.one.write_bytes(data)
            os.utime(self.one, ns=(1, len(data)))
            for _ in range(3):
                self.files.look()
        self.one.unlink()
        self.files.look()
        self.assertEqual((self.told, self.packed()[str(self.one)][:3]), (0, b"ada"))
        self.assertEqual(len(self.said), 3, self.said)
        self.assertIn("who could log in before still can", self.said[0])
        self.assertIn("there is no such file", self.said[2])

    def test_a_file_that_is_not_there_stops_the_start(self) -> None:
        self.names.append(str(self.other))
        with self.assertRaisesRegex(
            ConfigError, "other: there is no such file; make it: htpasswd -B -c .*other NAME"
        ):
            self.files.start_with()

    def test_a_file_that_the_configuration_has_since_named_is_known_at_once(self) -> None:
        """And one that it names no longer is forgotten."""
        self.files.start_with()
        self.other.write_bytes(b"eve:" + BCRYPT + b"\n")
        self.names = [str(self.other)]
        self.assertIn(str(self.other), self.packed())
        self.files.look()
        self.assertEqual((self.told, list(self.packed())), (1, [str(self.other)]))

"""Files that are sealed under another secret."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.trust.sealed_file import SealBroken, SealedFile, own_secret


class SealedFileTests(SynchronousTestCase):
    """:mod:`edge.trust.sealed_file`."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "sealed"
        self.secret = b"secret"
        self.file = SealedFile(self.path, "keys", lambda: self.secret)

    def test_what_was_written_is_read_and_nobody_else_can(self) -> None:
        self.assertIsNone(self.file.read())
        self.file.write(b"content")
        self.assertEqual(SealedFile(self.path, "keys", lambda: self.secret).read(), b"content")
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertNotIn(b"content", self.path.read_bytes())
        for other in (
            SealedFile(self.path, "keys", lambda: b"other"),
            SealedFile(self.path, "purpose", lambda: self.secret),
        ):
            with self.assertRaises(SealBroken):
                other.read()

    def test_with_another_secret_it_is_sealed_anew(self) -> None:
        self.file.write(b"content")
        self.secret = b"another"
        with self.assertRaises(SealBroken):
            self.file.read()
        self.file.write(b"content")
        self.assertEqual(self.file.read(), b"content")

    def test_the_same_content_is_never_sealed_alike(self) -> None:
        self.file.write(b"content")
        before = self.path.read_bytes()
        self.file.write(b"content")
        self.assertNotEqual(self.path.read_bytes(), before)

    def test_whatever_is_damaged_is_noticed(self) -> None:
        self.file.write(b"content")
        whole = self.path.read_bytes()
        for at in range(len(whole)):
            self.path.write_bytes(whole[:at])
            with self.assertRaises(SealBroken):
                self.file.read()
            self.path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            with self.assertRaises(SealBroken):
                self.file.read()

    def test_a_node_alone_has_a_secret_of_its_own(self) -> None:
        path = self.folder / "secret"
        made = own_secret(path)
        self.assertEqual((own_secret(path), len(made)), (made, 32))
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        path.write_bytes(b"half")
        self.assertNotEqual(own_secret(path), made)

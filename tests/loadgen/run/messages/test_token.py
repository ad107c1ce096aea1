"""The token: from a file or the environment, long enough, and an answer that helps when it is not."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import UsageError
from loadgen.run.messages.token import VARIABLE, read_token

TOKEN = "0123456789abcdef"


class TokenTests(SynchronousTestCase):
    """What both sides know."""

    def setUp(self) -> None:
        before = os.environ.pop(VARIABLE, None)
        self.addCleanup(os.environ.pop, VARIABLE, None)
        if before is not None:
            self.addCleanup(os.environ.__setitem__, VARIABLE, before)
        self.file = Path(self.mktemp())

    def test_a_file_without_what_editors_add(self) -> None:
        self.file.write_text(f" {TOKEN}\n\n")
        self.assertEqual(read_token(self.file), TOKEN.encode())

    def test_the_environment_when_there_is_no_file(self) -> None:
        os.environ[VARIABLE] = TOKEN + "\n"
        self.assertEqual(read_token(None), TOKEN.encode())
        self.file.write_text("f" * 20)
        self.assertEqual(read_token(self.file), b"f" * 20)

    def test_any_bytes_are_a_token(self) -> None:
        data = bytes(range(128, 160))
        self.file.write_bytes(data)
        self.assertEqual(read_token(self.file), data)
        os.environ[VARIABLE] = os.fsdecode(data)
        self.assertEqual(read_token(None), data)

    def test_too_short_ones_are_refused_with_the_way_to_make_one(self) -> None:
        self.file.write_text(TOKEN[:-1] + "\n")
        with self.assertRaisesRegex(UsageError, "16 bytes or more.*openssl rand") as caught:
            read_token(self.file)
        self.assertIn(str(self.file), str(caught.exception))
        with self.assertRaisesRegex(UsageError, VARIABLE):
            read_token(None)

    def test_what_cannot_be_read_is_named(self) -> None:
        with self.assertRaisesRegex(UsageError, "No such file") as caught:
            read_token(self.file)
        self.assertIn(f"--token-file {self.file}", str(caught.exception))

    def test_no_answer_tells_the_token(self) -> None:
        self.file.write_text("secret")
        with self.assertRaises(UsageError) as caught:
            read_token(self.file)
        self.assertNotIn("secret", str(caught.exception))

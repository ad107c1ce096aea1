"""Sessions: signed cookies, their keys on the disk, rotation, tokens of forms."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from demonstration import sessions
from demonstration.sessions import FORM_SECONDS, SESSION_SECONDS, KeyFileError, Keys, Sessions, main, rotate
from tests import processes

ROOT = Path(__file__).parents[2]


class SessionTestCase(SynchronousTestCase):
    """A key file of its own, and a clock that can be turned."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.file = self.folder / "session.key"
        self.patch(sessions, "LOOK_SECONDS", 0.0)
        self.sessions = Sessions(Keys(self.file))

    def cookie(self, visitor: str, secure: bool = False) -> str:
        return self.sessions.cookie(visitor, secure).partition(";")[0]

    def at(self, seconds: float) -> None:
        """Have it be *seconds* later for what is signed from now on; older is what was signed before."""
        import itsdangerous.timed

        now = itsdangerous.timed.time.time()
        self.patch(itsdangerous.timed.time, "time", lambda: now + seconds)


class CookieTests(SessionTestCase):
    """Who somebody is."""

    def test_a_visitor_is_known_again_by_the_cookie_of_this_site(self) -> None:
        visitor = self.sessions.new_visitor()
        self.assertEqual(self.sessions.visitor(self.cookie(visitor)), visitor)
        self.assertEqual(self.sessions.visitor(f"a=b; {self.cookie(visitor)}; c=d"), visitor)
        self.assertNotEqual(self.sessions.new_visitor(), visitor)

    def test_a_cookie_is_kept_from_scripts_and_from_other_sites(self) -> None:
        said = self.sessions.cookie("v" * 22, False)
        for attribute in ("Path=/", "HttpOnly", "SameSite=Lax", f"Max-Age={SESSION_SECONDS}"):
            self.assertIn(f"; {attribute}", said)
        self.assertNotIn("Secure", said)
        secure = self.sessions.cookie("v" * 22, True)
        self.assertTrue(secure.startswith("__Host-session="))
        self.assertTrue(secure.endswith("; Secure"))

    @settings(max_examples=100)
    @given(some.data())
    def test_a_cookie_with_any_byte_changed_is_nobodys(self, data: some.DataObject) -> None:
        cookie = self.cookie("v" * 22)
        at = data.draw(
            some.integers(len("session="), len(cookie) - 2)
        )  # the last one has bits that mean nothing
        byte = data.draw(some.sampled_from("abcXYZ019-_."))
        changed = cookie[:at] + byte + cookie[at + 1 :]
        self.assertEqual(self.sessions.visitor(changed), "v" * 22 if changed == cookie else None)

    @settings(max_examples=200)
    @given(some.text(max_size=300) | some.builds("session={}".format, some.text(max_size=200)))
    def test_whatever_somebody_sends_is_nobodys(self, cookies: str) -> None:
        self.assertIsNone(self.sessions.visitor(cookies))

    def test_a_huge_cookie_costs_nothing(self) -> None:
        self.assertIsNone(self.sessions.visitor("session=" + "a." * 1_000_000))
        self.assertIsNone(self.sessions.visitor("a=b; " * 100_000 + self.cookie("v" * 22)))

    def test_a_token_is_no_cookie_and_a_cookie_no_token(self) -> None:
        visitor = self.sessions.new_visitor()
        self.assertIsNone(self.sessions.visitor(f"session={self.sessions.token(visitor)}"))
        self.assertFalse(self.sessions.is_token(self.cookie(visitor).partition("=")[2], visitor))

    def test_a_session_and_a_token_end(self) -> None:
        visitor = self.sessions.new_visitor()
        cookie, token = self.cookie(visitor), self.sessions.token(visitor)
        self.at(FORM_SECONDS - 1)
        self.assertTrue(self.sessions.is_token(token, visitor))
        self.at(2)
        self.assertFalse(self.sessions.is_token(token, visitor))
        self.assertEqual(self.sessions.visitor(cookie), visitor)
        self.at(SESSION_SECONDS)
        self.assertIsNone(self.sessions.visitor(cookie))

    def test_a_token_is_one_visitors(self) -> None:
        token = self.sessions.token("v" * 22)
        self.assertTrue(self.sessions.is_token(token, "v" * 22))
        self.assertFalse(self.sessions.is_token(token, "w" * 22))
        self.assertFalse(self.sessions.is_token("", "v" * 22))


class KeyTests(SessionTestCase):
    """The file."""

    def test_it_is_made_for_its_owner_alone(self) -> None:
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.assertEqual(os.listdir(self.folder), ["session.key"])

    def test_processes_that_begin_at_once_have_one_key(self) -> None:
        file = self.folder / "other.key"
        program = "import sys; from pathlib import Path; from demonstration.sessions import Keys; "
        program += "print(Keys(Path(sys.argv[1])).current())"
        command = [sys.executable, "-c", program, str(file.absolute())]
        started = [processes.start(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
        self.assertEqual(len({one.communicate(timeout=120)[0] for one in started}), 1)

    def test_another_process_takes_what_one_has_signed(self) -> None:
        other = Sessions(Keys(self.file))
        self.assertEqual(other.visitor(self.cookie("v" * 22)), "v" * 22)

    def test_after_a_rotation_old_cookies_count_until_their_key_leaves(self) -> None:
        old = self.cookie("v" * 22)
        for _ in range(2):
            self.assertEqual(main([str(self.file)]), 0)
            self.assertEqual(self.sessions.visitor(old), "v" * 22)
        self.assertNotEqual(self.cookie("v" * 22).rpartition(".")[2], old.rpartition(".")[2])
        self.assertEqual(rotate(self.file), 3)
        self.assertIsNone(self.sessions.visitor(old))
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)

    def test_a_new_key_signs(self) -> None:
        rotate(self.file)
        cookie = self.cookie("v" * 22)
        self.file.write_text(self.file.read_text().splitlines()[-1])
        self.assertEqual(Sessions(Keys(self.file)).visitor(cookie), "v" * 22)

    def test_a_file_that_cannot_be_used_is_said(self) -> None:
        for change, said in (
            (lambda: self.file.chmod(0o644), "others may read it; chmod 600"),
            (lambda: self.file.write_text("secret\n"), "it holds no keys; delete it for a new one"),
            (lambda: self.file.write_text(""), "it holds no keys"),
            (lambda: self.file.write_bytes(b"\xff" * 64), "it cannot be read"),
        ):
            self.file.write_text("0" * 64 + "\n")
            self.file.chmod(0o600)
            change()
            error = self.assertRaises(KeyFileError, Keys, self.file)
            self.assertIn(f"{self.file}: {said}", str(error))
        error = self.assertRaises(KeyFileError, Keys, self.folder / "none" / "session.key")
        self.assertIn("its folder has to be writable", str(error))

    def test_a_running_process_goes_on_with_its_keys_and_says_what_is_wrong(self) -> None:
        cookie = self.cookie("v" * 22)
        self.file.write_text("broken")
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(self.sessions.visitor(cookie), "v" * 22)
        self.assertIn("it holds no keys", said.getvalue())

    def test_the_command_says_how_it_is_used(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(main([]), 2)
            self.assertEqual(main([str(self.folder / "none")]), 1)
        self.assertIn("usage: python -m demonstration.sessions FILE", said.getvalue())

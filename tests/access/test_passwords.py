"""Files of users, credentials, and how little an unknown name tells."""

from __future__ import annotations

import base64

import argon2
import bcrypt
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.access import htpasswd
from edge.access.credentials import LONGEST, REMEMBERED, Credentials, Verified, challenge, parse_basic
from edge.access.htpasswd import NOBODY, Users, parse_users, read_users
from edge.errors import ConfigError

BCRYPT = bcrypt.hashpw(b"secret", bcrypt.gensalt(4))
ARGON2 = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("secret").encode()


class UserTests(SynchronousTestCase):
    """Files as htpasswd writes them."""

    def test_bcrypt_and_argon2(self) -> None:
        data = b"# comment\n\nada:" + BCRYPT.replace(b"$2b$", b"$2y$") + b"\neve:" + ARGON2 + b":more\r\n"
        users = parse_users(data, "f")
        self.assertEqual(len(users), 2)
        for name in (b"ada", b"eve"):
            self.assertTrue(users.verify(name, b"secret"))
            for wrong in (b"", b"Secret", b"secret\0", b"x" * 1000, b"\xff\xfe"):
                self.assertFalse(users.verify(name, wrong), wrong)
        self.assertFalse(users.verify(b"bob", b"secret"))

    def test_a_password_is_cut_where_htpasswd_cuts_it(self) -> None:
        long = b"x" * 100
        users = Users({b"a": bcrypt.hashpw(long[:72], bcrypt.gensalt(4))})
        self.assertTrue(users.verify(b"a", long))
        self.assertFalse(users.verify(b"a", long[:71]))

    def test_what_is_no_protection_is_refused_with_the_way_out(self) -> None:
        """Each line by its number and name."""
        for line, said in (
            (b"bob:$apr1$x$y", "f, line 2 (bob): a hash by MD5; passwords are found out of such: make a new "
             "one with htpasswd -B"),
            (b"bob:{SHA}x", "SHA-1"),
            (b"bob:$6$x$y", "SHA-512 crypt"),
            (b"bob:secret", "neither bcrypt nor Argon2"),
            (b"bob", "write NAME:HASH"),
            (b":x", "write NAME:HASH"),
            (b"ada:" + BCRYPT, "ada is there twice"),
            (b"bob:" + BCRYPT.replace(b"$04$", b"$20$"), "bcrypt with a cost of 20"),
            (b"bob:" + ARGON2.replace(b"m=8", b"m=99999999"), "Argon2 with m=99999999"),
            (b"\x1b[2J:x", "line 2"),
        ):  # fmt: skip
            with self.assertRaises(ConfigError) as caught:
                parse_users(b"ada:" + BCRYPT + b"\n" + line, "f")
            self.assertIn(said, str(caught.exception))
            self.assertTrue(str(caught.exception).isprintable())

    @given(st.binary(max_size=200))
    def test_whatever_is_in_a_file_it_is_users_or_a_sentence(self, data: bytes) -> None:
        try:
            self.assertIsInstance(parse_users(data, "f"), Users)
        except ConfigError as error:
            self.assertTrue(str(error).startswith("f"))

    def test_a_file_that_is_not_there_is_told_with_the_command_that_makes_it(self) -> None:
        error = self.assertRaises(ConfigError, read_users, "/no/such file")
        self.assertEqual(
            str(error),
            "[[auth]] users /no/such file: there is no such file; "
            "make it: htpasswd -B -c '/no/such file' NAME",
        )
        error = self.assertRaises(ConfigError, read_users, "/")
        self.assertRegex(str(error), r"^\[\[auth\]\] users: it cannot be read: /: Is a directory; ")

    def test_an_unknown_name_costs_as_much_as_a_known_one(self) -> None:
        """By the calls that are made: the same function, of a hash as costly."""
        calls: list[bytes] = []

        def is_password(password: bytes, hashed: bytes) -> bool:
            calls.append(hashed)
            return True

        self.patch(htpasswd, "is_password", is_password)
        users = Users({b"ada": BCRYPT})
        self.assertTrue(users.verify(b"ada", b"x"))
        self.assertFalse(users.verify(b"bob", b"x"))
        self.assertEqual(calls, [BCRYPT, BCRYPT])
        self.assertFalse(Users({}).verify(b"bob", b"x"))
        self.assertEqual(calls[2], NOBODY)

    def test_nobody_has_a_hash_like_others(self) -> None:
        self.assertFalse(bcrypt.checkpw(b"", NOBODY))


class CredentialTests(SynchronousTestCase):
    """What requests show."""

    @given(st.binary(min_size=1, max_size=20).filter(lambda name: b":" not in name), st.binary(max_size=40))
    def test_what_is_shown_is_read(self, user: bytes, password: bytes) -> None:
        token = base64.b64encode(user + b":" + password)
        for scheme in (b"Basic ", b"basic  ", b"BASIC "):
            self.assertEqual(parse_basic(scheme + token), Credentials(user, password))

    @given(st.binary(max_size=100))
    def test_whatever_else_is_shown_is_nothing(self, value: bytes) -> None:
        parse_basic(value)
        parse_basic(b"Basic " + value)
        for wrong in (
            None,
            b"",
            b"Basic",
            b"Bearer eA==",
            b"Basic eA==",
            b"Basic *",
            b"Basic " + b"eDp5" * LONGEST,
        ):
            self.assertIsNone(parse_basic(wrong))

    def test_a_realm_cannot_leave_its_quotes(self) -> None:
        self.assertEqual(
            challenge('a"b\\'), b'WWW-Authenticate: Basic realm="a\\"b\\\\", charset="UTF-8"\r\n'
        )

    def test_verified_credentials_are_remembered_for_a_while(self) -> None:
        """By file, name and password, which cannot be confused; nothing of them can be read."""
        verified = Verified(b"s" * 32)
        keys = [
            verified.key("f", Credentials(b"a", b"bc")),
            verified.key("f", Credentials(b"ab", b"c")),
            verified.key("fa", Credentials(b"b", b"c")),
            Verified(b"t" * 32).key("f", Credentials(b"a", b"bc")),
        ]
        self.assertEqual(len(set(keys)), 4)
        verified.add(keys[0], 0.0)
        self.assertTrue(verified.has(keys[0], 599.0))
        self.assertFalse(verified.has(keys[1], 0.0))
        self.assertFalse(verified.has(keys[0], 600.0))
        for number in range(REMEMBERED):
            verified.add(b"%d" % number, 0.0)
        self.assertFalse(verified.has(keys[0], 0.0))
        verified.forget()
        self.assertFalse(verified.has(b"1", 0.0))

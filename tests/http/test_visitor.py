"""Who asks through trusted proxies: lists are read from the right, contradictions are refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.http.errors import BadRequest
from edge.http.visitor import visitor
from edge.networks import address_of_text, networks_of, text_of_address

TRUSTED = networks_of(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7", "unix"])


def found(peer: str, **fields: str) -> str:
    """The address that the fields name."""
    said = {name.replace("_", "-").encode(): value.encode() for name, value in fields.items()}
    return text_of_address(visitor(_packed(peer), said, TRUSTED).address)


def _packed(text: str) -> bytes:
    address = address_of_text(text.encode())
    assert address is not None
    return address


class VisitorTests(SynchronousTestCase):
    """Examples."""

    def test_the_rightmost_address_that_is_no_trusted_proxys_is_the_visitor(self) -> None:
        for plain, forwarded, expected in (
            ("203.0.113.9", "for=203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9", "for=1.1.1.1, for=203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9, 10.2.3.4", "for=203.0.113.9;by=10.2.3.4,for=10.2.3.4", "203.0.113.9"),
            ("203.0.113.9,192.0.2.7", 'For="203.0.113.9:1234" , FOR=192.0.2.7', "203.0.113.9"),
            ("2a00::1, 2001:db8::5", 'for="[2a00::1]", for="[2001:db8::5]:443"', "2a00::1"),
            ("10.9.9.9", "for=10.9.9.9", "10.9.9.9"),  # trusted to its end: the last of them
            ("", "", "10.0.0.1"),
            ("unknown", "for=unknown", "10.0.0.1"),
            ("1.1.1.1, unknown, 10.2.3.4", "for=1.1.1.1, for=_hidden, for=10.2.3.4", "10.2.3.4"),
            ("1.1.1.1, 203.0.113.9:1", "for=1.1.1.1, for=203.0.113", "10.0.0.1"),
            ("1.1.1.1, fe80::1%eth0", "for=1.1.1.1;proto=https, proto=http", "10.0.0.1"),
        ):  # fmt: skip
            self.assertEqual(found("10.0.0.1", x_forwarded_for=plain), expected, plain)
            self.assertEqual(found("10.0.0.1", forwarded=forwarded), expected, forwarded)

    def test_who_adds_one_kind_to_what_the_proxy_writes_as_the_other_is_refused(self) -> None:
        """Unless they say the same."""
        self.assertEqual(found("10.0.0.1", x_forwarded_for="8.8.8.8", forwarded="for=8.8.8.8"), "8.8.8.8")
        for plain, forwarded in (
            ("8.8.8.8", "for=10.1.1.1"),
            ("10.1.1.1", "for=8.8.8.8"),
            ("x", "for=8.8.8.8"),
        ):
            with self.assertRaises(BadRequest):
                found("10.0.0.1", x_forwarded_for=plain, forwarded=forwarded)

    def test_scheme_and_host_are_those_of_the_nearest_proxy(self) -> None:
        for fields, expected in (
            ({"x-forwarded-proto": "https", "x-forwarded-host": "a.example"}, (True, b"a.example")),
            ({"x-forwarded-proto": "https, http", "x-forwarded-host": "x, a.example"}, (False, b"a.example")),
            ({"forwarded": 'for=8.8.8.8;proto=HTTPS;host="a.example:8"'}, (True, b"a.example:8")),
            ({"forwarded": "proto=https;host=evil, for=8.8.8.8"}, (None, None)),
            ({"x-forwarded-proto": "gopher"}, (None, None)),
            ({}, (None, None)),
        ):  # fmt: skip
            said = {name.encode(): value.encode() for name, value in fields.items()}
            self.assertEqual(visitor(_packed("10.0.0.1"), said, TRUSTED)[1:], expected, fields)

    def test_malformed_ones_are_refused(self) -> None:
        for name, value in (
            (b"x-forwarded-host", b"a b"),
            (b"x-forwarded-host", b"user@a"),
            (b"forwarded", b"for=1.1.1.1;for=2.2.2.2"),
            (b"forwarded", b"for"),
            (b"forwarded", b'for="1.1.1.1'),
            (b"forwarded", b"for=a b"),
            (b"forwarded", b"for=1.1.1.1;host=a/b"),
        ):
            with self.assertRaises(BadRequest):
                visitor(_packed("10.0.0.1"), {name: value}, TRUSTED)

    @given(st.binary(max_size=200), st.binary(max_size=200))
    def test_whatever_they_say_there_is_an_address_or_a_refusal(self, plain: bytes, forwarded: bytes) -> None:
        try:
            who = visitor(_packed("10.0.0.1"), {b"x-forwarded-for": plain, b"forwarded": forwarded}, TRUSTED)
        except BadRequest:
            return
        self.assertEqual(len(who.address), 16)

    def test_long_lists_cost_what_they_have_bytes(self) -> None:
        self.assertEqual(found("10.0.0.1", x_forwarded_for="1.1.1.1," + "10.0.0.2," * 100_000), "10.0.0.2")
        with self.assertRaises(BadRequest):
            found("10.0.0.1", forwarded='for="' + '\\"' * 100_000)

"""Addresses of workers: hosts, ports, IPv6 in brackets, and what is none."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from loadgen.run.messages.addresses import PORT, parse_address


class AddressTests(SynchronousTestCase):
    """As they stand on the command line."""

    def test_a_port_may_be_left_out(self) -> None:
        self.assertEqual(parse_address("10.0.0.7"), ("10.0.0.7", PORT))
        self.assertEqual(parse_address("worker-1.example:80"), ("worker-1.example", 80))

    def test_ipv6_stands_in_brackets(self) -> None:
        self.assertEqual(parse_address("[::1]:7701"), ("::1", 7701))
        self.assertEqual(parse_address("[fe80::7]"), ("fe80::7", PORT))

    def test_port_0_is_any(self) -> None:
        self.assertEqual(parse_address("127.0.0.1:0"), ("127.0.0.1", 0))

    def test_what_is_none_is_answered_with_an_example(self) -> None:
        for text in ("", ":", ":80", "host:", "host:x", "host:65536", "::1", "[::1", "a b", "http://host"):
            with self.assertRaisesRegex(ValueError, "write HOST or HOST:PORT, like ", msg=text) as caught:
                parse_address(text)
            self.assertTrue(str(caught.exception).startswith(f"{text}: "))

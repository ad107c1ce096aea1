"""What every recogniser of hellos must do: run over the native build and over its Python twin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import TYPE_CHECKING

from edge.tls.hello import SECP256R1, X25519, X25519MLKEM768, Hello, Verdict
from tests.tls.hellos import EXTENSIONS, message, numbers, real_hello, records, server_name, vector

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as Base
else:
    Base = object

LET_GO, RECEIVE = Hello(Verdict.LET_GO), Hello(Verdict.RECEIVE)
GROUPS = (X25519, SECP256R1)


class HelloSuite(ABC, Base):
    """First bytes of connections in, a verdict out."""

    @abstractmethod
    def recognise(self, data: bytes, groups: Collection[int] = GROUPS) -> Hello:
        """The build under test."""

    def assert_recognised(self, data: bytes, name: bytes = b"example.org") -> None:
        """At its last byte, and not before."""
        self.assertEqual(self.recognise(data), Hello(Verdict.RECOGNISED, name, len(data)))
        for end in range(len(data)):
            self.assertEqual(self.recognise(data[:end]), RECEIVE, end)

    def assert_let_go(self, data: bytes) -> None:
        """When it is whole, and, once let go, for good."""
        verdicts = [self.recognise(data[:end]).verdict for end in range(len(data) + 1)]
        self.assertEqual(verdicts[-1], Verdict.LET_GO)
        self.assertEqual(verdicts, sorted(verdicts, key=lambda each: each is Verdict.LET_GO))
        self.assertNotIn(Verdict.RECOGNISED, verdicts)
        self.assertEqual(self.recognise(data + b"more"), LET_GO)

    def test_real_hellos_are_recognised(self) -> None:
        self.assert_recognised(real_hello())
        self.assert_recognised(real_hello(None, ()), b"")
        self.assert_recognised(real_hello("UPPER.example.org", ("h2", "http/1.1")), b"upper.example.org")

    def test_a_built_hello_is_recognised_in_one_record(self) -> None:
        hello = message()
        self.assert_recognised(records(hello))
        self.assert_recognised(records(hello, version=b"\x03\xff"))
        for cut in (1, 4, 50, len(hello) - 1):
            self.assert_let_go(records(hello, cut))

    def test_what_follows_the_hello_is_no_part_of_it(self) -> None:
        hello = records(message())
        self.assertEqual(
            self.recognise(hello + b"\x14\x03\x03\x00\x01\x01" + b"\x17\x03\x03").consumed, len(hello)
        )

    def test_what_speaks_no_tls_is_let_go_at_its_first_byte(self) -> None:
        for first in b"G", b"\x80", b"\x15", b"\x17", b"\0":
            self.assertEqual(self.recognise(first), LET_GO)
        self.assertEqual(self.recognise(b""), RECEIVE)

    def test_headers_are_looked_at_byte_by_byte(self) -> None:
        self.assertEqual(self.recognise(b"\x16\x02"), LET_GO)
        self.assertEqual(self.recognise(b"\x16\x03\x01\x00\x00"), LET_GO)
        self.assertEqual(self.recognise(b"\x16\x03\x01\x40\x01"), LET_GO)
        self.assertEqual(self.recognise(b"\x16\x03\x01\x40\x00"), RECEIVE)
        self.assertEqual(self.recognise(b"\x16\x03\x01\x00\x10\x02"), LET_GO)
        for length in range(4):
            self.assertEqual(self.recognise(bytes((0x16, 3, 1, 0, length))), LET_GO)

    def test_a_message_that_is_shorter_or_longer_than_its_record_is_let_go(self) -> None:
        self.assertEqual(self.recognise(b"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc"), RECEIVE)
        for length in (b"\x00\x3f\xfb", b"\x00\x3f\xfd", b"\x00\x40", b"\x01"):
            self.assertEqual(self.recognise(b"\x16\x03\x01\x40\x00\x01" + length), LET_GO)
        self.assert_let_go(records(message() + b"\0"))

    def test_the_longest_message_is_recognised(self) -> None:
        room = 16384 - len(message()) - 4
        hello = records(message(e21=bytes(room)))
        self.assertEqual(len(hello), 16384 + 5)
        self.assertEqual(self.recognise(hello).verdict, Verdict.RECOGNISED)
        self.assertEqual(self.recognise(hello[:-1]), RECEIVE)

    def test_other_versions_sessions_suites_and_compressions_are_let_go(self) -> None:
        for changed in (
            message(version=b"\x03\x01"),
            message(version=b"\x03\x04"),
            message(session=bytes(33)),
            message(suites=b""),
            message(suites=b"\x13"),
            message(suites=numbers(0x1301) + b"\x13"),
            message(suites=numbers(0xC02F, 0x1304)),
            message(compression=b""),
            message(compression=b"\1"),
            message(compression=b"\0\1"),
            message(behind=b"\0"),
        ):
            self.assert_let_go(records(changed))
        for suite in (0x1301, 0x1302, 0x1303):
            self.assert_recognised(records(message(session=b"", suites=numbers(suite))))

    def test_extensions_that_are_needed_and_missing_let_it_go(self) -> None:
        for number in (10, 13, 43, 51):
            self.assert_let_go(records(message(**{f"e{number}": None})))

    def test_extensions_that_are_not_needed_may_be_missing(self) -> None:
        self.assert_recognised(records(message(e0=None)), b"")
        self.assert_recognised(records(message(e16=None)))

    def test_an_extension_that_comes_twice_lets_it_go(self) -> None:
        for number, data in EXTENSIONS.items():
            self.assert_let_go(records(message(extensions=[*EXTENSIONS.items(), (number, data)])))
        self.assert_let_go(records(message(extensions=[*EXTENSIONS.items(), (99, b""), (99, b"")])))

    def test_pre_shared_key_must_be_the_last(self) -> None:
        pairs = [*EXTENSIONS.items(), (41, bytes(40))]
        self.assert_recognised(records(message(extensions=pairs)))
        self.assert_let_go(records(message(extensions=[*pairs, (99, b"")])))

    def test_a_share_of_one_of_our_groups_must_be_there(self) -> None:
        def share(group: int, data: bytes = bytes(32)) -> bytes:
            return numbers(group) + vector(data)

        ours, other = share(X25519), share(0x001E, bytes(56))
        for shares in (other + ours, ours * 2, share(SECP256R1, bytes(65)), other * 15 + ours):
            self.assert_recognised(records(message(e51=vector(shares))))
        wrong = [b"", other, ours[:-1], ours + share(X25519, b""), other * 16 + ours]
        for shares in wrong:
            self.assert_let_go(records(message(e51=vector(shares))))
        for data in (b"", b"\0", vector(ours) + b"\0", vector(ours)[:-1]):
            self.assert_let_go(records(message(e51=data)))

    def test_up_to_64_extensions_are_looked_at(self) -> None:
        pairs = [*EXTENSIONS.items(), *((number, b"") for number in range(100, 100 + 64 - len(EXTENSIONS)))]
        self.assert_recognised(records(message(extensions=pairs)))
        self.assert_let_go(records(message(extensions=[*pairs, (99, b"")])))

    def test_shorter_records_are_not_agreed_to(self) -> None:
        self.assert_let_go(records(message(e1=b"\1")))

    def test_versions_without_tls_1_3_are_let_go(self) -> None:
        for data in (b"", b"\0", vector(numbers(0x0303), 1), vector(b"\x03\x04\x03", 1), b"\4\x03\x04"):
            self.assert_let_go(records(message(e43=data)))
        self.assert_let_go(records(message(e43=vector(numbers(0x0304), 1) + b"\0")))

    def test_groups_must_have_one_of_ours(self) -> None:
        self.assert_let_go(records(message(e10=vector(numbers(X25519MLKEM768)))))
        hybrid = vector(numbers(X25519MLKEM768) + vector(bytes(1216)))
        hello = records(message(e10=vector(numbers(X25519MLKEM768)), e51=hybrid))
        self.assert_let_go(hello)
        self.assertEqual(self.recognise(hello, (X25519MLKEM768,)).verdict, Verdict.RECOGNISED)
        for data in (b"", vector(b""), vector(b"\0\x1d\0"), b"\0\4\0\x1d", vector(numbers(X25519)) + b"\0"):
            self.assert_let_go(records(message(e10=data)))

    def test_malformed_signature_algorithms_are_let_go(self) -> None:
        for data in (b"", vector(b""), vector(b"\4"), b"\0\4\4\3", vector(numbers(0x0403)) + b"\0"):
            self.assert_let_go(records(message(e13=data)))

    def test_protocols_without_http_1_1_and_those_of_acme_are_let_go(self) -> None:
        for data in (
            vector(vector(b"h2", 1)),
            vector(vector(b"http/1.1x", 1)),
            vector(vector(b"acme-tls/1", 1)),
            vector(vector(b"acme-tls/1", 1) + vector(b"http/1.1", 1)),
            vector(vector(b"http/1.1", 1) + vector(b"", 1)),
            vector(vector(b"http/1.1", 1) + b"\4h2"),
            vector(vector(b"http/1.1", 1)) + b"\0",
            vector(b""),
            b"",
        ):
            self.assert_let_go(records(message(e16=data)))

    def test_odd_server_names_are_let_go(self) -> None:
        two = vector(b"\0" + vector(b"a.example") + b"\0" + vector(b"b.example"))
        for name in (b"", b"a b", b"\xe4.example", b"a\0b", b"a" * 256, b"[::1]"):
            self.assert_let_go(records(message(e0=server_name(name))))
        for data in (b"", b"\0\0", two, server_name(b"a", kind=1), server_name(b"a") + b"\0", b"\0\5\0\0\2a"):
            self.assert_let_go(records(message(e0=data)))
        for name in (b"a", b"a_b.example-1", b"a" * 255, b"192.0.2.1"):
            self.assert_recognised(records(message(e0=server_name(name))), name)

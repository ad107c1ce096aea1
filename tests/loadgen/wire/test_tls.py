"""TLS of the wires: both builds do what the suite says."""

from __future__ import annotations

import ctypes
import ssl
from unittest import mock

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from loadgen.errors import UsageError
from loadgen.trust import Trust
from loadgen.wire import native, select
from loadgen.wire.interface import OK, Limits, Wire
from loadgen.wire.native import NativeWire
from loadgen.wire.python import PythonWire
from tests.loadgen.wire.base import EMPTY
from tests.loadgen.wire.tls_peer import NAME, new_context
from tests.loadgen.wire.tls_suite import TlsSuite


class PythonTlsTests(TlsSuite, SynchronousTestCase):
    """The specification."""

    def make_trusting(self, users: int, limits: Limits, given: Trust) -> Wire:
        return PythonWire(users, limits, given)


class NativeTlsTests(TlsSuite, SynchronousTestCase):
    """The native build."""

    def make_trusting(self, users: int, limits: Limits, given: Trust) -> Wire:
        return NativeWire(users, limits, given)

    def test_what_is_no_certificate_is_refused(self) -> None:
        wire = NativeWire(1, Limits(), Trust("no certificate"))
        self.addCleanup(wire.close)
        with self.assertRaisesRegex(OSError, "no certificates of authorities"):
            wire.node("127.0.0.1", 1, "x")

    def test_a_certificate_is_kept_once_for_all_connections(self) -> None:
        """A large one, of a thousand names: parsed it takes a multiple of what else a connection needs."""
        settings = new_context(NAME, *(f"{number}.{NAME}" for number in range(1000)))
        self.secure()
        self.answered(0, settings)
        before = allocated()
        for user in range(1, 11):
            self.answered(user, settings)
        self.assertEqual(self.wire.connections(), 11)
        # Python's allocations of this size are among them; a certificate of its own for each were 2 MB.
        self.assertLess(allocated() - before, 700_000)

    def test_more_certificates_than_are_kept_are_verified_as_well(self) -> None:
        self.secure()
        for number in range(70):
            self.visited(number % 3, new_context(NAME, f"{number}.example"))
        self.answered(5, new_context(NAME))

    def answered(self, user: int, settings: ssl.SSLContext) -> None:
        """A request of *user* over a connection that stays."""
        self.shaken(user, settings).write(EMPTY)
        self.assertEqual(self.answer().error, OK)


class MallocInfo(ctypes.Structure):
    """``struct mallinfo2`` of glibc."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
            "keepcost",
        )
    )  # fmt: skip


def allocated() -> int:
    """Bytes that this process has from malloc, of whatever size."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        raise SkipTest("this C library does not tell what is allocated") from None
    ask.restype = MallocInfo
    info = ask()
    return int(info.uordblks) + int(info.hblkhd)


class SelectTests(SynchronousTestCase):
    """Where OpenSSL's headers were missing."""

    def test_pythons_serves_and_who_wants_the_native_one_is_told(self) -> None:
        with mock.patch.object(native, "_tls", None):
            wire = select("auto", 1, Limits(), is_secure=True)
            self.addCleanup(wire.close)
            self.assertEqual(wire.kind, "python")
            with self.assertRaisesRegex(UsageError, "OpenSSL's headers"):
                select("native", 1, Limits(), is_secure=True)
            plain = select("auto", 1, Limits())
            self.addCleanup(plain.close)
            self.assertEqual(plain.kind, "native")

"""TLS of the wires: both builds do what the suite says."""

from __future__ import annotations

from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import UsageError
from loadgen.trust import Trust
from loadgen.wire import native, select
from loadgen.wire.interface import Limits, Wire
from loadgen.wire.native import NativeWire
from loadgen.wire.python import PythonWire
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

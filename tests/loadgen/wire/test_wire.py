"""The wires: both builds do what the suite says."""

from __future__ import annotations

from loadgen.wire._native import lib
from twisted.trial.unittest import SynchronousTestCase

from loadgen.wire import select
from loadgen.wire.interface import Limits, Wire
from loadgen.wire.native import NativeWire
from loadgen.wire.python import PythonWire
from tests.loadgen.wire.answer_suite import AnswerSuite
from tests.loadgen.wire.connection_suite import ConnectionSuite


class PythonWireTests(AnswerSuite, ConnectionSuite, SynchronousTestCase):
    """The specification."""

    def make(self, users: int, limits: Limits) -> Wire:
        """See the suite."""
        return PythonWire(users, limits)


class NativeWireTests(AnswerSuite, ConnectionSuite, SynchronousTestCase):
    """The native build."""

    def make(self, users: int, limits: Limits) -> Wire:
        """See the suite."""
        return NativeWire(users, limits)

    def test_a_connection_at_rest_costs_at_most_96_bytes(self) -> None:
        """And a user 4, which is what a page of zeros does not show."""
        self.assertLessEqual(lib.wire_client_bytes_per_connection(), 96)


class SelectTests(SynchronousTestCase):
    """Which build serves."""

    def test_the_kind_picks_the_build(self) -> None:
        """Native, where it is built, unless Python is asked for."""
        for kind, chosen in (("auto", "native"), ("native", "native"), ("python", "python")):
            wire = select(kind, 1, Limits())
            self.addCleanup(wire.close)
            self.assertEqual(wire.kind, chosen)

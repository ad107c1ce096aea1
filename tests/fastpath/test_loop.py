"""The epoll loops: both builds do what the suite says."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.errors import SegmentError
from edge.fastpath import select
from edge.fastpath.interface import FastPath, Settings
from edge.fastpath.native import NativeFastPath
from edge.fastpath.twin import PythonFastPath
from edge.table.segment import Segment
from tests.fastpath import site
from tests.fastpath.loop_suite import LoopSuite
from tests.fastpath.opening_suite import OpeningSuite


class PythonFastPathTests(LoopSuite, OpeningSuite, SynchronousTestCase):
    """The twin."""

    def make(self, segment: Segment, settings: Settings) -> FastPath:
        """A build, as worker 0."""
        return PythonFastPath(segment, 0, settings)


class NativeFastPathTests(LoopSuite, OpeningSuite, SynchronousTestCase):
    """The native build."""

    def make(self, segment: Segment, settings: Settings) -> FastPath:
        """A build, as worker 0."""
        return NativeFastPath(segment, 0, settings)

    def test_a_resting_connection_costs_at_most_32_bytes(self) -> None:
        """User memory, counted by the loop itself."""
        fastpath = self.start()
        for _ in range(100):
            self.client(site.get(site.EMPTY))
        self.settle()
        self.assertEqual(fastpath.connections(), 100)
        self.assertLessEqual(fastpath.memory() / 100, 32)  # type: ignore[attr-defined]

    def test_a_resting_websocket_costs_at_most_96_bytes(self) -> None:
        """The connection, and what it has got of each topic."""
        self.socket()
        for _ in range(99):
            self.upgraded()
        fastpath = self.fastpath
        self.assertEqual((fastpath.connections(), fastpath.sockets()), (100, 100))
        self.assertLessEqual(fastpath.memory() / 100, 96)  # type: ignore[attr-defined]


class SelectTests(SynchronousTestCase):
    """Which build serves."""

    def test_the_option_picks_the_build(self) -> None:
        """ "off" is the Python loop; its worker hands everything off."""
        kinds = {kind: select(kind).__name__ for kind in ("auto", "native", "python", "off")}
        self.assertEqual(
            kinds,
            {
                "auto": "NativeFastPath",
                "native": "NativeFastPath",
                "python": "PythonFastPath",
                "off": "PythonFastPath",
            },
        )

    def test_the_native_build_refuses_what_is_no_table(self) -> None:
        """With the reason."""
        segment = site.published()
        self.addCleanup(segment.close)
        with self.assertRaisesRegex(SegmentError, "no block for worker 60"):
            NativeFastPath(segment, 60, Settings())
        segment.memory[0:1] = b"X"
        with self.assertRaisesRegex(SegmentError, "not an edge table"):
            NativeFastPath(segment, 0, Settings())

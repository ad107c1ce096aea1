"""Twisted's own suites for reactors, over ours: alone, and waiting with a fast path of either build."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from twisted.internet.test.reactormixins import ReactorBuilder
from twisted.trial.unittest import SynchronousTestCase

from edge.fastpath.reactor import FastPathReactor
from tests.fastpath import reactors

SUITES = (
    "core",
    "fdset",
    "newtls",
    "process",
    "socket",
    "stdio",
    "tcp",
    "threads",
    "time",
    "tls",
    "udp",
    "unix",
)
WAYS = (
    "edge.fastpath.reactor.FastPathReactor",
    "tests.fastpath.reactors.with_native",
    "tests.fastpath.reactors.with_twin",
)
#: Tests that do not apply, and why.
SKIPPED = {
    "test_lostFileDescriptor": "an epoll set forgets a closed descriptor: Twisted skips it for its own, too",
    "test_logPrefix": "lines of Twisted's former logger have no prefix: it costs more than a read",
    "test_changeUID": "the interpreter need not be readable for other users",
    "test_changeGID": "the interpreter need not be readable for other users",
}


def _skipped(why: str) -> Callable[[Any], None]:
    def test(self: Any) -> None:
        raise AssertionError(why)

    test.skip = why  # type: ignore[attr-defined]
    return test


def _suites() -> dict[str, Any]:
    """The cases of each class that Twisted runs over its epoll reactor, for each way in which ours waits."""
    found: dict[str, Any] = {}
    for suite in SUITES:
        for name, case in vars(import_module(f"twisted.internet.test.test_{suite}")).items():
            if name.endswith("_EPollReactorTests"):
                builder = case.__mro__[1]
                assert issubclass(builder, ReactorBuilder), name
                skipped = {test: _skipped(why) for test, why in SKIPPED.items() if hasattr(builder, test)}
                ours = type(
                    builder.__name__, (builder,), {"_reactors": WAYS, "__module__": __name__, **skipped}
                )
                found.update(ours.makeTestCaseClasses())  # type: ignore[attr-defined]
    return found


globals().update(_suites())


class WayTests(SynchronousTestCase):
    """A reactor that cannot be made has Twisted skip its suites."""

    def test_each_way_makes_a_reactor(self) -> None:
        for make in (reactors.with_native, reactors.with_twin):
            self.assertIsInstance(make(self), FastPathReactor)

    def test_there_are_suites(self) -> None:
        """Twisted may name them otherwise one day."""
        self.assertGreater(len(_suites()), 100)

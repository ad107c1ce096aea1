"""Troubles: said when they begin and when they are over, and FAILED meanwhile."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from edge.node.cluster.troubles import Troubles


class TroublesTests(SynchronousTestCase):
    """Two kinds, of which the test says what there is."""

    def setUp(self) -> None:
        self.logged: list[tuple[object, str]] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)

    def observe(self, event: LogEvent) -> None:
        if str(event["log_namespace"]).startswith("edge"):
            self.logged.append((event["log_level"], formatEvent(event)))

    def test_each_is_said_once_and_fails_its_check_until_it_is_over(self) -> None:
        clocks: dict[str, str] = {}
        reactor = Clock()
        troubles = Troubles({"clock": lambda: clocks, "names": dict}, reactor)
        troubles.start()
        clocks["n2"] = "the clock of n2 is 5 s ahead"
        reactor.advance(1)
        clocks["n2"] = "the clock of n2 is 6 s ahead"
        reactor.pump([1] * 90)
        self.assertEqual(
            troubles.checks(), [("clock", False, "the clock of n2 is 6 s ahead"), ("names", True, "well")]
        )
        self.assertEqual(troubles.sentences(), ["the clock of n2 is 6 s ahead"])
        clocks.clear()
        reactor.advance(1)
        troubles.stop()
        self.assertEqual(
            self.logged,
            [
                (LogLevel.warn, "the clock of n2 is 5 s ahead"),
                (LogLevel.info, "over: the clock of n2 is 6 s ahead"),
            ],
        )
        self.assertEqual(troubles.checks()[0], ("clock", True, "well"))

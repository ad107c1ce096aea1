"""What was refused is said, once a minute and with the way out."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from edge.config.settings import SETTINGS
from edge.node.telemetry.refusals import LOOK_SECONDS, QUIET_SECONDS, REASONS, Refusals


class RefusalsTests(SynchronousTestCase):
    """:class:`edge.node.telemetry.refusals.Refusals`."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.counts = dict.fromkeys(REASONS, 7)
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self.observe)
        self.addCleanup(globalLogPublisher.removeObserver, self.observe)
        self.refusals = Refusals(self, self.clock)
        self.refusals.start()

    def totals(self) -> dict[str, int]:
        """The counters, as a segment has them."""
        return self.counts

    def observe(self, event: Any) -> None:
        if "refusals" in event.get("log_namespace", ""):
            self.lines.append(event["log_format"].format(**event))

    def test_a_flood_is_a_line_a_minute_with_the_number_of_all(self) -> None:
        for _ in range(int(2 * QUIET_SECONDS / LOOK_SECONDS)):
            self.counts["refused_address"] += 1000
            self.clock.advance(LOOK_SECONDS)
        self.assertEqual([line.split(" ")[0] for line in self.lines], ["1,000", "12,000"])
        self.assertIn("--connections-per-address", self.lines[0])

    def test_what_was_refused_before_the_start_and_nothing_at_all_are_not_told(self) -> None:
        self.clock.advance(LOOK_SECONDS)
        self.counts["refused_total"] = 0  # its worker was replaced
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(self.lines, [])
        self.counts["refused_total"] = 1
        self.clock.advance(LOOK_SECONDS)
        self.assertEqual(len(self.lines), 1)

    def test_every_way_out_is_there(self) -> None:
        options = {f"--{name}" for name in SETTINGS}
        for text in REASONS.values():
            for word in text.replace(",", " ").split():
                if word.startswith("--"):
                    self.assertIn(word, options)

"""Where a deploy begins and ends, by a clock of the test's own."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.node.publishing.deploys import LONGEST, LOOK, Deploy
from edge.node.publishing.table import LocalTable


class RecordedTable(LocalTable):
    """A table of which only the steps matter."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def begin_step(self) -> None:
        self.steps.append("begin")

    def end_step(self) -> None:
        self.steps.append("end")


class DeployTests(SynchronousTestCase):
    """One step of the table for each."""

    def setUp(self) -> None:
        self.clock, self.table = Clock(), RecordedTable()
        self.is_idle = self.is_quiet = True
        self.deploy = Deploy(self.table, lambda: self.is_idle, self.clock)
        self.deploy.is_quiet = lambda: self.is_quiet

    def test_without_a_change_there_is_none(self) -> None:
        self.deploy.end()
        self.deploy.stop()
        self.assertEqual(self.table.steps, [])

    def test_it_begins_once_and_ends_when_all_is_there(self) -> None:
        self.deploy.begin()
        self.deploy.begin()
        self.is_idle = False
        self.deploy.end()
        self.assertEqual((self.table.steps, self.clock.calls), (["begin"], []))
        self.is_idle = True
        self.deploy.end()
        self.assertEqual(self.table.steps, ["begin", "end"])

    def test_a_copy_that_goes_on_is_one_deploy_though_it_is_published_meanwhile(self) -> None:
        self.is_quiet = False
        for _ in range(5):
            self.deploy.begin()
            self.deploy.end()
            self.clock.advance(0.5)
        self.assertEqual(self.table.steps, ["begin"])
        self.is_quiet = True
        self.clock.advance(LOOK)
        self.assertEqual(self.table.steps, ["begin", "end"])
        self.deploy.begin()
        self.assertEqual(self.table.steps, ["begin", "end", "begin"])

    def test_what_is_never_quiet_holds_it_open_for_a_while_only(self) -> None:
        self.is_quiet = False
        self.deploy.begin()
        self.deploy.end()
        self.clock.pump([LOOK] * int(LONGEST / LOOK + 2))
        self.assertEqual(self.table.steps, ["begin", "end"])
        self.assertEqual(self.clock.calls, [])

    def test_a_node_that_stops_ends_it(self) -> None:
        self.is_quiet = False
        self.deploy.begin()
        self.deploy.end()
        self.deploy.stop()
        self.assertEqual((self.table.steps, self.clock.calls), (["begin", "end"], []))

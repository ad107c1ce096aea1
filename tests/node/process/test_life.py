"""The life of a node."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.node.process import life
from edge.node.process.life import Life, NodeEvent, NodeState
from edge.node.process.machine import ImpossibleEvent, describe


class LifeTests(SynchronousTestCase):
    """States and what leads from one to the next."""

    def test_the_table_is_the_one_that_is_drawn(self) -> None:
        """In the module's docstring."""
        drawn = [line.strip() for line in (life.__doc__ or "").splitlines() if "-->" in line]
        self.assertEqual(drawn, describe(life.TRANSITIONS).splitlines())

    def test_from_starting_to_stopped(self) -> None:
        """Only in between may new clients come."""
        one = Life()
        seen = [(one.state.value, one.is_ready)]
        for event in (NodeEvent.PUBLISHED, NodeEvent.TOLD_TO_END, NodeEvent.ENDED):
            one.happens(event)
            seen.append((one.state.value, one.is_ready))
        self.assertEqual(
            seen, [("starting", False), ("ready", True), ("draining", False), ("stopped", False)]
        )

    def test_a_publish_that_ends_while_the_node_drains_changes_nothing(self) -> None:
        """It never becomes ready again."""
        one = Life()
        for event, state in (
            (NodeEvent.TOLD_TO_END, NodeState.DRAINING),
            (NodeEvent.PUBLISHED, NodeState.DRAINING),
            (NodeEvent.ENDED, NodeState.STOPPED),
            (NodeEvent.PUBLISHED, NodeState.STOPPED),
        ):
            one.happens(event)
            self.assertIs(one.state, state)

    def test_what_cannot_happen_is_a_mistake(self) -> None:
        """And is said; the state stays."""
        one = Life()
        with self.assertRaisesRegex(ImpossibleEvent, "'ended' cannot happen when starting"):
            one.happens(NodeEvent.ENDED)
        self.assertIs(one.state, NodeState.STARTING)

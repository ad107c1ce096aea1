"""The states of one position for a worker."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.node.process.machine import ImpossibleEvent, describe
from edge.node.supervisor import worker_state
from edge.node.supervisor.worker_state import TRANSITIONS, WorkerEvent, WorkerLife, WorkerState


class WorkerStateTests(SynchronousTestCase):
    """States and what leads from one to the next."""

    def test_the_table_is_the_one_that_is_drawn(self) -> None:
        """In the module's docstring."""
        drawn = [line.strip() for line in (worker_state.__doc__ or "").splitlines() if "-->" in line]
        self.assertEqual(drawn, describe(TRANSITIONS).splitlines())

    def test_whatever_happens_a_drain_ends_in_stopped(self) -> None:
        """From every state, with one more event at most."""
        for state in WorkerState:
            life = WorkerLife()
            life.state = state
            life.happens(WorkerEvent.TOLD_TO_DRAIN)
            if life.state is not WorkerState.STOPPED:
                life.happens(WorkerEvent.ENDED)
            self.assertIs(life.state, WorkerState.STOPPED, state)

    def test_a_process_that_ends_unasked_is_waited_for(self) -> None:
        """Unless it was to end: then nothing follows, or its successor at once."""
        for state in WorkerState:
            life = WorkerLife()
            life.state = state
            if life.knows(WorkerEvent.ENDED):
                life.happens(WorkerEvent.ENDED)
                asked = state in (WorkerState.DRAINING, WorkerState.REPLACED)
                self.assertIs(life.state, WorkerState.STOPPED if asked else WorkerState.WAITING, state)
            else:
                self.assertIn(state, (WorkerState.STOPPED, WorkerState.WAITING))
                with self.assertRaises(ImpossibleEvent):
                    life.happens(WorkerEvent.ENDED)

    def test_users_see_six_names(self) -> None:
        """What only the supervisor tells apart has the name of what it looks like."""
        names = set()
        for state in WorkerState:
            life = WorkerLife()
            life.state = state
            names.add(life.name)
        self.assertEqual(names, {"stopped", "waiting", "starting", "accepting", "ready", "draining"})

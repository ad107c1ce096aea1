"""Policies simulated at the same time: nothing of what comes out depends on it, and no process stays."""

from __future__ import annotations

import multiprocessing

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import LoadgenError
from loadgen.simulate.inputs import Deploy, Outage
from loadgen.simulate.parallel import simulate
from tests.loadgen.simulate.worlds import world

POLICIES = ("smart", "one")


class InProcesses(SynchronousTestCase):
    """A process for each of two policies."""

    def tearDown(self) -> None:
        self.assertEqual(multiprocessing.active_children(), [])

    def test_the_same_comes_out_in_the_same_order_and_how_far_it_is_is_told(self) -> None:
        made = world(
            hours=0.05, users=100_000, deploys=(Deploy(60.0, 20),), failures=(Outage(90.0, 30.0, 1),)
        )
        found = []
        for processes in (1, 2):
            told: list[float] = []
            found.append(msgspec.json.encode(simulate(made, POLICIES, told.append, processes)))
            self.assertEqual((told, told[-1]), (sorted(told), 1.0))
        self.assertEqual(*found)

    def test_a_process_that_is_killed_is_told(self) -> None:
        def kill(share: float) -> None:
            for process in multiprocessing.active_children():
                process.kill()

        error = self.assertRaises(LoadgenError, simulate, world(hours=10.0), POLICIES, kill, 2)
        self.assertIn("exit code -9", str(error))

    def test_who_gives_up_leaves_none_behind(self) -> None:
        def interrupted(share: float) -> None:
            raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, simulate, world(hours=10.0), POLICIES, interrupted, 2)

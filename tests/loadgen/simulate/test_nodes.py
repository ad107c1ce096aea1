"""Loads of nodes, and what is published of them."""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models import choice
from loadgen.simulate.costs import KIND, KINDS
from loadgen.simulate.inputs import ClusterInputs, Outage
from loadgen.simulate.nodes import Nodes


class TheNodes(SynchronousTestCase):
    """Loads and what is published of them."""

    def nodes(self, *failures: Outage) -> Nodes:
        costs = np.zeros((len(KINDS), 5))
        costs[KIND["page"], 0] = 0.001
        return Nodes(ClusterInputs(nodes=2, cores=1.0, age_s=5.0), costs, failures, 1.0)

    def load(self, *requests: float) -> np.ndarray:
        counts = np.zeros((2, len(KINDS)))
        counts[:, KIND["page"]] = requests
        return counts

    def test_clients_know_of_a_load_five_seconds_later(self) -> None:
        nodes = self.nodes()
        for second in range(1, 20):
            nodes.step(float(second), self.load(800, 100), np.zeros(2))
            if second < 5:
                self.assertEqual(nodes.figures.utilizations.tolist(), [0.0, 0.0])
        np.testing.assert_allclose(nodes.figures.utilizations, [0.8, 0.1])
        self.assertLess(nodes.figures.weights[0], nodes.figures.weights[1])

    def test_what_is_more_than_a_node_can_do_waits(self) -> None:
        nodes = self.nodes()
        for second in range(1, 4):
            found = nodes.step(float(second), self.load(1500, 500), np.zeros(2))
        np.testing.assert_allclose(found.backlog, [1.5, 0.0])
        self.assertGreater(found.p99_s[0], 1.5)
        np.testing.assert_allclose(found.p99_s[1], np.log(100) * 0.001 / 0.5, rtol=1e-6)

    def test_a_dead_node_has_no_weight_once_that_is_known_and_all_of_it_when_it_is_back(self) -> None:
        nodes = self.nodes(Outage(10.0, 20.0, 1))
        weights = {}
        for second in range(1, 40):
            up = nodes.up(float(second - 1))
            nodes.step(float(second), self.load(500, 500) * up[:, np.newaxis], np.zeros(2))
            weights[second] = nodes.figures.weights.copy()
        self.assertGreater(weights[15][1], 0)
        self.assertEqual(weights[18][1], 0.0)
        self.assertGreater(weights[36][1], weights[9][1])
        self.assertEqual(choice.redraw_share([0.5, 0.0], weights[18]), 0.25)

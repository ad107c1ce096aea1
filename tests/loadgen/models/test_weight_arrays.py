"""The weights of many nodes at once are those of the nodes' own code."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.load.weight import Weight
from loadgen.models.weight_arrays import Weights

NODES = 3
#: Utilization and whether the node runs, of each node.
STEPS = st.lists(
    st.tuples(*[st.tuples(st.floats(0, 3), st.booleans())] * NODES),
    min_size=1,
    max_size=30,
)


class WeightsTests(SynchronousTestCase):
    """:class:`~loadgen.models.weight_arrays.Weights` and :class:`~edge.load.weight.Weight`."""

    @given(STEPS, st.sampled_from([0.1, 1.0, 5.0, 60.0]))
    def test_every_weight_is_that_of_a_node(
        self, steps: list[tuple[tuple[float, bool], ...]], step_s: float
    ) -> None:
        """Through restarts, too: a node that comes back has a weight without a past."""
        nodes, weights = [Weight() for _ in range(NODES)], Weights(NODES, step_s)
        for number, step in enumerate(steps):
            expected = [
                node.observe(number * step_s, used) for node, (used, _) in zip(nodes, step, strict=True)
            ]
            found = weights.observe(
                np.array([used for used, _ in step]), np.array([running for _, running in step])
            )
            np.testing.assert_allclose(found, expected, rtol=1e-9)
            nodes = [node if running else Weight() for node, (_, running) in zip(nodes, step, strict=True)]

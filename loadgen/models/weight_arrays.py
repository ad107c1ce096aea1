"""The weights that many nodes publish: ``edge/load/weight.py`` on arrays, an element a node.

A test compares every number with the nodes' own code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.load.weight import LEAST_WEIGHT, gain

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Weights:
    """The damped weights of nodes that all look at their utilization every *step_s* seconds."""

    def __init__(self, nodes: int, step_s: float) -> None:
        self._gain = gain(step_s)
        self._values = np.ones(nodes)
        self._first = np.ones(nodes, dtype=np.bool_)

    def observe(self, utilizations: Floats, running: Flags) -> Floats:
        """The weights a step later, 0.01..1; the first figure of a node that starts counts at once."""
        target = np.minimum(np.maximum(1.0 - utilizations, 0.0), 1.0)
        damped = self._values + self._gain * (target - self._values)
        self._values = np.where(self._first, target, damped)
        self._first = ~running
        result: Floats = np.maximum(LEAST_WEIGHT, self._values)
        return result

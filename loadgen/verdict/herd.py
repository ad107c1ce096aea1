"""The herd index: how evenly nodes are asked, in windows of a few seconds.

The index of a window is the requests of the busiest node over the mean of the nodes that ran all the time;
1 is even.  Over a whole run nodes take turns at being chosen by everybody, and their shares come out even:
so windows, of :data:`WIDTHS_S` seconds each, tell whether clients run in herds.  Real runs and simulated
clusters have this same definition.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Seconds of a window.
WIDTHS_S = (1, 5)
#: A window with fewer requests for each node says more about chance than about herds: of 4 nodes that are
#: chosen at random 100 times each, the busiest has 1.1 times the mean.
LEAST = 100

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Herd(NamedTuple):
    """Herd indexes of all windows: their mean weighted by requests, p95, and the greatest."""

    mean: float
    p95: float
    max: float


def indexes(requests: Floats, up: Flags, width: int) -> tuple[Floats, Floats]:
    """The indexes of windows of *width* seconds that say something, and the requests of each.

    *requests*: by (second, node); *up*: whether the node ran, the same.  What is left at the end is a window.
    """
    begins = np.arange(0, len(requests), width)
    if not len(begins):
        return np.zeros(0), np.zeros(0)
    ran = np.logical_and.reduceat(up, begins)
    asked = np.where(ran, np.add.reduceat(requests, begins), 0.0)
    running, total = ran.sum(axis=1), asked.sum(axis=1)
    says = (running > 1) & (total >= LEAST * running)
    mean = total[says] / running[says]
    return asked[says].max(axis=1) / mean, total[says]


def herd(requests: Floats, up: Flags, width: int) -> Herd | None:
    """The herd indexes in windows of *width* seconds; None: no window says anything."""
    found, weights = indexes(requests, up, width)
    if not len(found):
        return None
    p95 = np.quantile(found, 0.95, method="inverted_cdf")
    return Herd(float(np.average(found, weights=weights)), float(p95), float(found.max()))


def measures(requests: Floats, up: Flags) -> dict[str, float]:
    """By name, ``herd_1s_mean``, ``herd_5s_max`` ...: those that there are."""
    named: dict[str, float] = {}
    for width in WIDTHS_S:
        if (one := herd(requests, up, width)) is not None:
            named |= {f"herd_{width}s_{name}": value for name, value in one._asdict().items()}
    return named

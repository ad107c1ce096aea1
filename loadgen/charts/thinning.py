"""Downsampling of lines: of each stretch the highest and the lowest point stay, so that it looks the same.

A line 640 pixels wide cannot show 100,000 points, but one of them may be the spike that matters, so points
are left out by rank and never averaged.  A gap (NaN) stays a gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

#: Points of one line: two for each pixel or so.
MOST = 1_000


def kept(values: Sequence[Sequence[float]], most: int = MOST) -> list[int]:
    """Which indices to draw, in order: at most about *most*, extremes of each of *values* (of one length)."""
    length = len(values[0]) if values else 0
    if length <= most:
        return list(range(length))
    stretches = max(1, most // (2 * len(values)))
    chosen = {0, length - 1}
    for stretch in range(stretches):
        begin, end = stretch * length // stretches, (stretch + 1) * length // stretches
        for one in values:
            finite = [index for index in range(begin, end) if math.isfinite(one[index])]
            if finite:
                chosen.add(min(finite, key=one.__getitem__))
                chosen.add(max(finite, key=one.__getitem__))
            if len(finite) < end - begin:
                chosen.add(next(index for index in range(begin, end) if not math.isfinite(one[index])))
    return sorted(chosen)

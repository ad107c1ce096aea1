"""Events over time, in bins that become as wide as the time needs: never more than :data:`MOST` of them."""

from __future__ import annotations

from collections.abc import Sequence

MOST = 4096


class Bins:
    """Counts of events by time; feed it seconds from 0 on, in any order."""

    def __init__(self, width: float = 1.0) -> None:
        self.width = width
        self.counts = [0] * MOST
        self.last = 0.0

    def add(self, second: float) -> None:
        """Count an event at *second*."""
        place = int(second / self.width)
        while place >= MOST:
            pairs = zip(self.counts[::2], self.counts[1::2], strict=True)
            self.counts = [one + other for one, other in pairs] + [0] * (MOST // 2)
            self.width *= 2
            place = int(second / self.width)
        self.counts[place] += 1
        self.last = max(self.last, second)

    def steps(self, span: float, most: int) -> list[tuple[float, float]]:
        """At most *most* pairs of a second and the rate from then on, per second, until *span*."""
        used = max(1, min(MOST, -int(-span // self.width)))
        each = -(-used // most)
        found = []
        for begin in range(0, used, each):
            start = begin * self.width
            length = min(span, (begin + each) * self.width) - start
            if length > 0:
                found.append((start, sum(self.counts[begin : begin + each]) / length))
        return found


def squeezed(steps: Sequence[tuple[float, float]], factor: float) -> list[tuple[float, float]]:
    """The same curve in *factor* of the time; rates stay."""
    return [(second * factor, rate) for second, rate in steps]

"""Which traces are recorded: what a believed caller has decided, else a share of all.

The share is decided by the number of the trace, as OpenTelemetry's ``TraceIdRatioBased`` does: whoever else
takes the same share, or a greater one, of the same traces records them, too.
"""

from __future__ import annotations

from collections.abc import Callable

from edge.traces.context import RANDOM, SAMPLED, Context

#: Gives so many random bytes.
Draw = Callable[[int], bytes]


class Sampler:
    """Begins the contexts of requests; *ratio* of those that nobody has decided about is recorded, 0 to 1."""

    def __init__(self, ratio: float, draw: Draw) -> None:
        self._below = round(ratio * (1 << 64))
        self._draw = draw

    def begin(self, parent: Context | None) -> Context:
        """The context of a request that *parent* has caused; None: nobody whom one believes."""
        if parent is not None:
            return below(parent, self._draw)
        trace_id = _number(16, self._draw)
        flags = RANDOM | (SAMPLED if int.from_bytes(trace_id[8:], "big") < self._below else 0)
        return Context(trace_id, _number(8, self._draw), flags)


def below(parent: Context, draw: Draw) -> Context:
    """The context of what *parent* causes: of the same trace, and recorded if that is."""
    return parent._replace(span_id=_number(8, draw))


def _number(size: int, draw: Draw) -> bytes:
    """A random number that is not 0, which would mean none."""
    while not any(drawn := draw(size)):
        continue
    return drawn

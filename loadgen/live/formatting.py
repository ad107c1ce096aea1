"""Numbers and names as a terminal shows them: latencies, shares, sparklines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from loadgen.charts.numbers import short

#: In the order of ``Second.latency_ms``.
PERCENTILES = ("p50", "p90", "p99", "p99.9", "max")
_SPARKS = "▁▂▃▄▅▆▇█"


def milliseconds(values: Sequence[float]) -> list[str]:
    """The five latencies as text; "-" where there is none."""
    padded = [*values, *[0.0] * len(PERCENTILES)][: len(PERCENTILES)]
    return [short(value) if value else "-" for value in padded]


def sparkline(values: Iterable[int]) -> str:
    """A sparkline: a character for each value, as high as its share of the highest."""
    values = list(values)
    highest = max(values, default=0)
    return "".join(_SPARKS[round(value / highest * 7)] if highest else _SPARKS[0] for value in values)


def percent(part: float, whole: float) -> str:
    """A share as a percentage; "-" of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def printable(text: str) -> str:
    """*text* without what could move the cursor: names of nodes come from the cluster."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )

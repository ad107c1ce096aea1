"""``--abort-on``: conditions that end a run at once (sans-IO).

A condition is written like a threshold and means what it says: ``p99 > 2s`` ends the run when p99 is above
2 s.  Of latency, errors and rate it is judged in each second by itself, and has to be so in
:data:`IN_A_ROW`, so that one hiccup ends nothing; of everything else over the run so far.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from loadgen.results import Second
from loadgen.verdict.thresholds import Comparison, parse_threshold, written

IN_A_ROW = 3
#: Of one second; the places of latencies are those of ``Second.latency_ms``.
_LATENCIES = {"p50": 0, "p90": 1, "p99": 2, "p99.9": 3, "p100": 4, "p95": 5}


def _error_share(second: Second) -> float:
    failed = sum(second.errors.values())
    return failed / max(1, failed, second.planned)


_OF_A_SECOND: dict[str, Callable[[Second], float]] = {
    "error_share": _error_share,
    "rps": lambda second: float(second.answered),
    "push_p99": lambda second: second.push_ms,
}


class AbortWatch:
    """Looks at each second of a run, and says when it has to end."""

    def __init__(self, texts: Sequence[str]) -> None:
        """*texts*: the conditions; :exc:`ValueError` says what is wrong with one."""
        self._conditions = [(text, parse_threshold(text)) for text in texts]
        self._values: dict[str, list[float]] = {text: [] for text in texts}

    def __bool__(self) -> bool:
        return bool(self._conditions)

    def why(self, second: Second, measures: Callable[[], Mapping[str, float]]) -> str:
        """Why the run ends after *second*; "": it goes on.  *measures*: of the run so far."""
        for text, comparison in self._conditions:
            value = _value(comparison, second)
            if value is None:
                told = measures().get(comparison.measure)
                if told is not None and comparison.holds(told):
                    amount = written(comparison.measure, told)
                    return f"ended after {second.at + 1} s by --abort-on {text}: it is {amount}"
                continue
            run = self._values[text]
            run.append(value)
            if not comparison.holds(value):
                run.clear()
            elif len(run) >= IN_A_ROW:
                told_all = ", ".join(written(comparison.measure, one) for one in run)
                return (
                    f"ended after {second.at + 1} s by --abort-on {text}: "
                    f"{told_all} in {IN_A_ROW} seconds in a row"
                )
        return ""


def _value(comparison: Comparison, second: Second) -> float | None:
    """What *second* has of the measure; None: it is one of the whole run."""
    if comparison.measure in _LATENCIES:
        place = _LATENCIES[comparison.measure]
        return second.latency_ms[place] if len(second.latency_ms) > place else 0.0
    take = _OF_A_SECOND.get(comparison.measure)
    return None if take is None else take(second)

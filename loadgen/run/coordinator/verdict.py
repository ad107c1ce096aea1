"""Thresholds and the verdict: what decides the exit code."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from loadgen.results import Generator, Threshold, Verdict

#: How the unit of a share ends.
SHARE = "0..1"
#: What may be compared, and its unit.
MEASURES = {
    **{f"p{share}": "ms, corrected latency" for share in ("50", "90", "99", "99.9", "100")},
    **{f"raw_p{share}": "ms, from the actual send" for share in ("50", "99")},
    "push_p99": "ms from publish to subscriber",
    "handshake_p99": "ms of a full TLS handshake",
    "resumed_p99": "ms of a resumed TLS handshake",
    "resumed_share": "resumed among TLS handshakes, 0..1",
    "errors": "requests that no node answered",
    "error_share": "of all requests, 0..1",
    "stale": "confirmations of superseded versions",
    "wrong": "answers that are not what was published",
    "herd": "greatest share of a node over the mean share",
    "share_304": "confirmations among all validators and bodies, 0..1",
    "table_share": "reads of applications that nodes' tables answered (--state), 0..1",
    "retry_share": "retries among requests, 0..1",
    "hedge_share": "hedges among requests, 0..1",
    "rps": "requests per second",
    "requests": "requests",
    "page_views": "page views",
}
_UNITS = {"": 1.0, "ms": 1.0, "s": 1000.0, "us": 0.001, "%": 0.01}
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
}  # fmt: skip
_THRESHOLD = re.compile(r"\s*([\w.]+)\s*(<=|>=|==|<|>)\s*([0-9]+(?:\.[0-9]+)?)\s*(%|ms|us|s|)\s*")

#: A run in which less was offered, or that was later than this by its own fault, says nothing.
LEAST_OFFERED = 0.99
MOST_LAG_MS = 1.0


class Comparison(NamedTuple):
    """A threshold, parsed."""

    measure: str
    sign: str
    limit: float

    def holds(self, value: float) -> bool:
        """Whether the threshold is held by *value*."""
        return _COMPARE[self.sign](value, self.limit)


def parse_threshold(text: str) -> Comparison:
    """The threshold that *text*, ``NAME OP NUMBER[UNIT]``, says; :exc:`ValueError` says what is wrong."""
    match = _THRESHOLD.fullmatch(text)
    if match is None:
        raise ValueError(f'{text!r}: write it like "p99 < 50ms" or "errors == 0"')
    name, sign, number, unit = match.groups()
    if name not in MEASURES:
        raise ValueError(f"{text!r}: there is no measure {name}; there are {', '.join(MEASURES)}")
    if unit in ("ms", "s", "us") and not MEASURES[name].startswith("ms"):
        raise ValueError(f"{text!r}: {name} is no time but {MEASURES[name]}")
    if unit == "%" and not MEASURES[name].endswith(SHARE):
        raise ValueError(f"{text!r}: {name} is no share but {MEASURES[name]}")
    return Comparison(name, sign, float(number) * _UNITS[unit])


def _is_missing(measure: str, value: float) -> bool:
    """Whether *value* is a time of which there was none: nothing takes no time at all."""
    return MEASURES[measure].startswith("ms") and not value


def judge(texts: Sequence[str], measures: Mapping[str, float]) -> list[Threshold]:
    """How each threshold came out; a time of which there is none is not held."""
    outcomes = []
    for text in texts:
        comparison = parse_threshold(text)
        value = measures.get(comparison.measure, 0.0)
        held = comparison.holds(value) and not _is_missing(comparison.measure, value)
        outcomes.append(Threshold(text=text, measured=value, held=held))
    return outcomes


def decide(
    generator: Generator, thresholds: Sequence[Threshold], measures: Mapping[str, float], interrupted: bool
) -> tuple[Verdict, list[str]]:
    """The verdict and its reasons.  A run that is not valid says nothing about thresholds."""
    invalid = []
    if generator.offered < LEAST_OFFERED:
        invalid.append(
            f"only {generator.offered:.1%} of what was planned was offered, {LEAST_OFFERED:.0%} are needed;"
            " take fewer users, or more --processes"
        )
    if generator.lag_p99_ms > MOST_LAG_MS:
        invalid.append(
            f"the generator itself was late: p99 {generator.lag_p99_ms:.2f} ms (at most {MOST_LAG_MS:g} ms);"
            " take fewer users, more --processes, or a machine that is less busy"
        )
    missed = []
    for one in thresholds:
        nothing = _is_missing(parse_threshold(one.text).measure, one.measured)
        if not one.held:
            missed.append(f"{one.text}: " + ("there was none" if nothing else f"it is {one.measured:.6g}"))
    if measures.get("stale"):
        missed.append(f"{measures['stale']:.0f} confirmations of versions that were superseded")
    if measures.get("wrong"):
        missed.append(f"{measures['wrong']:.0f} answers that are not what the cluster published")
    if interrupted:
        return "interrupted", ["interrupted: this is what was measured until then", *invalid, *missed]
    if invalid:
        return "invalid", invalid
    return ("threshold", missed) if missed else ("ok", [])

"""Thresholds, ``NAME OP NUMBER[UNIT]``: what may be compared, and how each came out.

A measure of which there was nothing (no request had an answer, no push came) is absent: what did not
happen holds no threshold.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from loadgen.charts.numbers import milliseconds, plain
from loadgen.results import Threshold
from loadgen.verdict.herd import WIDTHS_S

#: How the unit of a share ends.
SHARE = "0..1"
#: The percentiles of the corrected latency, by name.
PERCENTS = {"p50": 50.0, "p90": 90.0, "p95": 95.0, "p99": 99.0, "p99.9": 99.9, "p100": 100.0}
#: Percentiles of pushes: of what the generator's own lag is one of reading them.
PUSHES = {"push_p99": 99.0}
#: What may be compared, and its unit.
MEASURES = {
    **dict.fromkeys(PERCENTS, "ms, corrected latency; of a request that failed: infinite"),
    **{f"raw_p{share}": "ms, from the actual send" for share in ("50", "99")},
    "push_p99": "ms from publish to subscriber",
    "push_lag_p99": "ms that pushes lay unread by the generator's own fault",
    "handshake_p99": "ms of a full TLS handshake",
    "resumed_p99": "ms of a resumed TLS handshake",
    "resumed_share": "resumed among TLS handshakes, 0..1",
    "errors": "requests that no node answered",
    "error_share": "of all requests, 0..1",
    "socket_attempts": "attempts to open a WebSocket",
    "socket_errors": "those that failed, or brought no first message",
    "socket_error_share": "of all attempts to open a WebSocket, 0..1",
    "socket_losses": "WebSockets that were open and ended without a goodbye",
    "socket_loss_share": "those, of all attempts to open one, 0..1",
    "pushes_due": "pushes to those who had a WebSocket when something was published that others heard of",
    "pushes_missing": "those that did not come within timeout_s",
    "push_missing_share": "of the pushes that were due, 0..1",
    "stale": "confirmations of superseded versions",
    "wrong": "answers that are not what was published",
    "herd": "herd_1s_mean: greatest share of a node over the mean share, in windows of 1 s, on average",
    **{
        f"herd_{width}s_{name}": f"the same in windows of {width} s: {about}"
        for width in WIDTHS_S
        for name, about in (("mean", "on average"), ("p95", "95 of 100"), ("max", "the worst"))
    },
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
    limit = float(number) * _UNITS[unit]
    if MEASURES[name].endswith(SHARE) and limit > 1:  # it would hold whatever fails, or never
        raise ValueError(f"{text!r}: {name} is a share; give 0 to 1, or 0 % to 100 %")
    return Comparison(name, sign, limit)


def judge(
    texts: Sequence[str], measures: Mapping[str, float], bounds: Mapping[str, float] | None = None
) -> list[Threshold]:
    """How each threshold came out; one of whose measure there is nothing is not held.

    *bounds*: finite, instead of measures that are infinite: what they are at least.
    """
    outcomes = []
    for text in texts:
        comparison = parse_threshold(text)
        value = measures.get(comparison.measure)
        if value is None:
            outcomes.append(Threshold(text=text, measured=0.0, held=False, of="nothing"))
            continue
        held = comparison.holds(value)
        if math.isinf(value):
            least = (bounds or {}).get(comparison.measure, 0.0)
            outcomes.append(Threshold(text=text, measured=least, held=held, of="failed"))
        else:
            outcomes.append(Threshold(text=text, measured=value, held=held))
    return outcomes


def written(measure: str, value: float) -> str:
    """A *value* of the *measure* of that name, with its unit, as people write it."""
    kind = MEASURES[measure]
    if kind.startswith("ms"):
        return milliseconds(value)
    return f"{plain(100 * value)} %" if kind.endswith(SHARE) else plain(value)


def told(outcome: Threshold) -> str:
    """What was measured, in words: ``it is 1.71 s``."""
    if outcome.of == "nothing":
        return "there was none"
    amount = written(parse_threshold(outcome.text).measure, outcome.measured)
    return f"it is {amount}" if outcome.of == "answers" else f"at least {amount}: a request failed there"

"""The verdict of a run, and all its reasons.

Two kinds of findings.  What is **certain** fails the run: wrong answers, confirmations of superseded
versions, thresholds that were missed, more failed requests than is agreed.  What is **doubtful** makes it
invalid: less was offered than planned, nothing was asked at all, the generator stood still for half of the
time after which requests fail, an event did not happen, or a threshold came out as it did within what the
generator's own lag accounts for (:mod:`loadgen.verdict.vouching`).

::

    a process died               error
    Ctrl-C                       interrupted
    aborted, as was agreed       threshold
    wrong or stale answers       threshold: no lag of the generator makes an answer wrong
    the whole run is doubtful    invalid
    a certain miss               threshold
    a doubtful threshold         invalid
    else                         ok

The first line that is true decides; all findings are said, whichever it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from loadgen.charts.numbers import milliseconds, plain
from loadgen.histogram import Histogram
from loadgen.results import Threshold, Verdict
from loadgen.verdict.events import EventOutcome
from loadgen.verdict.thresholds import MEASURES, PUSHES, judge, parse_threshold, told
from loadgen.verdict.vouching import VOUCHED, allowance_ms, is_doubtful

#: A run in which less of the plan was offered says nothing.
LEAST_OFFERED = 0.99
#: Of requests, sockets and pushes: a share that may fail if no threshold bounds it.
MOST_FAILED = 0.01


class Evidence(NamedTuple):
    """What is known of a run."""

    #: By name, see :data:`loadgen.verdict.thresholds.MEASURES`; percentiles may be infinite.
    measures: Mapping[str, float]
    thresholds: Sequence[str]
    #: Share of the plan that was offered; requests and pushes that there were.
    offered: float
    asked: int
    #: The generator's own, microseconds.
    lag: Histogram
    #: After which an answer was not waited for.
    timeout_ms: float
    #: Finite, of measures that are infinite.
    bounds: Mapping[str, float] = {}
    #: The generator's own in reading pushes, microseconds.
    push_lag: Histogram | None = None
    events: Sequence[EventOutcome] = ()
    #: What was wrong with wrong answers, and how often.
    wrong: Mapping[str, int] = {}
    #: Processes that ended early, and why.
    lost: Sequence[str] = ()
    #: Why the run was ended before its time; "": it was not.
    aborted: str = ""
    interrupted: bool = False

    def lag_of(self, measure: str) -> Histogram:
        """The generator's own lag in what *measure* is about."""
        return (self.push_lag or Histogram()) if measure in PUSHES else self.lag


class Decision(NamedTuple):
    """The verdict, its reasons, how each threshold came out."""

    verdict: Verdict
    reasons: list[str]
    thresholds: list[Threshold]


def decide(evidence: Evidence) -> Decision:
    """The verdict on *evidence*."""
    wrong = list(_wrong(evidence))
    whole = list(_doubts(evidence))
    thresholds = judge(evidence.thresholds, evidence.measures, evidence.bounds)
    missed, doubtful = _missed(evidence, thresholds)
    verdict: Verdict = "ok"
    if evidence.lost:
        verdict = "error"
    elif evidence.interrupted:
        verdict = "interrupted"
    elif evidence.aborted or wrong or (missed and not whole):
        verdict = "threshold"
    elif whole or doubtful:
        verdict = "invalid"
    said = ["interrupted: this is what was measured until then"] if evidence.interrupted else []
    said += [evidence.aborted] if evidence.aborted else []
    first, then = (missed, whole + doubtful) if verdict != "invalid" else (whole + doubtful, missed)
    return Decision(verdict, [*evidence.lost, *said, *wrong, *first, *then], thresholds)


def _wrong(evidence: Evidence) -> Iterator[str]:
    if stale := evidence.measures.get("stale"):
        yield f"{stale:,.0f} confirmations of versions that were superseded"
    if wrong := evidence.measures.get("wrong"):
        often = sorted(evidence.wrong.items(), key=lambda one: -one[1])
        kinds = "; ".join(f"{what} ({count:,})" for what, count in often)
        yield f"{wrong:,.0f} wrong answer{'s' * (wrong != 1)}{f': {kinds}' if kinds else ''}"


def _doubts(evidence: Evidence) -> Iterator[str]:
    """Why the run as a whole says nothing."""
    if not evidence.asked:
        yield "nothing was asked: no user came; take more users, higher rates, or a longer --duration"
    elif evidence.offered < LEAST_OFFERED:
        yield (
            f"only {evidence.offered:.1%} of what was planned was offered, {LEAST_OFFERED:.0%} are needed;"
            " take fewer users, or more --processes"
        )
    still = evidence.lag.highest / 1000
    if still >= evidence.timeout_ms / 2:
        yield f"the generator itself stood still for {milliseconds(still)}: requests may have failed for that"
    if not evidence.interrupted and not evidence.aborted:
        for event in evidence.events:
            if event.problem:
                yield event.problem


def _missed(evidence: Evidence, thresholds: Sequence[Threshold]) -> tuple[list[str], list[str]]:
    """Misses that are the target's for certain; thresholds of which nobody knows."""
    certain: list[str] = []
    doubtful: list[str] = []
    for outcome in thresholds:
        comparison = parse_threshold(outcome.text)
        text = f"{outcome.text}: {told(outcome)}"
        if outcome.of == "nothing" and comparison.measure in _NEED_MORE:
            doubtful.append(f"{outcome.text}: {_NEED_MORE[comparison.measure]}")
        elif outcome.of == "answers" and is_doubtful(
            comparison, outcome.measured, lag := evidence.lag_of(comparison.measure)
        ):
            late = milliseconds(allowance_ms(lag, VOUCHED[comparison.measure]))
            doubtful.append(
                f"{text}, of which the generator itself may account for {late}: it was late;"
                " take fewer users, more --processes, or a machine that is less busy"
            )
        elif not outcome.held:
            certain.append(text)
    for of in _FAILURES:
        if not any(_bounds(text, of) for text in evidence.thresholds):
            certain += _failed(evidence.measures, of)
    return certain, doubtful


class _Failures(NamedTuple):
    """What may fail: its count, its share, out of how many, in words."""

    errors: str
    share: str
    total: str
    words: str


_FAILURES = (
    _Failures("errors", "error_share", "requests", "requests failed"),
    _Failures("socket_errors", "socket_error_share", "socket_attempts", "WebSockets could not be opened"),
    _Failures("socket_losses", "socket_loss_share", "socket_attempts", "WebSockets broke off"),
    _Failures("pushes_missing", "push_missing_share", "pushes_due", "pushes of a change never came"),
)
#: Measures that a small run does not have, and what to do.
_NEED_MORE = {
    **{
        name: "in no window were there enough requests to tell; take more users"
        for name in MEASURES
        if name.startswith("herd")
    },
    "table_share": "no node was asked what its table answered; name their states with --state",
}


def _bounds(text: str, failures: _Failures) -> bool:
    """Whether the threshold *text* says how many may fail."""
    comparison = parse_threshold(text)
    return comparison.measure in failures[:2] and comparison.sign in ("<", "<=", "==")


def _failed(measures: Mapping[str, float], of: _Failures) -> Iterator[str]:
    share = measures.get(of.share, 0.0)
    if share > MOST_FAILED:
        yield (
            f"{measures.get(of.errors, 0):,.0f} of {measures.get(of.total, 0):,.0f} {of.words},"
            f" {plain(100 * share)} %;"
            f" where no threshold bounds {of.errors} or {of.share}, {MOST_FAILED:.0%} may"
        )

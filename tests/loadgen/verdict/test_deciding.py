"""The verdict: what decides it, and that all is said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.verdict.deciding import Decision, Evidence, decide
from loadgen.verdict.events import EventOutcome
from loadgen.verdict.thresholds import PERCENTS
from tests.loadgen.verdict.test_latencies import histogram, latencies

#: From good to bad.
ORDER = ("ok", "invalid", "threshold")


def evidence(
    measures: Mapping[str, float] = {}, *thresholds: str, lag_ms: float = 0.1, **given: Any
) -> Evidence:
    """Of a run in which all went well, but for what is given."""
    good = {"p50": 2.0, "p90": 3.0, "p95": 4.0, "p99": 5.0, "p99.9": 6.0, "p100": 7.0}
    counts = {"errors": 0.0, "error_share": 0.0, "stale": 0.0, "wrong": 0.0, "requests": 2000.0}
    values: dict[str, Any] = {
        "measures": {**good, **counts, **measures}, "thresholds": thresholds, "offered": 1.0, "asked": 2000,
        "lag": histogram([int(1000 * lag_ms)] * 1000), "timeout_ms": 10_000.0,
    }  # fmt: skip
    return Evidence(**values | given)


class DecidingTests(SynchronousTestCase):
    """One thing at a time."""

    def check(self, of: Evidence, verdict: str, *words: str) -> Decision:
        """The verdict, and a reason with each of *words*, in their order."""
        found = decide(of)
        self.assertEqual((found.verdict, len(found.reasons)), (verdict, len(words)), found.reasons)
        for word, reason in zip(words, found.reasons, strict=True):
            self.assertIn(word, reason)
        return found

    def test_all_held_is_ok(self) -> None:
        self.check(evidence({}, "p99 < 50ms", "errors == 0"), "ok")
        self.check(evidence(), "ok")

    def test_one_missed_is_named_with_what_it_was(self) -> None:
        found = self.check(
            evidence({"p99": 61.5}, "p99 < 50ms", "errors == 0"), "threshold", "p99 < 50ms: it is 61.5 ms"
        )
        self.assertEqual([one.held for one in found.thresholds], [False, True])

    def test_sockets_that_could_not_be_opened_fail_a_run(self) -> None:
        failed = {"socket_attempts": 200.0, "socket_errors": 3.0, "socket_error_share": 0.015}
        said = "3 of 200 WebSockets could not be opened, 1.5 %"
        self.check(evidence(failed), "threshold", said)
        self.check(evidence(failed, "errors == 0"), "threshold", said)
        self.check(evidence(failed, "socket_errors < 10"), "ok")
        self.check(evidence(failed, "socket_error_share < 2%"), "ok")
        self.check(evidence(failed, "socket_errors == 0"), "threshold", "socket_errors == 0: it is 3")
        few = failed | {"socket_errors": 2.0, "socket_error_share": 0.01}
        self.check(evidence(few), "ok")

    def test_sockets_that_broke_off_and_pushes_that_never_came_fail_a_run(self) -> None:
        lost = {"socket_attempts": 200.0, "socket_losses": 3.0, "socket_loss_share": 0.015}
        self.check(evidence(lost), "threshold", "3 of 200 WebSockets broke off, 1.5 %")
        self.check(evidence(lost, "socket_losses < 10"), "ok")
        self.check(evidence(lost, "socket_loss_share < 2%"), "ok")
        missing = {"pushes_due": 200.0, "pushes_missing": 100.0, "push_missing_share": 0.5}
        self.check(evidence(missing), "threshold", "100 of 200 pushes of a change never came, 50 %")
        self.check(evidence(missing, "push_missing_share <= 50%"), "ok")

    def test_pushes_that_the_generator_left_unread_say_nothing_of_the_target(self) -> None:
        late = histogram([40_000] * 1000)
        doubtful = evidence({"push_p99": 70.0}, "push_p99 < 50ms", push_lag=late)
        self.check(doubtful, "invalid", "of which the generator itself may account for 80.1 ms")
        self.check(
            evidence({"push_p99": 70.0}, "push_p99 < 50ms"), "threshold", "push_p99 < 50ms: it is 70 ms"
        )

    def test_most_requests_failed_and_nobody_asked_about_errors(self) -> None:
        """The run that said OK: the few that were answered were fast."""
        failed = {"errors": 1998.0, "error_share": 0.999, "p99": math.inf}
        found = self.check(
            evidence(failed, "p99 < 50ms", bounds={"p99": 10_000.0}), "threshold",
            "p99 < 50ms: at least 10 s: a request failed there", "1,998 of 2,000 requests failed, 99.9 %",
        )  # fmt: skip
        self.assertEqual(found.thresholds[0].measured, 10_000.0)
        self.check(evidence(failed), "threshold", "1,998 of 2,000")

    def test_one_of_a_hundred_may_fail_unless_something_else_is_agreed(self) -> None:
        self.check(evidence({"errors": 20.0, "error_share": 0.01}), "ok")
        self.check(evidence({"errors": 21.0, "error_share": 0.0105}), "threshold", "1.05 %")
        self.check(evidence({"errors": 100.0, "error_share": 0.05}, "error_share <= 5 %"), "ok")
        self.check(evidence({"errors": 100.0, "error_share": 0.05}, "errors < 101"), "ok")
        self.check(
            evidence({"errors": 100.0, "error_share": 0.05}, "errors > 1"), "threshold", "100 of 2,000"
        )

    def test_any_wrong_or_stale_answer_fails_without_being_asked_about(self) -> None:
        self.check(evidence({"stale": 2.0, "wrong": 1.0}), "threshold", "2 confirmations", "1 wrong answer")

    def test_what_was_wrong_is_said_the_most_frequent_first(self) -> None:
        kinds = {"a 304 that nobody asked for": 2, "a page without a body": 1200}
        self.check(
            evidence({"wrong": 1202.0}, wrong=kinds), "threshold",
            "1,202 wrong answers: a page without a body (1,200); a 304 that nobody asked for (2)",
        )  # fmt: skip

    def test_wrong_answers_come_before_lateness_and_both_are_said(self) -> None:
        """A generator that was late did not make an answer wrong."""
        self.check(
            evidence({"stale": 3.0, "wrong": 1.0, "p99": 52.0}, "p99 < 50ms", lag_ms=5, offered=0.5),
            "threshold", "3 confirmations", "1 wrong answer", "only 50.0%",
            "the generator itself may account for",
        )  # fmt: skip

    def test_a_late_generator_vouches_for_what_its_lag_does_not_reach(self) -> None:
        self.check(evidence({"p99": 44.0}, "p99 < 50ms", lag_ms=3), "ok")
        self.check(evidence({"p99": 90.0}, "p99 < 50ms", lag_ms=3), "threshold", "it is 90 ms")
        self.check(evidence({"p99": 53.0}, "p99 < 50ms", lag_ms=3), "invalid", "may account for 6 ms")

    def test_a_doubtful_threshold_does_not_save_another_one(self) -> None:
        self.check(
            evidence({"p99": 53.0, "errors": 3.0}, "p99 < 50ms", "errors == 0", lag_ms=3), "threshold",
            "errors == 0: it is 3", "may account for",
        )  # fmt: skip

    def test_less_than_was_planned_says_nothing_but_what_was_missed_is_told(self) -> None:
        self.check(
            evidence({"p99": 90.0}, "p99 < 50ms", offered=0.989), "invalid", "only 98.9%", "it is 90 ms"
        )
        self.check(evidence(offered=0.99), "ok")

    def test_a_run_in_which_nothing_was_asked_says_nothing(self) -> None:
        self.check(evidence({"requests": 0.0}, asked=0), "invalid", "nothing was asked")

    def test_events_that_say_nothing(self) -> None:
        events = (
            EventOutcome("a"),
            EventOutcome("b", "the event at 10 s (b) did not happen: the run ended before"),
        )
        self.check(evidence(events=events), "invalid", "did not happen")
        self.check(evidence({"wrong": 1.0}, events=events), "threshold", "1 wrong answer", "did not happen")

    def test_a_generator_that_stood_still_does_not_blame_others_for_timeouts(self) -> None:
        failed = {"errors": 100.0, "error_share": 0.05, "p99": math.inf}
        for thresholds in ((), ("errors == 0",), ("p99 < 50ms", "errors == 0")):
            found = decide(evidence(failed, *thresholds, lag_ms=6000))
            self.assertEqual(found.verdict, "invalid")
            self.assertIn("the generator itself stood still for 6", found.reasons[0])

    def test_what_a_small_run_does_not_have_is_not_held_against_the_target(self) -> None:
        self.check(evidence({}, "herd < 1.5"), "invalid", "take more users")
        self.check(evidence({}, "table_share > 95 %"), "invalid", "--state")
        self.check(evidence({}, "push_p99 < 1s"), "threshold", "there was none")

    def test_whoever_interrupts_gets_all_there_is_to_say(self) -> None:
        self.check(
            evidence({"wrong": 1.0, "p99": 90.0}, "p99 < 50ms", offered=0.5, interrupted=True), "interrupted",
            "interrupted", "1 wrong answer", "it is 90 ms", "only 50.0%",
        )  # fmt: skip

    def test_a_process_that_died_is_an_error_and_the_rest_is_said(self) -> None:
        self.check(
            evidence({"stale": 1.0}, lost=["process 1 ended early: Killed"]),
            "error",
            "Killed",
            "1 confirmations",
        )


SECONDS = st.lists(st.integers(1_000, 20_000_000), min_size=1, max_size=60)
LIMITS = st.lists(
    st.one_of(
        st.builds(
            "p{} < {}ms".format,
            st.sampled_from(["50", "90", "95", "99", "99.9", "100"]),
            st.integers(1, 9_000),
        ),
        st.builds("errors <= {}".format, st.integers(0, 60)),
        st.builds("error_share < {} %".format, st.integers(0, 100)),
    ),
    max_size=4,
    unique_by=lambda text: text.split()[0],
)


def of(
    answered: list[int], failed: list[int], thresholds: list[str], lag: list[int], **given: Any
) -> Decision:
    """The verdict on requests that took, or failed after, these microseconds."""
    made, count = latencies(answered, failed), len(answered) + len(failed)
    measures = dict(zip(PERCENTS, made.percentiles(list(PERCENTS.values())), strict=True))
    measures |= {"errors": len(failed), "error_share": len(failed) / count, "requests": count}
    bounds = dict(zip(PERCENTS, made.bounds(list(PERCENTS.values())), strict=True))
    return decide(evidence(measures, *thresholds, bounds=bounds, lag=histogram(lag), **given))


class MonotoneTests(SynchronousTestCase):
    """Worse is never better."""

    @settings(max_examples=200)
    @given(SECONDS, SECONDS, LIMITS, SECONDS, st.integers(1, 20_000_000))
    def test_failures_more_never_make_a_verdict_better(
        self, answered: list[int], failed: list[int], thresholds: list[str], lag: list[int], waited: int
    ) -> None:
        """One more, or one instead of an answer; whatever the generator's own lag was."""
        before = ORDER.index(of(answered, failed, thresholds, lag).verdict)
        more = of(answered, [*failed, waited], thresholds, lag).verdict
        instead = of(answered[1:], [*failed, answered[0]], thresholds, lag).verdict
        self.assertGreaterEqual(ORDER.index(more), before)
        self.assertGreaterEqual(ORDER.index(instead), before)

    @settings(max_examples=100)
    @given(SECONDS, LIMITS, SECONDS, st.integers(1, 10**7))
    def test_slower_never_makes_a_verdict_better(
        self, answered: list[int], thresholds: list[str], lag: list[int], more: int
    ) -> None:
        before = ORDER.index(of(answered, [], thresholds, lag).verdict)
        after = of([one + more for one in answered], [], thresholds, lag).verdict
        self.assertGreaterEqual(ORDER.index(after), before)

    @settings(max_examples=100)
    @given(SECONDS, SECONDS, LIMITS, SECONDS)
    def test_lag_never_makes_a_failure_of_a_pass_nor_a_pass_of_a_failure(
        self, answered: list[int], failed: list[int], thresholds: list[str], lag: list[int]
    ) -> None:
        """With the same figures, it can only cast doubt."""
        without = of(answered, failed, thresholds, [1]).verdict
        self.assertIn(of(answered, failed, thresholds, lag).verdict, (without, "invalid"))

    @given(SECONDS, SECONDS, LIMITS, SECONDS)
    def test_a_wrong_answer_fails_whatever_else_was(
        self, answered: list[int], failed: list[int], thresholds: list[str], lag: list[int]
    ) -> None:
        made = decide(evidence({"wrong": 1.0}, *thresholds, lag=histogram(lag), offered=0.2, asked=0))
        self.assertEqual(made.verdict, "threshold")
        self.assertIn("1 wrong answer", made.reasons)

"""``--abort-on``: conditions end a run at once, hiccups do not."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from loadgen.results import Second
from loadgen.run.coordinator.abort import AbortWatch
from loadgen.verdict.thresholds import PERCENTS


def second(at: int, p99: float = 10, failed: int = 0, answered: int = 100) -> Second:
    return Second(
        at=at,
        latency_ms=[1, 2, p99, p99, p99, p99],
        errors={"timeout": failed} if failed else {},
        answered=answered,
    )


class AbortTests(SynchronousTestCase):
    """Seconds of a run, one after the other."""

    def why(self, condition: str, *seconds: Second, measures: Mapping[str, float] = {}) -> str:
        watch = AbortWatch([condition])
        self.assertTrue(watch)
        for one in seconds:
            told = watch.why(one, lambda: measures)
            if told:
                return f"{one.at}: {told}"
        return ""

    def test_three_seconds_in_a_row_end_it_and_say_why(self) -> None:
        told = self.why("p99 > 2s", *(second(at, 2500 if at >= 5 else 10) for at in range(20)))
        self.assertTrue(
            told.startswith("7: ended after 8 s by --abort-on p99 > 2s: 2.5 s, 2.5 s, 2.5 s in 3"), told
        )

    def test_a_hiccup_ends_nothing(self) -> None:
        hiccups = [second(at, 9000 if at % 3 else 10) for at in range(30)]
        for name in PERCENTS:
            self.assertEqual(self.why(f"{name} > 2s", *hiccups, measures={name: 9000}), "", name)

    def test_failures_count_by_their_share_of_a_second_also_when_nothing_is_answered(self) -> None:
        hour = [second(at) for at in range(3600)]
        outage = [second(3600 + at, 0, failed=50, answered=0) for at in range(5)]
        self.assertTrue(self.why("error_share > 20 %", *hour, *outage).startswith("3602: "))

    def test_other_measures_are_of_the_run_so_far_and_end_it_at_once(self) -> None:
        told = self.why("wrong > 0", second(0), measures={"wrong": 3})
        self.assertTrue(told.endswith("--abort-on wrong > 0: it is 3"), told)
        self.assertEqual(self.why("wrong > 0", second(0), measures={"wrong": 0}), "")
        self.assertEqual(self.why("retry_share > 1 %", second(0)), "")

    def test_a_condition_that_is_none_says_so(self) -> None:
        with self.assertRaises(ValueError) as caught:
            AbortWatch(["p98 > 2s"])
        self.assertIn("p98", str(caught.exception))
        self.assertFalse(AbortWatch([]))

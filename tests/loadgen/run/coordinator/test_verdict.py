"""Thresholds and verdicts: what is compared with what, and which reasons decide."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.results import Generator, Threshold
from loadgen.run.coordinator.merging import ReportMerger
from loadgen.run.coordinator.verdict import MEASURES, Comparison, decide, judge, parse_threshold
from loadgen.run.messages.job import NodeAddress


def generator(offered: float = 1.0, lag: float = 0.1) -> Generator:
    """One that did as it should, but for what is given."""
    return Generator(
        offered=offered, lag_p99_ms=lag, lag_max_ms=lag, cpu_seconds=1.0, per_core=1.0, memory_bytes=1
    )


HELD = Threshold(text="errors == 0", measured=0.0, held=True)
MISSED = Threshold(text="p99 < 50ms", measured=61.5, held=False)


class ThresholdTests(SynchronousTestCase):
    """``NAME OP NUMBER[UNIT]``."""

    def test_units_become_those_of_the_measure(self) -> None:
        for text, expected in {
            "p99 < 50ms": Comparison("p99", "<", 50.0),
            "p99.9<=1.5s": Comparison("p99.9", "<=", 1500.0),
            "raw_p50 < 250 us": Comparison("raw_p50", "<", 0.25),
            " push_p99 < 20 ": Comparison("push_p99", "<", 20.0),
            "errors == 0": Comparison("errors", "==", 0.0),
            "share_304 > 80 %": Comparison("share_304", ">", 0.8),
            "hedge_share <= 0.05": Comparison("hedge_share", "<=", 0.05),
            "rps >= 1000": Comparison("rps", ">=", 1000.0),
        }.items():
            found = parse_threshold(text)
            self.assertEqual(found[:2], expected[:2])
            self.assertLess(abs(found.limit - expected.limit), 1e-9, text)

    def test_each_sign_compares_as_it_reads(self) -> None:
        outcomes = {
            sign: [parse_threshold(f"errors {sign} 5").holds(value) for value in (4.0, 5.0, 6.0)]
            for sign in ("<", "<=", "==", ">=", ">")
        }
        self.assertEqual(
            outcomes,
            {
                "<": [True, False, False],
                "<=": [True, True, False],
                "==": [False, True, False],
                ">=": [False, True, True],
                ">": [False, False, True],
            },
        )

    def test_what_cannot_be_compared_is_said(self) -> None:
        for text, why in {
            "": "write it like",
            "p99": "write it like",
            "p99 < ": "write it like",
            "p99 < fast": "write it like",
            "p99 < -5ms": "write it like",
            "p99 != 5": "write it like",
            "50ms > p99": "write it like",
            "p99 < 5ms extra": "write it like",
            "p98 < 5ms": "there is no measure p98; there are p50",
            "errors < 5ms": "errors is no time but requests",
            "herd < 1.5s": "herd is no time",
            "p99 < 50%": "p99 is no share but ms",
            "errors < 1%": "errors is no share",
        }.items():
            with self.assertRaises(ValueError, msg=text) as caught:
                parse_threshold(text)
            self.assertIn(why, str(caught.exception))
            self.assertIn(repr(text), str(caught.exception))

    @given(st.text(max_size=20))
    def test_whatever_is_written_is_understood_or_refused(self, text: str) -> None:
        try:
            self.assertIn(parse_threshold(text).measure, MEASURES)
        except ValueError as error:
            self.assertIn(repr(text), str(error))

    def test_all_that_may_be_named_is_measured(self) -> None:
        measured = ReportMerger(1, [NodeAddress("n1", "http://localhost:8001", "127.0.0.1", 8001)]).measures()
        of_nodes = {"table_share"}  # with --state: what the nodes have counted
        self.assertEqual(set(measured) | of_nodes, set(MEASURES))

    def test_outcomes_carry_what_was_measured(self) -> None:
        held, missed = judge(["p99 < 50ms", "errors == 0"], {"p99": 49.0, "errors": 3.0})
        self.assertEqual((held.text, held.measured, held.held), ("p99 < 50ms", 49.0, True))
        self.assertEqual((missed.text, missed.measured, missed.held), ("errors == 0", 3.0, False))

    def test_a_time_of_which_there_is_none_is_not_held(self) -> None:
        """No push has come: that is not a fast one."""
        outcomes = judge(["push_p99 < 1000ms", "errors < 1", "rps < 5"], {"push_p99": 0.0, "errors": 0.0})
        self.assertEqual([one.held for one in outcomes], [False, True, True])
        self.assertEqual(
            decide(generator(), outcomes, {}, False), ("threshold", ["push_p99 < 1000ms: there was none"])
        )


class VerdictTests(SynchronousTestCase):
    """What decides the exit code."""

    def test_all_held_is_ok(self) -> None:
        self.assertEqual(decide(generator(), [HELD], {"stale": 0, "wrong": 0}, False), ("ok", []))
        self.assertEqual(decide(generator(), [], {}, False), ("ok", []))

    def test_one_missed_is_named_with_what_it_was(self) -> None:
        self.assertEqual(
            decide(generator(), [HELD, MISSED], {}, False), ("threshold", ["p99 < 50ms: it is 61.5"])
        )

    def test_stale_and_wrong_answers_miss_without_being_asked_about(self) -> None:
        verdict, reasons = decide(generator(), [], {"stale": 2.0, "wrong": 1.0}, False)
        self.assertEqual(verdict, "threshold")
        self.assertEqual([reason.split()[0] for reason in reasons], ["2", "1"])

    def test_a_generator_that_was_late_or_offered_too_little_says_nothing_of_thresholds(self) -> None:
        for own, word in ((generator(offered=0.989), "98.9%"), (generator(lag=1.01), "1.01 ms")):
            verdict, reasons = decide(own, [MISSED], {"stale": 1.0}, False)
            self.assertEqual((verdict, len(reasons)), ("invalid", 1))
            self.assertIn(word, reasons[0])
            self.assertIn("fewer users", reasons[0])
        self.assertEqual(decide(generator(0.99, 1.0), [], {}, False)[0], "ok")

    def test_whoever_interrupts_gets_all_there_is_to_say(self) -> None:
        verdict, reasons = decide(generator(offered=0.5, lag=5.0), [MISSED], {"wrong": 1.0}, True)
        self.assertEqual((verdict, len(reasons)), ("interrupted", 5))

"""Thresholds: what is compared with what, and how it came out."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.verdict.thresholds import MEASURES, Comparison, judge, parse_threshold, told


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
            "error_share < 5": "error_share is a share; give 0 to 1, or 0 % to 100 %",
            "error_share < 101 %": "error_share is a share; give 0 to 1, or 0 % to 100 %",
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

    def test_outcomes_carry_what_was_measured(self) -> None:
        held, missed = judge(["p99 < 50ms", "errors == 0"], {"p99": 49.0, "errors": 3.0})
        self.assertEqual(
            (held.text, held.measured, held.held, held.of), ("p99 < 50ms", 49.0, True, "answers")
        )
        self.assertEqual((missed.text, missed.measured, missed.held), ("errors == 0", 3.0, False))

    def test_what_there_was_nothing_of_holds_nothing(self) -> None:
        """No push has come: that is not a fast one; no node was asked: that is not even."""
        for text in ("push_p99 < 1000ms", "herd < 1.5", "p99 < 1s", "share_304 < 50 %", "table_share > 5 %"):
            (outcome,) = judge([text], {"errors": 0.0})
            self.assertEqual((outcome.held, outcome.of, told(outcome)), (False, "nothing", "there was none"))

    def test_a_percentile_of_failed_requests_is_below_nothing(self) -> None:
        below, above = judge(["p99 < 3600s", "p99 > 5ms"], {"p99": math.inf}, {"p99": 10_000.0})
        self.assertEqual((below.held, below.of, below.measured), (False, "failed", 10_000.0))
        self.assertTrue(above.held)
        self.assertEqual(told(below), "at least 10 s: a request failed there")

    def test_values_are_told_in_units_as_people_write_them(self) -> None:
        for text, value, words in (
            ("p99 < 1s", 1710.0, "it is 1.71 s"),
            ("p99 < 1s", 13.84, "it is 13.8 ms"),
            ("error_share <= 1 %", 0.5123, "it is 51.23 %"),
            ("errors == 0", 1998.0, "it is 1,998"),
            ("herd < 1.5", 1.0731, "it is 1.073"),
        ):
            (outcome,) = judge([text], {parse_threshold(text).measure: value})
            self.assertEqual(told(outcome), words)

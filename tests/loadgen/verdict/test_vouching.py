"""What the generator's own lag may account for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.verdict.thresholds import parse_threshold
from loadgen.verdict.vouching import allowance_ms, is_doubtful
from tests.loadgen.verdict.test_latencies import histogram


def doubtful(text: str, value: float, *late_ms: float) -> bool:
    """Whether a threshold is, where the generator was late by these milliseconds, 0.1 in all other cases."""
    lag = histogram([int(1000 * one) for one in late_ms] + [100] * (10_000 - len(late_ms)))
    return is_doubtful(parse_threshold(text), value, lag)


class VouchingTests(SynchronousTestCase):
    """10,000 requests."""

    def test_without_lag_nothing_is(self) -> None:
        for value in (49.99, 50.01, 500.0):
            self.assertFalse(doubtful("p99 < 50ms", value))

    def test_lag_only_adds_so_what_is_held_is_held(self) -> None:
        self.assertFalse(doubtful("p99 < 50ms", 49.0, *[3.0] * 10_000))
        self.assertFalse(doubtful("p50 <= 50ms", 49.0, *[40.0] * 10_000))

    def test_a_miss_within_what_lag_accounts_for_is_nobodys(self) -> None:
        self.assertTrue(doubtful("p99 < 50ms", 52.0, *[3.0] * 10_000))
        self.assertFalse(doubtful("p99 < 50ms", 60.0, *[3.0] * 10_000))

    def test_a_stop_of_the_generator_is_no_fault_of_the_targets_where_it_shows(self) -> None:
        """150 ms in 30 s: 50 of 10,000 requests were late, evenly; p99.9 shows them, p90 does not."""
        late = [3.0 * number for number in range(1, 51)]
        self.assertTrue(doubtful("p99.9 < 50ms", 135.0, *late))
        self.assertTrue(doubtful("p100 < 50ms", 150.0, *late))
        self.assertFalse(doubtful("p90 < 50ms", 60.0, *late))

    def test_a_stop_of_the_target_is_its_own_in_spite_of_that(self) -> None:
        late = [3.0 * number for number in range(1, 51)]
        self.assertFalse(doubtful("p99.9 < 50ms", 2900.0, *late))

    def test_a_failure_is_no_lag(self) -> None:
        self.assertFalse(doubtful("p99 < 50ms", float("inf"), *[3.0] * 10_000))

    def test_limits_the_other_way_round(self) -> None:
        self.assertTrue(doubtful("p50 > 5ms", 6.0, *[3.0] * 10_000))
        self.assertFalse(doubtful("p50 > 5ms", 4.0, *[3.0] * 10_000))

    def test_what_is_no_corrected_latency_is_as_counted(self) -> None:
        for text in ("errors == 0", "raw_p99 < 5ms", "herd < 1.5"):
            self.assertFalse(doubtful(text, 100.0, *[300.0] * 10_000))

    @given(st.lists(st.integers(1, 10**7), min_size=1, max_size=50), st.floats(50, 99.9))
    def test_more_lag_never_vouches_for_more(self, lag: list[int], percent: float) -> None:
        more = histogram([2 * one for one in lag])
        self.assertGreaterEqual(allowance_ms(more, percent), allowance_ms(histogram(lag), percent))

    def test_pushes_that_lay_unread_are_vouched_for_alike(self) -> None:
        self.assertTrue(doubtful("push_p99 < 50ms", 52.0, *[3.0] * 10_000))
        self.assertFalse(doubtful("push_p99 < 50ms", 60.0, *[3.0] * 10_000))
        self.assertFalse(doubtful("push_p99 < 50ms", 49.0, *[3.0] * 10_000))
        self.assertFalse(doubtful("push_lag_p99 < 2ms", 3.0, *[3.0] * 10_000))

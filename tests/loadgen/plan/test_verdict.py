"""The whole verdict: what binds, what it costs, what happens without a server, what would have to change."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.plan.curve import daily_shares
from loadgen.plan.inputs import Plan, contradictions, numbers, with_value
from loadgen.plan.remedies import REMEDIES, works
from loadgen.plan.verdict import Assessment, assess
from tests.loadgen.plan.examples import COSTS, plan

SHARES = daily_shares(4.4, 20)


def assessed(**values: Any) -> Assessment:
    """The example with these values."""
    return assess(plan(**values), COSTS, SHARES)


#: Remedies that burden, too: each machine has its place in the load document, each WebSocket its messages.
TWO_SIDED = ("servers.count", "burst.count_max", "push.share")
#: Plans all over the place, but without contradictions.
PLANS = st.builds(
    plan,
    users__concurrent_at_peak=st.integers(1, 200_000_000),
    session__minutes=st.floats(1, 60),
    session__first_visit_share=st.floats(0, 1),
    session__think__kind=st.sampled_from(["weibull", "lognormal", "exponential", "constant"]),
    session__think__mean_s=st.floats(1, 60),
    pages__resources_per_view=st.floats(1, 300),
    pages__fresh_share=st.floats(0, 0.5),
    pages__missing_share=st.floats(0, 0.5),
    requests__confirm=st.sampled_from(["batch", "each"]),
    requests__head_bytes=st.floats(40, 4000),
    requests__tls_share=st.floats(0, 1),
    push__share=st.floats(0, 1),
    servers__count=st.integers(1, 40),
    burst__count_max=st.integers(0, 20),
)


class AssessmentTests(SynchronousTestCase):
    """A plan's answer."""

    def test_a_small_crowd_fits(self) -> None:
        """Nothing is wrong, all hours are there, the peak is where the curve has it."""
        found = assessed()
        self.assertTrue(found.feasible)
        self.assertEqual((len(found.hours), found.peak, found.runs), (24, 20, ()))
        self.assertAlmostEqual(found.hours[20].users, 1e6)
        self.assertAlmostEqual(sum(hour.users for hour in found.hours) / 24, 1e6 / 4.4, 0)
        self.assertEqual(found.bill.total, 240)

    def test_a_crowd_that_is_too_large_does_not(self) -> None:
        """By how much is said, and latency grows without bound where a link is over 1."""
        found = assessed(users__concurrent_at_peak=10_000_000)
        self.assertEqual([problem.kind for problem in found.problems], ["capacity"])
        self.assertIn(found.bottleneck, found.problems[0].text)
        self.assertAlmostEqual(found.saturation, 1 / found.headroom[found.bottleneck])
        self.assertEqual(found.hours[20].p99_ms, math.inf)

    def test_burst_machines_fill_up_what_servers_lack(self) -> None:
        """In the hours that need them only, and everything is below its limit then."""
        found = assessed(
            users__concurrent_at_peak=5_000_000, burst__count_max=50, burst__eur_per_hour=0.01,
            burst__ram_gigabytes=64.0,
        )  # fmt: skip
        self.assertEqual(found.problems, ())
        self.assertGreater(found.hours[20].burst, 0)
        self.assertEqual(found.hours[8].burst, 0)
        self.assertLessEqual(max(hour.saturation for hour in found.hours), 1)
        self.assertGreater(found.saturation, 1)
        self.assertGreater(found.bill.burst, 0)

    def test_too_few_burst_machines_are_said_to_be(self) -> None:
        """With their number."""
        found = assessed(users__concurrent_at_peak=10_000_000, burst__count_max=1)
        self.assertIn("4 servers and 1 burst machines", found.problems[0].text)

    def test_without_one_of_four_the_others_carry_a_third_more(self) -> None:
        """Exactly, without burst machines."""
        found = assessed()
        assert found.without_one is not None
        self.assertAlmostEqual(found.without_one.saturation, found.saturation * 4 / 3)
        self.assertTrue(found.without_one.holds)

    def test_the_connections_of_a_lost_server_are_opened_again(self) -> None:
        """A quarter of them, with the CPU time that the others have left; TLS takes its time."""
        found, encrypted = assessed().without_one, assessed(requests__tls_share=1.0).without_one
        assert found is not None and encrypted is not None
        self.assertAlmostEqual(found.connections, assessed().hours[20].connections / 4)
        spare = 3 * 8 - assessed().hours[20].use["CPU"] * 4 * 8
        self.assertAlmostEqual(found.reopened_s, found.connections * 5e-6 / spare)
        self.assertGreater(encrypted.reopened_s, 50 * found.reopened_s)

    def test_a_lone_server_has_nobody_to_take_over(self) -> None:
        """There is no N-1."""
        self.assertIsNone(assessed(servers__count=1).without_one)

    def test_failures_that_must_be_held_count(self) -> None:
        """A crowd that fills three fifths of four servers does not fit two."""
        crowd = round(1e6 * 0.6 / assessed().saturation)
        self.assertTrue(assessed(users__concurrent_at_peak=crowd).feasible)
        self.assertTrue(assessed(users__concurrent_at_peak=crowd, limits__failures=1).feasible)
        found = assessed(users__concurrent_at_peak=crowd, limits__failures=2)
        self.assertEqual(found.problems[0].kind, "failure")
        self.assertIn("with 2 of them down", found.problems[0].text)

    def test_the_bill_is_the_sum_of_its_parts(self) -> None:
        """Servers, burst machines, and terabytes out."""
        found = assessed(servers__eur_per_terabyte_out=2.0)
        terabytes = sum(hour.out_gbit_per_s for hour in found.hours) / 24 * 1e9 / 8 * 86_400 * 30.4375 / 1e12
        self.assertAlmostEqual(found.bill.traffic, 2 * terabytes)
        self.assertAlmostEqual(found.bill.total, 240 + found.bill.traffic)

    def test_too_little_money_is_a_problem_of_its_own(self) -> None:
        """And nothing else."""
        found = assessed(limits__eur_per_month=239.0)
        self.assertEqual([problem.kind for problem in found.problems], ["budget"])
        self.assertIn("240.00 EUR", found.problems[0].text)

    def test_long_queues_are_a_problem_below_full_use(self) -> None:
        """TLS handshakes of half a millisecond make everything behind them wait."""
        found = assessed(limits__p99_ms=0.01, requests__tls_share=1.0)
        self.assertEqual(found.problems[0].kind, "latency")


class MonotonyTests(SynchronousTestCase):
    """More of what burdens never needs less; more of what relieves never harms."""

    @settings(max_examples=25)
    @given(PLANS, st.floats(1, 5))
    def test_more_users_never_need_less(self, made: Plan, factor: float) -> None:
        """Of anything, in any hour."""
        assume(not contradictions(made))
        users = round(made.users.concurrent_at_peak * factor)
        few, many = (
            assess(with_value(made, "users.concurrent_at_peak", count), COSTS, SHARES)
            for count in (made.users.concurrent_at_peak, users)
        )
        self.assertLessEqual(few.saturation, many.saturation * (1 + 1e-9))
        self.assertLessEqual(few.bill.total, many.bill.total * (1 + 1e-9))
        for one, other in zip(few.hours, many.hours, strict=True):
            self.assertLessEqual(one.burst, other.burst)
            for name in ("requests_per_s", "in_gbit_per_s", "out_packets_per_s", "connections"):
                self.assertLessEqual(getattr(one, name), getattr(other, name) * (1 + 1e-9))
        if works(many):
            self.assertTrue(works(few))

    @settings(max_examples=60)
    @given(PLANS, st.sampled_from([remedy for remedy in REMEDIES if remedy.path not in TWO_SIDED]), st.data())
    def test_every_remedy_relieves(self, made: Plan, remedy: Any, data: Any) -> None:
        """In its direction, the saturation on the servers never grows."""
        # Constant think times are two-sided: who looks each 3 s finds the load document old at each second
        # view, who looks each 5 s at each.
        constant = made.session.think.kind == "constant"
        assume(not (constant and remedy.path == "session.think.mean_s"))
        limits = next(number for number in numbers() if number.path == remedy.path)
        value = data.draw(st.integers(int(limits.low), int(limits.high)) if limits.whole
                          else st.floats(limits.low, limits.high))  # fmt: skip
        other = data.draw(st.integers(int(limits.low), int(limits.high)) if limits.whole
                          else st.floats(limits.low, limits.high))  # fmt: skip
        low, high = sorted((value, other))
        tense, relaxed = (high, low) if remedy.direction < 0 else (low, high)
        plans = [with_value(made, remedy.path, value) for value in (tense, relaxed)]
        assume(not any(contradictions(one) for one in plans))
        before, after = (assess(one, COSTS, SHARES) for one in plans)
        self.assertLessEqual(after.saturation, before.saturation * (1 + 1e-9), remedy.path)

    @settings(max_examples=25)
    @given(PLANS, st.integers(0, 20))
    def test_what_works_with_few_burst_machines_works_with_more(self, made: Plan, more: int) -> None:
        """They are not ordered without need."""
        assume(not contradictions(made))
        few = assess(made, COSTS, SHARES)
        many = assess(with_value(made, "burst.count_max", made.burst.count_max + more), COSTS, SHARES)
        if works(few):
            self.assertEqual(few, many)

    @settings(max_examples=25)
    @given(PLANS)
    def test_what_is_within_limits_has_an_end_to_its_queues(self, made: Plan) -> None:
        """And use is never above its limit in a plan that fits."""
        assume(not contradictions(made))
        found = assess(made, COSTS, SHARES)
        for hour in found.hours:
            fullest = max(hour.use[name] for name in ("CPU", "link in", "link out"))
            self.assertEqual(math.isfinite(hour.p99_ms), fullest < 1)
            if found.feasible:
                self.assertLessEqual(hour.use["CPU"], 0.8 + 1e-9)
                self.assertLessEqual(hour.use["link out"], 0.9 + 1e-9)

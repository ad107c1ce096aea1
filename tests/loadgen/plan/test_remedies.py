"""What would have to change for a plan to fit."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from loadgen.plan.curve import daily_shares
from loadgen.plan.inputs import numbers, with_value
from loadgen.plan.remedies import changes, works
from loadgen.plan.verdict import Assessment, assess
from tests.loadgen.plan.examples import COSTS, plan

SHARES = daily_shares(4.4, 20)


def assessed(**values: Any) -> Assessment:
    """The example with these values."""
    return assess(plan(**values), COSTS, SHARES)


class RemedyTests(SynchronousTestCase):
    """What would have to change."""

    def test_each_change_alone_suffices_and_little_less_does_not(self) -> None:
        """At three digits, or the next whole number."""
        made = plan(users__concurrent_at_peak=4_000_000, push__share=0.1, pages__missing_share=0.02)
        found = changes(made, COSTS, SHARES)
        self.assertGreater(sum(change.value is not None for change in found), 4)
        whole = {number.path for number in numbers() if number.whole}
        for change in found:
            if change.value is None:
                continue
            is_whole = change.path in whole
            with self.subTest(change.path):
                value = int(change.value) if is_whole else change.value
                after = assess(with_value(made, change.path, value), COSTS, SHARES)
                self.assertTrue(works(after))
                self.assertAlmostEqual(after.bill.total, change.euros)
                up = change.value > change.now
                step = 1 if is_whole else change.value * 0.011
                back = change.value + (-step if up else step)
                short = with_value(made, change.path, int(back) if is_whole else back)
                self.assertFalse(works(assess(short, COSTS, SHARES)))

    def test_a_plan_that_fits_needs_no_change(self) -> None:
        """None is offered."""
        self.assertEqual(changes(plan(), COSTS, SHARES), [])

    def test_what_cannot_help_is_said_not_to(self) -> None:
        """A site that drowns in bodies is not saved by shorter heads; what has no part in it is not named."""
        made = plan(users__concurrent_at_peak=50_000_000, pages__missing_share=0.5)
        found = {change.path: change.value for change in changes(made, COSTS, SHARES)}
        self.assertIsNone(found["requests.head_bytes"])
        self.assertNotIn("push.load_period_s", found)

    def test_more_sockets_help_where_polls_are_too_many(self) -> None:
        """Pushed every five minutes instead of polled each view; at a push each second fewer help."""
        for think, period, share, words in ((20.0, 300.0, 0.1, "or more of"), (120.0, 1.0, 0.9, "at most")):
            made = plan(users__concurrent_at_peak=4_000_000, servers__count=2, pages__changed_share=0.0,
                        session__first_visit_share=0.0, pages__fresh_share=0.9, push__share=share,
                        session__think__mean_s=think, push__load_period_s=period)  # fmt: skip
            found = {change.path: change for change in changes(made, COSTS, SHARES)}
            self.assertIn(words, found["push.share"].text)

    def test_too_little_money_is_met_by_what_is_cheaper(self) -> None:
        """Fewer users need fewer burst machines."""
        made = plan(users__concurrent_at_peak=5_000_000, burst__count_max=50, burst__eur_per_hour=1.0,
                    burst__ram_gigabytes=64.0)  # fmt: skip
        self.assertEqual([one.kind for one in assess(made, COSTS, SHARES).problems], ["budget"])
        found = {change.path: change for change in changes(made, COSTS, SHARES)}
        self.assertLessEqual(found["users.concurrent_at_peak"].euros, 300)

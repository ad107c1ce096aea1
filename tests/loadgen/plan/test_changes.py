"""What would have to change, what matters, what fits: plans with other values."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import UsageError
from loadgen.plan.curve import daily_shares
from loadgen.plan.inputs import numbers, with_value
from loadgen.plan.regions import axis, regions
from loadgen.plan.remedies import changes, works
from loadgen.plan.sensitivity import sensitivities
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
        """Pushed every five minutes instead of polled each view; at a node's own pace fewer help."""
        for think, period, share, words in ((20.0, 300.0, 0.1, "or more of"), (120.0, 4.5, 0.9, "at most")):
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


class SensitivityTests(SynchronousTestCase):
    """A fifth lower and higher."""

    def test_the_strongest_comes_first(self) -> None:
        """And each moves something."""
        made = plan()
        found = sensitivities(made, COSTS, SHARES)
        swings = [one.swing(assess(made, COSTS, SHARES).saturation) for one in found]
        self.assertEqual(swings, sorted(swings, reverse=True))
        self.assertIn("session.think.mean_s", [one.path for one in found][:8])

    def test_users_are_in_proportion(self) -> None:
        """A fifth more users are a fifth more of everything."""
        one = next(
            one for one in sensitivities(plan(), COSTS, SHARES) if one.path == "users.concurrent_at_peak"
        )
        saturation = assessed().saturation
        assert one.lower is not None and one.higher is not None
        self.assertAlmostEqual(one.lower.saturation, saturation * 0.8)
        self.assertAlmostEqual(one.higher.saturation, saturation * 1.2)

    def test_what_is_impossible_is_left_out(self) -> None:
        """A think time beyond the session's end."""
        found = sensitivities(plan(session__minutes=1.1), COSTS, SHARES)
        self.assertIsNone(next(one for one in found if one.path == "session.think.mean_s").higher)


class RegionTests(SynchronousTestCase):
    """Maps."""

    def test_a_map_has_a_cell_for_each_pair(self) -> None:
        """The same verdicts as plans of their own; pairs that contradict each other say so."""
        across, down = (
            axis("session.think.mean_s=10, 60,900"),
            axis("users.concurrent_at_peak=1000000,20000000"),
        )
        cells = regions(plan(), COSTS, SHARES, across, down)
        self.assertEqual([len(row) for row in cells], [3, 3])
        one = assessed(session__think__mean_s=10.0, users__concurrent_at_peak=20_000_000)
        self.assertEqual((cells[1][0].saturation, cells[1][0].bottleneck), (one.saturation, one.bottleneck))
        self.assertIn("longer than the session", cells[0][2].contradiction)

    def test_texts_are_values_too(self) -> None:
        """ "batch" and "each" need no quotes."""
        self.assertEqual(axis("requests.confirm=batch,each").values, ("batch", "each"))

    def test_wrong_axes_are_told(self) -> None:
        """The key, the value, the form."""
        for text, words in (
            ("push.shar=1", "did you mean push.share?"),
            ("push=1", "unknown key push"),
            ("push.share=0,2", "push.share = 2: give a number from 0 to 1"),
            ("push.share=x", "give a number"),
            ("push.share", "KEY=VALUE"),
            ("push.share=1,,2", "KEY=VALUE"),
            ("push.share=" + ",".join("0" * 25), "up to 24"),
        ):
            self.assertIn(words, str(self.assertRaises(UsageError, axis, text)))

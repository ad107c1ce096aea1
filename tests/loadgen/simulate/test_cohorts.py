"""All users at once: none is lost, the same seed repeats, herds run under the policies that make them."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.choice import POLICIES
from loadgen.simulate.cohorts import Cohorts
from loadgen.simulate.inputs import Deploy, Outage, Spike
from loadgen.simulate.outcome import Recorder
from tests.loadgen.simulate.worlds import outcome, world

USERS = 10_000_000


class Conservation(SynchronousTestCase):
    """Users are neither lost nor created."""

    def test_after_every_step_there_are_as_many_users_as_at_the_beginning(self) -> None:
        made = world(
            users=54_321,
            return_interval_s=300.0,
            failures=(Outage(60.0, 120.0, 1),),
            spikes=(Spike(200.0, 60.0, 5.0),),
            deploys=(Deploy(100.0, 50),),
        )
        for policy in POLICIES:
            cohorts = Cohorts(made, policy)
            recorder = Recorder(made.inputs, 600)
            for step in range(600):
                cohorts.step(float(step), 0.003, recorder)
                self.assertEqual(int(cohorts.away.sum() + cohorts.active.sum()), 54_321, policy)
                self.assertGreaterEqual(int(min(cohorts.away.min(), cohorts.active.min())), 0)

    def test_what_is_looked_at_is_kept_or_fetched(self) -> None:
        counts = outcome("smart", max_age_s=60.0, confirm="batch").counts
        parts = 13
        found = sum(counts[name] for name in ("page", "asset", "fresh", "not_modified", "newer"))
        self.assertEqual(counts["view"] * parts, found)
        self.assertEqual(counts["validator"], counts["not_modified"] + counts["newer"])
        self.assertGreater(counts["fresh"], 0)

    def test_one_question_of_a_view_confirms_whatever_its_reader_has(self) -> None:
        """Over the WebSocket of who has one, but for the first of a session."""
        counts = outcome("smart", websocket_share=0.5).counts
        self.assertEqual(counts["batch"] + counts["validator"] + counts["lone"], 0)
        self.assertEqual(counts["changes"] + counts["question"], counts["view"])
        going = (counts["view"] - counts["session"]) / counts["view"]
        self.assertLess(abs(counts["question"] / counts["view"] / going - 0.5), 0.01)

    def test_a_deploy_is_listed_once_for_each_reader_unless_it_is_too_much(self) -> None:
        """More paths than a node lists: a batch tells."""
        for resources, kind, other in ((50, "list", "batch"), (120, "batch", "list")):
            made = {"pages": 200, "path_bytes": 40.0, "users": 100_000, "return_interval_s": 300.0}
            counts = outcome("smart", deploys=(Deploy(60.0, resources),), **made).counts
            self.assertEqual(counts[other], 0)
            # Within twenty minutes nearly everybody has come once.
            self.assertLess(abs(counts[kind] / 100_000 - 0.9), 0.1, kind)


class Seeds(SynchronousTestCase):
    """Chance comes from the seed alone."""

    def run_with(self, seed: int) -> bytes:
        made = world(0.5, hours=0.05, seed=seed, deploys=(Deploy(60.0, 100),))
        return msgspec.json.encode(Cohorts(made, "smart").run())

    def test_the_same_seed_gives_the_same_bytes(self) -> None:
        self.assertEqual(self.run_with(7), self.run_with(7))

    def test_another_seed_gives_others(self) -> None:
        self.assertNotEqual(self.run_with(7), self.run_with(8))


class Herds(SynchronousTestCase):
    """Ten million users at a utilization of 0.8, with figures that are 5 s old."""

    def test_smart_clients_stay_even_and_those_of_the_least_loaded_node_run_in_herds(self) -> None:
        smart, least = outcome("smart", 0.8), outcome("least-loaded", 0.8)
        for node in smart.nodes:
            self.assertLess(abs(node.utilization_peak - 0.8), 0.04)
        self.assertLess(smart.herd_p99, 1.15)
        self.assertGreater(least.herd_mean, 2.0)
        # In turns: over the whole time nobody notices.
        self.assertLess(least.herd, 1.1)
        self.assertGreater(max(node.backlog_s for node in least.nodes), 1.0)

    def test_weights_that_all_follow_at_once_swing_and_a_quarter_of_the_bound_does_not(self) -> None:
        """A share a of clients that draws again per period is stable below 2 (1 - rho) only."""
        first_minutes = {"hours": 0.25, "age_s": 5.0}
        smart = outcome("smart", 0.8, **first_minutes)
        two = outcome("two-choices", 0.8, **first_minutes)
        # All clients of the other policy choose anew each time: a = 1 > 2 (1 - 0.8).
        self.assertLess(smart.herd_mean, 1.03)
        self.assertGreater(two.herd_mean, 1.3)

    def test_one_node_for_all_is_that_node_overloaded(self) -> None:
        one = outcome("one", 0.8, hours=0.05)
        self.assertEqual([node.share for node in one.nodes], [1.0, 0.0, 0.0, 0.0])
        self.assertGreater(one.nodes[0].overloaded_s, 100)


class Failures(SynchronousTestCase):
    """A node is gone for five minutes."""

    def test_its_load_moves_to_the_others_and_comes_back_slowly(self) -> None:
        found = outcome("smart", 0.5, hours=0.4, failures=(Outage(600.0, 300.0, 1),))
        rates = found.minutes["requests_per_s"]
        before, during = [row[9] for row in rates], [row[13] for row in rates]
        self.assertEqual(during[1], 0)
        self.assertLess(abs(sum(during) / sum(before) - 1), 0.05)
        for node in (0, 2, 3):
            self.assertLess(abs(during[node] / before[node] - 4 / 3), 0.1)
        back = [minute[1] for minute in zip(*rates, strict=True)][15:]
        # Not all at once, and not never.
        self.assertLess(back[0], 0.9 * before[1])
        self.assertGreater(back[-1], 0.9 * before[1])
        self.assertEqual(found.counts["failed"], 0)
        self.assertGreater(found.counts["retry"], 0)

    def test_without_any_node_views_fail_and_users_stay(self) -> None:
        failures = tuple(Outage(60.0, 60.0, node) for node in range(4))
        found = outcome("smart", hours=0.1, failures=failures)
        self.assertGreater(found.counts["failed"], 0)
        self.assertEqual([row[1] for row in found.minutes["requests_per_s"]], [0, 0, 0, 0])

    def test_under_every_policy_others_take_over(self) -> None:
        for policy in POLICIES:
            found = outcome(policy, 0.3, hours=0.1, failures=(Outage(120.0, 120.0, 0),))
            self.assertEqual(found.counts["failed"], 0, policy)
            self.assertEqual(found.minutes["requests_per_s"][0][3], 0.0, policy)
            self.assertGreater(sum(row[3] for row in found.minutes["requests_per_s"]), 0, policy)


class Spikes(SynchronousTestCase):
    """News."""

    def test_sessions_multiply_at_once_and_fade(self) -> None:
        spikes = (Spike(600.0, 300.0, 5.0),)
        rates = outcome("smart", hours=0.5, spikes=spikes).minutes["requests_per_s"]
        total = [sum(minute) for minute in zip(*rates, strict=True)]
        self.assertGreater(max(total[10:14]), 3 * total[9])
        self.assertLess(total[-1], 1.5 * total[9])

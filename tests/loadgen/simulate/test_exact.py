"""Single users, event by event, beside the cohorts: counts agree, as far as chance lets them."""

from __future__ import annotations

import numpy as np
from twisted.trial.unittest import SynchronousTestCase

from loadgen.simulate.cohorts import Cohorts
from loadgen.simulate.document import compare
from loadgen.simulate.exact import Exact
from loadgen.simulate.inputs import Deploy, Outage
from tests.loadgen.simulate.worlds import world

SAMPLE = 2_000
#: Relative differences that are allowed; a figure of few events has more chance in it.
TOLERANCE = 0.04
OF_DEPLOYS = 0.06
OF_CONNECTIONS = 0.10


class Agreement(SynchronousTestCase):
    """Two hours of two thousand users who come often, and of as many cohorts as there are."""

    def agree(self, policy: str) -> None:
        made = world(
            hours=2.0,
            step_s=2.0,
            return_interval_s=600.0,
            max_age_s=30.0,
            users=1_000_000,
            deploys=(Deploy(1800.0, 60),),
            failures=(Outage(3600.0, 300.0, 2),),
        )
        cohorts = Cohorts(made, policy).run()
        exact = Exact(made, policy, SAMPLE).run()
        found = compare(cohorts, exact, policy, SAMPLE, made.inputs.users.users)
        allowed = {"newer": OF_DEPLOYS, "connect": OF_CONNECTIONS}
        for one in found.figures:
            with_share = one.figure.startswith("share of")
            most = 0.06 if with_share else allowed.get(one.figure, TOLERANCE)
            self.assertLess(abs(one.difference), most, f"{policy}: {one}")

    def test_smart_clients(self) -> None:
        self.agree("smart")

    def test_the_least_loaded_node(self) -> None:
        self.agree("least-loaded")

    def test_any_node(self) -> None:
        self.agree("random")


class FirstVisits(SynchronousTestCase):
    """Users who have nothing yet."""

    def test_what_a_first_visit_fetches_is_counted_alike(self) -> None:
        made = world(hours=0.5, step_s=2.0, warm_share=0.0, return_interval_s=900.0, users=1_000_000)
        cohorts, exact = Cohorts(made, "smart").run(), Exact(made, "smart", SAMPLE).run()
        for name in ("client", "page", "asset", "changes"):
            self.assertLess(abs(exact.counts[name] / cohorts.counts[name] - 1), 0.06, name)


class Failing(SynchronousTestCase):
    """One node of two is gone."""

    def test_nobody_is_served_by_it_and_nothing_fails(self) -> None:
        made = world(
            hours=0.2, nodes=2, return_interval_s=60.0, users=500, failures=(Outage(240.0, 240.0, 0),)
        )
        found = Exact(made, "smart", 500).run()
        rates = np.array(found.minutes["requests_per_s"])
        self.assertEqual(float(rates[0, 5:8].sum()), 0.0)
        self.assertGreater(float(rates[1, 5:8].sum()), 0.0)
        self.assertGreater(float(rates[0, 10:].sum()), 0.0)
        self.assertGreater(found.counts["retry"], 0)
        self.assertEqual(found.counts["failed"], 0)

    def test_with_both_gone_views_fail(self) -> None:
        failures = tuple(Outage(60.0, 60.0, node) for node in range(2))
        made = world(hours=0.05, nodes=2, return_interval_s=60.0, users=500, failures=failures)
        self.assertGreater(Exact(made, "smart", 500).run().counts["failed"], 0)

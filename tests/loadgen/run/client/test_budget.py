"""Budgets: what is spent is a share of the requests, with a little saved up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.run.client.budget import RetryBudgets, hedges, retries


def spent(budgets: RetryBudgets, user: int, requests: int, most: int = 1000) -> int:
    """How often *user* could spend at once."""
    return next(number for number in range(most) if not budgets.spend(user, requests))


class BudgetTests(SynchronousTestCase):
    """See ``webroot/edge/worker/budget.js``."""

    def test_a_new_user_has_what_is_there_at_the_beginning(self) -> None:
        """The request that is asked for has been counted already."""
        self.assertEqual(spent(retries(), 0, 1), 32)
        self.assertEqual(spent(hedges(), 0, 1), 1)

    def test_requests_bring_their_share(self) -> None:
        of_hedges = hedges()
        self.assertEqual(spent(of_hedges, 0, 1), 1)
        self.assertEqual([number for number in range(2, 100) if of_hedges.spend(0, number)], [20, 40, 60, 80])
        of_retries = retries()
        spent(of_retries, 0, 1)
        self.assertEqual(spent(of_retries, 0, 101), 20)

    def test_no_more_is_saved_up_than_may_be(self) -> None:
        self.assertEqual(spent(retries(), 0, 10**9), 64)
        self.assertEqual(spent(hedges(), 0, 10**9), 4)

    def test_users_do_not_spend_for_each_other(self) -> None:
        budgets = hedges()
        self.assertEqual([spent(budgets, user, 1) for user in (1, 2, 1)], [1, 1, 0])

    def test_who_never_spends_is_not_remembered(self) -> None:
        budgets = RetryBudgets(0.25, 4, 0)
        self.assertFalse(budgets.spend(7, 1))
        self.assertEqual(len(budgets), 0)

    @given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=40))
    def test_it_is_the_clients_own_budget_counted_when_it_is_asked(
        self, steps: list[tuple[int, int]]
    ) -> None:
        """The original adds a share with every request; shares of a quarter add up exactly."""
        budgets, tokens, requests = RetryBudgets(0.25, 4, 1), 1.0, 0
        for made, wanted in steps:
            for _ in range(made):
                requests += 1
                tokens = min(4, tokens + 0.25)
            for _ in range(wanted):
                may = tokens >= 1
                tokens -= may
                self.assertEqual(budgets.spend(0, requests), may)

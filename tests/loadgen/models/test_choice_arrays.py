"""The choice of a node by many clients at once: the scalar core beside it, and what the other policies do."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.models import choice, choice_arrays

#: Numbers whose sums and products are exact, so that both ways must agree exactly.
EXACT = st.integers(0, 64).map(lambda number: number / 16)
PLACES = st.integers(0, 255).map(lambda number: number / 256)


class OneClient(SynchronousTestCase):
    """The scalar core and the arrays give the same, number for number."""

    @given(
        st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 1e7), st.floats(0, 1)), min_size=1, max_size=8),
        st.floats(0.01, 1e6),
    )
    def test_scores_are_those_of_the_model(
        self, nodes: list[tuple[float, float, float]], best: float
    ) -> None:
        weights, expected, trusts = (list(column) for column in zip(*nodes, strict=True))
        self.assertEqual(
            choice.scores(weights, expected, best, trusts),
            choice_arrays.scores(weights, expected, best, trusts).tolist(),
        )

    @settings(max_examples=300)
    @given(st.lists(st.tuples(EXACT, EXACT), min_size=1, max_size=6), PLACES, PLACES)
    def test_the_better_of_two_is_the_models(
        self, nodes: list[tuple[float, float]], one_at: float, other_at: float
    ) -> None:
        scores, costs = (list(column) for column in zip(*nodes, strict=True))
        drawn = choice.better_of_two(scores, costs, one_at, other_at)
        if drawn >= 0:
            self.assertEqual(int(choice_arrays.better_of_two(scores, costs, one_at, other_at)[0]), drawn)
        else:
            self.assertFalse(any(scores))

    @given(st.lists(st.floats(0, 1e3), min_size=1, max_size=6), st.floats(0, 1, exclude_max=True), PLACES)
    def test_whatever_the_numbers_only_what_has_a_score_is_drawn(
        self, scores: list[float], one_at: float, other_at: float
    ) -> None:
        node = choice.better_of_two(scores, [1.0] * len(scores), one_at, other_at)
        self.assertTrue(scores[node] > 0 if node >= 0 else not any(scores))


class Draws(SynchronousTestCase):
    """Single and vectorised draws."""

    def test_nothing_is_drawn_when_all_are_zero(self) -> None:
        self.assertEqual((choice.draw([0.0, 0.0], 0.5), int(choice_arrays.draw([0.0, 0.0], 0.5))), (-1, -1))
        self.assertEqual(choice_arrays.shares([0.0, 0.0], [1.0, 1.0]).tolist(), [0.0, 0.0])

    def test_a_node_without_a_score_is_never_drawn(self) -> None:
        for at in (0.0, 0.5, 1 - 2**-53):
            self.assertEqual(choice.draw([0.0, 0.3, 0.0], at), 1)
            self.assertEqual(int(choice_arrays.draw([0.0, 0.3, 0.0], at)), 1)

    def test_many_draws_at_once_are_the_single_ones(self) -> None:
        random = np.random.default_rng(3)
        scores, at = random.random((50, 4)), random.random(50)
        together = choice_arrays.draw(scores, at)
        alone = [choice.draw(row, n) for row, n in zip(scores.tolist(), at.tolist(), strict=True)]
        self.assertEqual(together.tolist(), alone)

    def test_of_two_near_equal_nodes_the_idle_one_is_taken(self) -> None:
        shares = choice_arrays.shares([0.5, 0.5], [30.0, 10.0])
        np.testing.assert_allclose(shares, [0.0, 1.0])

    def test_of_two_unequal_nodes_the_score_decides_alone(self) -> None:
        shares = choice_arrays.shares([0.8, 0.2], [30.0, 10.0])
        np.testing.assert_allclose(shares, [0.8, 0.2])


class Policies(SynchronousTestCase):
    """Where requests go that choose each time."""

    weights = (0.5, 0.4, 0.0, 0.3)
    used = (0.5, 0.6, 0.1, 0.7)

    def test_the_least_loaded_node_gets_everything(self) -> None:
        self.assertEqual(
            choice_arrays.policy_shares("least-loaded", self.weights, self.used).tolist(), [1, 0, 0, 0]
        )

    def test_two_choices_give_nothing_to_the_worst_and_half_to_the_best(self) -> None:
        shares = choice_arrays.policy_shares("two-choices", self.weights, self.used)
        np.testing.assert_allclose(shares, [1 / 2, 1 / 3, 0, 1 / 6])

    def test_a_lone_node_gets_everything_under_every_policy(self) -> None:
        for policy in choice.POLICIES[1:]:
            self.assertEqual(choice_arrays.policy_shares(policy, [0.5], [0.5]).tolist(), [1.0], policy)

    def test_every_policy_gives_away_all_there_is(self) -> None:
        for policy in choice.POLICIES[1:]:
            shares = choice_arrays.policy_shares(policy, self.weights, self.used)
            self.assertAlmostEqual(float(shares.sum()), 1.0, msg=policy)

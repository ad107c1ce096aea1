"""The other ways to choose a node, and what a seed decides."""

from __future__ import annotations

from collections import Counter

import numpy as np

from edge.load.document import LoadDocument
from loadgen.models import choice, choice_arrays
from loadgen.models.draws import uniform
from loadgen.models.users import BEGIN, Users
from loadgen.run.client import choosing
from loadgen.run.client.choosing import Choosing
from tests.loadgen.near import assert_near
from tests.loadgen.run.client.choosers import Case
from tests.loadgen.run.samples import URLS, load


class PolicyTests(Case):
    """The ways that the smart one is compared with."""

    def test_least_loaded_goes_where_the_document_says_it_is_empty(self) -> None:
        self.start("least-loaded", document=load(utilizations=(0.5, 0.2, 0.1, 0.4), weights=(1, 1, 0, 1)))
        self.assertEqual(self.picks(), {1})
        self.assertEqual([self.pick(tried=tried) for tried in (0b0010, 0b1010, 0b1011)], [3, 0, 2])

    def test_two_choices_never_takes_the_fullest(self) -> None:
        self.start("two-choices", document=load(utilizations=(0.5, 0.2, 0.1, 0.4)))
        drawn = Counter(self.pick() for _ in range(6000))
        expected = choice_arrays.policy_shares("two-choices", [1, 1, 1, 1], [0.5, 0.2, 0.1, 0.4])
        for node in range(4):
            assert_near(drawn[node] / 6000, float(expected[node]), 0.025)

    def test_random_is_even(self) -> None:
        self.start("random")
        drawn = Counter(self.pick() for _ in range(6000))
        for node in range(4):
            assert_near(drawn[node] / 6000, 0.25, 0.025)

    def test_one_is_the_first(self) -> None:
        self.start("one")
        self.assertEqual(self.picks(), {0})

    def test_without_a_document_any_node_will_do(self) -> None:
        for policy in ("least-loaded", "two-choices"):
            fresh = Choosing(Users(1, 4), policy, URLS, uniform(np.random.default_rng(1)))
            self.assertEqual({fresh.pick(0, BEGIN, 0) for _ in range(200)}, {0, 1, 2, 3})

    def test_only_who_reads_documents_needs_them(self) -> None:
        reads = {
            name for name in choice.POLICIES if Choosing(Users(1, 4), name, URLS, lambda: 0.0).reads_load
        }
        self.assertEqual(reads, {"smart", "least-loaded", "two-choices"})

    def test_with_one_node_every_policy_takes_it(self) -> None:
        for policy in choice.POLICIES:
            single = Choosing(Users(1, 1), policy, URLS[:1], lambda: 0.999)
            number = single.publish(LoadDocument("edge", 1, 0, load().nodes[:1]))
            single.learn(0, number, BEGIN)
            self.assertEqual([single.pick(0, BEGIN, tried) for tried in (0, 1)], [0, -1])


class ReproducibilityTests(Case):
    """A seed decides everything."""

    def history(self, policy: str, seed: int) -> list[int]:
        self.start(policy, count=20, seed=seed)
        found = []
        for step in range(400):
            user = step % 20
            node = self.pick(user)
            found.append(node)
            if step % 7 == 3:
                self.fail(node, user=user)
            else:
                self.answered(node, 5 + step % 50, user)
            if self.choosing.is_due(user, self.now):
                self.choosing.learn(user, self.document, self.now)
            self.pass_time(0.3)
        return found

    def test_one_seed_one_history(self) -> None:
        for policy in choice.POLICIES:
            self.assertEqual(self.history(policy, 5), self.history(policy, 5))
        self.assertNotEqual(self.history("smart", 5), self.history("smart", 6))

    def test_old_documents_are_forgotten_but_not_who_has_read_them(self) -> None:
        """A run of hours reads more documents than are kept."""
        self.patch(choosing, "_DOCUMENTS", 100)
        self.start(document=load(weights=(1, 0, 0, 0)))
        shown = load(weights=(0, 1, 0, 0))
        for _ in range(500):
            newest = self.choosing.publish(shown)
        self.assertEqual(self.picks(5), {1})
        self.choosing.learn(0, newest, self.now)
        self.assertFalse(self.choosing.is_due(0, self.now))

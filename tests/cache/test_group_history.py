"""Which groups changed since a state: by one node, and by readers that go from node to node."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.group_changes import Stamp
from edge.cache.group_history import ANY, LIVES, MOST_NAMED, GroupChange, GroupHistory, group_hash, key_of
from edge.http.changes import parse

NODES = ("a", "b", "c")
GROUPS = ("g0", "g1", "g2", "g3")


class Origins:
    """Changes that nodes make, each in its present life."""

    def __init__(self) -> None:
        self.made: dict[str, Stamp] = {}

    def change(self, origin: str, *groups: str, site: str = "") -> GroupChange:
        generation, sequence = self.made.get(origin, Stamp(1, 0))
        self.made[origin] = Stamp(generation, sequence + 1)
        return GroupChange(groups, origin, generation, sequence + 1, site)

    def restart(self, origin: str) -> None:
        self.made[origin] = Stamp(self.made.get(origin, Stamp(1, 0)).generation + 1, 0)


class GroupHistoryTests(SynchronousTestCase):
    """One node that hears of the changes of two."""

    def setUp(self) -> None:
        self.origins = Origins()
        self.history = GroupHistory(remembered=8)
        self.history.note([], {"a": Stamp(1, 0), "b": Stamp(1, 0)})

    def happens(self, origin: str, *groups: str) -> bytes:
        self.history.note([self.origins.change(origin, *groups)], self.vector())
        return self.history.state

    def vector(self) -> dict[str, Stamp]:
        return {"a": Stamp(1, 0), "b": Stamp(1, 0), **self.origins.made}

    def test_what_changed_since_is_told_once_however_often_it_changed(self) -> None:
        before = self.history.state
        middle = self.happens("a", "g0", "g1")
        self.happens("b", "g0")
        after = self.happens("b", "g0")
        self.assertEqual(sorted(self.history.since(before).hashes or ()), ["g0", "g1"])
        self.assertEqual(self.history.since(middle), (after, ["g0"]))
        self.assertEqual(self.history.since(after), (after, []))

    def test_each_site_is_told_of_its_own_groups(self) -> None:
        same, other = group_hash("ranking"), group_hash("recent")
        before = self.history.state
        changes = [self.origins.change("a", same), self.origins.change("a", same, other, site="blog.example")]
        keys = self.history.note(changes, self.vector())
        self.assertEqual(keys, {key_of(same, ""), *(key_of(one, "blog.example") for one in (same, other))})
        self.assertEqual(self.history.since(before).hashes, [same])
        self.assertEqual(self.history.since(before, "blog.example").hashes, [same, other])
        self.assertEqual(self.history.since(before, "wiki.example").hashes, [])

    def test_what_is_not_remembered_cannot_be_said(self) -> None:
        before = self.history.state
        for number in range(9):
            after = self.happens("a", f"n{number}")
        self.assertIsNone(self.history.since(before).hashes)
        self.assertEqual(self.history.since(after).hashes, [])

    def test_a_storm_of_one_group_pushes_nothing_out(self) -> None:
        before = self.happens("b", "g1")
        for _ in range(1000):
            self.happens("a", "g0")
        self.assertEqual(self.history.since(before).hashes, ["g0"])

    def test_more_than_are_named_are_not_named(self) -> None:
        history = GroupHistory()
        history.note([], {"a": Stamp(1, 0)})
        before = history.state
        many = tuple(f"n{number}" for number in range(MOST_NAMED + 1))
        history.note([GroupChange(many, "a", 1, 1)], {"a": Stamp(1, 1)})
        self.assertIsNone(history.since(before).hashes)

    def test_a_change_before_which_one_is_missing_is_told_again(self) -> None:
        """The vector stays behind it, so whoever has that state has not all that comes before."""
        before = self.history.state
        self.history.note([GroupChange(("g1",), "a", 1, 2)], self.vector())
        gap = self.history.state
        self.assertEqual(self.history.since(before).hashes, [] if gap == before else ["g1"])
        self.history.note([GroupChange(("g0",), "a", 1, 1)], {"a": Stamp(1, 2), "b": Stamp(1, 0)})
        self.assertIn("g0", self.history.since(gap).hashes or ())

    def test_what_is_doubtful_of_one_application_is_so_for_the_readers_of_its_site_alone(self) -> None:
        before = self.happens("a", "g0")
        doubt = self.origins.change("b", site="blog.example")._replace(hashes=None)
        self.assertEqual(self.history.note([doubt], self.vector()), {key_of(ANY, "blog.example")})
        self.assertIsNone(self.history.since(before, "blog.example").hashes)
        self.assertEqual(self.history.since(before).hashes, [])
        after = self.history.state
        self.happens("b", "g3")
        self.assertEqual(self.history.since(after, "blog.example").hashes, [])
        self.assertEqual(self.history.since(after).hashes, ["g3"])

    def test_after_a_doubt_no_state_from_before_is_understood(self) -> None:
        before = self.happens("a", "g0")
        changed = self.history.note([GroupChange(None, "b", 1, 0, None)], self.vector())
        self.assertIsNone(changed)
        self.assertIsNone(self.history.since(before).hashes)
        after = self.history.state
        self.assertEqual(self.history.since(after).hashes, [])
        self.happens("b", "g3")
        self.assertEqual(self.history.since(after).hashes, ["g3"])

    def test_a_worker_that_has_just_started_knows_what_comes_and_nothing_before(self) -> None:
        old = self.happens("a", "g0")
        now = self.happens("a", "g1")
        late = GroupHistory()
        late.note([], self.vector())
        self.assertEqual(late.state, now)
        self.assertIsNone(late.since(old).hashes)
        late.note([self.origins.change("b", "g2")], self.vector())
        self.assertEqual(late.since(now).hashes, ["g2"])

    def test_what_is_no_state_or_another_cluster_cannot_be_compared(self) -> None:
        self.happens("a", "g0")
        other = GroupHistory()
        other.note([GroupChange(("g0",), "x", 1, 1)], {"x": Stamp(1, 1)})
        for state in (b"", b"?", b"\xff" * 40, b"." * 1000, other.state, b"aaaaaa1"):
            self.assertIsNone(self.history.since(state).hashes)
        self.assertIsNone(GroupHistory().since(self.history.state).hashes)

    def test_lives_without_end_are_forgotten(self) -> None:
        before = self.history.state
        for generation in range(2, 500):
            change = GroupChange((f"g{generation % 5}",), "a", generation, 1)
            self.history.note([change], {"a": Stamp(generation, 1), "b": Stamp(1, 0)})
            self.assertIsNotNone(parse(self.history.state))
        self.assertLess(len(self.history.state.split(b".")), LIVES)
        self.assertIsNone(self.history.since(before).hashes)

    def test_hashes_are_short_and_of_the_name_alone(self) -> None:
        self.assertEqual({len(group_hash(name)) for name in ("", "ranking", "x" * 128)}, {8})


class ReadersMachine(RuleBasedStateMachine):
    """Three nodes apply each other's changes in their own time; a reader goes from one to the other.

    It has answers of each group.  When it is told that a group changed it takes the answer anew; it must
    never believe an answer to be current, by what a node says, which misses a change in force at that node.
    """

    def __init__(self) -> None:
        super().__init__()
        self.origins = Origins()
        start = dict.fromkeys(NODES, Stamp(1, 0))
        self.origins.made.update(start)
        self.histories = {node: GroupHistory(remembered=3) for node in NODES}
        for history in self.histories.values():
            history.note([], start)
        #: By node: the changes in force there, as (group, life, sequence), and its vector.
        self.applied: dict[str, set[tuple[str, str, int, int]]] = {node: set() for node in NODES}
        self.vectors = {node: dict(start) for node in NODES}
        self.log: list[GroupChange] = []
        self.positions = dict.fromkeys(NODES, 0)
        self.state = self.histories["a"].state
        #: By group: the changes that the reader's answer has.
        self.has: dict[str, set[tuple[str, str, int, int]]] = {group: set() for group in GROUPS}

    def apply(self, node: str, change: GroupChange) -> None:
        for group in GROUPS if change.hashes is None else change.hashes:
            self.applied[node].add((group, *change[1:]))
        self.vectors[node][change.origin] = Stamp(change.generation, change.sequence)
        self.histories[node].note([change], self.vectors[node])

    @rule(origin=st.sampled_from(NODES), groups=st.sets(st.sampled_from(GROUPS), min_size=1, max_size=2))
    def change(self, origin: str, groups: set[str]) -> None:
        self.catch_up(origin, 100)
        self.log.append(self.origins.change(origin, *sorted(groups)))
        self.catch_up(origin, 100)

    @rule(origin=st.sampled_from(NODES))
    def doubt(self, origin: str) -> None:
        """Everything of the site may have changed."""
        self.catch_up(origin, 100)
        self.log.append(self.origins.change(origin)._replace(hashes=None))
        self.catch_up(origin, 100)

    @rule(node=st.sampled_from(NODES), count=st.integers(1, 3))
    def catch_up(self, node: str, count: int) -> None:
        """Apply the next changes of the log: the same order everywhere, for simplicity."""
        at = self.positions[node]
        for change in self.log[at : at + count]:
            self.apply(node, change)
        self.positions[node] = min(len(self.log), at + count)

    @rule(origin=st.sampled_from(NODES))
    def restart(self, origin: str) -> None:
        self.catch_up(origin, 100)
        self.origins.restart(origin)

    @rule(node=st.sampled_from(NODES))
    def ask(self, node: str) -> None:
        answer = self.histories[node].since(self.state)
        stale = GROUPS if answer.hashes is None else answer.hashes
        for group in stale:
            self.has[group] = {one for one in self.applied[node] if one[0] == group}
        for group in GROUPS:
            needed = {one for one in self.applied[node] if one[0] == group}
            assert needed <= self.has[group], (group, needed - self.has[group])
        self.state = answer.state

    @invariant()
    def states_are_states(self) -> None:
        assert all(parse(history.state) is not None for history in self.histories.values())


ReadersMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
ReadersTests = ReadersMachine.TestCase

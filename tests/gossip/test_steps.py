"""Steps, and the states between them: what a node says of another's state is what their tables say.

The state machine has three nodes that publish in steps, tell each other of it in any order, are cut off, and
start again.  Clients hold copies with the state at which they were current.  Whatever a node says of a state
is compared with what a batch of all copies would have said: the tables themselves.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.changes import Change
from edge.gossip.steps import MARK_RECORDS, REMEMBERED, Steps, is_mark, mark_path, publisher_id
from edge.http import changes

#: Histories that are tried.
EXAMPLES = int(os.environ.get("EDGE_STEP_EXAMPLES", "150"))
NODES = ("a", "b", "c")
PATHS = [b"/%d" % n for n in range(6)]


def mark_of(origin: str, sequence: int) -> Change:
    return Change(mark_path(origin), origin, sequence, 1, 0, MARK_RECORDS)


class StepsTests(SynchronousTestCase):
    """One publisher, one table."""

    def setUp(self) -> None:
        self.steps = Steps()

    def settle(self, sequence: int, generation: int = 7) -> None:
        self.steps.marked("a", sequence)
        self.steps.reached({"a": (generation, sequence)})

    def test_before_anything_was_published_there_is_no_state(self) -> None:
        self.assertIsNone(self.steps.state)
        self.steps.reached({"a": (7, 0)})
        self.assertIsNone(self.steps.state)

    def test_a_step_is_open_until_its_mark(self) -> None:
        self.steps.applied("a", 1, b"/x")
        self.steps.reached({"a": (7, 1)})
        self.assertIsNone(self.steps.state)
        self.settle(2)
        self.assertEqual(self.steps.state, publisher_id("a", 7) + changes.number(2))
        self.steps.applied("a", 3, b"/y")
        self.assertIsNone(self.steps.state)
        self.assertEqual(self.steps.history, b"?\n")

    def test_a_mark_counts_when_all_before_it_is_there(self) -> None:
        self.settle(1)
        self.steps.marked("a", 5)
        self.steps.reached({"a": (7, 4)})
        self.assertIsNone(self.steps.state)
        self.steps.reached({"a": (7, 5)})
        self.assertIsNotNone(self.steps.state)

    def test_a_log_that_begins_anew_is_another_publisher(self) -> None:
        self.steps.applied("a", 1, b"/x")
        self.settle(2)
        before = self.steps.state or b""
        self.steps.applied("a", 1, b"/y")
        self.settle(2, generation=8)
        self.assertNotEqual(self.steps.state, before)
        self.assertEqual(changes.since(self.steps.history, before), b"?\n")

    def test_a_log_whose_numbers_go_on_leaves_no_step_open(self) -> None:
        self.steps.applied("a", 1, b"/x")
        self.settle(2)
        before = self.steps.state or b""
        self.steps.reached({"a": (8, 10_001)})
        after = self.steps.state
        self.assertIsNotNone(after)
        self.assertEqual(changes.since(self.steps.history, before), b"?\n")
        self.steps.applied("a", 10_002, b"/y")
        self.settle(10_003, generation=8)
        state = self.steps.state or b""
        self.assertEqual(changes.since(self.steps.history, after or b""), state + b"\n/y\n")

    def test_what_was_forgotten_is_not_told_of(self) -> None:
        self.settle(1)
        before = self.steps.state or b""
        for sequence in range(REMEMBERED + 1):
            self.steps.applied("a", sequence + 2, b"/%d" % sequence)
        self.settle(REMEMBERED + 9)
        self.assertEqual(changes.since(self.steps.history, before), b"?\n")
        self.assertLessEqual(len(self.steps.history), changes.HISTORY_BYTES)

    def test_long_paths_and_many_publishers_fit(self) -> None:
        for number in range(80):
            node = f"n{number}"
            for sequence in range(1, 4):
                self.steps.applied(node, sequence, b"/%d/" % number + b"x" * (1000 * sequence))
            self.steps.marked(node, 1 << 62)
            self.steps.reached({f"n{one}": (7, 1 << 62) for one in range(number + 1)})
            self.assertLessEqual(len(self.steps.history), changes.HISTORY_BYTES)
            self.assertEqual(self.steps.state is None, number >= changes.PUBLISHERS)

    def test_a_change_of_an_earlier_log_does_not_keep_a_step_open_for_ever(self) -> None:
        self.settle(2)
        self.steps.applied("a", 4000, b"/repaired")
        self.assertFalse(self.steps.believe(()))
        self.assertFalse(self.steps.believe({"a"}))  # there is more of that log than is here
        self.assertIsNone(self.steps.state)
        self.assertFalse(self.steps.believe(()))
        self.assertTrue(self.steps.believe(()))
        self.assertIsNotNone(self.steps.state)

    def test_what_makes_tables_differ_besides_makes_other_states(self) -> None:
        self.settle(2)
        before = self.steps.state
        self.assertTrue(self.steps.resalt(b"revoked: n4"))
        self.assertFalse(self.steps.resalt(b"revoked: n4"))
        self.assertNotEqual(self.steps.state, before)

    def test_nobody_marks_the_steps_of_another(self) -> None:
        self.assertTrue(is_mark(mark_of("a", 1)))
        self.assertTrue(is_mark(Change(mark_path("a"), "b", 1, 1, 0, ())))
        self.assertFalse(is_mark(Change(b"/.edge/steps", "b", 1, 1, 0, ())))


class Version(NamedTuple):
    """What stands under a path: the newest clock counts, then the name."""

    clock: int
    origin: str
    sequence: int
    #: None: it was taken away.
    body: int | None


class Node:
    """A table, the logs of all as far as they have come, and the steps of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.table: dict[bytes, Version] = {}
        self.marks: dict[str, int] = {}
        self.positions: dict[str, tuple[int, int]] = {name: (1, 0)}
        self.log: list[tuple[int, bytes, Version | None]] = []  # sequence, path, None: a mark
        self.steps = Steps()

    def take(self, path: bytes, version: Version) -> None:
        if path not in self.table or version[:2] > self.table[path][:2]:
            self.table[path] = version
            self.steps.applied(version.origin, version.sequence, path)

    def mark(self, origin: str, sequence: int) -> None:
        if sequence > self.marks.get(origin, 0):
            self.marks[origin] = sequence
            self.steps.marked(origin, sequence)

    def restart(self) -> None:
        self.steps = Steps()
        newest: dict[str, int] = {}
        for version in self.table.values():
            newest[version.origin] = max(version.sequence, newest.get(version.origin, 0))
        for origin, sequence in self.marks.items():
            self.steps.marked(origin, sequence)
        self.steps.begin(newest)
        self.steps.reached(self.positions)


class Cluster(RuleBasedStateMachine):
    """Any order of what can happen to three nodes and their clients."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes = {name: Node(name) for name in NODES}
        self.clock = 0
        #: State -> what every path was there.
        self.known: dict[bytes, dict[bytes, int | None]] = {}

    def next_sequence(self, node: Node) -> int:
        generation, sequence = node.positions[node.name]
        node.positions[node.name] = generation, sequence + 1
        return sequence + 1

    @rule(name=st.sampled_from(NODES), path=st.sampled_from(PATHS), removed=st.booleans())
    def publish(self, name: str, path: bytes, removed: bool) -> None:
        node = self.nodes[name]
        self.clock += 1
        version = Version(self.clock, name, self.next_sequence(node), None if removed else self.clock)
        node.log.append((version.sequence, path, version))
        node.take(path, version)

    @rule(name=st.sampled_from(NODES), skew=st.integers(0, 5))
    def end_step(self, name: str, skew: int) -> None:
        node = self.nodes[name]
        self.clock += skew
        sequence = self.next_sequence(node)
        node.log.append((sequence, mark_path(name), None))
        node.mark(name, sequence)
        node.steps.reached(node.positions)

    @rule(origin=st.sampled_from(NODES), to=st.sampled_from(NODES), upto=st.integers(0, 8), turn=st.randoms())
    def read_log(self, origin: str, to: str, upto: int, turn: object) -> None:
        """The next changes of a log, in any order within, as they are ordered by rank."""
        if origin == to:
            return
        source, node = self.nodes[origin], self.nodes[to]
        generation, head = source.positions[origin]
        before = node.positions.get(origin, (0, 0))
        after = before[1] if before[0] == generation else 0
        if before[0] != generation:
            upto = len(source.log)  # all of it, from the beginning
        log = [entry for entry in source.log if entry[0] > after]
        rest = log[:upto]
        if not rest and before[0] == generation:
            return
        order = list(rest)
        turn.shuffle(order)  # type: ignore[attr-defined]
        for sequence, path, version in order:
            if version is None:
                node.mark(origin, sequence)
            else:
                node.take(path, version)
        node.positions[origin] = generation, head if len(rest) == len(log) else rest[-1][0]
        node.steps.reached(node.positions)

    @rule(origin=st.sampled_from(NODES), to=st.sampled_from(NODES), which=st.integers(0, 50))
    def tell_ahead(self, origin: str, to: str, which: int) -> None:
        """One change comes before its log, in a datagram or a repair."""
        log = self.nodes[origin].log
        if origin == to or not log:
            return
        sequence, path, version = log[which % len(log)]
        if version is None:
            self.nodes[to].mark(origin, sequence)
        else:
            self.nodes[to].take(path, version)

    @rule(name=st.sampled_from(NODES))
    def begin_generation(self, name: str) -> None:
        """Its state was lost, or seems to be: the numbers of its log go on."""
        node = self.nodes[name]
        generation, sequence = node.positions[name]
        node.positions[name] = generation + 1, sequence + 3
        node.steps.reached(node.positions)

    @rule(name=st.sampled_from(NODES))
    def restart(self, name: str) -> None:
        self.nodes[name].restart()

    @rule(name=st.sampled_from(NODES))
    def cut_history(self, name: str) -> None:
        """More has changed than is remembered: as far as others know, the same."""
        node = self.nodes[name]
        for path in PATHS:
            if path in node.table:
                version = node.table[path]
                node.steps._floors[version.origin] = max(
                    version.sequence, node.steps._floors.get(version.origin, 0)
                )
                node.steps._forget(path)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        """Somebody who was at a state of any node asks any node."""
        state = data.draw(st.sampled_from(sorted(self.known)))
        node = self.nodes[data.draw(st.sampled_from(NODES))]
        answer = changes.since(node.steps.history, state)
        if answer == b"?\n":
            return
        then, now = self.known[state], self.contents(node)
        told = set() if answer is None else set(answer.split(b"\n")[1:-1])
        differ = {path for path in PATHS if then[path] != now[path]}
        assert differ <= told, (differ, told)
        assert answer is not None or state == node.steps.state

    @staticmethod
    def contents(node: Node) -> dict[bytes, int | None]:
        return {path: node.table[path].body if path in node.table else None for path in PATHS}

    @invariant()
    def equal_states_are_equal_tables(self) -> None:
        for node in self.nodes.values():
            state = node.steps.state
            if state is not None:
                contents = self.contents(node)
                assert self.known.setdefault(state, contents) == contents

    @invariant()
    def a_state_moves_only_forward(self) -> None:
        """And says what it is of: a node at a state tells no change since that."""
        for node in self.nodes.values():
            state = node.steps.state
            if state is not None:
                assert changes.since(node.steps.history, state) is None


class ClusterTests(SynchronousTestCase):
    """Many histories of three nodes."""

    def test_what_a_node_says_of_a_state_is_what_the_tables_say(self) -> None:
        run_state_machine_as_test(Cluster, settings=settings(max_examples=EXAMPLES, stateful_step_count=40))

"""Cache groups: their fields, the index, what has changed, and what that spoils."""

from __future__ import annotations

import time
from random import Random
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.group_changes import ALL, EVERYTHING, REMEMBERED, SCOPES, Change, GroupChanges, Stamp
from edge.cache.group_fields import FIELD_BYTES, GROUP_LENGTH, GROUPS, GroupsError, groups_of
from edge.cache.groups import MANY, Groups
from edge.cache.memberships import Memberships


class FieldTests(SynchronousTestCase):
    """``Cache-Groups`` and ``Cache-Group-Invalidation``."""

    def test_all_lines_are_one_list_and_parameters_mean_nothing(self) -> None:
        self.assertEqual(groups_of([b'"a";x=1;y, "b"', b'"a" , "c \\" \\\\"']), {"a", "b", 'c " \\'})

    def test_nothing_is_no_group(self) -> None:
        for values in ([], [b""], [b"  "], [b"", b""]):
            self.assertEqual(groups_of(values), frozenset())

    def test_names_are_compared_character_by_character(self) -> None:
        self.assertEqual(len(groups_of([b'"a", "A", "a ", " a"'])), 4)

    def test_what_is_no_list_of_strings_is_refused_in_a_sentence(self) -> None:
        wrong = [
            b"ranking",
            b"'a'",
            b'"a',
            b'"a" "b"',
            b'"a",',
            b"1",
            b"?1",
            b":YQ==:",
            b'("a" "b")',
            b"@1",
            b'"\xc3\xa9"',
            b'"\x00"',
            b'"a\\b"',
            b"\xff",
            b'"a";',
            b'""',
            b'%"a"',
            b'"a"\x0b',
        ]
        for value in wrong:
            with self.assertRaises(GroupsError, msg=repr(value)) as raised:
                groups_of([value])
            self.assertTrue(str(raised.exception).isascii())

    def test_the_limits_are_those_promised_and_more_is_refused(self) -> None:
        self.assertEqual(len(groups_of([b'"%032d"' % number for number in range(32)])), 32)  # RFC 9875, 2
        self.assertEqual(len(groups_of([b'"%d"' % number for number in range(GROUPS)])), GROUPS)
        for values in (
            [b'"%d"' % number for number in range(GROUPS + 1)],
            [b'"%b"' % (b"a" * (GROUP_LENGTH + 1))],
            [b'"a"' + b" " * FIELD_BYTES],
            [b'"a"'] * FIELD_BYTES,
        ):
            self.assertRaises(GroupsError, groups_of, values)

    @given(st.lists(st.binary(max_size=300), max_size=4))
    @settings(max_examples=300)
    def test_any_bytes_are_groups_or_refused(self, values: list[bytes]) -> None:
        try:
            groups = groups_of(values)
        except GroupsError:
            return
        self.assertLessEqual(len(groups), GROUPS)


class MembershipMachine(RuleBasedStateMachine):
    """The index beside one of sets."""

    def __init__(self) -> None:
        super().__init__()
        self.index = Memberships(limit=60)
        self.truth: dict[int, set[int]] = {}

    @rule(
        entry=st.integers(0, 30), hashes=st.sets(st.integers(1, 2**64 - 1) | st.integers(1, 600), max_size=8)
    )
    def put(self, entry: int, hashes: set[int]) -> None:
        room = sum(len(one) for key, one in self.truth.items() if key != entry) + len(hashes) <= 60
        self.truth.pop(entry, None)
        assert self.index.put(entry, hashes) == room
        if room:
            self.truth[entry] = set(hashes)

    @rule(entry=st.integers(0, 40))
    def drop(self, entry: int) -> None:
        self.index.drop(entry)
        self.truth.pop(entry, None)

    @invariant()
    def agrees(self) -> None:
        assert len(self.index) == sum(map(len, self.truth.values()))
        hashes = set().union(*self.truth.values())
        assert self.index.groups == len(hashes)
        for value in hashes:
            members = self.index.members(value)
            assert len(members) == self.index.count(value)
            assert len(members) == len(set(members))
            assert set(members) == {entry for entry, groups in self.truth.items() if value in groups}
        for entry, groups in self.truth.items():
            assert sorted(self.index.groups_of(entry)) == sorted(groups)


class MembershipTests(SynchronousTestCase):
    """Flat arrays."""

    def test_the_index_holds_what_sets_would(self) -> None:
        run_state_machine_as_test(
            MembershipMachine, settings=settings(max_examples=60, stateful_step_count=40)
        )

    def test_it_grows_and_shrinks_without_losing_anything(self) -> None:
        random, index = Random(5), Memberships()
        groups = {entry: {random.getrandbits(64), random.randrange(1, 50)} for entry in range(20_000)}
        for entry, hashes in groups.items():
            self.assertTrue(index.put(entry, hashes))
        for entry in range(0, 20_000, 2):
            index.drop(entry)
        for entry in range(1, 20_000, 2):
            for value in groups[entry]:
                self.assertIn(entry, index.members(value))
        before = index.size
        for entry in range(0, 20_000, 2):
            self.assertTrue(index.put(entry, groups[entry]))
        self.assertEqual(index.size, before, "what was dropped is used again")
        self.assertLess(index.size / 20_000, 80, "bytes of an entry with a group of its own and one of many")

    def test_dropping_from_a_huge_group_costs_nothing_more(self) -> None:
        """Counted in steps of the interpreter's own: reads of the arrays."""
        index = Memberships()
        for entry in range(50_000):
            index.put(entry, [7])
        reads = 0

        class Counted(type(index._member_after)):  # type: ignore[misc]
            def __getitem__(self, at: int) -> int:
                nonlocal reads
                reads += 1
                return int(super().__getitem__(at))

        index._member_after = Counted("I", index._member_after)
        index.drop(25_000)
        self.assertLess(reads, 10)
        self.assertEqual((index.count(7), index.count(8)), (49_999, 0))


class SpoilTests(SynchronousTestCase):
    """Tokens and version vectors."""

    def setUp(self) -> None:
        self.groups = Groups()
        self.made = 0

    def change(self, *names: str, application: str = "shop", origin: str = "a") -> list[int] | None:
        self.made += 1
        return self.groups.apply(Change(application, frozenset(names)), origin, Stamp(1, self.made))

    def test_a_fill_that_began_before_the_change_of_one_of_its_groups_is_spoiled(self) -> None:
        token = self.groups.begin()
        self.change("other")
        self.assertFalse(self.groups.spoils("shop", {"x", "y"}, token))
        self.change("y")
        self.assertTrue(self.groups.spoils("shop", {"x", "y"}, token))
        self.assertFalse(self.groups.spoils("shop", {"x"}, token))
        self.assertFalse(self.groups.spoils("shop", {"x", "y"}, self.groups.begin()))

    def test_groups_of_another_application_are_other_groups(self) -> None:
        token = self.groups.begin()
        self.groups.put(1, "shop", {"x"})
        self.groups.put(2, "blog", {"x"})
        self.assertEqual(self.change("x"), [1])
        self.assertFalse(self.groups.spoils("blog", {"x"}, token))

    def test_what_is_stored_under_an_address_is_spoiled_by_a_change_of_that(self) -> None:
        token = self.groups.begin()
        self.groups.apply(Change("shop", frozenset(), (b"/cart",)), "a", Stamp(1, 1))
        self.assertTrue(self.groups.spoils("shop", (), token, b"/cart"))
        self.assertFalse(self.groups.spoils("shop", (), token, b"/"))
        self.assertTrue(self.groups.spoils_from("shop", (), {}, b"/cart"))
        self.assertFalse(self.groups.spoils_from("shop", (), {"a": Stamp(1, 1)}, b"/cart"))
        self.assertFalse(self.groups.spoils("shop", {"/cart"}, token), "a group of the same name")

    def test_who_names_an_address_takes_back_all_its_variants_and_names_none(self) -> None:
        names = [b"/cart\naccept-language=%d" % number for number in range(64)]
        for number, name in enumerate([*names, b"/cart?x\naccept-language=1", b"/cart"]):
            self.assertTrue(self.groups.put(number + 1, "shop", (), name))
        change = Change("shop", frozenset(), (b"/cart",))
        self.assertEqual(self.groups.apply(change, "a", Stamp(1, 1)), list(range(1, 65)))
        self.assertEqual(self.groups.memberships, 65, "what has no variants is found by its name")

    def test_all_variants_of_an_address_are_remembered_as_one(self) -> None:
        """Else few writers would make forget what others have changed."""
        token = self.groups.begin()
        for number in range(REMEMBERED // 2):
            self.groups.apply(Change("shop", frozenset(), (b"/cart",)), "a", Stamp(1, number + 1))
        self.assertTrue(self.groups.spoils("shop", (), token, b"/cart\naccept-language=9"))
        self.assertFalse(self.groups.spoils("shop", (), token, b"/"))

    def test_everything_spoils_all_of_the_application_or_of_all(self) -> None:
        token = self.groups.begin()
        self.assertIsNone(self.groups.apply(Change("shop", None), "a", Stamp(1, 1)))
        self.assertTrue(self.groups.spoils("shop", (), token))
        self.assertFalse(self.groups.spoils("blog", (), token))
        self.assertIsNone(self.groups.apply(EVERYTHING, "a", Stamp(1, 2)))
        self.assertTrue(self.groups.spoils("blog", (), token))

    def test_a_group_of_very_many_is_doubted_as_everything_is(self) -> None:
        for entry in range(MANY + 1):
            self.groups.put(entry, "shop", {"x", f"{entry}"})
        self.assertIsNone(self.change("x"))
        self.assertEqual(self.change("7"), [7])
        self.groups.drop(0)
        self.assertEqual(len(self.change("x") or ()), MANY)

    def test_a_storm_of_changes_of_such_a_group_does_not_go_through_it_each_time(self) -> None:
        for entry in range(MANY + 1):
            self.groups.put(entry, "shop", {"x"})
        with mock.patch.object(Memberships, "members", side_effect=AssertionError):
            for _ in range(100):
                self.assertIsNone(self.change("x"))

    def test_an_answer_of_another_node_is_spoiled_by_what_its_vector_does_not_cover(self) -> None:
        self.change("x")
        self.change("y", origin="b")
        vouched = {"a": Stamp(1, 1), "b": Stamp(1, 1)}
        self.assertFalse(self.groups.spoils_from("shop", {"x"}, vouched))
        self.assertTrue(self.groups.spoils_from("shop", {"y"}, vouched))
        self.assertFalse(self.groups.spoils_from("shop", {"y"}, {**vouched, "b": Stamp(1, 2)}))
        self.assertFalse(
            self.groups.spoils_from("shop", {"y"}, {**vouched, "b": Stamp(2, 0)}), "a later life"
        )
        self.assertTrue(self.groups.spoils_from("shop", {"y"}, {}), "of a node that it does not know")

    def test_changes_that_are_forgotten_spoil_whatever_is_older(self) -> None:
        changes = GroupChanges(remembered=3)
        for number in range(1, 6):
            changes.note(7, [number], "a", Stamp(1, number))
        self.assertEqual(len(changes), 3)
        self.assertTrue(changes.spoils([7, 99], 1))
        self.assertFalse(changes.spoils([7, 99], 2))
        self.assertTrue(changes.spoils_from([7, 99], {"a": Stamp(1, 1)}))
        self.assertFalse(changes.spoils_from([7, 99], {"a": Stamp(1, 2)}))
        changes.forget("a")
        self.assertFalse(changes.spoils_from([7, 99], {}))

    def test_an_application_in_which_much_changes_spoils_nothing_of_another(self) -> None:
        token, vector = self.groups.begin(), {"b": Stamp(1, 1)}
        self.change("x", application="blog", origin="b")
        for number in range(REMEMBERED + 2):
            self.change(f"{number}", application="wiki")
        self.assertFalse(self.groups.spoils("shop", {"x"}, token))
        self.assertFalse(self.groups.spoils_from("shop", {"x"}, {}))
        for application in ("blog", "wiki"):
            self.assertTrue(self.groups.spoils(application, {"y"}, token))
            self.assertTrue(self.groups.spoils_from(application, {"y"}, {}))
        self.assertFalse(self.groups.spoils_from("blog", {"x"}, vector))

    def test_what_is_known_of_forgotten_changes_is_bounded_and_spoils_as_before(
        self,
    ) -> None:
        changes = GroupChanges(remembered=1)
        for scope in range(1, SCOPES + 10):
            changes.note(scope, [2**40 + scope], "a", Stamp(1, scope))
        self.assertLessEqual(len(changes._floors), SCOPES)
        for scope in (1, 9, 500, SCOPES):
            self.assertTrue(changes.spoils([ALL, scope], scope - 1))
            self.assertTrue(changes.spoils_from([ALL, scope], {"a": Stamp(1, scope - 1)}))
        self.assertFalse(changes.spoils([ALL, 500], 501))

    def test_memory_is_bounded_whatever_changes(self) -> None:
        changes = GroupChanges(remembered=100)
        random = Random(2)
        for number in range(5_000):
            changes.note(7, [random.randrange(300)], random.choice("abc"), Stamp(1, number))
        self.assertEqual(len(changes), 100)
        self.assertLessEqual(len(changes._latest), 100)
        self.assertLessEqual(sum(len(stamps) for _, stamps in changes._latest.values()), 100)

    def test_what_is_remembered_judges_as_a_full_history_does(self) -> None:
        """Never less strict: a history of everything, with two thousand random questions."""
        random = Random(time.time_ns())
        seed = random.getrandbits(32)
        random = Random(seed)
        changes, history = GroupChanges(remembered=20), []
        made = {"a": 0, "b": 0}
        for _ in range(2_000):
            origin, group = random.choice("ab"), random.randrange(8)
            made[origin] += 1
            changes.note(99, [group], origin, Stamp(1, made[origin]))
            history.append((group, changes.position, origin, made[origin]))
            asked = {99, random.randrange(8), random.randrange(8)}
            token = max(0, changes.position - random.randrange(30))
            late = any(one in asked and token < at for one, at, _, _ in history)
            seen = {name: made[name] - random.randrange(15) for name in made}
            vector = {name: Stamp(1, count) for name, count in seen.items()}
            unseen = any(one in asked and by > seen[who] for one, _, who, by in history)
            why = f"seed {seed}"
            self.assertGreaterEqual(changes.spoils(asked, token), late, why)
            self.assertGreaterEqual(changes.spoils_from(asked, vector), unseen, why)
            if token >= changes.position - 19:
                self.assertEqual(changes.spoils(asked, token), late, why)

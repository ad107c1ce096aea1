from collections.abc import Collection

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.leases import Grant, Leases


class Log:
    """Changes of groups, in their order."""

    def __init__(self) -> None:
        self.changed: list[str] = []

    @property
    def position(self) -> int:
        return len(self.changed)

    def spoils(self, application: str, groups: Collection[str], token: int, name: bytes) -> bool:
        return not {*groups, name.decode()}.isdisjoint(self.changed[token:])


class LeaseTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.log = Log()
        self.leases: Leases[str] = Leases(self.log, seconds=10.0)

    def grant(self, waiter: str, name: bytes = b"/", worker: int = 0, now: float = 0.0) -> int:
        grant = self.leases.ask(name, waiter, worker, now)
        assert grant is not None
        return grant.token

    def test_one_asks_and_the_others_wait(self) -> None:
        token = self.grant("a")
        self.assertIsNone(self.leases.ask(b"/", "b", 0, 1.0))
        self.assertIsNone(self.leases.ask(b"/", "c", 1, 1.0))
        self.assertIsNotNone(self.leases.ask(b"/other", "d", 1, 1.0))
        self.assertEqual(self.leases.end(token), ["b", "c"])
        self.assertEqual(self.leases.end(token), [])

    def test_what_began_before_a_change_of_its_group_is_not_stored(self) -> None:
        token = self.grant("a")
        self.assertTrue(self.leases.is_good(token, "shop", ["g", "h"]))
        self.log.changed.append("h")
        self.assertFalse(self.leases.is_good(token, "shop", ["g", "h"]))
        self.assertTrue(self.leases.is_good(token, "shop", ["g"]))
        self.leases.end(token)
        self.assertTrue(self.leases.is_good(self.grant("b"), "shop", ["h"]))

    def test_what_was_invalidated_meanwhile_is_not_stored(self) -> None:
        token, other = self.grant("a"), self.grant("b", b"/other")
        self.leases.spoil(b"/")
        self.assertEqual(
            (self.leases.is_good(token, "shop", []), self.leases.is_good(other, "shop", [])), (False, True)
        )
        self.log.changed.append("/other")
        self.assertFalse(self.leases.is_good(other, "shop", []))

    def test_who_waits_takes_over_from_who_is_late(self) -> None:
        token = self.grant("a")
        for waiter in "bc":
            self.leases.ask(b"/", waiter, 0, 1.0)
        self.assertEqual(self.leases.expire(9.9), [])
        (grant,) = self.leases.expire(10.0)
        self.assertEqual((grant.waiter, grant.name), ("b", b"/"))
        self.assertFalse(self.leases.is_good(token, "shop", []))
        self.assertEqual(self.leases.end(token), [])
        self.assertEqual(self.leases.end(grant.token), ["c"])

    def test_who_waits_takes_over_what_is_not_stored(self) -> None:
        token = self.grant("a")
        for waiter in "bc":
            self.leases.ask(b"/", waiter, 0, 1.0)
        (grant,) = self.leases.hand_on(token, 2.0)
        self.assertEqual((grant.waiter, self.leases.hand_on(token, 2.0)), ("b", []))
        self.assertEqual(self.leases.end(grant.token), ["c"])

    def test_who_waits_takes_over_from_a_worker_that_has_died(self) -> None:
        self.grant("a", worker=1)
        for waiter, worker in (("b", 1), ("c", 2), ("d", 1)):
            self.leases.ask(b"/", waiter, worker, 1.0)
        (grant,) = self.leases.worker_gone(1, 2.0)
        self.assertEqual(grant.waiter, "c")
        self.assertEqual(self.leases.end(grant.token), [])

    def test_a_lease_that_nobody_waits_for_just_ends(self) -> None:
        self.grant("a", worker=1)
        self.assertEqual(self.leases.worker_gone(1, 2.0), [])
        self.assertFalse(self.leases.is_held(b"/"))


class LeaseMachine(RuleBasedStateMachine):
    """However leases are asked for, ended, lost and spoiled: one asks for a key, all are told once."""

    def __init__(self) -> None:
        super().__init__()
        self.log = Log()
        self.leases: Leases[int] = Leases(self.log, seconds=10.0)
        self.now = 0.0
        self.last = 0
        #: Token -> (name, worker, changes when it was given, invalidated since).
        self.held: dict[int, list[object]] = {}
        #: Who waits -> (name, worker).
        self.waiting: dict[int, tuple[bytes, int]] = {}

    def _granted(self, grant: Grant[int], worker: int) -> None:
        assert grant.name not in [name for name, *_ in self.held.values()]
        self.held[grant.token] = [grant.name, worker, len(self.log.changed), False]

    def _take_over(self, grants: list[Grant[int]]) -> None:
        for grant in grants:
            name, worker = self.waiting.pop(grant.waiter)
            assert name == grant.name
            self._granted(grant, worker)

    @rule(name=st.sampled_from([b"/a", b"/b", b"/c"]), worker=st.integers(0, 2))
    def ask(self, name: bytes, worker: int) -> None:
        self.last += 1
        grant = self.leases.ask(name, self.last, worker, self.now)
        if grant is None:
            self.waiting[self.last] = (name, worker)
        else:
            self._granted(grant, worker)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), groups=st.sets(st.sampled_from(["g", "h"])))
    def answer(self, data: st.DataObject, groups: set[str]) -> None:
        token = data.draw(st.sampled_from(sorted(self.held)))
        name, _, since, spoiled = self.held.pop(token)
        fresh = not spoiled and groups.isdisjoint(self.log.changed[since:])  # type: ignore[misc]
        assert self.leases.is_good(token, "shop", groups) == fresh
        told = self.leases.end(token)
        assert sorted(told) == sorted(waiter for waiter, (of, _) in self.waiting.items() if of == name)
        for waiter in told:
            del self.waiting[waiter]
        assert not self.leases.is_good(token, "shop", ())

    @rule(group=st.sampled_from(["g", "h"]))
    def change(self, group: str) -> None:
        self.log.changed.append(group)

    @rule(name=st.sampled_from([b"/a", b"/b", b"/c"]))
    def invalidate(self, name: bytes) -> None:
        self.leases.spoil(name)
        for lease in self.held.values():
            lease[3] = lease[3] or lease[0] == name

    @rule(worker=st.integers(0, 2))
    def worker_dies(self, worker: int) -> None:
        self.waiting = {waiter: one for waiter, one in self.waiting.items() if one[1] != worker}
        self.held = {token: one for token, one in self.held.items() if one[1] != worker}
        self._take_over(self.leases.worker_gone(worker, self.now))

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def hand_on(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(sorted(self.held)))
        del self.held[token]
        self._take_over(self.leases.hand_on(token, self.now))

    @rule()
    def time_passes(self) -> None:
        self.now += 10.0
        self.held.clear()
        self._take_over(self.leases.expire(self.now))

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        held = {name for name, *_ in self.held.values()}
        assert {name for name, _ in self.waiting.values()} <= held
        assert all(self.leases.is_held(name) for name in held)  # type: ignore[arg-type]
        assert len(self.leases) == len(self.held)


class LeaseStateTests(SynchronousTestCase):
    def test_whatever_happens_one_asks_and_nobody_waits_for_nothing(self) -> None:
        case = LeaseMachine.TestCase
        case.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
        case("runTest").debug()

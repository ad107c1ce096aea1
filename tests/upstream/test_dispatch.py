"""Who is asked next: choice, queue, deadlines; a simulation of servers that fail, hang and come back."""

from __future__ import annotations

import os
import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.shares import NOBODY
from edge.upstream.dispatch import GRACE_SECONDS, Dispatch, FullError, Member, Outcome, ShareError, Ticket
from edge.upstream.health import FAILURES

#: Steps of the simulation, of each seed.
STEPS = int(os.environ.get("EDGE_DISPATCH_STEPS", "2000"))


def made(members: int = 2, limit: int = 100, most: int = 10) -> Dispatch[str]:
    return Dispatch([f"m{number}" for number in range(members)], limit, most, random.Random(7))


class ChoosingTests(SynchronousTestCase):
    """Who is asked."""

    def admitted(self, dispatch: Dispatch[str], now: float = 0.0) -> tuple[Ticket[str], Member[str]]:
        ticket: Ticket[str] = Ticket(now + 30)
        member = dispatch.admit(ticket, now)
        assert member is not None
        return ticket, member

    def test_of_two_the_less_busy_is_asked(self) -> None:
        dispatch = made(2)
        asked = [self.admitted(dispatch)[1].item for _ in range(8)]
        self.assertEqual(Counter(asked), {"m0": 4, "m1": 4})

    def test_of_many_two_are_drawn_so_the_busiest_gets_little_more_than_its_part(self) -> None:
        dispatch = made(8, 10_000, 1000)
        asked = Counter(self.admitted(dispatch)[1].item for _ in range(800))
        self.assertLess(max(asked.values()), 110)
        self.assertGreater(min(asked.values()), 90)

    def test_more_than_the_limit_do_not_even_wait(self) -> None:
        dispatch = made(1, limit=3, most=2)
        tickets = [Ticket[str](30.0) for _ in range(3)]
        self.assertEqual([dispatch.admit(one, 0.0) is not None for one in tickets], [True, True, False])
        with self.assertRaises(FullError):
            dispatch.admit(Ticket(30.0), 0.0)
        dispatch.began(tickets[0])
        self.assertIsNone(
            dispatch.admit(Ticket(30.0), 0.0), "an answer that has begun makes room for one that waits"
        )

    def test_who_waits_is_asked_in_order_when_an_answer_begins(self) -> None:
        dispatch = made(1, most=1)
        first, _ = self.admitted(dispatch)
        second, third = Ticket[str](30.0), Ticket[str](30.0)
        dispatch.admit(second, 0.0)
        dispatch.admit(third, 0.0)
        self.assertIsNone(dispatch.next(0.0))
        dispatch.began(first)
        found = dispatch.next(0.0)
        assert found is not None
        self.assertIs(found[0], second)
        self.assertIsNone(dispatch.next(0.0))
        dispatch.over(second)
        dispatch.over(second)
        self.assertIs(dispatch.next(0.0)[0], third)  # type: ignore[index]

    def test_who_fails_is_taken_out_tried_with_one_question_and_taken_back(self) -> None:
        dispatch = made(2)
        bad, good = dispatch.members
        for _ in range(FAILURES):
            until = dispatch.outcome(bad, Outcome.FAILED, 0.0)
        self.assertEqual(until, 1.0)
        self.assertEqual({self.admitted(dispatch)[1].item for _ in range(5)}, {good.item})
        on_trial = [self.admitted(dispatch, 1.0)[1].item for _ in range(4)]
        self.assertEqual(Counter(on_trial), {"m0": 1, "m1": 3})
        dispatch.outcome(bad, Outcome.ANSWERED, 1.0)
        self.assertEqual([self.admitted(dispatch, 1.0)[1].item for _ in range(4)], ["m0"] * 4)

    def test_the_last_one_is_never_taken_out(self) -> None:
        dispatch = made(3)
        for _ in range(20):
            for member in dispatch.members:
                dispatch.outcome(member, Outcome.FAILED, 0.0)
        out = [member.health.is_out(0.0) for member in dispatch.members]
        self.assertEqual(sorted(out), [False, True, True])
        alone = made(1)
        for _ in range(20):
            self.assertIsNone(alone.outcome(alone.members[0], Outcome.FAILED, 0.0))
        self.admitted(alone)

    def test_is_the_one_that_was_left_away_those_taken_out_are_asked(self) -> None:
        dispatch = made(2)
        for _ in range(FAILURES):
            dispatch.outcome(dispatch.members[0], Outcome.FAILED, 0.0)
        dispatch.members[1].available = False
        self.assertEqual(self.admitted(dispatch)[1].item, "m0")

    def test_asked_again_it_is_somebody_else_if_there_is_one(self) -> None:
        for _ in range(10):
            dispatch = made(2)
            ticket, member = self.admitted(dispatch)
            self.assertIsNot(dispatch.again(ticket, 0.0), member)
            self.assertEqual([one.busy for one in dispatch.members].count(1), 1)
        alone = made(1)
        ticket, member = self.admitted(alone)
        self.assertIs(alone.again(ticket, 0.0), member)


class WaitingTests(SynchronousTestCase):
    """Time."""

    def test_the_deadline_is_one_for_waiting_and_for_being_asked(self) -> None:
        dispatch = made(1, most=1)
        asked, waiting = Ticket[str](5.0), Ticket[str](6.0)
        dispatch.admit(asked, 0.0)
        dispatch.admit(waiting, 1.0)
        self.assertEqual((dispatch.wake_at(), dispatch.expired(4.9)), (5.0, []))
        self.assertEqual(dispatch.expired(5.0), [asked])
        dispatch.over(asked)
        self.assertEqual((dispatch.wake_at(), dispatch.expired(6.0)), (6.0, [waiting]))
        dispatch.over(waiting)
        self.assertIsNone(dispatch.wake_at())

    def test_once_the_answer_has_begun_there_is_no_deadline(self) -> None:
        dispatch = made(1)
        ticket = Ticket[str](5.0)
        dispatch.admit(ticket, 0.0)
        dispatch.began(ticket)
        self.assertEqual((dispatch.wake_at(), dispatch.expired(99.0)), (None, []))

    def test_when_nobody_is_there_they_wait_for_a_restart_and_no_longer(self) -> None:
        dispatch = made(2)
        for member in dispatch.members:
            member.available = False
        first, second = Ticket[str](30.0), Ticket[str](31.0)
        self.assertIsNone(dispatch.admit(first, 0.0))
        self.assertIsNone(dispatch.admit(second, 1.0))
        self.assertEqual(dispatch.wake_at(), GRACE_SECONDS)
        self.assertEqual((dispatch.is_away(1.9), dispatch.is_away(GRACE_SECONDS)), (False, True))
        self.assertEqual(dispatch.expired(GRACE_SECONDS), [first, second])

    def test_when_somebody_is_back_in_time_they_are_asked(self) -> None:
        dispatch = made(1)
        dispatch.members[0].available = False
        ticket = Ticket[str](30.0)
        dispatch.admit(ticket, 0.0)
        dispatch.members[0].available = True
        self.assertIs(dispatch.next(1.0)[0], ticket)  # type: ignore[index]
        self.assertFalse(dispatch.is_away(99.0))


class ShareTests(SynchronousTestCase):
    """Networks that ask as much as they can: the rule of edge.shares."""

    @settings(deadline=None)
    @given(
        st.integers(1, 20),
        st.integers(1, 4),
        st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["ask", "ask", "began", "over"])), max_size=80),
    )
    def test_who_holds_nothing_gets_in_while_anything_is_free_and_nobody_has_more_than_he_leaves_free(
        self, limit: int, most: int, steps: list[tuple[int, str]]
    ) -> None:
        dispatch = made(2, limit, most)
        held: dict[bytes, list[Ticket[str]]] = {}
        for number, step in steps:
            network = b"%d" % number
            own = held.setdefault(network, [])
            if step == "ask":
                used = sum(map(len, held.values()))
                ticket: Ticket[str] = Ticket(30.0, network)
                try:
                    dispatch.admit(ticket, 0.0)
                except ShareError:
                    self.assertTrue(own, "who holds nothing gets what there is")
                    self.assertGreater(len(own) + 1, limit - used - 1)
                except FullError:
                    self.assertEqual(used, limit)
                else:
                    own.append(ticket)
                    self.assertTrue(len(own) == 1 or len(own) <= limit - used - 1)
            elif own and (step == "over" or own[0].member is not None):
                (dispatch.over if step == "over" else dispatch.began)(own.pop(0))
            while dispatch.next(0.0) is not None:
                pass
            self.assertEqual(dispatch.held(network), len(own))

    def test_one_alone_gets_half_and_those_that_are_not_told_apart_all(self) -> None:
        for network, most in ((b"a", 4), (NOBODY, 8)):
            dispatch = made(1, limit=8, most=2)
            for _ in range(most):
                dispatch.admit(Ticket(30.0, network), 0.0)
            with self.assertRaises(FullError):
                dispatch.admit(Ticket(30.0, network), 0.0)

    def test_what_others_have_asked_for_it_counts(self) -> None:
        dispatch = made(1, limit=8)
        dispatch.beside = lambda: 4
        dispatch.beside_of = lambda network: 4 if network == b"a" else 0
        with self.assertRaises(ShareError):
            dispatch.admit(Ticket(30.0, b"a"), 0.0)
        dispatch.admit(Ticket(30.0, b"b"), 0.0)

    def test_of_those_that_wait_the_one_that_was_given_the_fewest_is_next(self) -> None:
        dispatch = made(1, limit=20, most=2)
        hoard = [Ticket[str](30.0, b"a") for _ in range(6)]
        other = Ticket[str](30.0, b"b")
        for ticket in (*hoard, other):
            dispatch.admit(ticket, 0.0)
        dispatch.began(hoard[0])
        found = dispatch.next(0.0)
        assert found is not None
        self.assertIs(found[0], other)
        dispatch.began(hoard[1])
        found = dispatch.next(0.0)
        assert found is not None
        self.assertIs(found[0], hoard[2], "of one network, who came first")

    def test_the_shell_is_told_whose_number_has_changed(self) -> None:
        dispatch = made(1)
        ticket = Ticket[str](30.0, b"a")
        dispatch.admit(ticket, 0.0)
        self.assertEqual((dispatch.changed, dispatch.held(b"a")), ({b"a"}, 1))
        dispatch.changed.clear()
        dispatch.began(ticket)
        self.assertEqual((dispatch.changed, dispatch.held(b"a")), ({b"a"}, 0))
        dispatch.changed.clear()
        dispatch.over(ticket)
        self.assertEqual((dispatch.changed, dispatch.held(b"a")), (set(), 0))


class SimulationTests(SynchronousTestCase):
    """Servers that fail, hang, go and come back, and visitors that go; whatever happens, in any order."""

    def test_every_question_ends_once_and_all_counts_are_right(self) -> None:
        for seed in range(8):
            self.simulate(random.Random(seed))

    def simulate(self, draw: random.Random) -> None:
        limit, most = draw.randint(1, 30), draw.randint(1, 6)
        count = draw.randint(1, 4)
        dispatch: Dispatch[int] = Dispatch(list(range(count)), limit, most, draw)
        now, deadline = 0.0, 0.0
        asked: dict[Ticket[int], bool] = {}  # -> whether its answer has begun
        waiting: list[Ticket[int]] = []
        ended: Counter[Ticket[int]] = Counter()

        def end(ticket: Ticket[int]) -> None:
            dispatch.over(ticket)
            ended[ticket] += 1
            asked.pop(ticket, None)
            if ticket in waiting:
                waiting.remove(ticket)

        for _ in range(STEPS):
            now += draw.expovariate(20)
            step = draw.random()
            begun = [ticket for ticket, has in asked.items() if has]
            unbegun = [ticket for ticket, has in asked.items() if not has]
            if step < 0.4:
                deadline = now + 3.0
                ticket: Ticket[int] = Ticket(deadline)
                try:
                    member = dispatch.admit(ticket, now)
                except FullError:
                    self.assertGreaterEqual(len(waiting) + len(unbegun), limit)
                    continue
                if member is None:
                    waiting.append(ticket)
                else:
                    asked[ticket] = False
            elif step < 0.6 and unbegun:
                ticket = draw.choice(unbegun)
                asked[ticket] = True
                assert ticket.member is not None
                dispatch.outcome(ticket.member, Outcome.ANSWERED, now)
                dispatch.began(ticket)
            elif step < 0.75 and unbegun:
                ticket = draw.choice(unbegun)
                assert ticket.member is not None
                dispatch.outcome(ticket.member, Outcome.FAILED, now)
                if draw.random() < 0.5:
                    end(ticket)
                elif dispatch.again(ticket, now) is None:
                    del asked[ticket]
                    waiting.append(ticket)
            elif step < 0.9 and begun:
                end(draw.choice(begun))
            elif step < 0.95 and (waiting or asked):
                end(draw.choice([*waiting, *asked]))
            else:
                member = draw.choice(dispatch.members)
                member.available = not member.available
            dispatch.is_away(now)
            for ticket in dispatch.expired(now):
                self.assertFalse(asked.get(ticket, False), "an answer that has begun has no deadline")
                end(ticket)
            while (found := dispatch.next(now)) is not None:
                self.assertIs(found[0], waiting.pop(0))
                asked[found[0]] = False
            self.check(dispatch, asked, waiting, now, limit, most)
        self.assertEqual(set(ended.values()) | {1}, {1})

    def check(
        self,
        dispatch: Dispatch[int],
        asked: dict[Ticket[int], bool],
        waiting: list[Ticket[int]],
        now: float,
        limit: int,
        most: int,
    ) -> None:
        self.assertEqual(dispatch.waiting, len(waiting))
        self.assertEqual(dispatch.unanswered, len(waiting) + list(asked.values()).count(False))
        self.assertLessEqual(dispatch.unanswered, limit)
        for member in dispatch.members:
            own = [has for ticket, has in asked.items() if ticket.member is member]
            self.assertEqual((member.busy, member.unanswered), (len(own), own.count(False)))
            self.assertLessEqual(member.unanswered, most)
        wake_at = dispatch.wake_at()
        self.assertEqual(wake_at is None, dispatch.unanswered == 0)
        if wake_at is not None:
            self.assertGreater(wake_at, now, "what is over was taken")
        if waiting:  # then nobody who does well could be asked
            there = [member for member in dispatch.members if member.available]
            well = [member for member in there if not member.health.is_out(now)] or there
            self.assertFalse(any(member.free for member in well))

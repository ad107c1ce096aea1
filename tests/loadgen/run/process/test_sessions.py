"""How sessions of users go on and end, what they know of the load, and what they change."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from loadgen.models.calendar import TICKS
from loadgen.models.users import BEGIN
from loadgen.run.client.clock import NS
from loadgen.run.messages.scenario import Mutations
from loadgen.wire.interface import CLOSED, TIMEOUT
from tests.loadgen.run.memory_wire import Sent
from tests.loadgen.run.process.visit import START, Visit
from tests.loadgen.run.samples import Published


class LoadTests(SynchronousTestCase):
    """Who reads load documents, and when."""

    def test_a_user_reads_one_with_its_first_page_and_again_when_it_is_old(self) -> None:
        visit = Visit(policy="smart")
        self.assertEqual(visit.view(), ["GET /", "GET /.edge/load"])
        visit.respond_to_all()
        visit.pass_time(4)
        self.assertNotIn("GET /.edge/load", visit.view())
        visit.respond_to_all()
        visit.pass_time(2)
        self.assertIn("GET /.edge/load", visit.view())
        self.assertEqual(visit.counts["load_polls"], 2)

    def test_policies_that_do_not_need_it_do_not_ask(self) -> None:
        self.assertEqual(Visit(policy="random").view(), ["GET /"])

    def test_one_document_is_decoded_once_for_all(self) -> None:
        visit = Visit(policy="smart")
        for user in range(4):
            visit.load_page(user)
        self.assertEqual(set(visit.users.document), {1})

    def test_who_has_a_socket_is_told_and_does_not_ask(self) -> None:
        visit = Visit(policy="smart", informed=2)
        visit.virtual_users.keep_informed(visit.clock.now)
        (feed,) = visit.wire.waiting()
        self.assertEqual(feed.line, "GET /.edge/load")
        visit.respond(feed)
        self.assertEqual(
            [visit.view(user) for user in (0, 1, 2)], [["GET /"], ["GET /"], ["GET /", "GET /.edge/load"]]
        )
        self.assertEqual(list(visit.users.document)[:2], [1, 1])
        self.assertEqual(visit.recorded, [])

    def test_what_sockets_are_told_is_read_four_times_a_second(self) -> None:
        visit = Visit(policy="smart", informed=2)
        for _ in range(100):
            visit.virtual_users.keep_informed(visit.clock.now)
            visit.pass_time(0.01)
        self.assertEqual(len(visit.wire.sent), 4)
        idle = Visit(policy="smart")
        idle.virtual_users.keep_informed(idle.clock.now)
        self.assertEqual(idle.wire.sent, [])

    def test_a_feed_cut_off_is_no_wrong_answer(self) -> None:
        """The node was killed while it answered: the next one is asked soon."""
        visit = Visit(policy="smart", informed=1)
        visit.virtual_users.keep_informed(visit.clock.now)
        visit.answer(visit.wire.sent[0], 200, b'{"v":1,"clus', b"tag", CLOSED)
        self.assertEqual(visit.counts["wrong_answers"], 0)


class SessionTests(SynchronousTestCase):
    """From arriving to leaving."""

    def test_page_views_follow_the_plan_whatever_the_answers(self) -> None:
        """As many as were drawn, so long apart as was drawn, though nobody answers."""
        visit = Visit(lengths=3, thinking=2.0)
        visit.virtual_users.arrive(0, BEGIN + 100)
        times = []
        for now in range(BEGIN, BEGIN + 10 * TICKS, 1000):
            for tick, user in visit.plan.pop(now):
                times.append(tick - BEGIN)
                visit.virtual_users.view(user, tick)
        self.assertEqual(times, [100, 100 + 2 * TICKS, 100 + 4 * TICKS])
        self.assertEqual((visit.counts["sessions"], visit.counts["page_views"]), (1, 3))

    def test_a_session_ends_with_its_last_page(self) -> None:
        visit = Visit(lengths=2)
        visit.view(3)
        self.assertEqual((visit.virtual_users.active, visit.users.active[3]), (1, 1))
        visit.view(3)
        self.assertEqual((visit.virtual_users.active, visit.users.active[3]), (0, 0))
        self.assertEqual(visit.plan.due, {3: BEGIN + TICKS})

    def test_connections_close_when_the_last_page_has_all_that_belongs_to_it(self) -> None:
        """Not before: what the page names would need new ones, that nobody closes."""
        visit = Visit(lengths=1, policy="smart")
        visit.view(3)
        while visit.wire.waiting():
            self.assertEqual(visit.wire.left, [])
            visit.respond(visit.wire.waiting()[0])
        self.assertEqual(visit.wire.left, [3])
        self.assertEqual(visit.counts["bodies"], 6)

    def test_they_stay_open_while_the_session_goes_on(self) -> None:
        visit = Visit(lengths=2)
        visit.load_page()
        self.assertEqual(visit.wire.left, [])
        visit.load_page()
        self.assertEqual(visit.wire.left, [0])

    def test_whose_last_page_needs_nothing_leaves_at_once(self) -> None:
        found = Published().site()
        for one in found.resources:
            one.max_age = 86_400 * 365
        visit = Visit(lengths=2, site=found)
        visit.load_page()
        self.assertEqual((visit.view(), visit.wire.left), ([], [0]))

    def test_who_gets_no_answer_leaves_as_well(self) -> None:
        visit = Visit(lengths=1, nodes=1)
        visit.view()
        for _ in range(3):
            visit.answer(visit.wire.waiting()[0], 0, error=TIMEOUT)
            visit.clock.now += 2_000_000_000
            visit.sender.turn(visit.clock.now)
        self.assertEqual((visit.wire.left, visit.counts["failed"]), ([0], 1))

    def test_requests_are_due_when_the_view_was_planned(self) -> None:
        visit = Visit()
        visit.virtual_users.arrive(0, BEGIN + 5000)
        visit.virtual_users.view(0, BEGIN + 5000)
        self.assertEqual(visit.wire.sent[0].due, START + 5000 * NS)

    def test_two_views_are_never_at_one_time(self) -> None:
        visit = Visit(thinking=0.0)
        visit.view()
        self.assertEqual(visit.plan.due, {0: BEGIN + 1})


class MutationTests(SynchronousTestCase):
    """Requests that change something."""

    def visit(self, share: float = 1.0) -> Visit:
        body = '{"user": {user}, "n": {n}}'
        return Visit(mutations=Mutations(path="/cart", share=share, body=body))

    def mutations(self, visit: Visit) -> list[Sent]:
        return [sent for sent in visit.wire.sent if sent.line == "POST /cart"]

    def test_a_share_of_the_views_has_one(self) -> None:
        visit = self.visit(0.3)
        for _ in range(1000):
            visit.load_page()
        self.assertLess(abs(len(self.mutations(visit)) - 300), 60)
        self.assertEqual(visit.counts["mutations"], len(self.mutations(visit)))

    def test_it_goes_home_once_and_is_never_sent_again(self) -> None:
        visit = self.visit()
        visit.view(2)
        (sent,) = self.mutations(visit)
        self.assertEqual((sent.node, sent.body), (2, b'{"user": 2, "n": 1}'))
        self.assertIn(b"Content-Type: application/json\r\n", sent.request)
        visit.answer(sent, 0, error=CLOSED)
        visit.clock.now += 10**10
        visit.sender.turn(visit.clock.now)
        self.assertEqual(len(self.mutations(visit)), 1)
        self.assertIn("closed early", [reason for _, _, reason, _ in visit.recorded])

    def test_no_two_have_one_key_also_after_a_report_and_in_another_process(self) -> None:
        keys = []
        for visit in (self.visit(), self.visit()):
            for _ in range(3):
                visit.load_page()
                visit.counts.clear()  # as each second's report does
            for sent in self.mutations(visit):
                keys += re.findall(rb"Idempotency-Key: (\S+)\r\n", sent.request)
        self.assertEqual((len(keys), len(set(keys))), (6, 6))

    def test_a_redirect_is_a_success_and_values_are_drawn(self) -> None:
        told = Mutations(path="/cart", share=1.0, body="code={value}", values=("41", "3A9"))
        visit = Visit(mutations=told)
        for _ in range(50):
            visit.load_page()
        self.assertEqual({sent.body for sent in self.mutations(visit)}, {b"code=41", b"code=3A9"})
        visit.answer(self.mutations(visit)[-1], 303)
        self.assertEqual(visit.recorded[-1][2], "")

    def test_who_has_open_what_is_changed_confirms_it_soon(self) -> None:
        told = Mutations(path="/cart", share=1.0, changes=("/style*",), readers=3)
        visit = Visit(mutations=told)
        visit.load_page()
        visit.users.active[:] = b"\1" * len(visit.users.active)
        visit.view()
        before = len(visit.wire.sent)
        visit.answer(self.mutations(visit)[-1], 303)
        sent = visit.wire.sent[before:]
        self.assertEqual({one.line.partition("?")[0] for one in sent}, {"GET /style.css"})
        self.assertLessEqual(len(sent), 3)
        self.assertGreaterEqual(visit.counts["live"], len(sent))

    def test_a_refusal_is_a_failure(self) -> None:
        visit = self.visit()
        visit.view()
        visit.answer(self.mutations(visit)[0], 409)
        self.assertEqual(visit.recorded[-1][2], "status 409")

"""An application that is several servers: who is asked, who is asked again, who waits, and who does not."""

from __future__ import annotations

import random
from unittest import mock

from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from edge.node.applications.origin import Failure
from edge.node.applications.pool import STILL_SECONDS, OriginPool
from edge.upstream.dispatch import GRACE_SECONDS, Outcome
from edge.upstream.retry import KEPT_BODY
from tests.node.applications.parts import Heard, Scripted, question, turn


class PoolTests(SynchronousTestCase):
    """Questions to a pool."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.members = [Scripted("one"), Scripted("two")]
        self.pool = self.made()

    def made(self, members: int = 2, **more: int) -> OriginPool:
        self.members = [Scripted(name) for name in ("one", "two", "three")[:members]]
        pool = OriginPool("app", self.members, self.clock, draw=random.Random(1), **more)
        self.addCleanup(pool.stop)
        return pool

    @property
    def asked(self) -> list:
        return [asked for member in self.members for asked in member.asked]

    def test_an_answer_passes_through_and_leaves_nothing_behind(self) -> None:
        heard = Heard()
        self.pool.ask(question(), heard)
        [asked] = self.asked
        asked.receiver.informational(103, [(b"Link", b"</a>")])
        asked.answer(200, b"abc", [(b"A", b"b")])
        self.assertEqual(
            heard.events,
            [
                ("interim", 103, [(b"Link", b"</a>")]),
                ("started", 200, [(b"A", b"b")], 3),
                b"abc",
                ("ended", []),
            ],
        )
        self.assertEqual(self.pool.dispatch.unanswered, 0)
        self.assertEqual([member.busy for member in self.pool.dispatch.members], [0, 0])

    def test_whose_fault_it_was_is_said_once_in_a_line(self) -> None:
        lines: list[str] = []
        globalLogPublisher.addObserver(observer := lambda event: lines.append(formatEvent(event)))
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        [one, two] = self.pool.dispatch.members
        self.pool.outcome(one, Outcome.FAILED, "one: the process has gone")
        self.pool.outcome(two, Outcome.FAILED, "it closed early")
        self.assertEqual(lines, ["one: the process has gone", "two: it closed early"])

    def test_a_get_that_was_not_answered_is_asked_once_more_elsewhere(self) -> None:
        heard = Heard()
        self.pool.ask(question(), heard)
        first = self.asked[0]
        first.fail(Failure.CLOSED_EARLY)
        self.assertEqual(sorted(len(member.asked) for member in self.members), [1, 1])
        second = next(asked for asked in self.asked if asked is not first)
        second.answer(200)
        self.assertEqual(heard.events[-1], ("ended", []))

    def test_it_is_asked_no_third_time(self) -> None:
        self.pool = self.made(3)
        heard = Heard()
        self.pool.ask(question(), heard)
        for _ in range(2):
            next(asked for asked in self.asked if not asked.finished).fail(Failure.CLOSED_EARLY)
            for asked in self.asked[:1]:
                asked.finished = True
        self.assertEqual((len(self.asked), heard.failure), (2, Failure.CLOSED_EARLY))

    def test_a_post_is_asked_again_only_if_nobody_can_have_acted_on_it(self) -> None:
        for failure, reached, fields, again in (
            (Failure.CLOSED_EARLY, True, [], False),
            (Failure.GARBAGE, True, [], False),
            (Failure.TIMEOUT, True, [(b"Idempotency-Key", b"1")], False),
            (Failure.AWAY, False, [], True),
            (Failure.CLOSED_EARLY, True, [(b"Idempotency-Key", b"1")], True),
        ):
            self.pool = self.made()
            heard = Heard()
            exchange = self.pool.ask(question(b"POST", body_length=6, fields=fields), heard)
            exchange.send(b"abc")
            self.asked[0].fail(failure, reached)
            exchange.send(b"def")
            exchange.finish()
            self.assertEqual(len(self.asked), 1 + again, (failure, fields))
            if again:
                second = next(asked for asked in self.asked if asked.body == b"abcdef")
                self.assertTrue(second.finished)
            else:
                self.assertEqual(heard.failure, failure)

    def test_who_was_not_reached_is_no_reason_to_give_up_before_all_were_tried(self) -> None:
        self.pool = self.made(3)
        heard = Heard()
        self.pool.ask(question(b"POST", body_length=0), heard)
        seen = set()
        while (left := [asked for asked in self.asked if id(asked) not in seen]) and heard.failure is None:
            seen.add(id(left[0]))
            left[0].fail(Failure.AWAY, reached=False)
        self.assertEqual((len(self.asked), heard.failure), (3, Failure.AWAY))
        self.assertEqual([len(member.asked) for member in self.members], [1, 1, 1])

    def test_a_body_that_is_too_long_to_be_kept_is_sent_once(self) -> None:
        heard = Heard()
        exchange = self.pool.ask(question(b"GET", body_length=KEPT_BODY + 1), heard)
        exchange.send(b"x" * KEPT_BODY)
        exchange.send(b"x")
        self.asked[0].fail(Failure.CLOSED_EARLY)
        self.assertEqual((len(self.asked), heard.failure), (1, Failure.CLOSED_EARLY))

    def test_once_an_answer_has_begun_its_end_is_the_end(self) -> None:
        heard = Heard()
        self.pool.ask(question(), heard)
        self.asked[0].receiver.started(200, [], 10)
        self.asked[0].fail(Failure.CLOSED_EARLY)
        self.assertEqual((len(self.asked), heard.failure), (1, Failure.CLOSED_EARLY))

    def test_an_answer_that_does_not_begin_in_time_is_504_and_nobody_is_asked_again(self) -> None:
        self.pool = self.made(timeout=5)
        heard = Heard()
        self.pool.ask(question(), heard)
        self.clock.advance(4.9)
        self.assertEqual(heard.events, [])
        self.clock.advance(0.1)
        self.assertEqual((heard.failure, heard.failure.status), (Failure.TIMEOUT, 504))  # type: ignore[union-attr]
        self.assertEqual([asked.cancelled for asked in self.asked], [True])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_the_time_that_a_body_takes_to_come_is_not_the_applications(self) -> None:
        self.pool = self.made(timeout=5)
        slow, other = Heard(), Heard()
        exchange = self.pool.ask(question(b"POST", body_length=100), slow)
        self.pool.ask(question(), other)
        for _ in range(20):
            self.clock.advance(1)
            exchange.send(b"x")
        self.assertEqual((slow.failure, other.failure), (None, Failure.TIMEOUT))
        [posted] = [asked for asked in self.asked if asked.body]
        self.assertIsNone(posted.question.deadline)
        exchange.finish()
        self.clock.advance(4.9)
        self.assertIsNone(slow.failure)
        self.clock.advance(0.1)
        self.assertEqual(slow.failure, Failure.TIMEOUT)

    def test_an_answer_that_has_begun_may_take_its_time(self) -> None:
        self.pool = self.made(timeout=5)
        heard = Heard()
        self.pool.ask(question(), heard)
        self.asked[0].receiver.started(200, [], None)
        self.clock.pump([1.0] * 50)
        self.asked[0].receiver.data(b"late")
        self.asked[0].receiver.ended([])
        self.assertEqual(heard.events[-1], ("ended", []))

    def test_an_answer_that_stands_still_is_cut_off_and_its_server_has_failed(self) -> None:
        heard = Heard()
        self.pool.ask(question(), heard)
        [asked] = self.asked
        asked.receiver.started(200, [(b"Content-Type", b"text/html")], 10)
        self.clock.advance(STILL_SECONDS / 2)
        asked.receiver.data(b"a")
        self.clock.advance(STILL_SECONDS / 2)
        self.assertIsNone(heard.failure)
        self.clock.advance(STILL_SECONDS)
        self.assertEqual((heard.failure, asked.cancelled), (Failure.TIMEOUT, True))
        self.assertGreater(max(member.health.rate for member in self.pool.dispatch.members), 0.4)
        self.clock.advance(STILL_SECONDS)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_events_and_what_a_visitor_holds_back_may_rest(self) -> None:
        events, held = Heard(), Heard()
        self.pool.ask(question(), events)
        self.asked[0].receiver.started(200, [(b"content-type", b"Text/Event-Stream; x=y")], None)
        exchange = self.pool.ask(question(), held)
        exchange.pause()
        next(asked for asked in self.asked if asked.paused).receiver.started(200, [], None)
        self.clock.pump([STILL_SECONDS] * 5)
        self.assertEqual((events.failure, held.failure), (None, None))
        exchange.resume()
        self.clock.advance(STILL_SECONDS)
        self.assertEqual(held.failure, Failure.TIMEOUT)

    def test_too_many_are_refused_at_once_and_told_to_come_back(self) -> None:
        self.pool = self.made(1, queue=2, most=1)
        heard = [Heard() for _ in range(3)]
        for one in heard:
            self.pool.ask(question(), one)
            self.assertEqual(one.events, [], "nothing is heard before ask has returned")
        turn(self.clock)
        self.assertEqual([one.failure for one in heard], [None, None, Failure.FULL])
        self.assertEqual((Failure.FULL.status, Failure.FULL.may_retry), (503, True))
        self.asked[0].answer()
        self.assertEqual(len(self.asked), 2, "who waited is asked as soon as there is room")

    def test_an_address_that_has_its_share_is_refused_and_others_are_not(self) -> None:
        lines: list[str] = []
        globalLogPublisher.addObserver(observer := lambda event: lines.append(formatEvent(event)))
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.pool = self.made(1, queue=2)
        heard = [Heard() for _ in range(5)]
        for one, network in zip(heard, (b"a", b"a", b"a", b"b", b"c"), strict=True):
            self.pool.ask(question(network=network), one)
        turn(self.clock)
        full = Failure.FULL
        self.assertEqual([one.failure for one in heard], [None, full, full, None, full])
        self.assertEqual(
            lines,
            [
                "app: 1 of its 1 unanswered requests are of one address, which has no more than it leaves "
                "free of 2 (queue), so more of it are answered 503: raise queue if one address may have more",
                "app: 2 requests are unanswered, as many as queue allows, so more are answered 503: give it "
                "more processes or threads, or raise queue",
            ],
        )

    def test_the_relay_is_told_whose_questions_are_unanswered(self) -> None:
        relay = mock.Mock()
        relay.unanswered.return_value = relay.unanswered_from.return_value = 0
        self.pool = self.made(1)
        self.pool.relay_by(relay, [mock.Mock(**{"unanswered.return_value": 0})])
        self.pool.ask(question(network=b"a"), Heard())
        self.asked[0].answer()
        told = [call.args for call in relay.others_from.call_args_list]
        self.assertEqual(told, [(b"a", 1), (b"a", 0)])

    def test_who_waits_holds_no_more_of_a_body_than_that(self) -> None:
        self.pool = self.made(1, most=1)
        self.pool.ask(question(), Heard())
        heard = Heard()
        exchange = self.pool.ask(question(b"POST", body_length=1 << 20), heard)
        exchange.send(b"x" * KEPT_BODY)
        self.assertTrue(heard.paused)
        self.asked[0].answer()
        self.assertEqual((len(self.asked[1].body), heard.paused), (KEPT_BODY, False))

    def test_visitors_who_go_cancel_and_make_room(self) -> None:
        self.pool = self.made(1, most=1)
        gone, waits = Heard(), Heard()
        exchange = self.pool.ask(question(), gone)
        self.pool.ask(question(), waits)
        exchange.cancel()
        exchange.cancel()
        self.assertTrue(self.asked[0].cancelled)
        self.assertEqual((gone.events, len(self.asked)), ([], 2))
        waiting = self.pool.ask(question(), Heard())
        waiting.cancel()
        self.assertEqual(self.pool.dispatch.waiting, 0)

    def test_flow_control_reaches_whoever_is_asked_also_the_second_one(self) -> None:
        exchange = self.pool.ask(question(), Heard())
        exchange.pause()
        first = self.asked[0]
        self.assertTrue(first.paused)
        first.fail(Failure.CLOSED_EARLY)
        second = next(asked for asked in self.asked if asked is not first)
        self.assertTrue(second.paused)
        exchange.resume()
        self.assertFalse(second.paused)

    def test_while_nobody_is_there_questions_wait_for_a_restart_then_fail_at_once(self) -> None:
        for member in self.members:
            member.available = False
        self.assertFalse(self.pool.available)
        first, late = Heard(), Heard()
        self.pool.ask(question(), first)
        self.clock.advance(GRACE_SECONDS)
        self.assertEqual(first.failure, Failure.AWAY)
        self.pool.ask(question(), late)
        turn(self.clock)
        self.assertEqual(late.failure, Failure.AWAY)
        self.members[1].available = True
        self.pool.wake()
        self.pool.ask(question(), Heard())
        self.assertEqual(len(self.members[1].asked), 1)

    def test_who_waited_for_a_restart_is_asked_after_it(self) -> None:
        for member in self.members:
            member.available = False
        heard = Heard()
        self.pool.ask(question(), heard)
        self.clock.advance(GRACE_SECONDS / 2)
        self.members[0].available = True
        self.pool.wake()
        self.members[0].asked[0].answer(200)
        self.assertEqual(heard.events[-1], ("ended", []))

    def test_a_server_that_fails_is_left_alone_for_a_while(self) -> None:
        for _ in range(30):
            heard = Heard()
            self.pool.ask(question(), heard)
            while heard.events[-1:] != [("ended", [])]:
                if self.members[0].asked and not self.members[0].asked[-1].finished:
                    self.members[0].asked[-1].finished = True
                    self.members[0].asked[-1].fail(Failure.CLOSED_EARLY)
                else:
                    self.members[1].asked[-1].answer()
        self.assertLessEqual(len(self.members[0].asked), 3)
        self.assertEqual(len(self.members[1].asked), 30)

    def test_answers_that_say_they_are_none_count_as_failures_and_are_passed_on(self) -> None:
        for _ in range(12):
            heard = Heard()
            self.pool.ask(question(), heard)
            last = next(asked for asked in self.asked if not asked.finished)
            last.finished = True
            last.answer(503 if last in self.members[0].asked else 200)
        self.assertEqual(len(self.members[0].asked), 3)

    def test_probes_take_out_and_back_whom_nobody_asks(self) -> None:
        member, now = self.pool.dispatch.members[0], self.clock.seconds()
        for _ in range(3):
            self.pool.probed(member, False)
        self.assertTrue(member.health.is_out(now))
        self.clock.advance(1.0)
        self.assertTrue(member.health.on_trial)
        self.pool.probed(member, True)
        self.assertFalse(member.health.on_trial)

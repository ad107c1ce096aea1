"""The shared cache before an application, in simulated time: who asks, who waits, who gets what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from edge.node.applications import fills
from edge.node.applications.caching import Asking
from edge.node.applications.origin import Failure, OriginError, Question
from edge.node.process.answers import Kind
from edge.node.supervisor.answers import ANEW, ANEW_AT_ONCE
from edge.table.layout import APPLICATION_COUNT
from tests.node.applications.cached import ORIGIN, CachedNode, field, status
from tests.node.applications.parts import Heard
from tests.table.samples import resource

HIT = b"edge; hit"


class CachingCase(SynchronousTestCase):
    def node(self, **given: Any) -> CachedNode:
        node = CachedNode(**given)
        self.addCleanup(node.close)
        return node

    def counted(self, node: CachedNode, name: str) -> int:
        return sum(block.read()[name] for block in (worker.counters for worker in node.workers))


class CleanQuestionTests(CachingCase):
    def test_the_first_request_passes_whole_and_the_second_one_fills(self) -> None:
        node = self.node()
        visitor = (b"Cookie", b"sid=1"), (b"User-Agent", b"me"), (b"Accept-Encoding", b"br")
        first = node.get(b"/a?x=1", *visitor)
        self.assertEqual(node.answer().fields, list(visitor))
        self.assertEqual((first.body, field(first, b"cache-status")), (b"hello", b"edge; fwd=uri-miss"))
        self.assertIsNone(node.fast(b"/a?x=1"))
        second = node.get(b"/a?x=1", *visitor)
        question = node.answer(b"clean")
        self.assertEqual((question.fields, question.host, question.clean), ([], b"localhost", True))
        self.assertEqual((question.method, question.target), (b"GET", b"/a?x=1"))
        self.assertEqual(
            (second.body, field(second, b"cache-status")), (b"clean", b"edge; fwd=uri-miss; stored")
        )
        third = node.get(b"/a?x=1", *visitor, worker=1)
        self.assertEqual((third.body, field(third, b"cache-status")), (b"clean", HIT))
        self.assertIn(b"clean", node.fast(b"/a?x=1") or b"")

    def test_where_the_operator_says_so_the_first_one_fills(self) -> None:
        node = self.node(share=("/shop/**", "/"))
        for target in (b"/shop/a", b"/"):
            heard = node.get(target, (b"Cookie", b"sid=1"))
            self.assertEqual(node.answer(control=b"max-age=60").fields, [])
            self.assertEqual(heard.body, b"hello")
            self.assertIsNotNone(node.fast(target))
        node.get(b"/other", (b"Cookie", b"sid=1"))
        self.assertTrue(node.answer(control=b"max-age=60").fields)

    def test_an_answer_that_is_not_for_sharing_passes_for_a_minute(self) -> None:
        for control, more in (
            (b"private", ()), (b"no-store, s-maxage=60", ()), (b"max-age=60", ()), (b"", ()),
            (b"s-maxage=60", ((b"Set-Cookie", b"a=b"),)), (b"s-maxage=60", ((b"Vary", b"Cookie"),)),
        ):  # fmt: skip
            node = self.node()
            for _ in range(3):
                heard = node.get(b"/", (b"Cookie", b"sid=1"))
                self.assertEqual(node.answer(b"mine", 200, control, *more).fields, [(b"Cookie", b"sid=1")])
                self.assertEqual(heard.body, b"mine")
            node.clock.advance(61)
            node.get()
            node.answer()
            node.get()
            self.assertTrue(node.answer().clean)

    def test_what_one_visitor_has_makes_no_key_pass(self) -> None:
        for fields, status_code in (((b"If-None-Match", b'"a"'), 304), ((b"Range", b"bytes=0-1"), 206)):
            node = self.node()
            node.get(b"/", fields)
            node.answer(b"", status_code)
            node.fill()
            self.assertIsNotNone(node.fast())

    def test_an_application_that_codes_its_answers_is_asked_for_plain_ones(self) -> None:
        node, accepts = self.node(), (b"Accept-Encoding", b"gzip, br")
        node.get(b"/", accepts)
        node.answer(
            b"coded", 200, b"s-maxage=60", (b"Content-Encoding", b"gzip"), (b"Vary", b"Accept-Encoding")
        )
        node.get(b"/", accepts)
        self.assertTrue(node.answer(b"plain", 200, b"s-maxage=60", (b"Vary", b"Accept-Encoding")).clean)
        self.assertIsNotNone(node.fast())

    def test_a_page_that_needs_what_browsers_say_is_given_though_the_clean_question_fails(self) -> None:
        node, browser = self.node(), (b"User-Agent", b"me")
        node.get(b"/", browser)
        node.answer(b"page")
        heard = [node.get(b"/", browser) for _ in range(3)]
        self.assertTrue(node.answer(b"KeyError", 500, b"").clean)
        for _ in heard:
            self.assertEqual(node.answer(b"page").fields, [browser])
        self.assertEqual([one.body for one in heard], [b"page"] * 3)
        self.assertFalse(node.asked)
        node.get(b"/", browser)
        self.assertFalse(node.answer(b"page").clean, "for a minute nobody tries")

    def test_a_field_that_would_be_two_on_the_wire_is_never_stored(self) -> None:
        """Nobody but who asks for it sees such an answer, and to him it is refused where it leaves."""
        for split in (
            (b"X-A", b"a\r\nSet-Cookie: evil=1"),
            (b"X-A", b"a\nSet-Cookie: evil=1"),
            (b"X-A: 1\r\nX-B", b"2"),
            (b"Location", b"/x\r\n\r\n<script>"),
            (b"X-A", b"a\0b"),
            (b"", b"x"),
        ):
            for share in ((), ("/**",)):
                node = self.node(share=share)
                for _ in range(4):
                    node.get()
                    while node.asked:
                        node.answer(b"split", 200, b"s-maxage=60", split)
                    self.assertIsNone(node.fast(), split)
                node.get()
                self.assertFalse(node.asked[0].question.clean, split)

    def test_a_confirmation_adds_no_field_that_would_be_two(self) -> None:
        node = self.node()
        own = (b"ETag", b'"1"')
        node.get()
        node.answer(b"hello", 200, b"s-maxage=5", own)
        node.get()
        node.answer(b"hello", 200, b"s-maxage=5", own)
        node.clock.advance(6)
        node.get()
        node.answer(b"", 304, b"s-maxage=60", own, (b"X-A", b"a\r\nSet-Cookie: evil=1"))
        self.assertNotIn(b"evil", node.fast() or b"")

    def test_what_the_clean_answer_says_counts(self) -> None:
        """The visitor's own request then passes whole, and gets what it would have got without us."""
        node = self.node()
        node.get()
        node.answer()
        heard = node.get(b"/", (b"Cookie", b"sid=1"))
        self.assertTrue(node.answer(b"who are you?", 401).clean)
        self.assertEqual(node.answer(b"welcome").fields, [(b"Cookie", b"sid=1")])
        self.assertEqual(heard.body, b"welcome")
        self.assertIsNone(node.fast())

    def test_where_the_operator_says_so_it_is_for_who_began_it_as_it_is(self) -> None:
        """And is asked for once; unless the answer hints that it would be another one for this visitor."""
        node = self.node(share=("/**",))
        heard = node.get(b"/", (b"Cookie", b"sid=1"))
        node.asked[0].receiver.informational(103, [(b"Link", b"</a>")])
        self.assertTrue(node.answer(b"not for all", control=b"private").clean)
        self.assertEqual((heard.body, node.asked), (b"not for all", []))
        self.assertEqual(heard.events[0], ("interim", 103, [(b"Link", b"</a>")]))
        hints = (
            (b"x", 401, b""),
            (b"x", 200, b"s-maxage=9", (b"Vary", b"Cookie")),
            (b"x", 200, b"s-maxage=9", (b"set-cookie", b"sid=2")),  # he would have lost his session
        )
        for number, answer in enumerate(hints):
            heard = node.get(b"/%d" % number, (b"Cookie", b"sid=1"))
            self.assertTrue(node.answer(*answer).clean)  # type: ignore[arg-type]
            self.assertEqual(node.answer(b"mine").fields, [(b"Cookie", b"sid=1")])
            self.assertEqual(heard.body, b"mine")

    def test_what_a_visitor_sends_beside_the_key_reaches_no_other_reader(self) -> None:
        node = self.node(share=("/**",), ignore_query=("utm_*",))
        node.get(b"/p?utm_source=%3Cscript%3E&a=1", (b"X-Forwarded-Host", b"evil"), (b"Cookie", b"x"))
        question = node.answer()
        self.assertEqual((question.target, question.fields), (b"/p?a=1", []))
        self.assertIsNotNone(node.fast(b"/p?a=1"))

    def test_configured_fields_are_told_apart_by_their_buckets(self) -> None:
        node = self.node(share=("/**",), vary=(("accept-language", ("en", "de")),))
        for value, bucket in ((b"de-AT,de;q=0.9", b"de"), (b"EN", b"en"), (b"fr", None)):
            heard = node.get(b"/", (b"Accept-Language", value))
            asked = dict(
                node.answer(bucket or b"other", 200, b"s-maxage=60", (b"Vary", b"Accept-Language")).fields
            )
            self.assertEqual(asked.get(b"accept-language"), bucket)
            self.assertEqual(heard.body, bucket or b"other")
        for value, body in ((b"de", b"de"), (b"en-GB", b"en"), (b"it", b"other")):
            self.assertEqual(node.get(b"/", (b"Accept-Language", value)).body, body)
        self.assertEqual(node.asked, [])
        self.assertIsNone(node.fast(b"/"))

    def test_head_ranges_and_bodies_never_fill(self) -> None:
        node = self.node(share=("/**",))
        for method, fields in (
            (b"HEAD", ()),
            (b"GET", ((b"Range", b"bytes=0-1"),)),
            (b"GET", ((b"If-Match", b"*"),)),
        ):
            node.get(b"/", *fields, method=method)
            question = node.answer()
            self.assertEqual(
                (question.method, question.clean, question.fields), (method, False, list(fields))
            )
        self.assertIsNone(node.fast())

    def test_other_methods_pass(self) -> None:
        node = self.node()
        node.fill()
        heard = node.get(b"/", method=b"POST")
        self.assertEqual(node.answer(b"posted").method, b"POST")
        self.assertEqual((heard.body, field(heard, b"cache-status")), (b"posted", b"edge; fwd=method"))

    def test_authorization_counts_also_where_the_operator_trusts(self) -> None:
        node = self.node(share=("/**",))
        for _ in range(2):
            node.get(b"/", (b"Authorization", b"Basic x"))
            self.assertEqual(node.answer(control=b"max-age=60").fields, [(b"Authorization", b"Basic x")])


class WaitingTests(CachingCase):
    def test_ten_thousand_who_want_the_same_cost_one_question(self) -> None:
        node = self.node(share=("/**",))
        heard = [node.get(b"/", worker=number % 2) for number in range(10_000)]
        self.assertEqual(len(node.asked), 1)
        node.answer(b"once")
        self.assertEqual({one.body for one in heard}, {b"once"})
        self.assertEqual(node.asked, [])
        self.assertEqual(self.counted(node, "answers_coalesced"), 9_999)

    def test_what_has_come_since_a_worker_looked_is_not_asked_for_again(self) -> None:
        node = self.node(share=("/**",))
        node.get()
        node.answer(b"once")
        told: list[object] = []
        node.answers.ask(1, "shop", b"/", True, told.append)
        self.assertEqual(told, [(Kind.LOOK, 0)])
        self.assertEqual(node.get(worker=1).body, b"once")

    def test_where_nothing_is_known_two(self) -> None:
        node = self.node()
        heard = [node.get(b"/", worker=number % 2) for number in range(100)]
        self.assertEqual(len(node.asked), 1)
        node.answer(b"mine")
        self.assertEqual(len(node.asked), 1)
        self.assertTrue(node.answer(b"ours").clean)
        self.assertEqual([one.body for one in heard], [b"mine", *[b"ours"] * 99])

    def test_who_waits_for_an_answer_that_is_not_for_sharing_asks_himself(self) -> None:
        node = self.node()
        heard = [node.get(b"/", (b"Cookie", b"%d" % number), worker=number % 2) for number in range(6)]
        node.answer(b"0", control=b"private")
        self.assertEqual(len(node.asked), 5)
        while node.asked:
            cookie = dict(node.asked[0].question.fields)[b"Cookie"]
            node.answer(cookie, control=b"private")
        self.assertEqual([one.body for one in heard], [b"%d" % number for number in range(6)])

    def test_nobody_waits_for_a_first_visitor_who_has_gone(self) -> None:
        node = self.node()
        first, second = node.get(), node.get(worker=1)
        first.exchange.cancel()  # type: ignore[attr-defined]
        node.clock.advance(0)
        node.answer(b"second")
        self.assertEqual(second.body, b"second")

    def test_nobody_waits_long_for_what_a_first_answer_says(self) -> None:
        node = self.node()
        node.get()
        node.get(worker=1)
        node.clock.pump([0.25] * 9)
        self.assertEqual(len(node.asked), 2)

    def test_first_answers_that_last_longer_than_a_lease_leave_nothing_behind(self) -> None:
        node = self.node(workers=1)
        for number in range(5):
            node.get(b"/poll?since=%d" % number)
        node.clock.pump([0.25] * 4 * 61)
        while node.asked:
            node.answer(b"x", 200, b"private")
        node.clock.pump([0.25] * 4)
        self.assertFalse(node.answers._firsts)

    def test_an_answer_that_has_begun_is_not_given_up_for_want_of_patience(self) -> None:
        node = self.node(workers=1, share=("/**",))
        node.get()
        node.answer(b"old", 200, b"s-maxage=5, stale-if-error=600")
        node.clock.advance(6)
        heard = node.get()
        node.clock.advance(1.99)
        node.answers._remove_name = lambda name: None  # type: ignore[method-assign]  # that is on its way
        node.asked[0].receiver.started(200, [(b"Cache-Control", b"private")], 10)
        node.clock.advance(0.02)
        self.assertEqual([event[0] for event in heard.events], ["started"])

    def test_a_worker_that_dies_with_its_question_is_taken_over(self) -> None:
        node = self.node(share=("/**",))
        node.get()
        other = node.get(worker=1)
        node.workers[0].die()
        node.clock.advance(0)
        self.assertEqual(len(node.asked), 2)
        node.application.asked.pop(0)
        node.answer(b"second")
        self.assertEqual(other.body, b"second")

    def test_visitors_who_go_take_nothing_from_those_who_wait(self) -> None:
        node = self.node(share=("/**",))
        first, second = node.get(), node.get()
        first.exchange.cancel()  # type: ignore[attr-defined]
        node.answer()
        self.assertEqual((first.events, second.body), ([], b"hello"))

    def test_visitors_who_go_while_it_takes_long_are_not_kept_until_it_is_there(self) -> None:
        node = self.node(workers=1, share=("/**",))
        first = node.get()
        for _ in range(4 * fills.MANY_WANTING):
            node.get().exchange.cancel()  # type: ignore[attr-defined]
        last = node.get()
        self.assertLessEqual(len(node.workers[0].desk.wanting(b"/")), fills.MANY_WANTING)
        node.answer()
        self.assertEqual((first.body, last.body), (b"hello", b"hello"))

    def test_a_fault_of_one_who_waits_costs_the_others_nothing(self) -> None:
        changes: list[Callable[[CachedNode], object]] = [
            lambda node: node.answer(),
            lambda node: node.answer(control=b"private"),
            lambda node: node.answer(control=b"private", status=403),
            lambda node: node.answer(status=500),
            lambda node: (node.answers.invalidate(b"/"), node.answer()),
        ]
        for happens in changes:
            for faulty in (0, 1):
                node = self.node(share=("/**",))
                heard = [node.get(b"/", (b"Cookie", b"a=b")) for _ in range(3)]
                with self.fault_of(heard[faulty].exchange):  # type: ignore[attr-defined]
                    happens(node)
                    while node.asked:
                        node.answer()
                others = [one for number, one in enumerate(heard) if number != faulty]
                self.assertTrue(all(one.events for one in others))
                self.assertTrue(self.flushLoggedErrors(RuntimeError))
                self.assertEqual((heard[faulty].events, node.workers[0].desk.held), ([], 0))

    def test_a_fault_of_the_first_one_leaves_the_key_to_the_next(self) -> None:
        node, original = self.node(), Asking.pass_whole
        faults = [RuntimeError()]

        def pass_whole(asking: Asking, token: int | None) -> None:
            if faults:
                raise faults.pop()
            original(asking, token)

        with mock.patch.object(Asking, "pass_whole", pass_whole):
            node.get()
            self.assertEqual((len(self.flushLoggedErrors(RuntimeError)), node.asked), (1, []))
            heard = node.get()
            node.answer()
        self.assertEqual(heard.body, b"hello")

    @contextmanager
    def fault_of(self, one: object) -> Iterator[None]:
        """Whatever *one* is told while it waits, it fails."""
        with ExitStack() as patched:
            for name in ("filled", "look", "pass_whole", "failed", "adopted"):
                original = getattr(Asking, name)

                def told(self: object, *given: Any, original: Any = original) -> Any:
                    if self is one:
                        raise RuntimeError
                    return original(self, *given)

                patched.enter_context(mock.patch.object(Asking, name, told))
            yield

    def test_a_fill_that_began_before_a_change_is_given_to_who_began_it_and_to_nobody_else(self) -> None:
        node = self.node(share=("/**",))
        first = node.get()
        second, third = node.get(), node.get(worker=1)
        node.answers.invalidate(b"/")
        node.answer(b"old")
        self.assertEqual((first.body, second.events, third.events), (b"old", [], []))
        self.assertEqual(len(node.asked), 1)
        node.answer(b"new")
        self.assertEqual((second.body, third.body), (b"new", b"new"))

    def test_a_visitor_who_has_gone_leaves_such_an_answer_to_nobody(self) -> None:
        node = self.node(share=("/**",))
        first = node.get()
        node.answers.invalidate(b"/")
        second = node.get()
        first.exchange.cancel()  # type: ignore[attr-defined]
        node.answer(b"old")
        node.answer(b"new")
        self.assertEqual((first.events, second.body), ([], b"new"))

    def test_who_asks_after_a_change_never_joins_what_began_before_it(self) -> None:
        node = self.node(share=("/**",))
        node.get()
        node.answers.invalidate(b"/")
        late = node.get()
        node.answer(b"old")
        node.answer(b"new")
        self.assertEqual(late.body, b"new")

    def test_however_often_something_changes_nobody_who_waits_is_sent_to_the_application(self) -> None:
        """All who came before a question get its answer, and workers whose answers are spoiled take turns."""
        node = self.node(workers=6, share=("/**",))
        for worker in node.workers:
            ask = worker.ask

            def later(*asked: Any, ask: Any = ask) -> None:
                told = asked[-1]
                ask(*asked[:-1], lambda verdict: node.clock.callLater(0.01, told, verdict))

            worker.ask = later  # type: ignore[method-assign]
        heard = [node.get(worker=number % 6) for number in range(300)]
        rounds = 0
        while node.asked or not all(one.body for one in heard):
            rounds += 1
            node.clock.pump([0.01] * 3)
            self.assertEqual([asked.question.clean for asked in node.asked], [True])
            node.answers.invalidate(b"/")
            node.answer(b"%d" % rounds)
        self.assertEqual(rounds, 6)

    def test_who_began_does_not_wait_until_it_is_stored_and_all_others_do(self) -> None:
        for spoiled in (False, True):
            node = self.node(share=("/**",))
            worker = node.workers[0]
            storing: list[Any] = []
            worker.store = lambda *stored, storing=storing: storing.append(stored)  # type: ignore[method-assign]
            first, other = node.get(), node.get()
            node.answer(b"old")
            self.assertEqual(field(first, b"cache-status"), b"edge; fwd=uri-miss; stored")
            self.assertEqual((first.body, other.events, len(storing)), (b"old", [], 1))
            self.assertTrue(worker.desk.held)
            if spoiled:
                node.answers.invalidate(b"/")
            *answer, kept = storing.pop()
            kept(node.answers.store(*answer))
            self.assertFalse(worker.desk.held)
            if spoiled:
                node.answer(b"new")
                *answer, kept = storing.pop()
                kept(node.answers.store(*answer))
            self.assertEqual((other.body, node.asked), (b"new" if spoiled else b"old", []))
            self.assertEqual(self.counted(node, "answers_filled"), 1)

    def test_too_long_an_answer_passes(self) -> None:
        node = self.node(share=("/**",))
        heard, other = node.get(), node.get(worker=1)
        asked = node.asked[0]
        asked.receiver.started(200, [(b"Cache-Control", b"s-maxage=60")], None)
        for _ in range(5):
            asked.receiver.data(b"x" * (1 << 20))
            if asked.cancelled:
                break
        asked.receiver.ended([])
        node.application.asked.remove(asked)
        node.clock.advance(0)
        node.answer(b"long")
        self.assertEqual((len(heard.body), other.body), (5 << 20, b"long"))

    def test_answers_that_are_held_are_bounded_and_what_comes_beyond_passes(self) -> None:
        self.patch(fills, "HELD_BYTES", 1000)
        node = self.node(share=("/**",))
        heard = [node.get(b"/%d" % number) for number in range(3)]
        for asked in node.asked:
            asked.receiver.started(200, [(b"Cache-Control", b"s-maxage=60")], None)
            asked.receiver.data(b"x" * 400)
        node.clock.advance(0)
        self.assertEqual([one.body for one in heard], [b"", b"", b"x" * 400])
        for asked in node.asked:
            asked.receiver.ended([])
        self.assertEqual([len(one.body) for one in heard], [400] * 3)
        self.assertEqual((len(node.answers), node.workers[0].desk.held), (2, 0))


class StaleTests(CachingCase):
    def test_a_stale_answer_is_given_at_once_while_it_is_asked_for_anew(self) -> None:
        node = self.node()
        node.fill(control=b"s-maxage=10, stale-while-revalidate=20")
        node.clock.pump([1.0] * 15)
        heard = node.get()
        self.assertEqual((heard.body, field(heard, b"cache-status")), (b"hello", b"edge; hit; detail=stale"))
        self.assertEqual(field(heard, b"age"), b"15")
        self.assertTrue(node.answer(b"new").clean)
        self.assertEqual(node.get().body, b"new")

    def test_what_is_asked_for_many_is_of_who_had_it_asked_first(self) -> None:
        node = self.node()

        def get(target: bytes, network: bytes) -> None:
            question = Question(b"GET", target, [], b"x", network=network)
            node.workers[0].origin.ask(question, Heard())
            node.clock.advance(0)

        node.fill(control=b"s-maxage=10, stale-while-revalidate=20")
        for network in (b"a", b"b", b"c"):
            get(b"/other", network)
        self.assertEqual([one.question.network for one in node.asked], [b"a"])  # to see whether it is shared
        node.answer()
        asked = [(one.question.clean, one.question.network) for one in node.asked]
        self.assertEqual(asked, [(True, b"b")])
        node.answer()
        node.clock.pump([1.0] * 15)
        for network in (b"c", b"a"):
            get(b"/", network)
        asked = [(one.question.clean, one.question.network) for one in node.asked]
        self.assertEqual(asked, [(True, b"c")])

    def test_beyond_that_readers_wait(self) -> None:
        node = self.node()
        node.fill(control=b"s-maxage=10, stale-while-revalidate=20")
        node.clock.pump([1.0] * 31)
        heard = node.get()
        self.assertEqual(heard.events, [])
        node.answer(b"new")
        self.assertEqual((heard.body, field(heard, b"cache-status")), (b"new", b"edge; fwd=stale; stored"))

    def test_nobody_is_given_what_is_older_than_what_lifetimes_are_cut_to(self) -> None:
        """As while a node of the cluster is dead: what it has changed is not known here."""
        for control in (b"s-maxage=3600", b"s-maxage=5, stale-while-revalidate=3600"):
            node = self.node()
            node.answers.longest = 10.0
            node.fill(control=control)
            node.clock.pump([1.0] * 9)
            self.assertEqual(node.get().body, b"hello")
            node.clock.pump([1.0] * 2)
            self.assertEqual((node.get(worker=1).events, node.fast()), ([], None))

    def test_what_a_change_takes_away_and_readers_ask_for_is_made_anew_before_they_come(self) -> None:
        node = self.node(share=("/**",))
        numbers: dict[bytes, int] = {}
        node.answers.stored.append(lambda number, _, answer: numbers.update({answer.record.name: number}))
        for target in (b"/hot", b"/cold"):
            node.get(target)
            node.answer()
        self.assertIsNotNone(node.fast(b"/hot"))
        node.answers.take_back(numbers.values())
        self.assertEqual((node.asked, node.fast(b"/hot")), ([], None), "in a turn of its own")
        node.clock.advance(0)
        reader = node.get(b"/hot")  # who comes meanwhile waits for that one
        question = node.answer(b"new")
        self.assertEqual((question.target, question.clean, node.asked), (b"/hot", True, []))
        self.assertEqual(reader.body, b"new")
        # It is asked for once more only if somebody has asked for it since.
        reader = node.get(b"/hot")
        node.answers.take_back(numbers.values())
        node.clock.advance(0)
        node.answer(b"newer")
        node.answers.take_back(numbers.values())
        node.clock.advance(0)
        self.assertEqual(node.asked, [])

    def test_a_storm_of_changes_asks_for_few_anew(self) -> None:
        node = self.node(share=("/**",), capacity=1024)
        numbers: list[int] = []
        node.answers.stored.append(lambda number, *_: numbers.append(number))
        for index in range(ANEW + 10):
            node.get(b"/%d" % index)
            node.answer()
            self.assertIsNotNone(node.fast(b"/%d" % index))
        for number in numbers:
            node.answers.take_back([number])
        node.clock.advance(0)
        node.answers.take_back(numbers)
        asked = 0
        for _ in range(10):  # some at once, others when these are answered
            self.assertLessEqual(len(node.asked), ANEW_AT_ONCE)
            while node.asked:
                node.answer()
                asked += 1
            node.clock.advance(0.25)
        self.assertEqual(asked, ANEW)

    def test_each_request_is_counted_once(self) -> None:
        """Who had waited and looked again was a hit, too."""
        node = self.node(share=("/**",))
        heard = [node.get(), node.get(), node.get(worker=1)]
        node.answer()
        heard.append(node.get(worker=1))
        self.assertEqual([one.body for one in heard], [b"hello"] * 4)
        names = ("hit", "stale", "filled", "coalesced", "passed")
        self.assertEqual([self.counted(node, f"answers_{name}") for name in names], [1, 0, 1, 2, 0])

    def test_what_is_hot_is_asked_for_before_it_is_over(self) -> None:
        node = self.node()
        node.fill(control=b"s-maxage=10")
        for number in range(5):
            while not node.asked:
                self.assertIsNotNone(node.fast())
                node.clock.advance(0.25)
            self.assertIsNotNone(node.fast())
            node.answer(b"%d" % number, control=b"s-maxage=10")
            self.assertIn(b"\r\n\r\n%d" % number, node.fast() or b"")

    def test_what_nobody_asks_for_is_left_to_end(self) -> None:
        node = self.node()
        node.fill(control=b"s-maxage=10")
        node.clock.pump([0.25] * 100)
        self.assertEqual(node.asked, [])

    def test_an_answer_that_ends_in_a_year_costs_no_turn_before(self) -> None:
        node = self.node()
        node.fill(control=b"s-maxage=200")
        node.clock.pump([0.25] * 4 * 150)
        self.assertIsNotNone(node.fast())
        node.clock.pump([0.25] * 4 * 46)
        self.assertTrue(node.asked)

    def test_a_failing_application_goes_on_being_answered_for_by_the_fast_path(self) -> None:
        node = self.node()
        node.fill(control=b"s-maxage=10, stale-if-error=3600")
        fast = 0
        for _ in range(4 * 600):
            fast += node.fast() is not None
            node.clock.advance(0.25)
            while node.asked:
                asked = node.application.asked.pop(0)
                asked.receiver.failed(OriginError(Failure.AWAY, "away", False))
        self.assertEqual(fast, 4 * 600)
        node.clock.pump([0.25] * 4 * 60)
        heard = node.get()
        self.assertTrue(node.asked)
        node.answer(b"failed", 503)
        self.assertEqual((heard.body, field(heard, b"cache-status")), (b"hello", b"edge; hit; detail=stale"))
        node.clock.pump([1.0] * 3600)
        late = node.get()
        node.answer(b"failed", 503)
        self.assertIn(status(late) or late.failure, (503, Failure.AWAY))

    def test_an_application_that_hangs_is_one_that_fails(self) -> None:
        """Readers are given what is there after 2 s, then at once, and by the fast path."""
        node = self.node()
        node.fill(control=b"s-maxage=10, stale-if-error=3600")
        node.clock.pump([0.25] * 4 * 11)
        heard = node.get()
        node.clock.pump([0.25] * 7)
        self.assertEqual(heard.events, [])
        node.clock.advance(0.25)
        self.assertEqual((heard.body, field(heard, b"cache-status")), (b"hello", b"edge; hit; detail=stale"))
        fast = 0
        for _ in range(4 * 60):
            node.clock.advance(0.25)
            fast += node.fast() is not None
        self.assertGreaterEqual(fast, 4 * 60 - 1)
        self.assertEqual(len(node.asked), 2)  # after a minute somebody else asks
        for body in (b"much too late", b"late"):
            node.answer(body)
        self.assertEqual(node.get().body, b"late")

    def test_head_and_ranges_are_answered_for_a_failing_application_too(self) -> None:
        node = self.node()
        node.fill(control=b"s-maxage=10, stale-if-error=3600")
        node.clock.pump([1.0] * 11)
        for method, fields in ((b"HEAD", ()), (b"GET", ((b"Range", b"bytes=0-1"),))):
            heard = node.get(b"/", *fields, method=method)
            asked = node.application.asked.pop()
            self.assertEqual(asked.question.method, method)
            asked.receiver.failed(OriginError(Failure.AWAY, "away", False))
            self.assertIn(status(heard), (200, 206))

    def test_a_failure_without_anything_stored_is_told_to_all_who_wait(self) -> None:
        node = self.node(share=("/**",))
        heard = [node.get(), node.get(), node.get(worker=1)]
        node.answer(b"broken", 500)
        self.assertEqual([status(one) for one in heard], [500, None, None])
        self.assertEqual([one.failure for one in heard[1:]], [Failure.AWAY, Failure.AWAY])
        node.get()
        self.assertEqual(len(node.asked), 1)

    def test_who_must_revalidate_is_not_served_stale(self) -> None:
        node = self.node(stale_if_error=3600)
        node.fill(control=b"s-maxage=10, must-revalidate")
        node.clock.pump([1.0] * 11)
        heard = node.get()
        node.asked[0].receiver.failed(OriginError(Failure.TIMEOUT, "slow"))
        self.assertIs(heard.failure, Failure.TIMEOUT)

    def test_what_the_application_confirms_is_fresh_again(self) -> None:
        node = self.node()
        more = (b"ETag", b'W/"v1"'), (b"Last-Modified", b"Sat, 01 Jan 2000 00:00:00 GMT"), (b"X-Old", b"1")
        node.get()
        node.answer(b"text " * 200, 200, b"s-maxage=10", *more)
        node.get()
        node.answer(b"text " * 200, 200, b"s-maxage=10", *more)
        node.clock.pump([1.0] * 11)
        heard = node.get(b"/", (b"Accept-Encoding", b"br"))
        question = node.answer(b"", 304, b"s-maxage=99", (b"X-New", b"2"))
        self.assertEqual(
            dict(question.fields), {b"If-None-Match": b'W/"v1"', b"If-Modified-Since": more[1][1]}
        )
        self.assertEqual(
            [field(heard, name) for name in (b"x-old", b"x-new", b"content-encoding")], [b"1", b"2", b"br"]
        )
        node.clock.advance(90)
        self.assertIn(b"text text", node.fast() or b"")
        for coding in (b"br", b"gzip", b"zstd"):
            answer = node.fast(b"/", b"Accept-Encoding: " + coding) or b""
            self.assertIn(b"Content-Encoding: %b\r\n" % coding, answer)

    def test_a_site_without_zstandard_has_none_of_its_applications(self) -> None:
        node = self.node(share=("/**",))
        node.workers[0].origin.makes_zstd = False
        node.get()
        node.answer(b"text " * 200)
        self.assertNotIn(b"Content-Encoding", node.fast(b"/", b"Accept-Encoding: zstd") or b"")
        self.assertIn(b"Content-Encoding: gzip", node.fast(b"/", b"Accept-Encoding: gzip") or b"")


class StoredTests(CachingCase):
    def test_conditions_of_visitors_meet_what_is_stored(self) -> None:
        node = self.node()
        more = (b"ETag", b'"own"'), (b"Last-Modified", b"Sat, 01 Jan 2000 00:00:00 GMT")
        node.get()
        node.answer(b"hello", 200, b"s-maxage=60", *more)
        conditional = node.get(b"/", (b"If-None-Match", b'"own"'))
        self.assertEqual(node.answer(b"hello", 200, b"s-maxage=60", *more).fields, [])
        self.assertEqual((status(conditional), field(conditional, b"etag")), (304, b'"own"'))
        self.assertEqual(field(node.get(), b"etag"), b'"own"')
        stored = node.workers[0].reader.find_answer(b"/")
        assert stored is not None
        ours = b'"%b"' % stored.etag
        for name, value, expected in (
            (b"If-None-Match", ours, 304), (b"If-None-Match", b'"x", W/"own"', 304),
            (b"If-None-Match", b'"x"', 200), (b"If-Modified-Since", more[1][1], 304),
            (b"If-Modified-Since", b"Sun, 02 Jan 2000 00:00:00 GMT", 304),
            (b"If-Modified-Since", b"Fri, 31 Dec 1999 00:00:00 GMT", 200),
            (b"If-Match", b'"x"', 412),
            (b"If-Match", ours, 200), (b"Range", b"bytes=1-2", 206), (b"Range", b"bytes=9-", 416),
        ):  # fmt: skip
            self.assertEqual(status(node.get(b"/", (name, value))), expected, (name, value))
        part = node.get(b"/", (b"Range", b"bytes=1-2"))
        self.assertEqual((part.body, field(part, b"content-range")), (b"el", b"bytes 1-2/5"))
        self.assertEqual(node.asked, [])

    def test_head_is_answered_from_a_stored_get(self) -> None:
        node = self.node()
        node.fill()
        heard = node.get(b"/", method=b"HEAD")
        self.assertEqual((heard.body, heard.events[0][3]), (b"", 5))

    def test_other_statuses_are_stored_if_they_say_so(self) -> None:
        node = self.node()
        node.fill(b"/gone", body=b"no", status=404)
        heard = node.get(b"/gone", (b"If-None-Match", b"*"))
        self.assertEqual((status(heard), heard.body, field(heard, b"cache-status")), (404, b"no", HIT))
        self.assertIsNone(node.fast(b"/gone"))

    def test_a_file_that_is_published_takes_the_place_and_a_removed_one_gives_it_back(self) -> None:
        node = self.node()
        node.fill()
        node.writer.put(resource(b"/", 1))
        self.assertEqual(len(node.answers), 0)
        self.assertIn(b"X-Kind", node.fast() or b"")
        node.writer.remove(b"/")
        node.fill()
        self.assertEqual(len(node.answers), 1)

    def test_pages_of_the_cluster_may_read_it(self) -> None:
        node = self.node()
        node.fill()
        self.assertEqual(field(node.get(b"/", (b"Origin", ORIGIN)), b"access-control-allow-origin"), b"*")
        self.assertIsNone(field(node.get(b"/", (b"Origin", b"https://evil")), b"access-control-allow-origin"))

    def test_readers_are_told_the_groups_of_an_answer_and_what_it_invalidates_goes_no_further(self) -> None:
        node = self.node()
        more = ((b"Cache-Groups", b'"a", "b"'), (b"Cache-Group-Invalidation", b'"b"'))
        for _ in range(3):
            heard = node.get()
            if node.asked:
                node.answer(b"x", 200, b"no-store", (b"CDN-Cache-Control", b"max-age=60"), *more)
            self.assertEqual([field(heard, name) for name, _ in more], [b'"a", "b"', None])
        self.assertEqual(field(heard, b"cache-status"), HIT)

    def test_so_many_groups_that_each_answer_would_be_long_are_kept_and_not_told(self) -> None:
        node = self.node()
        groups = b", ".join(b'"%s"' % (b"%d" % number * 40)[:100] for number in range(30))
        for _ in range(3):
            heard = node.get()
            if node.asked:
                node.answer(
                    b"x", 200, b"no-store", (b"CDN-Cache-Control", b"max-age=60"), (b"Cache-Groups", groups)
                )
        self.assertEqual(field(heard, b"cache-status"), HIT)
        self.assertIsNone(field(heard, b"cache-groups"))

    def test_answers_that_nobody_asks_for_make_room(self) -> None:
        node = self.node(share=("/**",), arena=1 << 16)
        for number in range(200):
            node.get(b"/%d" % number)
            node.answer(b"%d" % number * 400)
            node.get(b"/0")
            if node.asked:
                node.answer(b"0" * 400)
        self.assertIsNotNone(node.fast(b"/0"))
        self.assertIsNone(node.fast(b"/1"))
        self.assertGreater(len(node.answers), 30)
        self.assertEqual(node.writer.statistics()["entries"] // len(node.answers) in (1, 2, 3, 4), True)

    def test_where_files_take_nearly_all_memory_answers_share_what_is_left(self) -> None:
        node = self.node(share=("/**",), arena=1 << 17)
        for number in range(28):
            node.writer.put(resource(b"/f%d" % number, number, size=4000))
        for number in range(100):
            node.get(b"/%d" % number)
            node.answer(b"%d" % number)
        self.assertGreater(len(node.answers), 20)
        self.assertEqual(node.writer.statistics()["spilled"], 0)

    def test_everything_is_doubtful_when_that_is_said_and_no_longer_when_it_was_asked_for_anew(self) -> None:
        node = self.node()
        node.fill(control=b"s-maxage=60, stale-while-revalidate=60, stale-if-error=60")
        node.answers.doubt(None)
        self.assertIsNone(node.fast())
        heard = node.get()
        self.assertEqual(heard.events, [])
        node.clock.advance(0.1)
        node.answer(b"new")
        self.assertEqual(heard.body, b"new")

    def test_what_makes_one_application_doubtful_leaves_the_others(self) -> None:
        node = self.node()
        node.fill()
        node.answers.doubt("blog")
        self.assertIsNotNone(node.fast())
        node.answers.doubt("shop")
        self.assertIsNone(node.fast())

    def test_a_doubt_is_over_when_the_application_was_asked_also_behind_another_cache(self) -> None:
        """What it answers then may have been made before the doubt, as its Age says."""
        node = self.node()
        node.fill(control=b"s-maxage=6000")
        for age in (b"0", b"3000"):
            node.answers.doubt(None)
            heard = node.get()
            node.clock.advance(0.1)
            asked = node.asked[0]
            node.application.asked.remove(asked)
            asked.answer(200, b"new", [(b"Cache-Control", b"s-maxage=6000"), (b"Age", age)])
            node.clock.advance(0)
            self.assertEqual(heard.body, b"new")
            self.assertIn(b"Age: " + age, node.fast() or b"")

    def test_behind_another_cache_lifetimes_are_cut_from_when_it_was_asked(self) -> None:
        node = self.node(share=("/**",))
        node.answers.longest = 10.0
        heard = node.get()
        node.answer(b"new", 200, b"s-maxage=6000", (b"Age", b"3000"))
        self.assertEqual(heard.body, b"new")
        node.clock.advance(9.5)
        self.assertIn(b"Age: 3009", node.fast() or b"")
        node.clock.advance(1.0)
        self.assertIsNone(node.fast())

    def test_behind_another_cache_what_is_hot_is_asked_for_once_in_its_time_here(self) -> None:
        node = self.node(share=("/**",))
        node.get()
        for _ in range(5):
            node.answer(b"new", 200, b"s-maxage=3605", (b"Age", b"3600"))
            for _ in range(17):
                self.assertIsNotNone(node.fast())
                self.assertEqual(node.asked, [])
                node.clock.advance(0.25)
            node.clock.advance(0.5)
            self.assertEqual(len(node.asked), 1)

    def test_a_change_of_thousands_is_in_force_at_once_and_takes_them_away_a_few_at_a_time(self) -> None:
        node = self.node(share=("/**",), capacity=8192, arena=8 << 20)
        names = [b"/%d" % number for number in range(700)]
        tags = []
        for name in names:
            node.get(name)
            node.answer(b"<p>" * 100, 200, b"s-maxage=600, stale-while-revalidate=600")
            coded = node.workers[0].reader.find_answer(name, lambda mask: 2)
            assert coded is not None
            tags.append(coded.etag)
        node.answers.take_back([node.answers._number_of(name) or 0 for name in names])
        self.assertGreater(len(node.answers), 300)
        for name, tag in zip(names, tags, strict=True):
            self.assertIsNone(node.fast(name))
            self.assertFalse(node.workers[0].reader.is_current(name, tag), "nor in another coding")
        heard = node.get(names[699])
        node.answer(b"new")
        self.assertEqual(heard.body, b"new")
        for _ in range(700):
            node.clock.advance(0)
        self.assertEqual(len(node.answers), 1)
        self.assertIsNotNone(node.fast(names[699]))

    def test_as_many_applications_are_stored_as_a_table_tells_apart(self) -> None:
        node = self.node(share=("/**",))
        for number in range(APPLICATION_COUNT):
            self.assertIsNotNone(node.answers._application(f"a{number}"))
        heard = node.get()
        node.answer()
        self.assertEqual((heard.body, len(node.answers)), (b"hello", 0))

    def test_an_answer_that_comes_later_than_it_lasts_is_given_to_who_waited_and_the_next_one_asks(
        self,
    ) -> None:
        """An application that is slow for once is not asked for each visitor for a minute."""
        node = self.node(share=("/**",))
        for share in (True, False):
            target = b"/a" if share else b"/b"
            node.workers[0].origin.is_shared = lambda path, share=share: share  # type: ignore[misc]
            for _ in range(3):
                heard = node.get(target)
                self.assertEqual(len(node.asked), 1)
                node.clock.advance(1.5)
                late = node.get(target)
                node.answer(b"slow", 200, b"s-maxage=1")
                self.assertEqual((heard.body, late.body), (b"slow", b""))
                while node.asked:
                    self.assertEqual([asked.question.clean for asked in node.asked], [True])
                    node.answer(b"new", 200, b"s-maxage=1")
                self.assertEqual(late.body, b"new")
                self.assertIsNotNone(node.fast(target))
                node.clock.advance(3.0)

    def test_an_answer_that_comes_later_than_it_lasts_replaces_what_may_be_given_on_error(self) -> None:
        node = self.node(share=("/**",))
        node.get()
        node.answer(b"old", 200, b"s-maxage=1, stale-if-error=600")
        node.clock.advance(1.5)
        node.get()
        node.clock.advance(1.5)
        node.answer(b"slow", 200, b"s-maxage=1, stale-if-error=600")
        node.clock.advance(1.0)
        heard = node.get()
        node.answer(b"broken", 500, b"")
        self.assertEqual(heard.body, b"slow")

    def test_what_happens_is_counted(self) -> None:
        node = self.node()
        node.fill()
        node.fast()
        node.get()
        counted = {name: self.counted(node, f"answers_{name}") for name in ("hit", "filled", "passed")}
        self.assertEqual(counted, {"hit": 2, "filled": 1, "passed": 1})

    def test_what_only_the_twisted_side_sends_is_asked_for_before_it_is_over_too(self) -> None:
        node = self.node()
        node.fill(b"/moved", body=b"", status=301, control=b"s-maxage=10")
        for _ in range(4 * 12):
            node.get(b"/moved")
            node.clock.advance(0.25)
            if node.asked:
                node.answer(b"", 301, b"s-maxage=10")
        self.assertEqual(self.counted(node, "answers_hit"), 4 * 12)

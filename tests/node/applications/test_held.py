"""Requests that the fast path holds, in simulated time: the tests of the shared cache, each GET held first.

The fast path is the Python one, with tickets around it; that the native one holds, answers and hands off as
this one does is for ``tests/fastpath/test_held.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast
from unittest import mock

from edge.cache.status import COLLAPSED, HIT, MISS, STORED, status_line
from edge.fastpath.interface import Held, HeldEnd, Next, Relay, Waited
from edge.http.fields import Fields
from edge.node.applications.gateway import Gateway, Place
from edge.node.applications.held import HeldRequest, HeldRequests
from edge.node.applications.origin import Question
from tests.node.applications import test_cache_histories, test_caching
from tests.node.applications.cached import CachedNode, Worker, field
from tests.node.applications.parts import Heard

DATE = b"Thu, 01 Jan 1970 00:16:40 GMT"
#: Fields with which a request is not held: the fast path lets it go, or it is nobody's to be filled for.
APART = {b"authorization", b"range", b"if-range", b"if-match", b"if-unmodified-since", b"if-modified-since"}
STATUS = {Waited.FILLED: status_line(*MISS, STORED), Waited.COLLAPSED: status_line(*COLLAPSED)}


class Visitor:
    """One visitor of the fast path: the exchange that a test has of him."""

    def __init__(self, path: FakePath, ticket: int, question: Question, heard: Heard) -> None:
        self.ticket = ticket
        self.question = question
        self.heard = heard
        self._path = path
        self.exchange: Any = None

    def cancel(self) -> None:
        """He goes."""
        if self._path.waiting.pop(self.ticket, None) is None and self.exchange is not None:
            self.exchange.cancel()
        self._path.handed.pop(self.ticket, None)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.exchange, name)


class FakePath:
    """What a fast path does of holding, over its Python twin; implements that of ``Relay``."""

    def __init__(self, node: CachedNode, worker: Worker) -> None:
        self._node = node
        self._worker = worker
        self._tickets = 0
        #: Who is held, and who is handed off.
        self.waiting: dict[int, Visitor] = {}
        self.handed: dict[int, Visitor] = {}
        #: How many may be handed off in one turn.
        self.room = 2
        gateway = mock.create_autospec(Gateway, instance=True)
        gateway.place_at.return_value = Place(b"/", worker.origin)
        self.requests = HeldRequests(cast("Relay", self), gateway, node.clock, lambda: None)

    def hold(self, holds: bool) -> None:
        """As the protocol has it."""

    def is_held(self, ticket: int) -> bool:
        """As the protocol has it."""
        return ticket in self.waiting

    def head_of(self, ticket: int) -> bytes:
        """As the protocol has it."""
        visitor = self.waiting.get(ticket)
        return b"" if visitor is None else self._request(visitor.question)

    def come(self, question: Question, heard: Heard) -> Visitor:
        """A visitor comes, and is held."""
        self._tickets += 1
        visitor = self.waiting[self._tickets] = Visitor(self, self._tickets, question, heard)
        self.requests.hear(Held(self._tickets, 0, question.target.partition(b"?")[0], question.target))
        return visitor

    def look(self, ticket: int, waited: Waited) -> HeldEnd:
        """As the protocol has it."""
        visitor = self.waiting.get(ticket)
        if visitor is None:
            return HeldEnd.GONE
        output, _, after = self._answer(visitor.question, waited)
        if after is Next.HAND_OFF:
            return self.let_go(ticket)
        del self.waiting[ticket]
        head, _, body = output.replace(HIT, STATUS.get(waited, HIT)).partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        fields: Fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
        visitor.heard.answered(int(first.split()[1]), fields, len(body), body)
        return HeldEnd.ANSWERED

    def _answer(self, question: Question, waited: Waited) -> tuple[bytes, int, Next]:
        """What the twin answers; what was waited for is no hit."""
        fast = self._worker.fast
        with ExitStack() as patched:
            patched.enter_context(mock.patch.object(fast, "counters"))  # who has waited is no hit
            if waited is not Waited.HIT:
                patched.enter_context(mock.patch.object(fast.reader, "mark_hit"))
            return fast.answer(self._request(question), DATE)

    def let_go(self, ticket: int) -> HeldEnd:
        """As the protocol has it."""
        if ticket not in self.waiting:
            return HeldEnd.GONE
        if len(self.handed) >= self.room:
            return HeldEnd.LATER
        if not self.handed:
            self._node.clock.callLater(0, self._deal)
        self.handed[ticket] = self.waiting.pop(ticket)
        return HeldEnd.HANDED

    def _deal(self) -> None:
        """What is handed off arrives where Twisted's requests do."""
        handed, self.handed = self.handed, {}
        for ticket, visitor in handed.items():
            waiter = self.requests.take(ticket)
            visitor.question.waiter = waiter
            visitor.exchange = self._worker.origin.ask(visitor.question, visitor.heard)
            if waiter is not None:
                waiter.delivered()

    @staticmethod
    def _request(question: Question) -> bytes:
        lines = b"".join(b"%b: %b\r\n" % line for line in question.fields)
        return b"GET %b HTTP/1.1\r\nHost: x\r\n%b\r\n" % (question.target, lines)


class HeldNode(CachedNode):
    """One whose fast path holds what it does not find."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.paths = [FakePath(self, worker) for worker in self.workers]

    def get(
        self, target: bytes = b"/", *fields: tuple[bytes, bytes], worker: int = 0, method: bytes = b"GET"
    ) -> Heard:
        apart = method != b"GET" or any(name.lower() in APART for name, _ in fields)
        if apart or self.workers[worker].reader.find_answer(target) is not None:
            return super().get(target, *fields, worker=worker, method=method)
        heard = Heard()
        heard.exchange = self.paths[worker].come(Question(method, target, list(fields), b"x"), heard)  # type: ignore[attr-defined]
        self.clock.advance(0)
        return heard


class HeldCase(test_caching.CachingCase):
    """The same with those who are held."""

    def node(self, **given: Any) -> HeldNode:
        node = HeldNode(**given)
        self.addCleanup(node.close)
        return node


class HeldCleanQuestionTests(HeldCase, test_caching.CleanQuestionTests):
    """What is asked."""


class HeldStaleTests(HeldCase, test_caching.StaleTests):
    """What is over."""


class HeldStoredTests(HeldCase, test_caching.StoredTests):
    """What is stored."""


class HeldWaitingTests(HeldCase, test_caching.WaitingTests):
    """Who waits."""

    @contextmanager
    def fault_of(self, one: object) -> Iterator[None]:
        assert isinstance(one, Visitor)
        with ExitStack() as patched:
            for name in ("filled", "look", "pass_whole", "failed", "adopted"):
                original = getattr(HeldRequest, name)

                def told(self: HeldRequest, *given: Any, original: Any = original) -> Any:
                    if self.held.ticket == one.ticket:
                        raise RuntimeError
                    return original(self, *given)

                patched.enter_context(mock.patch.object(HeldRequest, name, told))
            yield

    def test_who_began_does_not_wait_until_it_is_stored_and_all_others_do(self) -> None:
        """Here he waits, too, since he reads the table; and gets the answer if it may not be stored."""
        for spoiled in (False, True):
            node = self.node(share=("/**",))
            worker = node.workers[0]
            storing: list[Any] = []
            worker.store = lambda *stored, storing=storing: storing.append(stored)  # type: ignore[method-assign]
            first, other = node.get(), node.get()
            node.answer(b"old")
            self.assertEqual((first.events, other.events, len(storing)), ([], [], 1))
            if spoiled:
                node.answers.invalidate(b"/")
            *answer, kept = storing.pop()
            kept(node.answers.store(*answer))
            node.clock.advance(0)
            self.assertEqual(first.body, b"old")
            self.assertEqual(field(first, b"cache-status"), b"edge; fwd=uri-miss; stored")
            if spoiled:
                node.answer(b"new")
                *answer, kept = storing.pop()
                kept(node.answers.store(*answer))
                node.clock.advance(0)
            self.assertEqual((other.body, node.asked), (b"new" if spoiled else b"old", []))

    def test_the_answer_with_another_status_than_200_is_given_as_what_was_stored_for_him(self) -> None:
        node = self.node(share=("/**",))
        first, other = node.get(), node.get()
        node.answer(b"nothing", 404)
        self.assertEqual([one.body for one in (first, other)], [b"nothing"] * 2)
        self.assertEqual(field(first, b"cache-status"), b"edge; fwd=uri-miss; stored")

    def test_early_hints_reach_who_began_and_the_answer_after_them(self) -> None:
        node = self.node(share=("/**",))
        first, other = node.get(), node.get()
        hints = [(b"Link", b"</a.css>; rel=preload")]
        node.asked[0].receiver.informational(103, hints)
        node.clock.advance(0)
        self.assertEqual((first.events, other.events), ([("interim", 103, hints)], []))
        node.answer()
        self.assertEqual((first.body, other.body), (b"hello", b"hello"))

    def test_who_goes_while_he_is_handed_off_leaves_the_lease_to_others(self) -> None:
        """He was to ask first; the next one does."""
        node = self.node()
        path = node.paths[0]
        path.come(Question(b"GET", b"/", [], b"x"), Heard())
        (ticket,) = path.handed
        del path.handed[ticket]
        waiter = path.requests.take(ticket)
        assert waiter is not None
        waiter.delivered()
        heard = node.get()
        node.answer(b"second")
        self.assertEqual(heard.body, b"second")

    def test_who_has_gone_before_he_is_to_ask_leaves_it_to_others_too(self) -> None:
        node = self.node()
        path = node.paths[0]
        told: list[Any] = []
        path.requests.hear = told.append  # type: ignore[method-assign]
        visitor = path.come(Question(b"GET", b"/", [], b"x"), Heard())
        visitor.cancel()
        del path.requests.hear
        path.requests.hear(told[0])
        heard = node.get()
        node.answer(b"second")
        self.assertEqual(heard.body, b"second")

    def test_a_request_that_does_not_arrive_costs_the_others_nothing(self) -> None:
        """Its client has gone between the fast path and its protocol."""
        node = self.node(share=("/**",))
        path = node.paths[0]
        lost, other = node.get(), node.get()
        node.asked[0].receiver.informational(103, [])
        (ticket,) = path.handed
        del path.handed[ticket]
        waiter = path.requests.take(ticket)
        assert waiter is not None
        waiter.delivered()
        node.answer()
        self.assertEqual((lost.events, other.body), ([], b"hello"))
        self.assertTrue(waiter.over)

    def test_what_is_for_nobody_who_fills_goes_on_as_it_came(self) -> None:
        node = self.node()
        path = node.paths[0]
        cast("Any", path.requests)._gateway.place_at.return_value = None
        heard = node.get()
        self.assertFalse(node.asked[0].question.clean)
        node.answer(b"whole")
        self.assertEqual(heard.body, b"whole")

    def test_many_more_than_can_be_handed_off_at_once_all_go_on(self) -> None:
        node = self.node(share=("/**",))
        heard = [node.get() for _ in range(9)]
        node.answer(b"secret", control=b"private")
        while node.asked:
            node.answer(b"own", control=b"private")
        self.assertEqual([one.body for one in heard], [b"secret", *[b"own"] * 8])

    def test_who_waits_for_room_among_the_handoffs_is_not_asked_of_again_and_again(self) -> None:
        node = self.node(share=("/**",))
        path, count = node.paths[0], 60
        heard = [node.get() for _ in range(count)]
        with mock.patch.object(path, "let_go", wraps=path.let_go) as let_go:
            node.answer(b"secret", control=b"private")
            while node.asked:
                node.answer(b"own", control=b"private")
        self.assertEqual([one.body for one in heard], [b"secret", *[b"own"] * (count - 1)])
        self.assertLess(let_go.call_count, 2 * count)


class HeldHistory(test_cache_histories.History):
    """A history in which each GET is held first."""

    node_class = HeldNode


class HeldHistoryTests(test_cache_histories.HistoryTests):
    """Whatever happens."""

    history = HeldHistory

"""Answers of writers: held until what they say to have changed is settled."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.group_changes import Change
from edge.cache.keys import LONGEST_TARGET, KeyMaker
from edge.gossip.group_messages import Changed, decode_group_message, encode_group_message
from edge.node.applications.origin import Failure, Fields
from edge.node.applications.settling import UNHEARD_BYTES, SettlingOrigin
from edge.node.process.answers import pack_change, unpack_change
from tests.node.applications.parts import Asked, Heard, Scripted, question

X = (b"Cache-Group-Invalidation", b'"x"')


class Case(SynchronousTestCase):
    """One layer before a scripted application."""

    def setUp(self) -> None:
        self.changes: list[Change] = []
        self.settled: list[Deferred[int]] = []
        self.inner = Scripted("shop")
        self.origin = SettlingOrigin(self.inner, "shop", self.changed, lambda target: target, Clock())
        self.heard = Heard()

    def changed(self, change: Change) -> Deferred[int]:
        self.changes.append(change)
        self.settled.append(Deferred())
        return self.settled[-1]

    def ask(self, method: bytes = b"POST", target: bytes = b"/cart", **more: Any) -> tuple[Any, Asked]:
        exchange = self.origin.ask(question(method, target, **more), self.heard)
        return exchange, self.inner.asked[-1]


class SettlingTests(Case):
    """One writer."""

    def test_head_and_body_are_held_until_it_is_settled_and_the_application_is_paused(self) -> None:
        _, asked = self.ask()
        asked.answer(200, b"done", [X])
        self.assertEqual(self.changes, [Change("shop", frozenset({"x"}), (b"/cart",))])
        self.assertEqual((self.heard.events, asked.paused), ([], True))
        self.settled[0].callback(0)
        self.assertEqual(self.heard.events, [("started", 200, [X], 4), b"done", ("ended", [])])
        self.assertFalse(asked.paused)

    def test_who_did_not_settle_in_time_holds_nobody_up(self) -> None:
        _, asked = self.ask()
        asked.answer(200, b"", [X])
        self.settled[0].callback(3)
        self.assertEqual(self.heard.events[-1], ("ended", []))

    def test_readers_are_not_held_and_change_nothing(self) -> None:
        for method in (b"GET", b"HEAD", b"OPTIONS"):
            self.heard.events.clear()
            _, asked = self.ask(method)
            asked.answer(200, b"", [X])
            self.assertEqual(self.heard.events[-1], ("ended", []))
        self.assertEqual(self.changes, [])

    def test_a_failure_changes_nothing_unless_it_names_groups(self) -> None:
        _, asked = self.ask()
        asked.answer(404, b"")
        self.assertEqual((self.changes, self.heard.events[-1]), ([], ("ended", [])))
        _, asked = self.ask()
        asked.answer(500, b"", [X])
        self.assertEqual(self.changes, [Change("shop", frozenset({"x"}))])

    def test_what_location_names_on_the_same_host_has_changed_too(self) -> None:
        for value, also in (
            (b"/order/4?x=1#top", b"/order/4?x=1"),
            (b"http://EXAMPLE.org/order/5", b"/order/5"),
            (b"http://example.org", b"/"),
            (b"order", b"/order"),
            (b"http://attacker.example/", None),
            (b"https://example.org/other-scheme", None),
            (b"http://[broken", None),
            (b"//example.org@attacker.example/", None),
        ):
            self.changes.clear()
            _, asked = self.ask()
            asked.answer(303, b"", [(b"Location", value)])
            names = tuple(sorted({b"/cart", also or b"/cart"}))
            self.assertEqual(self.changes, [Change("shop", frozenset(), names)], value)

    def test_trailers_may_name_groups(self) -> None:
        _, asked = self.ask()
        asked.receiver.started(201, [], None)
        self.settled[0].callback(0)  # of the target
        asked.receiver.data(b"a")
        asked.receiver.ended([(b"cache-group-invalidation", b'"y"')])
        self.assertEqual(self.changes[1], Change("shop", frozenset({"y"})))
        self.assertEqual(self.heard.events[-1], b"a")
        self.settled[1].callback(0)
        self.assertEqual(self.heard.events[-1][0], "ended")

    def test_trailers_wait_for_the_head(self) -> None:
        _, asked = self.ask()
        asked.receiver.started(200, [X], None)
        asked.receiver.ended([(b"Cache-Group-Invalidation", b'"y"')])
        self.assertEqual(len(self.changes), 1)
        self.settled[0].callback(0)
        self.assertEqual(self.changes[1].groups, {"y"})
        self.assertEqual(len(self.heard.events), 1)
        self.settled[1].callback(0)
        self.assertEqual(len(self.heard.events), 2)

    def test_whatever_a_writer_names_is_told_as_changes_of_that_and_of_nothing_else(self) -> None:
        """A stranger who could make everything doubtful by one request could have all asked for anew."""
        told = [b"v%d" % number for number in range(63)]
        maker = KeyMaker(vary=[(b"accept-language", told)])
        self.origin.address_of = lambda target: maker.address(target, None)
        for length in (100, LONGEST_TARGET, LONGEST_TARGET + 1, 8000):
            self.changes.clear()
            self.settled.clear()
            targets = [b"/".ljust(length, letter) for letter in (b"a", b"b", b"c")]
            _, asked = self.ask(target=targets[0])
            fields: Fields = [(b"Location", targets[1]), (b"Content-Location", targets[2]), X]
            asked.answer(201, b"", fields)
            stored = tuple(targets) if length <= LONGEST_TARGET else ()
            (change,) = self.changes
            self.assertEqual(change, Change("shop", frozenset({"x"}), stored))
            self.assertEqual(unpack_change(pack_change(change)), change)
            message = encode_group_message(Changed(1, 1, "shop", (), change.addresses))
            self.assertLess(len(message), sum(map(len, stored)) + 50, "an address is told once")
            decode_group_message(message)
            self.assertEqual(self.heard.events, [])
            self.settled[0].callback(0)
            self.assertEqual(self.heard.events.pop(), ("ended", []))
            self.heard.events.clear()

    def test_what_cannot_be_read_makes_everything_doubtful(self) -> None:
        for value in (b"x", b'"x', b'"' + b"x" * 200 + b'"', b'"x"' + b" " * 5000):
            self.changes.clear()
            _, asked = self.ask()
            asked.answer(404, b"", [(b"Cache-Group-Invalidation", value)])
            self.assertEqual(self.changes, [Change("shop", None)])

    def test_a_supervisor_that_is_gone_holds_nobody_up(self) -> None:
        _, asked = self.ask()
        asked.answer(200, b"", [X])
        self.settled[0].errback(ConnectionError("gone"))
        self.assertEqual(self.heard.events[-1], ("ended", []))

    def test_a_failure_after_the_head_comes_in_its_turn(self) -> None:
        _, asked = self.ask()
        asked.receiver.started(200, [X], 10)
        asked.fail(Failure.CLOSED_EARLY)
        self.assertEqual(self.heard.events, [])
        self.settled[0].callback(0)
        self.assertEqual(self.heard.failure, Failure.CLOSED_EARLY)

    def test_a_visitor_that_takes_nothing_is_not_given_more_when_it_is_settled(self) -> None:
        exchange, asked = self.ask()
        asked.receiver.started(200, [X], 10)
        exchange.pause()
        exchange.resume()
        self.assertTrue(asked.paused, "it is being settled")
        exchange.pause()
        self.settled[0].callback(0)
        self.assertTrue(asked.paused)
        exchange.resume()
        self.assertFalse(asked.paused)


class GoneTests(Case):
    """Visitors who go away."""

    def test_what_was_asked_is_listened_to_until_the_change_is_told(self) -> None:
        exchange, asked = self.ask()
        exchange.cancel()
        self.assertFalse(asked.cancelled)
        asked.answer(200, b"done", [X])
        self.assertEqual(self.changes, [Change("shop", frozenset({"x"}), (b"/cart",))])
        self.settled[0].callback(0)
        self.assertEqual(self.heard.events, [])

    def test_while_it_is_settled_nothing_is_heard_either(self) -> None:
        exchange, asked = self.ask()
        asked.answer(200, b"done", [X])
        exchange.cancel()
        self.settled[0].callback(0)
        self.assertEqual(self.heard.events, [])

    def test_what_trailers_say_is_told_whenever_the_visitor_goes(self) -> None:
        def head(asked: Asked) -> None:
            asked.receiver.started(200, [], None)

        def rest(asked: Asked) -> None:
            asked.receiver.data(b"done")
            asked.receiver.ended([(b"Cache-Group-Invalidation", b'"y"')])

        def settle(asked: Asked) -> None:
            self.settled[0].callback(0)

        for order in ((head, rest, settle), (head, settle, rest)):
            for going in range(4):
                self.changes.clear()
                self.settled.clear()
                self.heard.events.clear()
                exchange, asked = self.ask()
                for number, step in enumerate(order):
                    if number == going:
                        exchange.cancel()
                    step(asked)
                self.assertEqual(self.changes[1:], [Change("shop", frozenset({"y"}))], (order, going))
                self.settled[1].callback(0)
                self.assertEqual(bool(self.heard.events) and self.heard.events[-1][0] == "ended", going == 3)

    def test_half_a_question_is_cancelled(self) -> None:
        exchange, asked = self.ask(body_length=10)
        exchange.send(b"half")
        exchange.cancel()
        self.assertTrue(asked.cancelled)
        exchange, asked = self.ask(body_length=4)
        exchange.send(b"full")
        exchange.finish()
        exchange.cancel()
        self.assertEqual((asked.body, asked.finished, asked.cancelled), (b"full", True, False))

    def test_an_endless_answer_to_nobody_is_not_read_for_ever(self) -> None:
        exchange, asked = self.ask()
        fields: Fields = []
        asked.receiver.started(404, fields, None)
        exchange.cancel()
        for _ in range(UNHEARD_BYTES // 65536):
            asked.receiver.data(bytes(65536))
        self.assertFalse(asked.cancelled)
        asked.receiver.data(b"x")
        self.assertTrue(asked.cancelled)

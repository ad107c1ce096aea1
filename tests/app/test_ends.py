"""The two ends of edge-app/1: what each says and takes, and what breaks a connection."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.app.answering import ApplicationEnd
from edge.app.asking import NodeEnd
from edge.app.ends import Sendable, Wrong
from edge.app.messages import (
    FROM_APPLICATION,
    FROM_NODE,
    MAX_FRAME,
    MAX_INTERIM,
    WINDOW,
    Answer,
    Ask,
    Cancel,
    Changed,
    Close,
    Credit,
    Data,
    Drain,
    Malformed,
    Message,
    Open,
    Opened,
    Ready,
    Settled,
    decode,
    encode,
)


class Base(SynchronousTestCase):
    """A node's end and an application's, and what goes between them."""

    def setUp(self) -> None:
        self.node, self.application = NodeEnd(), ApplicationEnd(4)
        self.assertEqual(self.node.receive(self.application.output()), [Ready(1, 4)])

    def there(self) -> list[object]:
        """What the application hears."""
        heard = self.application.receive(self.node.output())
        self.assertIsNone(self.application.broken)
        return list(heard)

    def back(self) -> list[object]:
        """What the node hears."""
        heard = self.node.receive(self.application.output())
        self.assertIsNone(self.node.broken)
        return list(heard)

    def ask(self, method: bytes = b"GET", length: int | None = 0) -> int:
        number = self.node.ask(method, b"/x?y", [(b"accept", b"*/*")], b"example.org", length=length)
        (asked,) = self.there()
        assert isinstance(asked, Ask)
        self.assertEqual(asked.number, number)
        return number


class ExchangeTests(Base):
    """Requests."""

    def test_a_question_and_its_whole_answer_are_a_frame_each(self) -> None:
        number = self.node.ask(
            b"GET", b"/x", [(b"a", b"b")], b"h", secure=True, peer="::1", at=b"/s", deadline=5, fill=7
        )
        asked = Ask(number, b"GET", b"/x", [(b"a", b"b")], b"h", True, b"::1", b"/s", b"", False, 0, 5, 7)
        self.assertEqual(self.there(), [asked])
        self.assertTrue(self.application.answer(number, 200, [(b"c", b"d")], 4, b"body"))
        self.assertEqual(self.back(), [Answer(number, 200, [(b"c", b"d")], 4, b"body", False)])
        self.assertEqual((self.node.running, self.application.running), (0, 0))

    def test_several_are_answered_in_any_order(self) -> None:
        first, second = self.ask(), self.ask()
        self.application.answer(second, 200, [], None, b"2")
        self.application.answer(first, 200, [], None, b"1")
        self.assertEqual([(one.number, one.body) for one in self.back()], [(second, b"2"), (first, b"1")])  # type: ignore[attr-defined]

    def test_an_answer_in_pieces_ends_with_trailers(self) -> None:
        number = self.ask()
        self.application.informational(number, 103, [(b"link", b"x")])
        self.application.answer(number, 200, [], None, b"a", more=True)
        self.application.send(number, b"", True)  # nothing is no piece
        self.application.send(number, b"b", True)
        self.application.send(number, b"", False, [(b"cache-groups", b'"g"')])
        self.assertEqual(
            self.back(),
            [
                Answer(number, 103, [(b"link", b"x")], None, b"", True),
                Answer(number, 200, [], None, b"a", True),
                Data(number, b"b", True, []),
                Data(number, b"", False, [(b"cache-groups", b'"g"')]),
            ],
        )
        self.assertEqual((self.node.running, self.application.running), (0, 0))

    def test_a_question_in_pieces(self) -> None:
        number = self.ask(b"POST", 3)
        self.node.send(number, b"ab", True)
        self.node.send(number, b"c", False)
        self.assertEqual(self.there(), [Data(number, b"ab", True, []), Data(number, b"c", False, [])])

    def test_an_answer_before_the_question_is_whole_ends_both(self) -> None:
        number = self.ask(b"POST", None)
        self.application.answer(number, 413, [], 0)
        self.node.send(number, b"on its way", True)
        self.assertEqual(len(self.back()), 1)
        self.node.send(number, b"too late", False)
        self.assertEqual(self.there(), [])
        self.assertEqual((self.node.running, self.application.running), (0, 0))

    def test_either_side_cancels_and_what_was_on_its_way_is_dropped(self) -> None:
        for end in (self.node, self.application):
            number = self.ask(b"POST", None)
            self.application.answer(number, 200, [], None, b"x", more=True)
            end.cancel(number, "enough")
            self.node.send(number, b"y", False)
            self.application.send(number, b"z", True)
            there, back = self.there(), self.back()
            self.assertIn(Cancel(number, b"enough"), there if end is self.node else back)
            self.assertEqual((self.node.running, self.application.running), (0, 0))
        self.assertFalse(self.application.answer(number, 200, [], 0))

    def test_a_body_of_another_length_than_its_head_said_is_no_answer(self) -> None:
        for body, more, said in ((b"abcd", False, "more"), (b"ab", False, "fewer"), (b"abcd", True, "more")):
            number = self.ask()
            self.application.answer(number, 200, [], 3, body, more)
            (wrong,) = self.back()
            assert isinstance(wrong, Wrong)
            self.assertIn(f"has {said} bytes", wrong.sentence)
            self.there()
            self.assertEqual((self.node.running, self.application.running), (0, 0))

    def test_a_question_of_another_length_likewise(self) -> None:
        number = self.ask(b"POST", 3)
        self.node.send(number, b"ab", False)
        (wrong,) = self.there()
        assert isinstance(wrong, Wrong)
        (cancelled,) = self.back()
        assert isinstance(cancelled, Cancel)
        self.assertIn(b"fewer bytes (2) than its head said (3)", cancelled.reason)

    def test_answers_without_a_body_say_any_length(self) -> None:
        for method, status in ((b"HEAD", 200), (b"GET", 304), (b"GET", 204)):
            number = self.ask(method)
            self.application.answer(number, status, [], 10_000)
            self.assertEqual(self.back(), [Answer(number, status, [], 10_000, b"", False)])
            number = self.ask(method)
            self.application.answer(number, status, [], None, b"body")
            (wrong,) = self.back()
            self.assertIsInstance(wrong, Wrong)
            self.there()

    def test_heads_that_would_break_the_connection_are_refused_here(self) -> None:
        number = self.ask()
        for status, fields in (
            (99, []),
            (600, []),
            (101, []),
            (200, [(b"a", b"b")] * 257),
            (200, [(b"a", b"b" * 65_536)]),
        ):
            self.assertRaises(Malformed, self.application.answer, number, status, fields, None)
        self.assertTrue(self.application.answer(number, 200, [], None))
        self.back()
        number = self.ask()
        for _ in range(MAX_INTERIM * 2):
            self.application.informational(number, 103, [])
        self.application.answer(number, 200, [], None)
        self.assertEqual(len(self.back()), MAX_INTERIM + 1)


class FlowTests(Base):
    """Flow control."""

    def test_a_window_is_on_its_way_and_the_rest_waits_for_credit(self) -> None:
        number = self.ask()
        body = bytes(range(256)) * 1024
        self.application.answer(number, 200, [], len(body), body)
        self.assertEqual(self.application.waiting(number), len(body) - WINDOW)
        taken = b""
        for _ in range(100):
            for heard in self.back():
                assert isinstance(heard, Answer | Data)
                taken += heard.body
                self.node.taken(number, len(heard.body))
            self.there()
        self.assertEqual(taken, body)
        self.assertEqual((self.node.running, self.application.running), (0, 0))

    def test_who_waits_is_told_when_nothing_waits_any_more(self) -> None:
        number = self.ask(b"POST", None)
        self.node.send(number, b"x" * WINDOW, True)
        self.assertEqual(self.node.waiting(number), 0)
        self.node.send(number, b"y", True)
        self.assertEqual(self.node.waiting(number), 1)
        self.there()
        self.application.taken(number, WINDOW // 2 - 1)
        self.assertEqual(self.back(), [])
        self.application.taken(number, 1)
        self.assertEqual(self.back(), [Credit(number, WINDOW // 2), Sendable(number)][1:])
        self.assertEqual(self.there(), [Data(number, b"y", True, [])])

    def test_one_exchange_that_stands_still_keeps_no_other_from_going_on(self) -> None:
        slow, quick = self.ask(), self.ask()
        self.application.answer(slow, 200, [], None, b"x" * (3 * WINDOW))
        self.application.answer(quick, 200, [], None, b"y")
        self.assertEqual(self.back()[1:], [Answer(quick, 200, [], None, b"y", False)])

    def test_more_than_there_was_credit_for_breaks_the_connection(self) -> None:
        number = self.ask()
        self.node.receive(encode(Answer(number, 200, [], None, b"x" * WINDOW, True)))
        self.assertEqual(self.node.receive(encode(Data(number, b"x", True, []))), [])
        self.assertEqual(self.node.broken, "more bytes than there was credit for")

    def test_more_credit_than_was_used_breaks_it_too(self) -> None:
        number = self.ask()
        self.application.receive(encode(Credit(number, 1)))
        self.assertIn("more credit than was used", self.application.broken or "")


class SocketTests(Base):
    """WebSockets."""

    def open(self) -> int:
        number = self.node.open(b"/ws", [(b"a", b"b")], b"h", at=b"/s", protocols=[b"chat"])
        self.assertEqual(
            self.there(), [Open(number, b"/ws", [(b"a", b"b")], b"h", False, b"", b"/s", [b"chat"])]
        )
        return number

    def test_it_is_opened_and_closed_by_either_side(self) -> None:
        for ends in ((self.node, self.there), (self.application, self.back)):
            number = self.open()
            self.assertFalse(self.node.message(number, b"x", True))
            self.application.opened(number, [], b"chat")
            self.assertEqual(self.back(), [Opened(number, [], b"chat")])
            self.assertTrue(self.node.message(number, b"text", True))
            self.assertTrue(self.application.message(number, b"\0", False))
            self.assertEqual(self.there(), [Message(number, b"text", True, False)])
            self.assertEqual(self.back(), [Message(number, b"\0", False, False)])
            end, hear = ends
            end.close(number, 1000, "bye")
            self.assertEqual(hear(), [Close(number, 1000, b"bye")])
            self.assertEqual((self.node.running, self.application.running), (0, 0))

    def test_it_is_refused_by_an_answer(self) -> None:
        number = self.open()
        self.application.answer(number, 403, [], None, b"n", more=True)
        self.application.send(number, b"o", False)
        self.assertEqual(
            self.back(), [Answer(number, 403, [], None, b"n", True), Data(number, b"o", False, [])]
        )
        self.assertEqual((self.node.running, self.application.running), (0, 0))

    def test_a_long_message_goes_in_pieces_and_the_close_comes_behind_it(self) -> None:
        number = self.open()
        self.application.opened(number, [], b"")
        self.back()
        self.application.message(number, b"x" * (WINDOW + 1), False)
        self.application.close(number, 1000, "")
        self.assertFalse(self.application.message(number, b"late", False))
        self.assertEqual(self.back(), [Message(number, b"x" * WINDOW, False, True)])
        self.node.taken(number, WINDOW)
        self.there()
        self.assertEqual(self.back(), [Message(number, b"x", False, False), Close(number, 1000, b"")])


class ChangeTests(Base):
    """Changes, draining."""

    def test_a_change_is_settled_by_its_number(self) -> None:
        first, all_of_it = self.application.changed([b"glyph:41"]), self.application.changed(None)
        self.assertEqual(self.back(), [Changed(first, [b"glyph:41"]), Changed(all_of_it, None)])
        self.node.settled(all_of_it, 2)
        self.node.settled(all_of_it, 2)
        self.assertEqual(self.there(), [Settled(all_of_it, 2)])

    def test_of_many_changes_the_later_ones_wait(self) -> None:
        numbers = [self.application.changed([b"%d" % n]) for n in range(100)]
        heard = self.back()
        self.assertEqual(len(heard), 64)
        for _ in numbers:
            for change in heard:
                self.node.settled(change.number, 0)  # type: ignore[attr-defined]
            self.there()
            heard = self.back()
        self.assertEqual(heard, [])

    def test_draining(self) -> None:
        self.application.drain()
        self.assertEqual(self.back(), [Drain()])
        self.assertTrue(self.node.draining)


class BrokenTests(Base):
    """What breaks the connection, a sentence each."""

    def node_breaks(self, *said: bytes) -> str:
        node = NodeEnd()
        node.receive(encode(Ready(1, 4)))
        node.ask(b"GET", b"/", [], b"h")
        node.open(b"/", [], b"h")
        node.receive(b"".join(said))
        self.assertEqual(node.receive(encode(Drain())), [])
        return node.broken or ""

    def test_what_an_application_may_not_say(self) -> None:
        answer = Answer(1, 200, [], None, b"", True)
        for said, sentence in (
            ([b"\0\0\0\0"], f"a frame of 0 bytes; 1 to {MAX_FRAME} are possible"),
            ([b"\xff\xff\xff\xff"], "a frame of 4294967295 bytes"),
            ([b"\0\0\0\1\xc1"], "what came is no message"),
            ([b"\0\0\0\1\x90"], "does not begin with a type"),
            ([b"\0\0\0\2\x91\x01"], "a message of type 1 came from the wrong side"),
            ([b"\0\0\0\3\x92\x02\x01"], "answer has 1 elements of 6"),
            ([encode(Ready(1, 1))], "ready came twice"),
            ([encode(Answer(1, 600, [], None, b"", False))], "answer: status is not what it should be"),
            ([encode(Answer(1, 101, [], None, b"", False))], "answer: status"),
            ([encode(Answer(0, 200, [], None, b"", False))], "answer: number"),
            ([encode(Answer(9, 200, [], None, b"", False))], "there was no exchange 9"),
            ([encode(answer), encode(answer)], "exchange 1 was answered twice"),
            ([encode(Answer(1, 103, [], None, b"x", True))], "a head before the answer has a body"),
            ([encode(Answer(1, 103, [], None, b"", True))] * 17, "one of more than 16"),
            ([encode(Answer(1, 200, [(b"a", b"b" * 70_000)], None, b"", True))], "answer: fields"),
            ([encode(Answer(1, 200, [], None, b"x" * (WINDOW + 1), True))], "answer: body"),
            ([encode(Data(1, b"x", True, []))], "data in exchange 1 came before its answer"),
            ([encode(answer), encode(Data(1, b"", True, []))], "a piece of nothing"),
            ([encode(Opened(1, [], b""))], "opened in exchange 1, which is no WebSocket"),
            ([encode(Message(2, b"x", True, False))], "a message in exchange 2, which is no open WebSocket"),
            ([encode(Close(1, 1000, b""))], "a close in exchange 1, which is no WebSocket"),
            ([encode(Changed(1, [b""]))], "changed: groups is not what it should be"),
            ([encode(Changed(1, [b"x"] * 65))], "changed: groups"),
            ([encode(Changed(1, [b"a"]))] * 2, "change 1 is not settled yet"),
            ([encode(Changed(n, [b"a"])) for n in range(1, 66)], "more than 64 are not"),
            ([encode(Credit(1, 1))], "more credit than was used"),
        ):
            self.assertIn(sentence, self.node_breaks(*said))

    def test_before_ready_nothing_else_comes_and_versions_are_compared(self) -> None:
        node = NodeEnd()
        node.receive(encode(Drain()))
        self.assertEqual(node.broken, "drain came before ready")
        node = NodeEnd()
        node.receive(encode(Ready(2, 1)))
        self.assertEqual(node.broken, "it speaks edge-app/2, this node edge-app/1")

    def test_what_a_node_may_not_say(self) -> None:
        ask = Ask(5, b"GET", b"/", [], b"", False, b"", b"", b"", False, 0, None, None)
        for said, sentence in (
            ([encode(ask), encode(ask)], "exchange 5 does not come after 5"),
            ([encode(ask._replace(number=n)) for n in range(1, 6)], "more than 4 exchanges at once"),
            ([encode(ask._replace(target=b""))], "ask: target is not what it should be"),
            ([encode(Settled(1, 0))], "change 1 was settled, which is not on its way"),
            ([encode(ask), encode(Data(5, b"x", True, []))], "data in exchange 5, where no body comes"),
            ([encode(ask._replace(more=True)), encode(Data(5, b"", True, []))], "a piece of nothing"),
        ):
            application = ApplicationEnd(4)
            application.receive(b"".join(said))
            self.assertIn(sentence, application.broken or "")

    def test_later_versions_may_add_types_and_elements(self) -> None:
        self.assertIsNone(decode(b"\x91\x7f", FROM_APPLICATION))
        self.assertEqual(decode(b"\x94\x08\x01\x04\xc0", FROM_APPLICATION), Ready(1, 4))
        self.assertEqual(decode(b"\x94\x04\x01\x04\x91\xc4\x01x", FROM_NODE), Credit(1, 4))

    def test_frames_may_come_in_any_pieces(self) -> None:
        said = encode(Changed(1, [b"a"])) + encode(Drain()) + encode(Changed(2, [b"b"]))
        for size in range(1, len(said) + 1):
            node = NodeEnd()
            node.receive(encode(Ready(1, 4)))
            heard = [one for at in range(0, len(said), size) for one in node.receive(said[at : at + size])]
            self.assertEqual(heard, [Changed(1, [b"a"]), Drain(), Changed(2, [b"b"])])

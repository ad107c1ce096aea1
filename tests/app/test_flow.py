"""Flow control and cancellation: two ends, any order of what happens, any pieces of bytes between them."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from edge.app.answering import ApplicationEnd
from edge.app.asking import NodeEnd
from edge.app.ends import End, Wrong
from edge.app.messages import WINDOW, Answer, Ask, Cancel, Close, Data, Message, Open, Opened, Ready, encode

SIZES = st.one_of(
    st.integers(1, 40), st.integers(1, 3 * WINDOW), st.sampled_from([WINDOW - 1, WINDOW, WINDOW + 1])
)


class Direction:
    """What goes one way in an exchange: what was sent, and what came and was taken of it."""

    def __init__(self) -> None:
        self.sent = b""
        self.came = b""
        self.taken = 0
        self.whole = False
        self.ended = False


class Wire:
    """Bytes on their way."""

    def __init__(self, source: End, sink: End) -> None:
        self.source, self.sink, self.bytes = source, sink, b""

    def move(self, most: int) -> list[object]:
        self.bytes += self.source.output()
        piece, self.bytes = self.bytes[:most], self.bytes[most:]
        return list(self.sink.receive(piece)) if piece else []


class TwoEnds(RuleBasedStateMachine):
    """Requests and WebSockets between two ends."""

    def __init__(self) -> None:
        super().__init__()
        self.node, self.application = NodeEnd(), ApplicationEnd(1000)
        self.there, self.back = Wire(self.node, self.application), Wire(self.application, self.node)
        self.random = random.Random(0)
        self.questions: dict[int, Direction] = {}
        self.answers: dict[int, Direction] = {}
        self.sockets: set[int] = set()
        #: Heard by the application; heard by the node.
        self.asked: set[int] = set()
        self.answered: set[int] = set()
        self.open: set[int] = set()
        self.cancelled: set[int] = set()
        self.bring(self.back, 1 << 30)

    def some(self, numbers: object) -> int:
        return self.random.choice(sorted(numbers))  # type: ignore[call-overload, no-any-return]

    @rule(seed=st.integers(0, 1 << 32))
    def choose(self, seed: int) -> None:
        self.random.seed(seed)

    @rule(with_body=st.booleans())
    def ask(self, with_body: bool) -> None:
        number = self.node.ask(b"POST", b"/", [], b"h", length=None if with_body else 0)
        self.questions[number], self.answers[number] = Direction(), Direction()
        self.questions[number].whole = not with_body

    @rule()
    def open_socket(self) -> None:
        number = self.node.open(b"/", [], b"h")
        self.questions[number], self.answers[number] = Direction(), Direction()
        self.sockets.add(number)

    @precondition(lambda self: self.questions)
    @rule(size=SIZES, more=st.booleans())
    def send_question(self, size: int, more: bool) -> None:
        number = self.some(self.questions)
        way = self.questions[number]
        body = self.random.randbytes(size)
        if number in self.sockets:
            if self.node.message(number, body, False):
                way.sent += body
        elif not way.whole:
            self.node.send(number, body, more)
            way.sent += body
            way.whole = not more

    @precondition(lambda self: self.asked)
    @rule(size=SIZES, more=st.booleans())
    def send_answer(self, size: int, more: bool) -> None:
        number = self.some(self.asked)
        way = self.answers[number]
        body = self.random.randbytes(size)
        if number in self.sockets and number not in self.answered:
            if self.application.opened(number, [], b""):
                self.answered.add(number)
        elif number in self.sockets:
            if self.application.message(number, body, False):
                way.sent += body
        elif number not in self.answered:
            if self.application.answer(number, 200, [], None, body, more):
                self.answered.add(number)
                way.sent, way.whole = body, not more
        elif not way.whole and self.application.send(number, body, more):
            way.sent, way.whole = way.sent + body, not more

    @precondition(lambda self: self.questions)
    @rule(by_node=st.booleans())
    def cancel(self, by_node: bool) -> None:
        number = self.some(self.questions if by_node else self.asked or self.questions)
        (self.node if by_node else self.application).cancel(number, "enough")
        self.cancelled.add(number)

    @precondition(lambda self: self.sockets)
    @rule(by_node=st.booleans())
    def close(self, by_node: bool) -> None:
        number = self.some(self.sockets)
        (self.node if by_node else self.application).close(number, 1000, "")
        self.cancelled.add(number)

    @rule(most=st.one_of(st.integers(1, 2000), st.integers(1, 1 << 20)))
    def deliver_there(self, most: int) -> None:
        self.bring(self.there, most)

    @rule(most=st.one_of(st.integers(1, 2000), st.integers(1, 1 << 20)))
    def deliver_back(self, most: int) -> None:
        self.bring(self.back, most)

    @precondition(lambda self: self.questions)
    @rule(question=st.booleans())
    def take(self, question: bool) -> None:
        number = self.some(self.questions)
        self.take_all(number, question)

    def take_all(self, number: int, question: bool) -> None:
        way = (self.questions if question else self.answers)[number]
        (self.application if question else self.node).taken(number, len(way.came) - way.taken)
        way.taken = len(way.came)

    def bring(self, wire: Wire, most: int) -> None:
        ways = self.questions if wire is self.there else self.answers
        for event in wire.move(most):
            assert not isinstance(event, Wrong), event
            if isinstance(event, Ask | Open):
                self.asked.add(event.number)
            if isinstance(event, Answer | Data | Message):
                way = ways[event.number]
                assert not way.ended
                way.came += event.body
                way.ended = not isinstance(event, Message) and not event.more
            if isinstance(event, Opened):
                self.open.add(event.number)
            if isinstance(event, Cancel | Close):
                assert event.number in self.cancelled

    @invariant()
    def nobody_broke_a_rule(self) -> None:
        assert self.node.broken is None, self.node.broken
        assert self.application.broken is None, self.application.broken

    @invariant()
    def what_came_is_what_was_sent_and_no_more_than_a_window_of_it_is_untaken(self) -> None:
        for ways in (self.questions, self.answers):
            for way in ways.values():
                assert way.sent.startswith(way.came)
                assert len(way.came) - way.taken <= WINDOW

    def teardown(self) -> None:
        """When all is delivered and taken, everything has come, and nothing is kept."""
        for number, way in self.questions.items():
            if number in self.sockets:
                self.node.close(number, 1000, "")
                self.cancelled.add(number)
            elif not way.whole:
                self.node.send(number, b"", False)
        for _ in range(2):
            for number in self.asked:
                if number in self.sockets:
                    continue
                way = self.answers[number]
                if number not in self.answered:
                    self.application.answer(number, 200, [], None)
                elif not way.whole:
                    self.application.send(number, b"", False)
                way.whole = True
                self.answered.add(number)
            for _ in range(2 * len(self.questions) * 8 + 400):
                if not self.settle():
                    break
        self.nobody_broke_a_rule()
        assert (self.node.running, self.application.running) == (0, 0)
        for number, way in self.answers.items():
            if number not in self.cancelled and number in self.answered and number not in self.sockets:
                assert way.ended and way.came == way.sent

    def settle(self) -> bool:
        """Deliver and take everything; whether that did anything."""
        self.bring(self.there, 1 << 30)
        self.bring(self.back, 1 << 30)
        for number in self.questions:
            self.take_all(number, True)
            self.take_all(number, False)
        self.there.bytes += self.node.output()
        self.back.bytes += self.application.output()
        return bool(self.there.bytes or self.back.bytes)


class FlowTests(SynchronousTestCase):
    """Every order of what can happen."""

    def test_what_is_sent_comes_in_windows_and_every_exchange_ends(self) -> None:
        run_state_machine_as_test(
            TwoEnds, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
        )


MESSAGES = [
    Ready(1, 2),
    Ask(1, b"GET", b"/", [(b"a", b"b")], b"h", False, b"", b"", b"x", True, None, None, None),
    Answer(1, 200, [(b"a", b"b")], 3, b"x", True),
    Data(1, b"xx", False, []),
    Open(2, b"/", [], b"h", False, b"", b"", [b"p"]),
    Opened(2, [], b"p"),
    Message(2, b"m", True, False),
    Close(2, 1000, b""),
    Cancel(1, b"r"),
]


class HostileTests(SynchronousTestCase):
    """Bytes that nobody should send."""

    @given(st.lists(st.sampled_from(MESSAGES), max_size=12), st.data())
    @settings(deadline=None, max_examples=300)
    def test_damaged_messages_do_no_more_than_break_the_connection(
        self, messages: list[object], data: st.DataObject
    ) -> None:
        said = bytearray(b"".join(map(encode, messages)))  # type: ignore[arg-type]
        for _ in range(data.draw(st.integers(0, 3)) if said else 0):
            said[data.draw(st.integers(0, len(said) - 1))] = data.draw(st.integers(0, 255))
        for end in (NodeEnd(), ApplicationEnd(2)):
            if isinstance(end, NodeEnd):
                end.receive(encode(Ready(1, 2)))
                end.ask(b"GET", b"/", [], b"h")
                end.open(b"/", [], b"h")
            heard = end.receive(bytes(said))
            self.assertLessEqual(sum(len(getattr(one, "body", b"")) for one in heard), len(said))
            self.assertLessEqual(end.running, 2)

"""What a worker says of fills and what the supervisor tells it: both ends, and what is between them."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable
from typing import Any
from unittest import mock

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.group_changes import Change
from edge.node.process import control, fill_messages
from edge.node.process.answers import Kind, MalformedAnswer, Outcome, Verdict
from edge.node.process.fill_messages import Asked, Brought, Ended, Told
from edge.node.supervisor.worker_control import WorkerControl
from edge.node.worker import fill_control
from edge.node.worker.fill_control import FillsOverControl

#: What AMP has room for in one value.
LARGEST = 0xFFFF
#: Messages of fills, among commands.
SAID, TOLD = "of the worker", "of the supervisor"


class Answers:
    """The store: what it was told, in order; it answers when the test says so."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        #: Those who wait for a verdict.
        self.asked: list[Callable[[Verdict], None]] = []

    def ask(
        self, worker: int, application: str, name: bytes, share: bool, told: Callable[[Verdict], None]
    ) -> None:
        self.told.append(("ask", worker, application, name, share))
        self.asked.append(told)

    def store(self, token: int, application: str, packed: bytes) -> bool:
        self.told.append(("store", token, application, packed))
        return token % 2 == 0

    def end(self, token: int, outcome: Outcome, why: str) -> None:
        self.told.append(("end", token, outcome, why))


class Host:
    """What the control connection needs of the supervisor."""

    def __init__(self) -> None:
        self.answers = Answers()


class Ends:
    """Both ends; commands go from one to the other at once, and are counted."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.host = Host()
        self.commands: list[Any] = []
        self.supervisor = WorkerControl(self.host, 3, self.clock)  # type: ignore[arg-type]
        self.supervisor.transport = object()  # type: ignore[assignment]
        self.supervisor.say_of_fills = self._to_worker  # type: ignore[method-assign]
        self.fills = FillsOverControl(self._to_supervisor, self._say_to_supervisor, self.clock)

    def _say_to_supervisor(self, messages: Iterable[bytes]) -> None:
        self.commands.append(SAID)
        for said in messages:
            assert len(said) <= LARGEST, "AMP refuses it"
            self.supervisor.hear_of_fills(said)

    def _to_supervisor(self, command: Any, **values: Any) -> Deferred[Any]:
        self.commands.append(command)
        answered: Deferred[Any] = Deferred()
        if command is control.StoreLargeAnswer:
            answered.callback({"stored": True})
        return answered

    def _to_worker(self, messages: Iterable[bytes]) -> None:
        self.commands.append(TOLD)
        for said in messages:
            assert len(said) <= LARGEST, "AMP refuses it"
            self.fills.told(said)


class FillMessagesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.ends = Ends()
        self.answers = self.ends.host.answers
        #: What was heard, in order.
        self.heard: list[Any] = []

    def test_who_has_no_descriptor_left_for_a_large_answer_is_told_and_its_question_ends(self) -> None:
        """Nobody waits for what cannot come, and the log says why."""
        full = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        with mock.patch.object(fill_control.os, "memfd_create", side_effect=full), capturedLogs() as events:
            self.ends.fills.store(7, "shop", bytes(LARGEST), self.heard.append)
        self.ends.clock.advance(0)
        self.assertEqual((self.heard, self.answers.told), ([False], [("end", 7, Outcome.NOTHING, "")]))
        self.assertIn("Too many open files", events[0]["why"])

    def test_a_turn_is_one_message_each_way_in_the_order_in_which_it_was_said(self) -> None:
        self.ends.fills.ask("shop", b"/a", False, self.heard.append)
        self.ends.fills.store(4, "shop", b"packed", self.heard.append)
        self.ends.fills.store(5, "shop", b"late", self.heard.append)
        self.ends.fills.end(6, Outcome.PASS, "PRIVATE")
        self.assertEqual(self.answers.told, [])
        self.ends.clock.advance(0)
        self.assertEqual(
            self.answers.told,
            [
                ("ask", 3, "shop", b"/a", False),
                ("store", 4, "shop", b"packed"),
                ("store", 5, "shop", b"late"),
                ("end", 6, Outcome.PASS, "PRIVATE"),
            ],
        )
        self.ends.clock.advance(0)
        self.assertEqual(self.heard, [True, False])
        self.answers.asked[0](Verdict(Kind.FILL, 7))
        self.ends.clock.advance(0)
        self.assertEqual(self.heard, [True, False, (Kind.FILL, 7)])
        self.assertEqual(self.ends.commands, [SAID, TOLD, TOLD])

    @settings(max_examples=25)
    @given(st.lists(st.sampled_from((0, 9_000, 29_990, 59_900, 70_000)), max_size=8))
    def test_what_does_not_fit_one_message_goes_in_several_and_nothing_is_lost(
        self, sizes: list[int]
    ) -> None:
        ends = Ends()
        kept: list[bool] = []
        for n, size in enumerate(sizes):
            ends.fills.store(2 * n, "shop", b"x" * size, kept.append)
        for _ in range(3):
            ends.clock.advance(0)
        small = [n for n, size in enumerate(sizes) if size <= fill_messages.ROOM - fill_messages.AROUND]
        self.assertEqual([told[1] for told in ends.host.answers.told], [2 * n for n in small])
        self.assertEqual(kept, [True] * len(sizes))
        self.assertEqual(ends.commands.count(control.StoreLargeAnswer), len(sizes) - len(small))

    def test_the_fills_of_one_turn_wake_the_supervisor_once_however_many_messages_they_are(self) -> None:
        for n in range(20):
            self.ends.fills.store(n, "shop", bytes(10_000), self.heard.append)
        for _ in range(2):
            self.ends.clock.advance(0)
        self.assertEqual((len(self.heard), self.ends.commands), (20, [SAID, TOLD]))

    def test_many_verdicts_of_one_turn_fit_the_messages_that_there_are(self) -> None:
        for n in range(3000):
            self.ends.fills.ask("shop", b"/%d" % n, True, self.heard.append)
        self.ends.clock.advance(0)
        for n, told in enumerate(self.answers.asked):
            told(Verdict(Kind.FILL, 2**52 + n))
        self.ends.clock.advance(0)
        self.assertEqual([verdict.token - 2**52 for verdict in self.heard], list(range(3000)))

    def test_what_was_said_before_a_change_is_there_before_it(self) -> None:
        self.ends.fills.store(2, "shop", b"packed", self.heard.append)
        self.ends.fills.changed(Change("shop", frozenset({"g"}), ()))
        self.assertEqual(self.ends.commands[:2], [SAID, control.Changed])

    def test_when_the_supervisor_has_gone_everybody_who_waits_or_asks_later_hears_it(self) -> None:
        self.ends.fills.ask("shop", b"/a", True, self.heard.append)
        self.ends.fills.store(2, "shop", b"", self.heard.append)
        self.ends.fills.lost()
        self.assertEqual(self.heard, [None, False])
        self.ends.fills.ask("shop", b"/b", True, self.heard.append)
        self.ends.fills.store(3, "shop", b"", self.heard.append)
        self.assertEqual(self.heard, [None, False, None, False])
        self.ends.fills.end(1, Outcome.NOTHING)
        self.ends.clock.advance(0)
        self.assertEqual(self.ends.commands, [])

    def test_a_fault_of_one_who_hears_leaves_the_others_what_they_wait_for(self) -> None:
        def fails(heard: object) -> None:
            raise RuntimeError

        for is_lost in (False, True):
            for hears in (fails, self.heard.append):
                self.ends.fills.ask("shop", b"/a", True, hears)
                self.ends.fills.store(2, "shop", b"", hears)
            if is_lost:
                self.ends.fills.lost()
            else:
                self.ends.clock.advance(0)
                for told in self.answers.asked:
                    told(Verdict(Kind.LOOK))
                self.ends.clock.advance(0)
        self.assertEqual(self.heard, [True, (Kind.LOOK, 0), None, False])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 4)

    def test_a_verdict_that_comes_when_the_worker_has_gone_is_told_nobody(self) -> None:
        self.ends.fills.ask("shop", b"/a", True, self.heard.append)
        self.ends.clock.advance(0)
        self.answers.asked[0](Verdict(Kind.LOOK))
        self.supervisor_gone()
        self.answers.told.clear()
        self.ends.clock.advance(0)
        self.assertEqual(self.ends.commands, [SAID])

    def supervisor_gone(self) -> None:
        """The worker has ended: there is no transport any more."""
        self.ends.supervisor.transport = None

    def test_an_outcome_that_there_is_not_is_none(self) -> None:
        self.ends.supervisor.hear_of_fills(fill_messages.packed([Ended(1, 99, "x" * 1000)]))
        self.assertEqual(self.answers.told, [("end", 1, Outcome.NOTHING, "x" * 64)])

    @given(st.one_of(st.binary(max_size=64), st.recursive(
        st.none() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=4) | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=5),
    ).map(msgspec.msgpack.encode)))  # fmt: skip
    def test_what_is_none_of_these_is_refused_and_does_nothing(self, data: bytes) -> None:
        """A worker that was taken over may send what it likes."""
        try:
            said = fill_messages.said_by_worker(data)
        except MalformedAnswer:
            ends = Ends()
            ends.supervisor.hear_of_fills(data)
            self.assertEqual(ends.host.answers.told, [])
        else:
            self.assertTrue(all(isinstance(one, Asked | Brought | Ended) for one in said))

    def test_the_supervisor_says_nothing_that_a_worker_does(self) -> None:
        self.assertRaises(
            MalformedAnswer, fill_messages.said_by_worker, fill_messages.packed([Told(1, 2, 3)])
        )


class Socket(StringTransport):
    """A stream transport that takes *room* bytes at once, and the rest in the next turn."""

    connected = True

    def __init__(self, room: int) -> None:
        super().__init__()
        self.dataBuffer = b""
        self._tempDataBuffer: list[bytes] = []
        self._room = room

    def writeSomeData(self, data: bytes) -> int:
        """What is sent at once."""
        super().write(data[: self._room])
        return min(len(data), self._room)

    def write(self, data: bytes) -> None:
        """Wait for the next turn."""
        self._tempDataBuffer.append(data)

    def turn(self) -> None:
        """The next turn."""
        waiting, self._tempDataBuffer = b"".join(self._tempDataBuffer), []
        super().write(waiting)


class End(control.FillsConnection):
    """One end, which remembers what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []

    def hear_of_fills(self, said: bytes) -> None:
        self.heard.append(said)

    @control.Connected.responder
    def connected_to(self, token: int) -> dict[str, Any]:
        self.heard.append(token)
        return {}


class FillsConnectionTests(SynchronousTestCase):
    def test_what_is_said_of_fills_leaves_before_the_turn_is_over(self) -> None:
        """A write in the next turn costs two calls of epoll_ctl and a turn."""
        end, transport = End(), Socket(LARGEST * 2)
        end.makeConnection(transport)
        end.say_of_fills([b"said"])
        self.assertIn(b"said", transport.value())

    @settings(max_examples=50)
    @given(
        st.lists(
            st.one_of(st.integers(1, 9), st.sampled_from([b"", b"x", b"y" * 300, b"z" * LARGEST])), max_size=6
        ),
        st.sampled_from([1, 100, 3 * LARGEST]),
        st.sampled_from([7, 1000, 3 * LARGEST]),
    )
    def test_it_is_heard_in_order_among_commands_however_it_is_cut(
        self, said: list[int | bytes], room: int, piece: int
    ) -> None:
        one, other, transport = End(), End(), Socket(room)
        one.makeConnection(transport)
        other.makeConnection(StringTransport())
        for what in said:
            if isinstance(what, int):
                one.callRemote(control.Connected, token=what).addErrback(lambda _: None)
            else:
                one.say_of_fills([what])
        transport.turn()
        data = transport.value()
        for at in range(0, len(data), piece):
            other.dataReceived(data[at : at + piece])
        self.assertEqual(other.heard, said)

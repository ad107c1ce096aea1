"""The relay before servers that speak HTTP/1.1, over real sockets, and what Twisted makes of the same."""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from edge.cache.policy import HOP_BY_HOP
from edge.cache.status import BYPASS, status_field
from edge.fastpath.interface import Limits, Met, News, NewsKind
from edge.logs.record import unpack
from edge.node.applications.pool import OriginPool
from edge.node.applications.relayed import (
    MOST_APPLICATIONS,
    MOST_MEMBERS,
    RelayedApplication,
    RelayedServer,
    Relaying,
)
from edge.node.connection.framing import OutgoingAnswer, UnreadableError, interim_head
from edge.upstream.answer import AnswerError, AnswerReader, Head, Interim
from edge.upstream.reuse import IDLE_SECONDS
from tests.fastpath import site
from tests.fastpath.relay_case import ADDRESS, DIFFERENTIAL, RelayCase, come, get
from tests.fastpath.test_upstream import RIGHT, WRONG
from tests.node.applications.parts import Heard, Scripted, question
from tests.upstream.test_answer import REFUSED

OK = b"HTTP/1.1 200 OK\r\nDate: %b\r\n" % site.DATE
#: What a server is asked by :func:`get` with nothing else.
ASKED = (
    b"GET %b HTTP/1.1\r\nHost: example.org\r\nVia: 1.1 edge\r\n"
    b'Forwarded: for=127.0.0.1;host="example.org";proto=http\r\nX-Forwarded-For: 127.0.0.1\r\n'
    b"X-Forwarded-Host: example.org\r\nX-Forwarded-Proto: http\r\n\r\n"
) % ADDRESS


def answer(body: bytes, fields: bytes = b"") -> bytes:
    return OK + b"%bContent-Length: %d\r\n\r\n%b" % (fields, len(body), body)


class Connection:
    """The server's end of a carrier."""

    def __init__(self, case: HTTPCase, member: int, rests_for: float = IDLE_SECONDS) -> None:
        ours, theirs = socket.socketpair()
        case.addCleanup(ours.close)
        ours.setblocking(False)
        self.socket = ours
        self.heard = b""
        self.closed = False
        self.carrier = case.relay.carry(member, theirs.detach(), rests_for)

    def turn(self) -> None:
        while not self.closed and (data := come(self.socket)) is not None:
            self.heard += data
            self.closed = not data

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def leave(self) -> None:
        self.closed = True
        self.socket.close()


class HTTPCase(RelayCase):
    """An application that is one server, to which there is one connection."""

    def begin(self) -> None:
        self.member = self.relay.member(True, 4)
        self.connections: list[Connection] = []
        self.server = self.connect()

    def connect(self, member: int | None = None, rests_for: float = IDLE_SECONDS) -> Connection:
        connection = Connection(self, self.member if member is None else member, rests_for)
        self.connections.append(connection)
        return connection

    def serve(self) -> None:
        for connection in self.connections:
            connection.turn()

    def is_asked(self, times: int = 1, server: Connection | None = None) -> None:
        """So many questions have come on one connection."""
        one = server or self.server
        self.until(lambda: one.heard.count(b"\r\n\r\n") >= times)

    def is_handed_off(self, met: Met | None, number: int = 1) -> None:
        self.until(lambda: len(self.handoffs) >= number)
        self.assertEqual((self.handoffs[number - 1].data, self.handoffs[number - 1].met), (get(), met))


def passed(pieces: list[bytes], method: bytes = b"GET", closing: bool = False, closes: bool = False) -> bytes:
    """What the Twisted side sends to a client of an answer in *pieces*, after which the server *closes*."""
    reader, made, out = AnswerReader(method), OutgoingAnswer(method == b"HEAD", closing), b""
    for piece in [*pieces, *([None] if closes else [])]:
        for event in reader.close() if piece is None else reader.receive(piece):
            if isinstance(event, Interim):
                try:
                    out += interim_head(event.status, event.fields)
                except UnreadableError:
                    continue
            elif isinstance(event, Head):
                kept = [one for one in event.fields if one[0].lower() not in HOP_BY_HOP]
                fields = [*kept, status_field(*BYPASS)]
                out += made.passed_head(event.status, fields, event.length, site.DATE, True)
            else:
                out += made.body(event) if isinstance(event, bytes) else made.end([])
    return out


class PassingTests(HTTPCase):
    """Requests that are passed on, and their answers."""

    def test_answers_one_after_the_other_on_the_same_connections(self) -> None:
        client = self.client()
        for number in (1, 2, 3):
            client.send(get())
            self.is_asked(number)
            said = answer(b"answer %d" % number)
            self.server.say(said)
            self.received(client, passed([said]))
        self.assertEqual((self.server.heard, self.handoffs, self.news), (ASKED * 3, [], []))
        self.assertEqual((self.count("answers_passed"), self.count("twisted_2xx")), (3, 3))
        record = unpack(next(iter(self.ring.read, None)))
        self.assertEqual(
            (record.target, record.status, record.sent, record.cache), (ADDRESS, 200, 8, "bypass")
        )

    def test_what_rests_is_counted(self) -> None:
        self.assertEqual(self.count("relay_resting"), 1)
        client = self.client(get())
        self.is_asked()
        self.assertEqual(self.count("relay_resting"), 0)
        self.server.say(answer(b"1"))
        self.received(client, passed([answer(b"1")]))
        self.connect()
        self.assertEqual(self.count("relay_resting"), 2)
        self.relay.retire_all(self.member)
        self.turns()
        self.assertEqual(self.count("relay_resting"), 0)

    def test_an_answer_whose_end_comes_alone_leaves_its_connection_to_the_next_question(self) -> None:
        client = self.client()
        head = OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
        for number in (1, 2):
            client.send(get())
            self.is_asked(number)
            for piece in (head, b"0\r\nTrailer: x\r\n\r\n"):
                self.server.say(piece)
                self.turns(3)
            self.received(client, passed([head, b"0\r\n\r\n"]))

    def test_what_is_pipelined_is_answered_in_its_order(self) -> None:
        client = self.client(get() * 3)
        expected = b""
        for number in (1, 2, 3):
            self.is_asked(number)
            self.assertEqual(self.server.heard.count(b"\r\n\r\n"), number)
            said = answer(b"%d" % number)
            self.server.say(said)
            expected += passed([said])
        self.received(client, expected)

    def test_a_connection_carries_one_at_a_time_and_more_are_wanted_when_none_is_free(self) -> None:
        self.assertFalse(self.relay.wants(self.member))
        first = self.client(get())
        self.is_asked()
        self.client(get())
        self.is_handed_off(None)
        self.assertTrue(self.relay.wants(self.member))
        other = self.connect()
        self.assertFalse(self.relay.wants(self.member))
        second = self.client(get())
        self.is_asked(1, other)
        for client, server, body in ((second, other, b"two"), (first, self.server, b"one")):
            server.say(answer(body))
            self.received(client, passed([answer(body)]))

    def test_no_more_are_unanswered_than_a_member_and_the_queue_may_have(self) -> None:
        for _ in range(5):
            self.connect()
        for _ in range(5):
            self.client(get())
        self.is_handed_off(None)
        self.assertEqual(self.relay.unanswered(self.application), 4)
        self.server.turn()
        first = next(one for one in self.connections if one.heard)
        first.say(OK + b"\r\nbegun")
        self.until(lambda: self.relay.unanswered(self.application) == 3)
        self.relay.others(self.application, 5, 0)
        self.client(get())
        self.is_handed_off(None, 2)

    def test_two_servers_share_and_who_does_not_do_well_is_left_to_python(self) -> None:
        other = self.relay.member(True, 4)
        theirs = [self.connect(other), self.connect(other)]
        self.connect()
        clients = [self.client(get()) for _ in range(2)]
        self.until(lambda: sum(bool(one.heard) for one in self.connections) == 2)
        self.assertEqual(sum(bool(one.heard) for one in theirs), 1)
        for one in self.connections:
            if one.heard:
                one.say(answer(b""))
        for client in clients:
            self.received(client, passed([answer(b"")]))
        self.relay.use(self.member, False)
        before = sum(one.heard.count(b"\r\n\r\n") for one in theirs)
        for _ in range(2):
            self.client(get())
        self.until(lambda: sum(one.heard.count(b"\r\n\r\n") for one in theirs) == before + 2)
        self.relay.use(other, False)
        self.client(get())
        self.is_handed_off(None)

    def test_python_asks_now_and_then_while_a_server_has_nothing_or_does_not_do_well(self) -> None:
        """Else one that has failed, or has been started again, would not be asked while others can be."""
        other = self.relay.member(True, 4)
        server = self.connect()
        for is_well in (False, True):  # the second time it does well, and has no connection
            self.relay.use(other, is_well)
            handed_off = 0
            for _ in range(64):
                before, known = server.heard.count(b"\r\n\r\n"), len(self.handoffs)
                client = self.client(get())
                self.until(
                    lambda before=before, known=known: (
                        server.heard.count(b"\r\n\r\n") > before or len(self.handoffs) > known
                    )
                )
                if len(self.handoffs) > known:
                    handed_off += 1
                else:
                    server.say(answer(b""))
                    self.received(client, passed([answer(b"")]))
            self.assertEqual(handed_off, 2)

    def test_who_goes_closes_the_connection_of_his_question(self) -> None:
        for begun in (False, True):
            server = self.connect()
            client = self.client(get())
            self.is_asked(1, server)
            if begun:
                server.say(OK + b"\r\nbegun")
                self.received(client, passed([OK + b"\r\nbegun"]))
            client.close()

            def is_closed(server: Connection = server, begun: bool = begun) -> bool:
                """Who has closed one direction may read on: that he does not is found when more is sent."""
                if begun and not server.closed:
                    with contextlib.suppress(ConnectionError):
                        server.say(b"more")
                return server.closed

            self.until(is_closed)
        self.assertEqual((self.relay.unanswered(self.application), self.fast_path.connections()), (0, 0))
        self.assertEqual(self.news, [])

    def test_a_connection_rests_as_long_as_its_server_says(self) -> None:
        client = self.client(get())
        self.is_asked()
        said = answer(b"", b"Keep-Alive: timeout=5\r\n")
        self.server.say(said)
        self.received(client, passed([said]))
        other = self.connect(rests_for=10.0)
        for seconds, closed in ((3, (False, False)), (2, (True, False)), (6, (True, True))):
            self.fast_path.advance(seconds)  # type: ignore[attr-defined]
            self.fast_path.tick()
            self.turns()
            self.assertEqual((self.server.closed, other.closed), closed, seconds)
        self.client(get())
        self.is_handed_off(None)

    def test_no_more_rest_than_a_few(self) -> None:
        more = [self.connect() for _ in range(40)]
        self.turns()
        self.assertEqual(sum(not one.closed for one in [self.server, *more]), 32)
        self.assertTrue(self.server.closed)
        self.assertFalse(more[-1].closed)

    def test_what_is_retired_is_closed_when_it_has_answered(self) -> None:
        other = self.connect()
        client = self.client(get())
        self.is_asked(1, other)
        self.relay.retire_all(self.member)
        self.turns()
        self.assertEqual((self.server.closed, other.closed), (True, False))
        other.say(answer(b"last"))
        self.received(client, passed([answer(b"last")]))
        self.until(lambda: other.closed)

    def test_it_is_closed_with_everything_on_its_way(self) -> None:
        client = self.client(get())
        self.is_asked()
        self.server.say(OK + b"\r\none")
        self.received(client, passed([OK + b"\r\none"]))
        self.connect()
        self.client(get())
        self.turns()
        self.fast_path.close()
        self.assertEqual(client.recv(100), b"")
        self.relay.retire_all(self.member)
        self.assertEqual((self.relay.news(), self.relay.wants(self.member)), ([], False))


class SharedCountTests(HTTPCase):
    """A pool asks the same server as the relay: what each has not had answered counts for both."""

    def begin(self) -> None:
        self.origin, self.clock = Scripted("one"), Clock()
        self.pool = OriginPool("app", [self.origin], self.clock, queue=8, most=4)
        self.addCleanup(self.pool.stop)
        self.relaying = Relaying(self.relay)
        application = RelayedApplication(self.relaying, b"", b"/shop", 30.0, 8)
        self.application = application.number
        relayed = RelayedServer(application, 4, lambda *told: self.pool.heard(self.origin, *told))
        self.pool.relay_by(application, [relayed])
        self.member = relayed._number
        self.connections = []
        for _ in range(5):
            self.connect()

    def serve(self) -> None:
        super().serve()
        for news in self.news:
            self.relaying.hear(news)
        self.news = []

    def test_the_relay_is_told_of_a_count_when_it_has_changed(self) -> None:
        with mock.patch.object(self.relay, "others", wraps=self.relay.others) as told:
            self.pool.ask(question(), Heard())
            self.pool.ask(question(), Heard())
            for asked in list(self.origin.asked):
                asked.receiver.started(200, [], None)
                asked.receiver.data(b"a")
                asked.receiver.ended([])
        counts = [call.args[1:] for call in told.call_args_list]
        self.assertEqual(counts, [(1, 0), (2, 0), (1, 0), (0, 0)])

    def test_what_the_pool_asks_the_relay_does_not(self) -> None:
        for _ in range(3):
            self.pool.ask(question(), Heard())
        for _ in range(2):
            self.client(get())
        self.is_handed_off(None)
        self.assertEqual(self.relay.unanswered(self.application), 1)
        self.origin.asked[0].answer()
        self.client(get())
        self.until(lambda: self.relay.unanswered(self.application) == 2)

    def test_what_the_relay_asks_the_pool_does_not_and_who_waits_is_asked_when_it_is_answered(self) -> None:
        clients = [self.client(get()) for _ in range(3)]
        self.until(lambda: self.relay.unanswered(self.application) == 3)
        for _ in range(2):
            self.pool.ask(question(), Heard())
        self.assertEqual((len(self.origin.asked), self.pool.dispatch.waiting), (1, 1))
        self.client(get())
        self.is_handed_off(None)  # behind the one that waits
        self.until(lambda: sum(bool(one.heard) for one in self.connections) == 3)
        next(one for one in self.connections if one.heard).say(answer(b"x"))
        self.until(lambda: len(self.origin.asked) == 2)
        self.assertEqual((self.pool.dispatch.waiting, self.relay.unanswered(self.application)), (0, 2))
        for client in clients:
            client.close()

    def test_who_waits_is_asked_also_when_visitors_of_the_relay_have_gone(self) -> None:
        clients = [self.client(get()) for _ in range(4)]
        self.until(lambda: self.relay.unanswered(self.application) == 4)
        self.pool.ask(question(), Heard())
        self.assertEqual(self.origin.asked, [])
        clients[0].close()
        self.until(lambda: len(self.origin.asked) == 1)


class CarrierTests(HTTPCase):
    """How many connections the relay has, in all and to each member."""

    def test_servers_share_what_processes_leave(self) -> None:
        process = self.relay.member(False, 4)
        for _ in range(MOST_MEMBERS - 3):
            last = self.relay.member(True, 4)
        with self.assertRaises(OSError):
            self.relay.member(True, 4)
            self.relay.member(True, 4)
        for _ in range(4):
            self.connect(last)
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        with self.assertRaises(OSError):
            self.relay.carry(last, theirs.fileno(), IDLE_SECONDS)
        self.connect()  # to another one
        self.relay.carry(process, theirs.detach())

    def test_one_server_has_no_more_than_a_worker_may_ask(self) -> None:
        for one in (self.connect() for _ in range(127)):
            self.client(get())
            self.until(lambda one=one: bool(one.heard))
            one.say(OK + b"\r\nbegun")
        other, theirs = socket.socketpair()
        self.addCleanup(other.close)
        self.addCleanup(theirs.close)
        self.until(lambda: self.relay.unanswered(self.application) == 0)
        with self.assertRaises(OSError):
            self.relay.carry(self.member, theirs.fileno(), IDLE_SECONDS)

    def test_there_is_room_for_as_many_applications_as_is_said(self) -> None:
        for number in range(1, MOST_APPLICATIONS):
            self.assertEqual(self.relay.application(b"", b"/%b" % (b"x" * 1000), 30.0, 8), number)
        with self.assertRaises(OSError):
            self.relay.application(b"", b"", 30.0, 8)


class FailureTests(HTTPCase):
    """What goes wrong, on either side."""

    def test_a_connection_that_was_closed_while_it_rested_is_no_failure(self) -> None:
        self.server.leave()  # the relay may find it before it asks, or when it asks
        other = self.connect()
        client = self.client(get())
        self.is_asked(1, other)
        other.say(answer(b"x"))
        self.received(client, passed([answer(b"x")]))
        client.send(get())
        self.is_asked(2, other)
        other.leave()  # or after that
        self.is_handed_off(Met.NO_ANSWER)
        self.assertEqual(self.news, [])

    def test_whatever_comes_unasked_ends_the_connection(self) -> None:
        self.server.say(answer(b"for the next one"))
        self.until(lambda: self.server.closed)
        client = self.client(get())
        self.is_handed_off(None)
        client.close()
        other = self.connect()
        client = self.client(get())
        self.is_asked(1, other)
        other.say(answer(b"mine") + answer(b"for the next one"))
        self.received(client, passed([answer(b"mine")]))
        self.until(lambda: other.closed)

    def test_what_came_unasked_and_was_not_told_yet_is_no_answer_to_the_next_question(self) -> None:
        client, poisoned = self.client(get()), self.server
        self.is_asked()
        poisoned.say(answer(b"mine"))
        self.received(client, passed([answer(b"mine")]))
        other = self.connect()
        self.turns()
        client.send(get())  # which is told first
        for one in (poisoned, other):
            one.say(answer(b"another visitor's"))
        self.is_handed_off(None)
        self.until(lambda: poisoned.closed and other.closed)
        self.assertEqual(self.news, [])

    def test_what_breaks_off_before_it_begins_is_asked_by_python_and_a_failure_if_something_was_said(
        self,
    ) -> None:
        self.client(get())
        self.is_asked()
        self.server.say(b"HTTP/1.1 200 OK\r\nA: ")
        self.turns()
        self.server.leave()
        self.is_handed_off(Met.NO_ANSWER)
        why = b"it closed in the middle of the answer"
        self.assertEqual([(one.kind, one.data) for one in self.news], [(NewsKind.FAILED, why)])

    def test_an_answer_that_breaks_off_does_not_look_whole_and_is_logged(self) -> None:
        for said in (
            OK + b"Content-Length: 10\r\n\r\nbegun",
            OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n",
        ):
            server, client = self.connect(), self.client(get())
            self.is_asked(1, server)
            server.say(said)
            self.received(client, passed([said]))
            server.leave()
            self.assertEqual(self.closed(client), b"")
            record = unpack(next(iter(self.ring.read, None)))
            self.assertEqual((record.status, record.sent), (200, 5))
        self.assertEqual((self.handoffs, self.count("twisted_2xx")), ([], 2))
        failed = [one.data for one in self.news if one.kind is NewsKind.FAILED]
        self.assertEqual(failed, [b"it closed in the middle of the answer"] * 2)

    def test_what_is_no_answer_is_said_why(self) -> None:
        for number, (said, why) in enumerate(
            (
                (b"SSH-2.0-x\r\n", b"what it says is not HTTP/1.x"),
                (OK + b"a b: c\r\n\r\n", b"the head of its answer is malformed"),
                (
                    OK + b"Content-Length: 9223372036854775808\r\n\r\n",
                    b"no answer is as long as the head of its answer says",
                ),
                (
                    OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx",
                    b"the chunks of its answer are malformed",
                ),
            ),
            1,
        ):
            server = self.connect()
            self.client(get())
            self.is_asked(1, server)
            server.say(said)
            self.is_handed_off(Met.GARBAGE, number)
            self.until(lambda server=server: server.closed)
            self.assertEqual(self.news[-1], News(NewsKind.FAILED, self.member, 0, 2, why))

    def test_answers_that_say_that_they_are_failures_are_passed_on_and_told(self) -> None:
        said = [
            b"HTTP/1.1 %d x\r\nDate: %b\r\nContent-Length: 0\r\n\r\n" % (n, site.DATE)
            for n in (503, 200, 502)
        ]
        client = self.client()
        for number, one in enumerate(said, 1):
            client.send(get())
            self.is_asked(number)
            self.server.say(one)
            self.received(client, passed([one]))
        kinds = [(one.kind, one.status) for one in self.news]
        self.assertEqual(kinds, [(NewsKind.FAILED, 503), (NewsKind.ANSWERED, 0), (NewsKind.FAILED, 502)])

    def test_silence_is_told_in_time_also_behind_an_early_hint(self) -> None:
        for number, hint in enumerate((b"", b"HTTP/1.1 103 \r\nLink: </a>\r\n\r\n"), 1):
            self.pass_on()
            server, client = self.connect(), self.client(get())
            self.is_asked(1, server)
            if hint:
                self.fast_path.advance(20)  # type: ignore[attr-defined]
                server.say(hint)
                self.received(client, passed([hint]))
            for seconds, handed in ((9 if hint else 29, 0), (3, 1)):
                self.fast_path.advance(seconds)  # type: ignore[attr-defined]
                self.fast_path.tick()
                self.turns()
                self.assertEqual(len(self.handoffs), number - 1 + handed, (hint, seconds))
            self.is_handed_off(Met.SILENCE, number)
            self.until(lambda server=server: server.closed)
            self.assertEqual(self.news[-1].data, b"it did not answer in time")

    def test_an_answer_that_stands_still_is_cut_off_and_events_may_rest(self) -> None:
        for kind, cut in ((b"text/event-stream", False), (b"text/plain", True)):
            self.pass_on()
            server, client = self.connect(), self.client(get())
            self.is_asked(1, server)
            said = OK + b"Content-Type: %b\r\n\r\none" % kind
            server.say(said)
            self.received(client, passed([said]))
            for _ in range(3):
                self.fast_path.advance(50)  # type: ignore[attr-defined]
                self.fast_path.tick()
                self.turns(2)
            self.assertEqual(server.closed, cut)

    def test_while_draining_answers_come_and_close(self) -> None:
        client = self.client(get())
        self.is_asked()
        self.fast_path.drain()
        self.server.say(answer(b"ok"))
        self.assertEqual(self.closed(client), passed([answer(b"ok")], closing=True))


class BackpressureTests(HTTPCase):
    """Who takes slowly holds the server back, and nothing is lost."""

    def test_a_server_is_not_read_before_the_client_has_taken_what_came(self) -> None:
        client = self.client(get(), receive_buffer=64 * 1024)
        self.is_asked()
        size = 8 * 1024 * 1024
        said = memoryview(answer(bytes(range(256)) * (size // 256)))
        at = 0

        def feed() -> None:
            nonlocal at
            try:
                at += self.server.socket.send(said[at : at + (1 << 18)])
            except BlockingIOError:
                return

        before = -1
        while before != at:
            before = at
            for _ in range(20):
                feed()
                self.turn()
        self.assertLess(at, size)
        self.assertLess(self.fast_path.memory(), 256 * 1024)  # type: ignore[attr-defined]
        expected, got = passed([bytes(said)]), bytearray()

        def has_come() -> bool:
            nonlocal got
            feed()
            with contextlib.suppress(BlockingIOError):
                got += client.recv(1 << 20)
            return len(got) >= len(expected)

        self.until(has_come)
        self.assertTrue(bytes(got) == expected)
        client.send(get())
        self.is_asked(2)

    def test_who_takes_nothing_is_cut_off_at_the_least_rate(self) -> None:
        self.client(get(), receive_buffer=4096)
        self.is_asked()
        said = memoryview(answer(bytes(1 << 24)))
        at = 0

        def is_cut_off() -> bool:
            nonlocal at
            try:
                at += self.server.socket.send(said[at : at + (1 << 18)])
            except BlockingIOError:
                self.fast_path.advance(31)  # type: ignore[attr-defined]
                self.fast_path.tick()
            except ConnectionError:
                return True
            return self.server.closed

        self.until(is_cut_off)
        self.assertEqual(self.fast_path.connections(), 0)


class ShareTests(HTTPCase):
    """What waits for slow clients is in the share of their address."""

    def limits(self) -> Limits:
        return Limits(pending_bytes=4 * 1024)

    def test_who_holds_more_than_his_share_is_cut_off(self) -> None:
        for _ in range(4):
            self.connect()
        for _ in range(4):
            self.client(get(), receive_buffer=4096)
        self.until(lambda: sum(bool(one.heard) for one in self.connections) == 4)
        said = answer(bytes(1 << 23))
        left = {one: memoryview(said) for one in self.connections if one.heard}

        def refused() -> bool:
            for one, rest in left.items():
                try:
                    left[one] = rest[one.socket.send(rest[: 1 << 18]) :]
                except (BlockingIOError, ConnectionError):
                    continue
            return self.count("refused_share") > 0

        self.until(refused)
        self.assertLessEqual(self.fast_path.memory(), 64 * 1024)  # type: ignore[attr-defined]


_LINES = st.sampled_from(
    [b"Content-Type: text/html\r\n", b"X-A: b\r\n", b"set-cookie: a=b\r\n", b"Connection: X-A\r\n",
     b"Connection: close\r\n",
     b"Connection: vary, \"x-a, x-b\"\r\n", b"TE: a\r\n", b"Trailer: a\r\n",
     b"Keep-Alive: timeout=9\r\n", b"Vary: *\r\n",
     b"Cache-Group-Invalidation: a\r\n", b"Strict-Transport-Security: x\r\n", b"X-Empty:\r\n",
     b"x_a: \xff\r\n",
     b"Upgrade: h2c\r\n", b"A : b\r\n", b"A: \0\r\n", b"Date: %b\r\n" % site.DATE,
     b"X-%b: long\r\n" % (b"a" * 80)]
)  # fmt: skip
_FRAMINGS = st.sampled_from(["length", "chunks", "close", "wrong length", "both", "broken chunks"])


class DifferentialTests(HTTPCase):
    """Whatever a server answers, it is what the Twisted side makes of it."""

    @DIFFERENTIAL
    @given(
        status=st.sampled_from([200, 204, 206, 299, 301, 304, 404, 418, 500, 508, 599, 600, 101]),
        lines=st.lists(_LINES, max_size=6),
        early=st.lists(
            st.sampled_from([b"HTTP/1.1 103 x\r\nLink: a\r\n\r\n", b"HTTP/1.1 100 x\r\n\r\n"]), max_size=2
        ),
        framing=_FRAMINGS,
        body=st.lists(st.binary(min_size=1, max_size=40), max_size=3),
        method=st.sampled_from([b"GET", b"HEAD"]),
        cuts=st.lists(st.integers(0, 400), max_size=3),
    )
    def test_answers(
        self,
        status: int,
        lines: list[bytes],
        early: list[bytes],
        framing: str,
        body: list[bytes],
        method: bytes,
        cuts: list[int],
    ) -> None:
        head = b"HTTP/1.1 %d x\r\nDate: %b\r\n%b" % (status, site.DATE, b"".join(lines))
        length = b"Content-Length: %d\r\n" % (sum(map(len, body)) + (framing == "wrong length"))
        chunks = b"".join(b"%x;a\r\n%b\r\n" % (len(one), one) for one in body) + b"0\r\nT: u\r\n\r\n"
        data = b"".join(early) + {
            "chunks": head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks,
            "broken chunks": head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks[1:],
            "close": head + b"\r\n" + b"".join(body),
            "both": head + length + b"Transfer-Encoding: chunked\r\n\r\n" + chunks,
        }.get(framing, head + length + b"\r\n" + b"".join(body))
        ends = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
        self.answer([data[one:other] for one, other in itertools.pairwise(ends)], method)

    def test_what_a_strict_reader_has_to_know(self) -> None:
        """Each in one piece and in two, over real sockets; the same bytes at every cut: test_upstream."""
        for data in (*REFUSED, *WRONG, *RIGHT):
            dated = re.sub(rb"(HTTP/1\.[01] [2-5].*?\r\n)", rb"\1Date: %b\r\n" % site.DATE, data, count=1)
            self.answer([dated[: len(dated) // 2], dated[len(dated) // 2 :]], b"GET")
            for method in (b"GET", b"HEAD"):
                self.answer([dated], method)

    def test_connection_may_name_as_many_fields_as_it_likes(self) -> None:
        names = b", ".join(b"x-%d" % number for number in range(200))
        fields = b"Date: %b\r\nConnection: %b\r\nX-0: a\r\nX-199: b\r\nX-200: c\r\n" % (site.DATE, names)
        data = b"HTTP/1.1 200 x\r\n%bContent-Length: 2\r\n\r\nok" % fields
        self.assertIn(b"\r\nX-200: c\r\n", passed([data]))
        for method in (b"GET", b"HEAD"):
            self.answer([data], method)

    def answer(self, pieces: list[bytes], method: bytes) -> None:
        """A server answers in *pieces*, and closes."""
        server, client = self.connect(), self.client(get(method=method))
        self.is_asked(1, server)
        for piece in pieces:
            if not server.closed:
                server.say(piece)
            self.turns(3)
        server.leave()
        self.check(client, pieces, method)
        client.close()
        self.turns(2)

    def check(self, client: socket.socket, pieces: list[bytes], method: bytes) -> None:
        """*client* gets what he would have got from Twisted, and then the end, or python goes on."""
        sent = b""
        for count in range(1, len(pieces) + 2):
            try:
                sent = passed(pieces[: min(count, len(pieces))], method, closes=count > len(pieces))
            except (AnswerError, UnreadableError) as error:
                if b"Cache-Status" in sent:
                    self.assertEqual(self.closed(client), sent, error)
                    return
                self.until(lambda: self.handoffs)
                self.received(client, sent)
                self.assertIn(self.handoffs.pop().met, (Met.GARBAGE, Met.NO_ANSWER), error)
                return
        self.received(client, sent)
        self.assertEqual(self.handoffs, [])

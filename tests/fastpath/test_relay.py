"""The relay of the native fast path: questions to an application over a real socket, answers to real clients.

The application is its end of edge-app/1 (:class:`edge.app.answering.ApplicationEnd`), so what the relay
says is read by what processes of applications read it with.  What clients get is compared with what the
Twisted side would have sent them.
"""

from __future__ import annotations

import contextlib
import socket
import time

from hypothesis import given
from hypothesis import strategies as st

from edge.app.answering import ApplicationEnd
from edge.app.ends import Event
from edge.app.messages import (
    FROM_APPLICATION,
    MAX_CHANGES,
    Answer,
    Ask,
    Cancel,
    Changed,
    Data,
    Ready,
    Settled,
    decode,
    encode,
)
from edge.fastpath.interface import Limits, Met, News, NewsKind
from edge.logs.record import unpack
from edge.node.connection.framing import UnreadableError, interim_head
from edge.shares import network_of
from edge.table.site_counts import SiteAnswers, SiteCounts
from edge.table.writer import Writer
from edge.upstream.fields import of_visitor
from tests.fastpath import site
from tests.fastpath.relay_case import ADDRESS, DATED, DIFFERENTIAL, Fields, RelayCase, come, get, passed


class AppCase(RelayCase):
    """An application that is one process, on a socket pair."""

    def begin(self) -> None:
        self.member = self.relay.member(False, 1 << 20)
        self.process = Process(self)

    def serve(self) -> None:
        self.process.turn()

    def asked(self, number: int = 1) -> Ask:
        """The last of so many questions that the application has got."""
        self.until(lambda: len(self.process.asks) >= number)
        return self.process.asks[number - 1]


class Process:
    """The application: its end of a carrier."""

    def __init__(self, case: AppCase, at_once: int = 64) -> None:
        ours, theirs = socket.socketpair()
        case.addCleanup(ours.close)
        ours.setblocking(False)
        self.socket = ours
        self.end = ApplicationEnd(at_once)
        self.asks: list[Ask] = []
        self.events: list[Event] = []
        self.closed = False
        self.unsent = b""
        self.carrier = case.relay.carry(case.member, theirs.detach())
        self.turn()
        for _ in range(3):
            case.fast_path.run(0.001)

    def turn(self) -> None:
        self.unsent += self.end.output()
        if self.closed:
            return
        try:
            while self.unsent:
                self.unsent = self.unsent[self.socket.send(self.unsent) :]
        except (BlockingIOError, BrokenPipeError):
            pass
        data = come(self.socket)
        self.closed = data == b""
        if not data:
            return
        for event in self.end.receive(data):
            self.events.append(event)
            if isinstance(event, Ask):
                self.asks.append(event)
        assert self.end.broken is None, self.end.broken

    def say(self, frame: bytes) -> None:
        self.unsent += frame

    def leave(self) -> None:
        self.closed = True
        self.socket.close()


class PassingTests(AppCase):
    """Requests that are passed on, and their answers."""

    def test_an_answer_counts_for_the_site_that_was_asked(self) -> None:
        self.pass_on(b"blog.example" + ADDRESS)
        client = self.client()
        for number, (host, status) in enumerate(((b"blog.example", 200), (b"example.org", 404)), 1):
            client.send(get().replace(b"Host: example.org", b"Host: " + host))
            body = b"x" * number
            self.process.end.answer(self.asked(number).number, status, [*DATED], len(body), body, False)
            self.received(client, passed(b"", status, DATED, len(body), [body]))
        counted = SiteCounts(self.segment, 0).read()
        self.assertEqual(counted[:2], [SiteAnswers((0, 0, 0, 1, 0), 2), SiteAnswers((0, 1, 0, 0, 0), 1)])

    def test_an_answer_that_is_whole_and_the_next_request_on_the_same_connection(self) -> None:
        client = self.client()
        for number in (1, 2, 3):
            client.send(get())
            ask = self.asked(number)
            self.assertEqual((ask.method, ask.target, ask.at), (b"GET", ADDRESS, b"/shop"))
            body = b"answer %d" % number
            self.process.end.answer(ask.number, 200, [*DATED], len(body), body, False)
            self.received(client, passed(b"", 200, DATED, len(body), [body]))
        self.assertEqual((self.handoffs, self.news), ([], []))
        self.assertEqual((self.count("answers_passed"), self.count("twisted_2xx")), (3, 3))
        record = unpack(next(iter(self.ring.read, None)))
        self.assertEqual(
            (record.target, record.status, record.sent, record.cache), (ADDRESS, 200, 8, "bypass")
        )

    def test_what_the_application_is_told_is_what_it_is_told_by_python(self) -> None:
        lines = [
            (b"User-Agent", b"a browser"), (b"Cookie", b"a=1"), (b"cookie", b"b=2"),
            (b"X-Forwarded-For", b"6.6.6.6"),
            (b"Forwarded", b"for=6.6.6.6"), (b"X_Real_IP", b"6.6.6.6"), (b"X-Original-URL", b"/admin"),
            (b"X-Anything-Override", b"DELETE"), (b"Accept", b"*/*"), (b"Authorization", b"Basic x"),
            (b"Proxy", b"http://6.6.6.6"), (b"Connection", b"keep-alive"), (b"Keep-Alive", b"5"),
            (b"X-Accel-Redirect", b"/x"), (b"Empty", b""), (b"If-None-Match", b'"x"'),
        ]  # fmt: skip
        self.client(get(b"".join(b"%b: %b\r\n" % line for line in lines)))
        ask = self.asked()
        expected = [(name.lower(), value) for name, value in of_visitor(lines)]
        self.assertEqual(ask.fields, expected)
        self.assertEqual((ask.host, ask.secure, ask.peer), (b"example.org", False, b"127.0.0.1"))
        self.assertEqual(
            (ask.body, ask.more, ask.length, ask.deadline, ask.fill), (b"", False, 0, 30_000, None)
        )

    def test_an_answer_in_pieces_comes_as_it_comes_and_in_chunks_without_a_length(self) -> None:
        client = self.client(get())
        ask = self.asked()
        self.process.end.answer(ask.number, 200, [*DATED], None, b"one", True)
        whole = passed(b"", 200, DATED, None, [b"one", b"two" * 6000])
        self.received(client, whole[: whole.index(b"one") + 5])
        self.process.end.send(ask.number, b"two" * 6000, True)
        self.process.end.send(ask.number, b"", False)
        self.received(client, whole[whole.index(b"one") + 5 :])

    def test_early_hints_go_on_and_100_does_not(self) -> None:
        client = self.client(get())
        ask = self.asked()
        hints: Fields = [(b"link", b"</a.css>; rel=preload")]
        self.process.end.informational(ask.number, 100, [])
        self.process.end.informational(ask.number, 103, hints)
        self.process.end.answer(ask.number, 204, [*DATED], None, b"", False)
        self.received(client, interim_head(103, hints) + passed(b"", 204, DATED, None, []))

    def test_head_and_304_have_no_body_and_close_closes(self) -> None:
        client = self.client(get(b"Connection: close\r\n", method=b"HEAD"))
        ask = self.asked()
        self.assertEqual(ask.method, b"HEAD")
        self.process.end.answer(ask.number, 200, [*DATED], 5, b"", False)
        expected = passed(b"", 200, DATED, 5, [], True, True)
        self.assertEqual(self.closed(client), expected)
        client = self.client(get(b'If-None-Match: "x"\r\n'))
        ask = self.asked(2)
        self.process.end.answer(ask.number, 304, [*DATED], None, b"", False)
        self.received(client, passed(b"", 304, DATED, None, []))

    def test_what_is_pipelined_is_answered_in_its_order(self) -> None:
        client = self.client(get() * 3)
        expected = b""
        for number in (1, 2, 3):
            ask = self.asked(number)
            self.assertEqual(len(self.process.asks), number)
            self.process.end.answer(ask.number, 200, [*DATED], 1, b"%d" % number, False)
            expected += passed(b"", 200, DATED, 1, [b"%d" % number])
        self.received(client, expected)

    def test_what_the_relay_does_not_understand_is_handed_off_as_it_came(self) -> None:
        for fields in (b"Via: 1.1 edge\r\n", b"Edge-Timing: 1\r\n", b"Range: bytes=0-1\r\n"):
            self.client(get(fields))
            before = len(self.handoffs)
            self.until(lambda before=before: len(self.handoffs) > before)
            self.assertEqual((self.handoffs[-1].data, self.handoffs[-1].met), (get(fields), None))
        self.assertEqual(self.process.asks, [])

    def handed_off(self, data: bytes) -> None:
        before = len(self.handoffs)
        self.client(data)
        self.until(lambda: len(self.handoffs) > before)
        self.assertEqual(self.handoffs[-1].data, data)

    def test_an_address_is_passed_on_while_it_is_said_and_nothing_is_published(self) -> None:
        self.handed_off(get(address=b"/cart?of=2"))
        self.handed_off(get(address=b"/cart"))
        self.pass_on(seconds=0.0)
        self.handed_off(get())
        self.pass_on(sequence=self.segment.sequence + 1)
        self.handed_off(get())
        self.pass_on()
        Writer(self.segment).put(site.page(b"/elsewhere", b"new"))
        self.handed_off(get())
        self.assertEqual(self.process.asks, [])

    def test_no_more_than_the_queue_are_unanswered_with_those_of_python(self) -> None:
        self.relay.others(self.application, 6, 0)
        for _ in range(3):
            self.client(get())
        self.until(lambda: len(self.handoffs) == 1)
        self.assertEqual((len(self.process.asks), self.relay.unanswered(self.application)), (2, 2))
        self.relay.others(self.application, 1, 1)  # who waits longer is not overtaken
        self.handed_off(get())


class ShareTests(AppCase):
    """Addresses that are told apart; the queue has room for 8."""

    def limits(self) -> Limits:
        return Limits(connections_per_address=100)

    def ask(self, count: int, address: str) -> list[socket.socket]:
        """So many clients of *address* ask, each for himself."""
        clients = [self.client(source=address) for _ in range(count)]
        for client in clients:
            before = len(self.process.asks) + len(self.handoffs)
            client.sendall(get())
            self.until(lambda before=before: len(self.process.asks) + len(self.handoffs) > before)
        return clients

    def assert_met(self, asked: int, handed_off: int) -> None:
        self.assertEqual((len(self.process.asks), len(self.handoffs)), (asked, handed_off))

    def test_an_address_has_as_much_of_the_queue_as_it_leaves_free_and_others_are_asked(self) -> None:
        [first, *_] = self.ask(6, "127.0.0.1")
        self.assert_met(4, 2)
        self.ask(3, "127.0.0.2")
        self.assert_met(6, 3)
        self.assertEqual(self.relay.unanswered_from(self.application, bytes([127, 0, 0, 1])), 4)
        self.assertEqual(self.relay.unanswered_from(self.application, bytes([127, 0, 0, 9])), 0)
        self.ask(1, "127.0.0.3")
        self.assert_met(7, 3)
        first.close()
        self.until(lambda: self.relay.unanswered_from(self.application, bytes([127, 0, 0, 1])) == 3)

    def test_those_of_python_count_and_what_is_answered_does_not(self) -> None:
        self.relay.others(self.application, 3, 0)
        self.relay.others_from(self.application, bytes([127, 0, 0, 1]), 3)
        self.ask(2, "127.0.0.1")
        self.assert_met(1, 1)
        self.assertEqual(self.relay.unanswered_from(self.application, bytes([127, 0, 0, 1])), 1)
        self.process.say(encode(Answer(self.process.asks[0].number, 200, [], 0, b"", False)))
        self.until(lambda: not self.relay.unanswered(self.application))
        self.relay.others(self.application, 0, 0)
        self.relay.others_from(self.application, bytes([127, 0, 0, 1]), 0)
        self.ask(5, "127.0.0.1")
        self.assert_met(5, 2)

    def test_part_of_an_ipv6_address_is_the_same_to_python_and_the_relay(self) -> None:
        network = network_of("::1")
        self.relay.others(self.application, 3, 0)
        self.relay.others_from(self.application, network, 3)
        self.ask(2, "::1")
        self.assert_met(1, 1)
        self.assertEqual(self.relay.unanswered_from(self.application, network), 1)
        self.assertEqual(self.relay.unanswered_from(self.application, network_of("::2:0:0:0:1")), 0)

    def test_each_application_has_a_queue_of_its_own(self) -> None:
        other = self.relay.application(b"", b"/other", 30.0, 8)
        self.relay.others_from(other, bytes([127, 0, 0, 1]), 8)
        self.ask(4, "127.0.0.1")
        self.assert_met(4, 0)


class FailureTests(AppCase):
    """What goes wrong, on either side."""

    def test_a_process_that_dies_has_not_answered_and_python_goes_on(self) -> None:
        for _ in range(3):
            self.client(get())
        self.asked(3)
        self.process.leave()
        self.until(lambda: len(self.handoffs) == 3)
        self.assertEqual({(one.data, one.met) for one in self.handoffs}, {(get(), Met.NO_ANSWER)})
        self.assertEqual(self.news, [News(NewsKind.LOST, self.member, self.process.carrier)])
        self.assertEqual(self.relay.unanswered(self.application), 0)

    def test_an_answer_that_breaks_off_does_not_look_whole(self) -> None:
        client = self.client(get())
        ask = self.asked()
        self.process.end.answer(ask.number, 200, [*DATED], None, b"one", True)
        whole = passed(b"", 200, DATED, None, [b"one"])
        self.received(client, whole[:-5])
        self.process.leave()
        self.assertEqual(self.closed(client), b"")
        self.assertEqual(self.handoffs, [])

    def test_an_answer_of_which_all_bytes_have_come_is_whole_though_its_process_dies_before_it_says_so(
        self,
    ) -> None:
        client = self.client(get())
        self.process.end.answer(self.asked().number, 200, [*DATED], 3, b"one", True)
        self.received(client, passed(b"", 200, DATED, 3, [b"one"]))
        self.process.leave()
        self.until(lambda: self.news)
        self.process = Process(self)
        client.sendall(get())
        self.process.end.answer(self.asked().number, 200, [*DATED], 3, b"two", False)
        self.received(client, passed(b"", 200, DATED, 3, [b"two"]))

    def test_an_exchange_that_the_application_gives_up_is_asked_again_by_python(self) -> None:
        self.client(get())
        self.process.end.cancel(self.asked().number, "no")
        self.until(lambda: self.handoffs)
        self.assertEqual(self.handoffs[0].met, Met.NO_ANSWER)
        self.assertEqual([one.kind for one in self.news], [NewsKind.FAILED])

    def test_how_long_an_application_has_had_a_request_goes_with_it(self) -> None:
        self.client(get())
        number = self.asked().number
        time.sleep(0.02)
        self.process.end.cancel(number, "no")
        self.until(lambda: self.handoffs)
        self.assertGreaterEqual(self.handoffs[0].waited, 0.02)

    def test_who_goes_cancels(self) -> None:
        client = self.client(get())
        ask = self.asked()
        client.close()
        self.until(lambda: self.process.events[1:])
        cancel = self.process.events[1]
        assert isinstance(cancel, Cancel)
        self.assertEqual(cancel.number, ask.number)
        self.process.say(encode(Answer(ask.number, 200, [], 0, b"", False)))  # it was on its way
        self.turns()
        self.assertEqual((self.relay.unanswered(self.application), self.fast_path.connections()), (0, 0))

    def test_silence_is_told_in_time(self) -> None:
        self.client(get())
        ask = self.asked()
        self.fast_path.advance(29)  # type: ignore[attr-defined]
        self.fast_path.tick()
        self.turns()
        self.assertEqual(self.handoffs, [])
        self.fast_path.advance(3)  # type: ignore[attr-defined]
        self.fast_path.tick()
        self.until(lambda: self.handoffs)
        self.assertEqual(self.handoffs[0].met, Met.SILENCE)
        self.until(lambda: any(isinstance(one, Cancel) for one in self.process.events))
        self.assertEqual(ask.number, self.process.events[-1][0])

    def test_an_answer_that_stands_still_is_cut_off_and_events_may_rest(self) -> None:
        for kind, cut in ((b"text/event-stream", False), (b"text/plain", True)):
            before = len(self.process.asks)
            self.pass_on()
            client = self.client(get())
            ask = self.asked(before + 1)
            fields = [(b"date", site.DATE), (b"content-type", kind)]
            self.process.end.answer(ask.number, 200, [*fields], None, b"one", True)
            self.received(client, passed(b"", 200, fields, None, [b"one"])[:-5])
            for _ in range(3):
                self.fast_path.advance(50)  # type: ignore[attr-defined]
                self.fast_path.tick()
                self.turns(2)
            self.assertEqual(
                ask.number in {one[0] for one in self.process.events if isinstance(one, Cancel)}, cut
            )

    def test_what_cannot_be_passed_on_is_502_by_python_and_the_process_goes_on(self) -> None:
        wrong: list[tuple[Fields, int | None, bytes]] = [
            ([(b"a", b"b\r\nc: d")], 0, b""), ([(b"a b", b"c")], 0, b""), ([(b"", b"c")], 0, b""),
            ([(b"a", b"\x00")], 0, b""), ([], 5, b"four"), ([], 3, b"four"),
        ]  # fmt: skip
        for number, (fields, length, body) in enumerate(wrong):
            self.client(get())
            ask = self.asked(number + 1)
            self.process.say(encode(Answer(ask.number, 200, fields, length, body, False)))
            self.until(lambda number=number: len(self.handoffs) == number + 1)
            self.assertEqual(self.handoffs[-1].met, Met.GARBAGE)
            self.process.end._exchanges.pop(ask.number, None)  # it was answered by hand
        client = self.client(get())
        ask = self.asked(len(wrong) + 1)
        self.process.end.answer(ask.number, 200, [*DATED], 2, b"ok", False)
        self.received(client, passed(b"", 200, DATED, 2, [b"ok"]))

    def test_who_breaks_the_rules_is_not_spoken_with_any_more(self) -> None:
        self.client(get())
        ask = self.asked()
        number = ask.number
        wrong = [
            b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x01\xc1", encode(Ready(1, 4)),
            encode(Data(number, b"early", False, [])), encode(Answer(number, 103, [], None, b"x", True)),
            encode(Answer(number + 64, 200, [], 0, b"", False)), encode(Data(number, b"", True, [])),
            b"\0\0\0\x03\x92\x08\x01", encode(Answer(number, 200, [], 0, b"", False))[:-1] + b"\x07",
            encode(Ask(1, b"GET", b"/", [], b"", False, b"", b"", b"", False, 0, None, None)),
        ]  # fmt: skip
        for frame in wrong:
            self.process.say(frame)
            self.until(lambda: self.news)
            self.assertEqual((self.news[0].kind, self.news[0].status), (NewsKind.LOST, 1), frame)
            self.until(lambda: self.handoffs)
            self.assertEqual(self.handoffs[0].met, Met.GARBAGE)
            self.news, self.handoffs = [], []
            self.process = Process(self)
            self.client(get())
            number = self.asked().number

    def test_frames_in_any_pieces(self) -> None:
        client = self.client(get())
        ask = self.asked()
        frames = encode(Answer(ask.number, 200, [*DATED], None, b"one", True))
        frames += encode(Data(ask.number, b"two", False, []))
        for at in range(len(frames)):
            self.process.say(frames[at : at + 1])
            self.process.turn()
            self.turn()
        self.received(client, passed(b"", 200, DATED, None, [b"one", b"two"]))

    def test_changes_are_told_and_settled(self) -> None:
        number = self.process.end.changed([b"ranking"])
        self.until(lambda: self.news)
        self.assertEqual(self.news[0].kind, NewsKind.FRAME)
        self.relay.say(self.process.carrier, encode(Settled(number, 0)))
        self.until(lambda: Settled(number, 0) in self.process.events)

    def test_answers_between_failures_are_told_with_the_next_one(self) -> None:
        for number, status in enumerate((503, 200, 404, 503, 502, 200, 504), 1):
            client = self.client(get())
            ask = self.asked(number)
            self.process.end.answer(ask.number, status, [*DATED], 2, b"ok", False)
            self.received(client, passed(b"", status, DATED, 2, [b"ok"]))
            client.close()
        kinds = [(one.kind, one.status) for one in self.news]
        well, failed = (NewsKind.ANSWERED, 0), NewsKind.FAILED
        self.assertEqual(kinds, [(failed, 503), well, (failed, 503), (failed, 502), well, (failed, 504)])

    def test_what_comes_at_once_and_has_no_room_in_a_turn_is_taken_in_the_next(self) -> None:
        """More news than are told in a turn, and an answer behind them; the application says nothing more."""
        client = self.client(get())
        ask = self.asked()
        numbers = [self.process.end.changed([b"of-%d" % each]) for each in range(MAX_CHANGES)]
        self.process.end.answer(ask.number, 200, [*DATED], 2, b"ok", False)
        self.process.turn()
        self.received(client, passed(b"", 200, DATED, 2, [b"ok"]))
        told = [decode(one.data, FROM_APPLICATION) for one in self.news]
        self.assertEqual([one.number for one in told if isinstance(one, Changed)], numbers)

    def test_who_wants_to_end_is_asked_no_more_and_closed_when_all_is_answered(self) -> None:
        client = self.client(get())
        ask = self.asked()
        self.process.end.drain()
        self.turns()
        self.client(get())
        self.until(lambda: self.handoffs)
        self.process.end.answer(ask.number, 200, [*DATED], 2, b"ok", False)
        self.received(client, passed(b"", 200, DATED, 2, [b"ok"]))
        self.until(lambda: self.process.closed)
        self.assertEqual(self.news, [News(NewsKind.LOST, self.member, self.process.carrier)])

    def test_a_carrier_that_does_not_do_well_is_left_to_others(self) -> None:
        self.relay.use(self.member, False)
        self.client(get())
        self.until(lambda: self.handoffs)
        self.relay.use(self.member, True)
        client = self.client(get())
        self.process.end.answer(self.asked().number, 503, [*DATED], 0, b"", False)
        self.received(client, passed(b"", 503, DATED, 0, []))
        self.assertEqual(self.news, [News(NewsKind.FAILED, self.member, 0, 503)])

    def test_while_draining_answers_come_and_close(self) -> None:
        client = self.client(get())
        ask = self.asked()
        self.fast_path.drain()
        self.process.end.answer(ask.number, 200, [*DATED], 2, b"ok", False)
        self.assertEqual(self.closed(client), passed(b"", 200, DATED, 2, [b"ok"], False, True))
        self.assertEqual(self.fast_path.connections(), 0)

    def test_it_is_closed_with_everything_on_its_way(self) -> None:
        client = self.client(get())
        ask = self.asked()
        self.process.end.answer(ask.number, 200, [*DATED], None, b"one", True)
        self.received(client, passed(b"", 200, DATED, None, [b"one"])[:-5])
        self.client(get())
        self.asked(2)
        self.fast_path.close()
        self.assertEqual(client.recv(100), b"")
        self.relay.retire(self.process.carrier)
        self.assertEqual((self.relay.news(), self.relay.unanswered(self.application)), ([], 0))


class BackpressureTests(AppCase):
    """Who takes slowly holds the application back, and nothing is lost."""

    def test_no_more_than_a_window_waits_and_all_arrives(self) -> None:
        client = self.client(get(), receive_buffer=512 * 1024)
        ask = self.asked()
        size = 6 * 1024 * 1024  # more than the kernel takes
        body = bytes(range(256)) * (size // 256)
        self.process.end.answer(ask.number, 200, [*DATED], size, body, False)
        before = -1
        while before != self.count("bytes_out"):
            before = self.count("bytes_out")
            self.turns(20)
        self.assertGreater(self.process.end.waiting(ask.number), 0)
        self.received(client, passed(b"", 200, DATED, size, [body]))
        client.send(get())
        self.asked(2)

    def test_who_has_not_taken_all_of_a_whole_answer_keeps_no_place(self) -> None:
        self.relay.retire(self.process.carrier)
        self.process = Process(self, at_once=1)
        client = self.client(get(), receive_buffer=4096)
        ask = self.asked()
        self.process.end.answer(ask.number, 200, [*DATED], 1 << 23, bytes(1 << 23), False)

        def has_said_all() -> bool:
            with contextlib.suppress(BlockingIOError):
                client.recv(1 << 16)
            return not self.process.end.waiting(ask.number) and not self.process.unsent

        self.until(has_said_all)
        self.turns()
        other = self.client(get())
        self.process.end.answer(self.asked(2).number, 200, [*DATED], 2, b"ok", False)
        self.received(other, passed(b"", 200, DATED, 2, [b"ok"]))

    def test_who_takes_nothing_is_cut_off_at_the_least_rate(self) -> None:
        client = self.client(get(), receive_buffer=4096)
        ask = self.asked()
        self.process.end.answer(ask.number, 200, [*DATED], 1 << 24, bytes(1 << 24), False)
        self.until(lambda: self.count("bytes_out"))

        def is_cut_off() -> bool:
            self.fast_path.advance(31)  # type: ignore[attr-defined]
            self.fast_path.tick()
            return any(isinstance(one, Cancel) for one in self.process.events)

        self.until(is_cut_off)
        self.assertEqual(self.fast_path.connections(), 0)
        client.close()


_NAMES = st.sampled_from(
    [b"content-type", b"Date", b"x-a", b"set-cookie", b"connection", b"te", b"x-b", b"trailer",
     b"keep-alive", b"cache-control", b"vary", b"cache-group-invalidation",
     b"strict-transport-security", b"X-%s" % (b"a" * 80),
     b"a b", b"", b"x_a"]
)  # fmt: skip
_VALUES = st.sampled_from(
    [b"text/html", b"x-a, x-b", b"vary", b"close", b"", b"a\tb", b"\xff", b"a\rb", b"x", b"keep-alive, x-a"]
)


class DifferentialTests(AppCase):
    """Whatever an application answers, it is what the Twisted side makes of it."""

    @DIFFERENTIAL
    @given(
        status=st.sampled_from([200, 204, 206, 299, 301, 304, 404, 418, 500, 508, 599]),
        fields=st.lists(st.tuples(_NAMES, _VALUES), max_size=6),
        announced=st.booleans(),
        pieces=st.lists(st.binary(min_size=1, max_size=40), max_size=3),
        method=st.sampled_from([b"GET", b"HEAD"]),
    )
    def test_answers(
        self, status: int, fields: Fields, announced: bool, pieces: list[bytes], method: bytes
    ) -> None:
        head_only = method == b"HEAD" or status in (204, 304)
        length = sum(map(len, pieces)) if announced else None
        if head_only:
            pieces = []
        fields = [(b"date", site.DATE), *fields]
        before, handed = len(self.process.asks), len(self.handoffs)
        client = self.client(get(method=method))
        ask = self.asked(before + 1)
        first = pieces[0] if pieces else b""
        self.process.say(encode(Answer(ask.number, status, fields, length, first, len(pieces) > 1)))
        for at, piece in enumerate(pieces[1:], 2):
            self.process.say(encode(Data(ask.number, piece, at < len(pieces), [])))
        self.process.end._exchanges.pop(ask.number, None)
        try:
            expected = passed(b"", status, fields, length, pieces, head_only)
        except UnreadableError:
            self.until(lambda: len(self.handoffs) > handed)
            self.assertEqual(self.handoffs[-1].met, Met.GARBAGE)
            return
        self.received(client, expected)
        self.assertEqual(len(self.handoffs), handed)
        client.close()
        self.turns(2)

"""The channel: strict requests in, ordered and well-framed answers out."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from edge.node.connection.channel import LINGER_SECONDS, PIPELINED_BYTES, REQUESTS_IN_A_TURN
from edge.node.connection.input import LINGER_BYTES
from edge.node.process.channel_limits import ChannelLimits
from tests.node.serving import Connection


class Echo(Resource):
    """Answers with what it was asked."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return b"GET " + request.uri

    def render_POST(self, request: Any) -> bytes:
        return b"POST " + request.content.read()


class Later(Resource):
    """Answers when the test says so."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Any] = []

    def render_GET(self, request: Any) -> int:
        self.requests.append(request)
        return NOT_DONE_YET


class ReadingTests(SynchronousTestCase):
    """Requests as they come."""

    def test_a_request_is_answered_however_it_is_cut(self) -> None:
        request = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
        for cut in range(len(request)):
            connection = Connection(Echo())
            connection.send(request[:cut], request[cut:])
            [answer] = connection.answers()
            self.assertEqual((answer.status, answer.body), (200, b"POST abc"))
        connection = Connection(Echo())
        connection.send(*(request[i : i + 1] for i in range(len(request))))
        self.assertEqual([answer.body for answer in connection.answers()], [b"POST abc"])

    def test_pipelined_requests_are_answered_in_order_and_an_error_comes_after_them(self) -> None:
        connection = Connection(Echo())
        connection.send(
            b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n"
            b"GET /3 HTTP/1.1\r\n\r\nGET /4 HTTP/1.1\r\nHost: x\r\n\r\n"
        )
        first, second, third = connection.answers()
        self.assertEqual([first.body, second.body, third.status], [b"GET /1", b"GET /2", 400])
        self.assertEqual(third.fields["connection"], "close")

    def test_a_later_request_waits_for_the_answer_to_an_earlier_one(self) -> None:
        root = Resource()
        later = Later()
        root.putChild(b"later", later)
        root.putChild(b"now", Echo())
        connection = Connection(root)
        connection.send(
            b"GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /now HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n"
        )
        self.assertEqual(connection.transport.written, b"")
        later.requests[0].write(b"one")
        later.requests[0].finish()
        self.assertEqual([answer.status for answer in connection.answers()], [200, 200, 400])
        self.assertEqual(connection.answers()[0].body, b"one")

    def test_the_log_counts_the_time_for_which_the_first_request_waited_before_it_came_here(self) -> None:
        later = Later()
        connection = Connection(later)
        connection.channel.has_waited(30.0)
        for _ in range(2):
            connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.clock.advance(2)
            later.requests[-1].finish()
        self.assertEqual([one.duration for one in connection.log.records], [32_000_000, 2_000_000])

    def test_reading_pauses_while_too_much_is_pipelined(self) -> None:
        later = Later()
        connection = Connection(later)
        request = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 8000 + b"\r\n\r\n"
        for _ in range(PIPELINED_BYTES // len(request) + 3):
            connection.send(request)
        self.assertFalse(connection.transport.reading)
        for _ in range(3):
            later.requests[-1].finish()
        self.assertTrue(connection.transport.reading)

    def test_of_thousands_of_requests_a_turn_answers_few(self) -> None:
        connection = Connection(Echo())
        request = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.send(request * 3000)
        self.assertFalse(connection.transport.reading)
        for turn in range(1, 10):
            self.assertEqual(len(connection.answers()), turn * REQUESTS_IN_A_TURN)
            [call] = [one for one in connection.clock.calls if one.getTime() <= connection.clock.seconds()]
            connection.clock.calls.remove(call)  # advance() would run those of later turns, too
            call.called = 1
            call.func()
        connection.send(b"GET /last HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(len(connection.answers()), 10 * REQUESTS_IN_A_TURN)
        connection.turn(200)
        self.assertEqual([len(connection.answers()), connection.answers()[-1].body], [3001, b"GET /last"])
        self.assertTrue(connection.transport.reading)

    def test_requests_of_later_turns_are_answered_when_the_peer_sends_no_more(self) -> None:
        for ending in ("readConnectionLost", "connectionLost"):
            connection = Connection(Echo(), returns=True)
            connection.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" * 40)
            getattr(connection.channel, ending)()
            connection.turn(3)
            whole = ending == "readConnectionLost"
            self.assertEqual(len(connection.answers()), 40 if whole else REQUESTS_IN_A_TURN)
            self.assertEqual(connection.transport.closed or connection.transport.half_closed, whole)
            self.assertFalse(connection.transport.returned)

    def test_100_continue_is_sent_only_to_a_client_that_waits(self) -> None:
        head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        connection = Connection(Echo())
        connection.send(head)
        self.assertEqual(connection.transport.written, b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.send(b"ab")
        self.assertEqual([answer.status for answer in connection.answers()], [100, 200])
        connection = Connection(Echo())
        connection.send(head + b"ab")
        self.assertEqual([answer.status for answer in connection.answers()], [200])

    def test_a_body_over_the_limit_is_refused_before_it_is_read(self) -> None:
        connection = Connection(Echo(), limits=ChannelLimits(body_bytes=10))
        connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n")
        self.assertEqual([answer.status for answer in connection.answers()], [413])

    def test_the_authority_of_an_absolute_target_is_the_host(self) -> None:
        seen: list[Any] = []

        class Host(Resource):
            isLeaf = True

            def render_GET(self, request: Any) -> bytes:
                seen.append((request.getRequestHostname(), request.uri))
                return b""

        connection = Connection(Host())
        connection.send(b"GET http://a.example/p?q HTTP/1.1\r\nHost: b.example\r\n\r\n")
        self.assertEqual(seen, [(b"a.example", b"/p?q")])

    def test_options_asterisk_is_answered(self) -> None:
        connection = Connection(Echo())
        connection.send(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
        [answer] = connection.answers()
        self.assertEqual((answer.status, answer.fields["allow"]), (204, "GET, HEAD, OPTIONS, POST"))

    def test_http_1_0_is_kept_alive_for_who_asks_and_told_so(self) -> None:
        connection = Connection(Echo())
        asked = b"GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
        connection.send(asked * 2 + b"GET /b HTTP/1.0\r\n\r\n" + asked)
        answers = connection.answers()
        self.assertEqual([answer.body for answer in answers], [b"GET /a", b"GET /a", b"GET /b"])
        told = [answer.fields.get("connection") for answer in answers]
        self.assertEqual(told, ["keep-alive", "keep-alive", "close"])

    def test_http_1_0_is_answered_and_closed(self) -> None:
        connection = Connection(Echo())
        connection.send(b"GET /a HTTP/1.0\r\n\r\n")
        [answer] = connection.answers()
        self.assertEqual((answer.fields["connection"], answer.body), ("close", b"GET /a"))
        self.assertTrue(connection.transport.half_closed)


class TimeTests(SynchronousTestCase):
    """What has to happen in time."""

    def test_a_head_that_trickles_in_is_answered_408_after_its_time(self) -> None:
        connection = Connection(Echo())
        for byte in b"GET / HTTP/1.1\r\nHost":
            connection.send(bytes([byte]))
            connection.pass_time(0.5)
        self.assertEqual([answer.status for answer in connection.answers()], [408])
        self.assertTrue(connection.transport.half_closed)

    def test_a_tls_handshake_has_the_time_of_a_head_and_a_request_after_it_its_own(self) -> None:
        connection = Connection(Echo(), secure=True, handshake=False)
        connection.pass_time(9)
        self.assertFalse(connection.transport.closed)
        connection.pass_time(1)
        self.assertTrue(connection.transport.aborted)
        self.assertEqual(connection.counts.values["timeouts_head"], 1)
        self.assertEqual((connection.log.lines, connection.clock.getDelayedCalls()), ([], []))
        connection = Connection(Echo(), secure=True, handshake=False)
        connection.pass_time(9)
        connection.channel.handshakeCompleted()
        connection.pass_time(74)
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual([answer.status for answer in connection.answers()], [200])

    def test_a_drain_waits_no_longer_for_a_tls_handshake_than_for_a_goodbye(self) -> None:
        connection = Connection(Echo(), secure=True, handshake=False)
        connection.site.drain()
        connection.pass_time(1)
        self.assertFalse(connection.transport.closed)
        connection.pass_time(1)
        self.assertTrue(connection.transport.aborted)
        connection = Connection(Echo(), secure=True, handshake=False)
        connection.site.drain()
        connection.channel.handshakeCompleted()
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        [answer] = connection.answers()
        self.assertEqual((answer.status, answer.fields["connection"]), (200, "close"))

    def test_no_timer_survives_a_tls_handshake(self) -> None:
        connection = Connection(Echo(), secure=True, handshake=False)
        connection.transport.loseConnection()
        connection.channel.handshakeCompleted()
        self.assertEqual(connection.clock.getDelayedCalls(), [])

    def test_each_head_has_its_own_time(self) -> None:
        connection = Connection(Echo())
        for _ in range(3):
            connection.send(b"GET / HTTP/1.1\r\n")
            connection.pass_time(9)
            connection.send(b"Host: x\r\n\r\n")
        self.assertEqual([answer.status for answer in connection.answers()], [200, 200, 200])

    def test_an_idle_connection_is_closed_without_a_word(self) -> None:
        connection = Connection(Echo())
        connection.pass_time(74)
        self.assertFalse(connection.transport.half_closed)
        connection.pass_time(2)
        self.assertTrue(connection.transport.half_closed)
        self.assertEqual(connection.transport.written, b"")
        self.assertEqual(connection.counts.values["timeouts_idle"], 1)

    def test_a_body_that_comes_at_the_least_rate_is_read_and_a_slower_one_is_answered_408(self) -> None:
        framings = (b"Content-Length: 150000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n30000\r\n")
        for framing in framings:
            for limits, rate, status in (
                (None, 1030, None),
                (None, 1020, 408),
                (None, 1, 408),
                (ChannelLimits(least_rate=0), 1, None),
            ):
                connection = Connection(Echo(), limits=limits)
                connection.send(b"POST / HTTP/1.1\r\nHost: x\r\n" + framing)
                for _ in range(100):
                    connection.send(b"a" * rate)
                    connection.pass_time(1)
                found = [answer.status for answer in connection.answers()]
                self.assertEqual(found, [] if status is None else [status], (framing, rate))
                if status is None:
                    connection.pass_time(60)
                    self.assertEqual([answer.status for answer in connection.answers()], [408])

    def test_trailers_and_extensions_are_no_progress_of_a_body(self) -> None:
        connection = Connection(Echo())
        connection.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
        for _ in range(40):
            connection.send(b"T: " + b"x" * 70 + b"\r\n")
            connection.pass_time(1)
        self.assertEqual([answer.status for answer in connection.answers()], [408])

    def test_the_application_may_take_its_time(self) -> None:
        later = Later()
        connection = Connection(later)
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.pass_time(200)
        later.requests[0].finish()
        self.assertEqual([answer.status for answer in connection.answers()], [200])

    def test_a_peer_that_takes_nothing_is_aborted(self) -> None:
        connection = Connection(Echo())
        connection.transport.stalled = True
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.pass_time(31)
        self.assertTrue(connection.transport.aborted)
        self.assertEqual(connection.counts.values["timeouts_write"], 1)

    def download(self, limits: ChannelLimits | None = None) -> Connection:
        """A connection whose peer has asked for a megabyte and taken nothing yet."""
        later = Later()
        connection = Connection(later, limits=limits)
        connection.transport.stalled = True
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        later.requests[0].setHeader(b"Content-Length", b"1000000")
        later.requests[0].write(b"x" * 1_000_000)
        later.requests[0].finish()
        return connection

    def test_a_peer_that_takes_an_answer_at_the_least_rate_gets_all_of_it_and_a_slower_one_does_not(
        self,
    ) -> None:
        for rate, kept in ((1030, True), (1020, False), (1, False)):
            connection = self.download()
            for _ in range(300):
                connection.transport.take(rate)
                connection.pass_time(1)
            self.assertEqual(connection.transport.aborted, not kept, rate)

    def test_a_fast_beginning_buys_no_time(self) -> None:
        connection = self.download()
        connection.transport.take(900_000)
        connection.pass_time(61)
        self.assertTrue(connection.transport.aborted)

    def test_without_a_least_rate_any_byte_will_do(self) -> None:
        connection = self.download(ChannelLimits(least_rate=0))
        for _ in range(10):
            connection.transport.take(1)
            connection.pass_time(29)
        self.assertFalse(connection.transport.aborted)
        connection.pass_time(61)
        self.assertTrue(connection.transport.aborted)

    def test_a_peer_that_takes_all_of_a_slow_application_is_not_hurried(self) -> None:
        later = Later()
        connection = Connection(later)
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.transport.stalled = True
        for _ in range(200):
            later.requests[0].write(b"event")
            connection.pass_time(0.5)  # on its way whenever anybody looks
            connection.transport.take(1 << 20)
        self.assertFalse(connection.transport.aborted)
        connection.transport.loseConnection()
        self.assertEqual(connection.clock.getDelayedCalls(), [])


class EndingTests(SynchronousTestCase):
    """How connections end."""

    def refused(self) -> Connection:
        connection = Connection(Echo())
        connection.send(b"GET / HTTP/1.1\r\n\r\n")
        return connection

    def test_after_a_refusal_the_peer_can_still_read_it(self) -> None:
        connection = self.refused()
        self.assertEqual((connection.transport.half_closed, connection.transport.closed), (True, False))
        connection.send(b"more" * 100)
        self.assertEqual(len(connection.answers()), 1)
        connection.pass_time(LINGER_SECONDS)
        self.assertTrue(connection.transport.closed)

    def test_lingering_ends_when_the_peer_closes(self) -> None:
        connection = self.refused()
        connection.channel.readConnectionLost()
        self.assertTrue(connection.transport.closed)

    def test_lingering_reads_no_more_than_its_limit(self) -> None:
        connection = self.refused()
        connection.send(b"x" * LINGER_BYTES)
        self.assertTrue(connection.transport.reading)
        connection.send(b"x")
        self.assertFalse(connection.transport.reading)

    def test_a_tls_connection_is_closed_by_tls_and_aborted_if_the_peer_does_not_answer(self) -> None:
        connection = Connection(Echo(), secure=True)
        closed: list[str] = []
        connection.transport.loseConnection = lambda: closed.append("close_notify")  # type: ignore[method-assign]
        connection.send(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual((closed, connection.transport.half_closed), (["close_notify"], False))
        connection.pass_time(LINGER_SECONDS)
        self.assertTrue(connection.transport.aborted)

    def test_a_peer_that_closes_its_direction_gets_its_answers(self) -> None:
        root = Resource()
        later = Later()
        root.putChild(b"later", later)
        connection = Connection(root)
        connection.send(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        later.requests[0].write(b"begun")
        connection.channel.readConnectionLost()
        later.requests[0].finish()
        self.assertEqual([answer.status for answer in connection.answers()], [200, 404])

    def test_after_its_last_answer_to_a_peer_that_closed_its_direction_the_connection_ends(self) -> None:
        later = Later()
        connection = Connection(later)
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        later.requests[0].write(b"begun")
        connection.channel.readConnectionLost()
        self.assertFalse(connection.transport.closed)
        later.requests[0].finish()
        self.assertEqual([answer.status for answer in connection.answers()], [200])
        self.assertTrue(connection.transport.closed)
        self.assertEqual(connection.clock.getDelayedCalls(), [])

    def test_half_a_request_of_a_peer_that_closed_its_direction_is_not_waited_for(self) -> None:
        for half in (b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"):
            connection = Connection(Echo())
            connection.send(half)
            connection.channel.readConnectionLost()
            self.assertTrue(connection.transport.closed)
            self.assertEqual(connection.clock.getDelayedCalls(), [])

    def test_an_application_that_goes_on_after_its_connection_was_aborted_harms_nobody(self) -> None:
        later = Later()
        connection = Connection(later)
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        request = later.requests[0]
        request.write(b"begun")
        connection.transport.reports_late = True
        connection.channel.abort()
        request.write(b"more")
        request.finish()
        self.assertTrue(connection.transport.aborted)
        connection.channel.connectionLost()
        self.assertEqual(connection.clock.getDelayedCalls(), [])

    def test_an_answer_has_only_one_head(self) -> None:
        later = Later()
        connection = Connection(later)
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        request = later.requests[0]
        request.begin_answer(200, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n")
        self.assertRaises(RuntimeError, request.begin_answer, 200, b"HTTP/1.1 200 OK\r\n\r\n")
        request.write(b"x")
        self.assertEqual([answer.body for answer in connection.answers()], [b"x"])

    def test_an_application_hears_that_the_client_has_gone(self) -> None:
        later = Later()
        connection = Connection(later)
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        gone: Deferred[None] = later.requests[0].notifyFinish()
        connection.channel.readConnectionLost()
        self.failureResultOf(gone)
        self.assertTrue(connection.transport.closed)

    def test_draining_closes_idle_connections_now_and_others_after_their_answer(self) -> None:
        idle = Connection(Echo())
        idle.site.drain()
        self.assertTrue(idle.transport.half_closed)
        later = Later()
        busy = Connection(later)
        busy.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        busy.site.drain()
        self.assertFalse(busy.transport.half_closed)
        later.requests[0].finish()
        [answer] = busy.answers()
        self.assertEqual(answer.fields["connection"], "close")
        self.assertTrue(busy.transport.half_closed)
        begun = Connection(Echo())
        begun.send(b"GET / HTTP/1.1\r\nHo")
        begun.site.drain()
        begun.send(b"st: x\r\n\r\n")
        [answer] = begun.answers()
        self.assertEqual((answer.status, answer.fields["connection"]), (200, "close"))

    def test_no_timer_survives_the_connection(self) -> None:
        connection = Connection(Echo())
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET")
        connection.transport.loseConnection()
        self.assertEqual(connection.clock.getDelayedCalls(), [])
        self.assertEqual(connection.site.channels, set())


class ReturningTests(SynchronousTestCase):
    """Connections that go back to the fast path."""

    def test_an_idle_connection_goes_back_once_its_answer_is_out(self) -> None:
        connection = Connection(Echo(), returns=True)
        connection.transport.stalled = True
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.turn()
        self.assertFalse(connection.transport.returned)
        connection.transport.take(10_000)
        connection.turn()
        self.assertTrue(connection.transport.returned)
        self.assertEqual((connection.clock.getDelayedCalls(), connection.transport.producer), ([], None))

    def test_a_connection_with_half_a_request_stays(self) -> None:
        connection = Connection(Echo(), returns=True)
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nG")
        connection.turn()
        self.assertFalse(connection.transport.returned)
        connection.send(b"ET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.turn()
        self.assertTrue(connection.transport.returned)

    def test_an_answer_that_has_left_before_it_is_finished_keeps_no_connection(self) -> None:
        later = Later()
        connection = Connection(later, returns=True)
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        later.requests[0].setHeader(b"Content-Length", b"4")
        later.requests[0].write(b"done")
        connection.turn()
        self.assertFalse(connection.transport.returned)
        later.requests[0].finish()
        connection.turn()
        self.assertTrue(connection.transport.returned)

    def test_a_request_that_comes_before_the_connection_has_gone_keeps_it(self) -> None:
        later = Later()
        connection = Connection(later, returns=True)
        connection.send(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
        later.requests[0].finish()
        connection.send(b"GET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.turn()
        self.assertFalse(connection.transport.returned)
        later.requests[1].finish()
        connection.turn()
        self.assertTrue(connection.transport.returned)

    def test_a_closing_connection_stays(self) -> None:
        connection = Connection(Echo(), returns=True)
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        connection.turn()
        self.assertFalse(connection.transport.returned)


class NotingTests(SynchronousTestCase):
    """Counters and the access log."""

    def test_answers_and_refusals_are_counted_and_logged(self) -> None:
        connection = Connection(Echo())
        connection.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\n\r\n")
        counts = connection.counts.values
        self.assertEqual(
            (counts["twisted_requests"], counts["twisted_2xx"], counts["twisted_4xx"]), (2, 1, 1)
        )
        self.assertEqual(counts["twisted_bytes_out"], len(connection.transport.written))
        self.assertEqual(connection.log.lines[0], (b"GET", b"/a", 200, 6))
        self.assertEqual(connection.log.lines[1][2], 400)

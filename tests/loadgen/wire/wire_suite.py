"""What every wire must do with real loopback sockets and servers that behave badly: run over both builds.

The server is in the test's own thread and does what the test tells it, so nothing depends on who is faster.
"""

from __future__ import annotations

import contextlib
import resource
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

from loadgen.wire import interface
from loadgen.wire.interface import Answer, Limits, Wire

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as Base
else:
    Base = object

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
EMPTY = b'HTTP/1.1 304 \r\nETag: "abc"\r\nCache-Control: max-age=60\r\n\r\n'
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
FOREVER = 1 << 62
MILLISECOND = 1_000_000
ROOMY = Limits(FOREVER, FOREVER, 1 << 20)


class WireSuite(Base):
    """Mixed into a test case; :meth:`make` is the build under test."""

    def make(self, users: int, limits: Limits) -> Wire:
        """The wire under test."""
        raise AssertionError("the test case says which build")

    def start(self, limits: Limits = ROOMY, host: str = "127.0.0.1") -> Wire:
        """A wire of 10,000 users, and a server that it knows as node 0."""
        self.wire = self.make(10_000, limits)
        self.addCleanup(self.wire.close)
        self.server = self.listen(host)
        self.assertEqual(self.node(self.server), 0)
        self.token = 0
        return self.wire

    def listen(self, host: str = "127.0.0.1") -> socket.socket:
        """A listening socket."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = socket.create_server((host, 0), family=family, backlog=1000)
        self.addCleanup(server.close)
        server.setblocking(False)
        return server

    def node(self, server: socket.socket) -> int:
        """Its number."""
        return self.wire.node(*server.getsockname()[:2])

    def ask(self, user: int = 0, node: int = 0, due: int | None = None, request: bytes = GET) -> int:
        """One request, due now; its token."""
        self.token += 1
        self.wire.send(self.token, user, node, time.monotonic_ns() if due is None else due, request)
        return self.token

    def run_once(self) -> list[Answer]:
        """A round of a millisecond; keeps a copy of the bodies."""
        answers = self.wire.run(time.monotonic_ns() + MILLISECOND)
        self.bodies = bytes(self.wire.bodies)
        return answers

    def answers(self, count: int) -> list[Answer]:
        """So many, in the order in which they came."""
        found: list[Answer] = []
        for _ in range(5000):
            found += self.run_once()
            if len(found) >= count:
                break
        self.assertEqual(len(found), count)
        return found

    def answer(self) -> Answer:
        """The only one."""
        return self.answers(1)[0]

    def accept(self, server: socket.socket | None = None) -> socket.socket:
        """The server's side of the next connection."""
        for _ in range(5000):
            with contextlib.suppress(BlockingIOError):
                connection = (server or self.server).accept()[0]
                self.addCleanup(connection.close)
                connection.settimeout(10)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection
            self.assertEqual(self.run_once(), [])
        raise AssertionError("no connection came")

    def asked(self, user: int = 0, server: socket.socket | None = None) -> socket.socket:
        """A request of *user* has arrived on a new connection."""
        self.ask(user, 0 if server is None else self.node(server))
        connection = self.accept(server)
        self.assertEqual(connection.recv(65536), GET)
        return connection

    def rested(self, user: int = 0) -> socket.socket:
        """A connection that has brought an answer and rests."""
        connection = self.asked(user)
        connection.sendall(EMPTY)
        self.assertEqual(self.answer().error, interface.OK)
        return connection

    def until_closed(self, connections: int = 0) -> None:
        """Runs until so many connections are open."""
        for _ in range(5000):
            if self.wire.connections() == connections:
                return
            self.assertEqual(self.run_once(), [])
        self.fail(f"{self.wire.connections()} connections are open")

    # ---- answers ----

    def test_an_answer_tells_all_about_it(self) -> None:
        """Status, tag, age, times and sizes."""
        self.start()
        begin = time.monotonic_ns()
        connection = self.asked()
        connection.sendall(EMPTY)
        answer = self.answer()
        self.assertEqual(answer[:4], (1, 0, 304, interface.OK))
        self.assertEqual((answer.etag, answer.max_age, answer.body_length), (b"abc", 60, 0))
        self.assertEqual((answer.bytes_out, answer.bytes_in), (len(GET), len(EMPTY)))
        times = [begin, answer.due, answer.begun, answer.sent, answer.head, answer.done, time.monotonic_ns()]
        self.assertEqual(times, sorted(times))
        self.assertEqual((self.wire.connections(), self.wire.opened()), (1, 1))

    def test_every_split_gives_the_same_answer(self) -> None:
        """Over one connection, one answer after the other, each cut at another byte."""
        self.start()
        connection = self.rested()
        for text, body in ((EMPTY, b""), (PAGE, b"hello"), (CHUNKED, b"hello")):
            for cut in range(1, len(text)):
                self.ask()
                while not self._readable(connection):
                    self.run_once()
                connection.recv(65536)
                connection.sendall(text[:cut])
                self.assertEqual(self.run_once(), [])
                connection.sendall(text[cut:])
                answer = self.answer()
                self.assertEqual((answer.error, answer.bytes_in), (interface.OK, len(text)))
                found = self.bodies[answer.body_at : answer.body_at + answer.body_length]
                self.assertEqual(found, body, (text, cut))
        self.assertEqual(self.wire.opened(), 1)

    def _readable(self, connection: socket.socket) -> bool:
        connection.setblocking(False)
        try:
            connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        finally:
            connection.settimeout(10)
        return True

    def test_bodies_of_many_answers_lie_one_after_the_other(self) -> None:
        """Each where its answer says."""
        self.start()
        connections = [self.asked(user) for user in range(3)]
        for number, connection in enumerate(connections):
            text = b"%d" % number * (number + 1)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        found: list[bytes] = []
        while len(found) < 3:
            for answer in self.run_once():
                found.append(self.bodies[answer.body_at : answer.body_at + answer.body_length])
        self.assertEqual(sorted(found), [b"0", b"11", b"222"])

    def test_the_answer_to_head_has_no_body(self) -> None:
        """Whatever length it tells."""
        self.start()
        self.ask(request=GET.replace(b"GET", b"HEAD"))
        self.accept().sendall(PAGE[:-5])
        answer = self.answer()
        self.assertEqual((answer.error, answer.body_length), (interface.OK, 0))
        self.assertEqual(self.wire.connections(), 1)

    def test_a_body_without_length_ends_with_the_connection(self) -> None:
        """That is no error."""
        self.start()
        connection = self.asked()
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nhel")
        self.assertEqual(self.run_once(), [])
        connection.sendall(b"lo")
        connection.close()
        answer = self.answer()
        self.assertEqual((answer.error, self.bodies), (interface.OK, b"hello"))
        self.assertEqual(self.wire.connections(), 0)

    def test_connection_close_is_obeyed(self) -> None:
        """The next request opens another one."""
        self.start()
        self.asked().sendall(EMPTY.replace(b"ETag", b"Connection: close\r\nETag"))
        self.assertEqual(self.answer().error, interface.OK)
        self.assertEqual(self.wire.connections(), 0)
        self.rested()
        self.assertEqual(self.wire.opened(), 2)

    def test_bytes_after_an_answer_close_the_connection(self) -> None:
        """They belong to no request, so nothing that follows could be trusted."""
        self.start()
        connection = self.asked()
        connection.sendall(EMPTY + b"x")
        self.assertEqual(self.answer().error, interface.OK)
        self.until_closed()
        self.rested().sendall(b"x")
        self.until_closed()

    # ---- what goes wrong ----

    def test_garbage_is_told(self) -> None:
        """As soon as it is known, and the connection closes."""
        self.start()
        for text in (b"SSH-2.0", EMPTY.replace(b"\r\n", b"\n"), b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n"):
            self.asked().sendall(text)
            self.assertEqual(self.answer().error, interface.GARBAGE)
            self.assertEqual(self.wire.connections(), 0)

    def test_closing_before_the_end_is_told(self) -> None:
        """Wherever it happens; the status, if there was one, too."""
        self.start()
        for text, status in ((b"", 0), (b"HTTP/1.1 2", 0), (PAGE[:-1], 200), (CHUNKED[:-2], 200)):
            connection = self.asked()
            connection.sendall(text)
            connection.close()
            answer = self.answer()
            self.assertEqual((answer.error, answer.status), (interface.CLOSED, status))
            self.assertEqual(answer.body_length, 0)

    def test_a_reset_is_told(self) -> None:
        """Like closing."""
        self.start()
        connection = self.asked()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
        self.assertEqual(self.answer().error, interface.CLOSED)

    def test_an_endless_body_is_cut(self) -> None:
        """At the limit, or at the first sign that it will be over it; a body of just the limit is whole."""
        self.start(Limits(FOREVER, FOREVER, 100_000))
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for text in (
            b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_001,
            head + (b"1000\r\n" + b"x" * 4096 + b"\r\n") * 25,
            head + b"fffffffffff\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n",
        ):
            self._say_all(self.asked(), text)
            answer = self.answer()
            self.assertEqual((answer.error, answer.status), (interface.TOO_LARGE, 200))
            self.assertEqual((answer.body_length, self.wire.connections()), (0, 0))
        self._say_all(self.asked(), b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000)
        self.assertEqual(self.answer().body_length, 100_000)

    def _say_all(self, connection: socket.socket, text: bytes) -> None:
        """Loopback takes it at once: it is far below the buffers' size."""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        connection.sendall(text)

    def test_an_endless_head_is_cut(self) -> None:
        """At 64 KiB."""
        self.start()
        self._say_all(self.asked(), b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 11_000)
        answer = self.answer()
        self.assertEqual((answer.error, answer.status), (interface.TOO_LARGE, 200))

    def test_a_trickle_ends_when_its_time_is_over(self) -> None:
        """Each byte comes in time, the whole does not."""
        self.start(Limits(FOREVER, 50 * MILLISECOND, 1 << 20))
        connection = self.asked()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        answers: list[Answer] = []
        for _ in range(1000):
            with contextlib.suppress(OSError):
                connection.sendall(b"x")
            if answers := self.run_once():
                break
        self.assertEqual((answers[0].error, answers[0].status), (interface.TIMEOUT, 200))
        self.assertEqual(self.wire.connections(), 0)

    def test_no_answer_in_time_is_told(self) -> None:
        """Also of those that waited for a connection in vain."""
        self.start(Limits(FOREVER, 30 * MILLISECOND, 1 << 20))
        due = time.monotonic_ns()
        for _ in range(8):
            self.ask(due=due)
        answers = self.answers(8)
        self.assertEqual({answer.error for answer in answers}, {interface.TIMEOUT})
        self.assertEqual(sum(answer.sent > 0 for answer in answers), 6)
        self.assertTrue(all(answer.done >= answer.due + 30 * MILLISECOND for answer in answers))
        self.assertEqual(self.wire.connections(), 0)

    def test_nobody_listening_is_told(self) -> None:
        """For each request, those that wait, too."""
        self.start()
        self.server.close()
        for _ in range(9):
            self.ask()
        self.assertEqual({answer.error for answer in self.answers(9)}, {interface.REFUSED})
        self.assertEqual(self.wire.connections(), 0)

    def test_no_descriptor_left_is_told(self) -> None:
        """It is no connection, like any other reason."""
        self.start()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.assertEqual(soft, hard)  # raised by the wire
        with contextlib.ExitStack() as held:
            held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (hard, hard))
            lowest = held.enter_context(socket.socket()).fileno()
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, hard))
            self.ask()
            self.assertEqual(self.answer().error, interface.REFUSED)
        self.asked()

    def test_whoever_has_rested_for_longest_makes_room(self) -> None:
        """When no descriptor is left, a connection at rest is closed for the new one."""
        self.start()
        first = self.asked(user=1)
        first.sendall(EMPTY)
        self.answer()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.ExitStack() as held:
            held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
            lowest = held.enter_context(socket.socket()).fileno()
            self.ask(user=2)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, hard))
            self.run_once()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            self.assertEqual(first.recv(1), b"")
        self.assertEqual((self.wire.connections(), self.wire.opened()), (1, 2))

    # ---- connections ----

    def test_a_user_has_six_connections_to_a_node(self) -> None:
        """The next requests wait, in order; other nodes and users have their own six."""
        self.start()
        first = [self.asked() for _ in range(6)]
        waiting = [self.ask() for _ in range(3)]
        self.run_once()
        self.assertEqual(self.wire.connections(), 6)
        for other in (self.asked(user=1), self.asked(server=self.listen())):
            other.sendall(EMPTY)
        self.assertEqual(len(self.answers(2)), 2)
        first[4].sendall(EMPTY)
        self.assertEqual(self.answer().token, 5)
        order = []
        for _ in waiting:
            self.assertEqual(first[4].recv(65536), GET)
            first[4].sendall(EMPTY)
            order.append(self.answer().token)
        self.assertEqual(order, waiting)
        self.assertEqual(self.wire.opened(), 8)

    def test_who_waits_gets_the_place_of_a_broken_connection(self) -> None:
        """And what waiting has cost is told: it was taken up at once and sent late."""
        self.start()
        first = [self.asked() for _ in range(6)]
        token = self.ask()
        self.run_once()
        first[0].sendall(b"garbage")
        self.assertEqual(self.answer().error, interface.GARBAGE)
        self.accept().sendall(EMPTY)
        answer = self.answer()
        self.assertEqual(answer.token, token)
        self.assertGreater(answer.sent - answer.begun, MILLISECOND)

    def test_the_connection_used_last_is_used_next(self) -> None:
        """So that the others can close."""
        self.start()
        pair = [self.asked(), self.asked()]
        for connection in pair:
            connection.sendall(EMPTY)
            self.answer()
        self.ask()
        self.run_once()
        self.assertEqual(pair[1].recv(65536), GET)

    def test_each_user_has_an_address_of_its_own(self) -> None:
        """On loopback, where one address would not have ports enough."""
        self.start()
        peers = [self.asked(user).getpeername()[0] for user in (0, 1, 300)]
        self.assertEqual(peers, ["127.0.0.1", "127.0.0.2", "127.0.1.45"])

    def test_ipv6(self) -> None:
        """::1 works; it is one address for all."""
        if not socket.has_ipv6:
            return
        self.start(host="::1")
        self.assertEqual(self.rested(7).getpeername()[0], "::1")

    def test_what_rests_too_long_is_closed(self) -> None:
        """By us."""
        self.start(Limits(20 * MILLISECOND, FOREVER, 1 << 20))
        connection = self.rested()
        self.until_closed()
        self.assertEqual(connection.recv(1), b"")

    def test_a_connection_that_the_server_closes_at_rest_is_closed(self) -> None:
        """No error: nothing was on it."""
        self.start()
        self.rested().close()
        self.until_closed()

    def test_a_request_that_meets_a_closed_connection_goes_once_more(self) -> None:
        """On a new one, and nobody hears of it."""
        self.start()
        connection = self.rested()
        self.ask()
        connection.close()
        self.accept().sendall(EMPTY)
        answer = self.answer()
        self.assertEqual((answer.error, self.wire.opened()), (interface.OK, 2))
        self.assertEqual(answer.token, 2)

    def test_once_more_is_not_forever(self) -> None:
        """A new connection that closes is an error; so is one that closes within the answer."""
        self.start()
        connection = self.rested()
        self.ask()
        connection.close()
        self.accept().close()
        self.assertEqual(self.answer().error, interface.CLOSED)
        connection = self.rested()
        self.ask()
        self.run_once()
        connection.recv(65536)
        connection.sendall(b"HTTP")
        connection.close()
        self.assertEqual(self.answer().error, interface.CLOSED)
        self.assertEqual(self.wire.opened(), 3)

    # ---- sending ----

    def test_nothing_is_sent_before_it_is_due(self) -> None:
        """And what is due earlier goes first, whenever it was told."""
        self.start()
        now = time.monotonic_ns()
        dues = [now + ms * MILLISECOND for ms in (30, 10, 20, 10)]
        for user, due in enumerate(dues):
            self.ask(user, due=due)
        order: list[socket.socket] = [self.accept() for _ in dues]
        for connection in order:
            connection.sendall(EMPTY)
        answers = self.answers(4)
        self.assertTrue(all(answer.begun >= answer.due for answer in answers))
        begun = sorted(answers, key=lambda answer: (answer.begun, answer.token))
        self.assertEqual([answer.token for answer in begun], [2, 4, 3, 1])

    def test_a_large_request_goes_out_in_pieces(self) -> None:
        """As the server takes it."""
        self.start()
        request = b"POST / HTTP/1.1\r\nContent-Length: 20000000\r\n\r\n" + bytes(20_000_000)
        self.ask(request=request)
        connection = self.accept()
        left = len(request)
        while left:
            self.run_once()
            left -= len(connection.recv(1 << 20))
        connection.sendall(EMPTY)
        answer = self.answer()
        self.assertEqual((answer.error, answer.bytes_out), (interface.OK, len(request)))
        self.assertGreater(answer.sent, 0)

    def test_an_answer_before_the_request_was_whole_counts(self) -> None:
        """But its connection is of no use any more."""
        self.start()
        self.ask(request=GET + bytes(20_000_000))
        self.accept().sendall(EMPTY)
        answer = self.answer()
        self.assertEqual((answer.error, answer.sent), (interface.OK, 0))
        self.assertEqual(self.wire.connections(), 0)

    def test_cancelling(self) -> None:
        """Before it is due, while it waits, while it is on its way; afterwards it is not known."""
        self.start()
        later = self.ask(due=time.monotonic_ns() + 3600 * 10**9)
        connections = [self.asked() for _ in range(6)]
        waiting = self.ask()
        self.run_once()
        sent = 2
        for token in (later, waiting, sent, sent, 999):
            self.wire.cancel(token)
        answers = self.answers(3)
        self.assertEqual([answer.token for answer in answers], [later, waiting, sent])
        self.assertEqual({answer.error for answer in answers}, {interface.CANCELLED})
        self.assertEqual(connections[0].recv(1), b"")
        self.assertEqual(self.wire.connections(), 5)

    def test_leaving(self) -> None:
        """Closes what rests at once, the rest after its answers, those of who waits included."""
        self.start()
        resting = self.rested()
        other = self.rested(1)
        self.ask()
        self.run_once()
        self.assertEqual(resting.recv(65536), GET)
        more = [resting, *(self.asked() for _ in range(5))]
        waiting = self.ask()
        self.run_once()
        self.wire.leave(0)
        self.wire.leave(9999)
        self.assertEqual(self.wire.connections(), 7)
        for connection in more:
            connection.sendall(EMPTY)
        self.answers(6)
        self.until_closed(2)
        last = next(each for each in more if each.recv(65536))
        last.sendall(EMPTY)
        self.assertEqual(self.answer().token, waiting)
        self.until_closed(1)
        self.wire.leave(1)
        self.assertEqual(self.wire.connections(), 0)
        self.assertEqual(other.recv(1), b"")

    # ---- run ----

    def test_many_answers_end_a_run(self) -> None:
        """Long before its time; the rest comes with the next ones."""
        self.start()
        self.server.close()
        for user in range(6000):
            self.ask(user)
        found = [len(self.wire.run(time.monotonic_ns() + 3600 * 10**9))]
        while sum(found) < 6000:
            found.append(len(self.run_once()))
        self.assertGreaterEqual(found[0], 4096)
        self.assertLess(found[0], 6000)

    def test_many_bodies_end_a_run(self) -> None:
        """Long before its time."""
        self.start()
        body = b"HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n" + bytes(1 << 20)
        self.server.setblocking(True)

        def serve() -> None:
            held = [self.server.accept()[0] for _ in range(12)]
            for connection in held:
                with connection, contextlib.suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(body)

        server = threading.Thread(target=serve)
        server.start()
        for user in range(12):
            self.ask(user)
        answers: list[Answer] = []
        while len(answers) < 8:
            answers += self.wire.run(time.monotonic_ns() + 3600 * 10**9)
            self.assertLess(len(self.wire.bodies), 10 << 20)
        while len(answers) < 12:
            answers += self.run_once()
        server.join()
        self.assertEqual({answer.body_length for answer in answers}, {1 << 20})

    def test_a_signal_ends_a_run(self) -> None:
        """So that Ctrl-C is not late."""

        class Interrupted(Exception):
            pass

        def interrupt(number: int, frame: object) -> None:
            raise Interrupted

        self.start()
        before = signal.signal(signal.SIGALRM, interrupt)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with self.assertRaises(Interrupted):
            self.wire.run(time.monotonic_ns() + 3600 * 10**9)

    def test_wrong_values_are_refused(self) -> None:
        """Before anything is sent."""
        self.start()
        for user, node, request in ((10_000, 0, GET), (0, 1, GET), (0, 0, b"")):
            with self.assertRaises(ValueError):
                self.wire.send(1, user, node, 0, request)
        for host, port in (("localhost", 80), ("1.2.3", 80), ("127.0.0.1", 0), ("127.0.0.1", 65536)):
            with self.assertRaises(ValueError):
                self.wire.node(host, port)
        self.assertEqual(self.node(self.server), 0)  # the same node again

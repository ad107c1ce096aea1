"""What every wire must do with connections, and when it sends and returns: run over both builds."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time

from loadgen.wire import interface
from loadgen.wire.interface import Answer, Limits
from tests import processes
from tests.loadgen.wire.base import EMPTY, FOREVER, GET, MILLISECOND, WireBase


class ConnectionSuite(WireBase):
    """Connections, sending, and turns."""

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
        # A busy machine may send several in one turn: these have begun at the same time.
        begun = [answer.begun for answer in sorted(answers, key=lambda answer: answer.due)]
        self.assertEqual(begun, sorted(begun))

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
        self.server.settimeout(processes.PATIENCE)

        def serve() -> None:
            held = [self.server.accept()[0] for _ in range(12)]
            for connection in held:
                with connection, contextlib.suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(body)

        server = threading.Thread(target=serve, daemon=True)
        server.start()
        for user in range(12):
            self.ask(user)
        answers: list[Answer] = []
        while len(answers) < 8:
            answers += self.wire.run(time.monotonic_ns() + 3600 * 10**9)
            self.assertLess(len(self.wire.bodies), 10 << 20)
        while len(answers) < 12:
            answers += self.run_once()
        processes.join(server)
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

"""What every wire must make of answers, and of what is none: run over both builds."""

from __future__ import annotations

import contextlib
import resource
import socket
import time

from loadgen.wire import interface
from loadgen.wire.interface import Answer, Limits
from tests.loadgen.wire.base import CHUNKED, EMPTY, FOREVER, GET, MILLISECOND, PAGE, WireBase


class AnswerSuite(WireBase):
    """Answers, and what goes wrong."""

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

    def test_more_than_its_content_length_is_told(self) -> None:
        """Its length is wrong: what was read of it may be half of the body."""
        self.start()
        for text in (PAGE + b"!", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n<h1>"):
            self.asked().sendall(text)
            answer = self.answer()
            self.assertEqual((answer.error, answer.body_length), (interface.LONGER, 0))
            self.assertEqual(self.wire.connections(), 0)

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

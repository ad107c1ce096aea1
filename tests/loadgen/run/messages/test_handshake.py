"""Who may use a worker: both sides over a pair of sockets, and strangers on either."""

from __future__ import annotations

import socket
import threading
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from loadgen.run.messages.handshake import HandshakeError, admit, introduce

TOKEN = b"correct horse battery"
#: However busy the machine is: no test waits for a side that says nothing.
PATIENCE_S = 60.0


class HandshakeTests(SynchronousTestCase):
    """The coordinator here, the worker there."""

    def setUp(self) -> None:
        self.parent, self.worker = socket.socketpair()
        self.addCleanup(self.parent.close)
        self.addCleanup(self.worker.close)

    def in_background(self, side: object, *arguments: object) -> list[Exception]:
        """Run *side* in a thread; what it raises, once it has ended."""
        raised: list[Exception] = []

        def run() -> None:
            try:
                side(*arguments)  # type: ignore[operator]
            except (HandshakeError, OSError) as error:
                raised.append(error)
                arguments[0].close()  # type: ignore[attr-defined]

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join, 20)
        self.thread = thread
        return raised

    def test_who_knows_the_token_is_let_in(self) -> None:
        raised = self.in_background(admit, self.worker, TOKEN, PATIENCE_S)
        introduce(self.parent, TOKEN, PATIENCE_S)
        self.thread.join(20)
        self.assertEqual(raised, [])
        self.assertIsNone(self.worker.gettimeout())
        self.parent.sendall(b"first frame")
        self.assertEqual(self.worker.recv(100), b"first frame")

    def test_a_wrong_token_is_turned_away_on_both_sides(self) -> None:
        for wrong in (b"correct horse batterx", b"", TOKEN + b"\n"):
            self.parent, self.worker = socket.socketpair()
            raised = self.in_background(admit, self.worker, TOKEN, PATIENCE_S)
            with self.assertRaisesRegex(HandshakeError, "does not accept our token"):
                introduce(self.parent, wrong, PATIENCE_S)
            self.thread.join(20)
            self.assertEqual([str(error) for error in raised], ["a wrong token"])
            self.parent.close()

    def test_what_answers_with_something_else_is_no_worker(self) -> None:
        for greeting in (
            b"HTTP/1.1 400 Bad Request\r\n", b"x" * 1000, b"", b"loadgen 2 " + b"a" * 64 + b"\n",
            *(b"loadgen 1 " + nonce + b"\n" for nonce in (b"g" * 64, b"a" * 63, b"A" * 64, b"")),
        ):  # fmt: skip
            parent, worker = socket.socketpair()
            with parent, worker:
                worker.sendall(greeting)
                worker.shutdown(socket.SHUT_WR)
                with self.assertRaisesRegex(HandshakeError, "no loadgen worker"):
                    introduce(parent, TOKEN)

    def test_strangers_are_turned_away(self) -> None:
        for hello in (b"GET / HTTP/1.1\r\n\r\n" + b"x" * 100, b"\n", b"", b"0" * 64 + b"\n"):
            parent, worker = socket.socketpair()
            with parent, worker:
                parent.sendall(hello)
                parent.shutdown(socket.SHUT_WR)
                with self.assertRaisesRegex(HandshakeError, "a wrong token"):
                    admit(worker, TOKEN)

    def test_who_says_nothing_is_not_waited_for(self) -> None:
        with self.assertRaises(OSError):
            introduce(self.parent, TOKEN, 0.01)
        with self.assertRaises(OSError):
            admit(self.worker, TOKEN, 0.01)

    def test_who_says_a_byte_now_and_then_is_not_waited_for_either(self) -> None:
        """Nobody else can use the worker meanwhile."""
        clock = SimpleNamespace(now=100.0)

        def drip(count: int) -> bytes:
            clock.now += 3
            return b"0"

        slow = SimpleNamespace(recv=drip, settimeout=lambda seconds: None, sendall=lambda data: None)
        for side in (admit, introduce):
            began = clock.now
            with self.assertRaises(TimeoutError):
                side(slow, TOKEN, 10.0, lambda: clock.now)  # type: ignore[arg-type]
            self.assertEqual(clock.now - began, 12)

    def heard(self, nonce: str) -> bytes:
        """All that a parent says to a worker with that nonce, whether it is let in or not."""
        parent, worker = socket.socketpair()
        with parent, worker:
            worker.sendall(b"loadgen 1 " + nonce.encode() + b"\nok\n")
            introduce(parent, TOKEN)
            return worker.recv(1000)

    def test_the_token_is_never_on_the_wire(self) -> None:
        heard = self.heard("0" * 64)
        self.assertNotIn(TOKEN, heard)
        self.assertRegex(heard, rb"\A[0-9a-f]{64}\n\Z")

    def test_what_was_overheard_is_of_no_use_for_the_next(self) -> None:
        """Each connection has a nonce of its own."""
        self.assertNotEqual(self.heard("0" * 64), self.heard("0" * 63 + "1"))
        nonces = set()
        for _ in range(5):
            parent, worker = socket.socketpair()
            with parent, worker:
                parent.sendall(b"\n")
                with self.assertRaises(HandshakeError):
                    admit(worker, TOKEN)
                nonces.add(parent.recv(1000))
        self.assertEqual(len(nonces), 5)

    def test_what_one_worker_asks_another_cannot_answer_with(self) -> None:
        """A nonce sent back is no proof."""
        self.in_background(admit, self.worker, TOKEN, PATIENCE_S)
        nonce = self.parent.recv(1000)
        self.parent.sendall(nonce[10:])
        self.assertEqual(self.parent.recv(1000), b"")

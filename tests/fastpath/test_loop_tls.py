"""The native loop over TLS: all that holds over TCP, and what only TLS has."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
from dataclasses import replace

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from edge.certificates import Certificates
from edge.fastpath.interface import FastPath, Handoff, Limits, Settings
from edge.fastpath.native import NativeFastPath
from edge.table.segment import Segment
from edge.tls.native import NativeTls
from tests.fastpath.loop_suite import SITES, ServingSuite
from tests.fastpath.opening_suite import OpeningSuite
from tests.fastpath.site import BIG, BODY, EMPTY, get
from tests.tls.handshakes import PyClient, StdClient, credential
from tests.tls.peer import server_state

#: What they are for is not asked.
NOWHERE = Certificates({}, ((),))


class TlsSocket:
    """A client's end that looks like a non-blocking socket; its TLS is that of pyOpenSSL."""

    def __init__(self, sock: socket.socket, client: PyClient) -> None:
        self.socket, self.client = sock, client
        self._read = b""
        self._ended = False

    def pump(self) -> None:
        """What came is read, and what is to be sent is sent."""
        with contextlib.suppress(BlockingIOError):
            while True:
                data = self.socket.recv(1 << 20)
                if not data:
                    self._ended = True
                    break
                self._read += self.client.receive(data)
        self.flush()

    def flush(self) -> None:
        """What is to be sent is sent."""
        if data := self.client.output():
            self.socket.sendall(data)

    def sendall(self, data: bytes) -> None:
        """As of a socket."""
        self.socket.setblocking(True)
        self.client.connection.sendall(data)
        self.flush()
        self.socket.setblocking(False)

    def recv(self, size: int) -> bytes:
        """As of a socket."""
        if not self._read:
            self.pump()
        if not self._read and not self._ended:
            raise BlockingIOError
        data, self._read = self._read[:size], self._read[size:]
        return data

    def shutdown(self, how: int) -> None:
        """close_notify, and the end of our direction."""
        self.client.connection.shutdown()
        self.flush()

    def close(self) -> None:
        """As of a socket."""
        self.socket.close()


class TlsLoopTests(ServingSuite, OpeningSuite, SynchronousTestCase):
    """The native build, with a listener that has a certificate."""

    def make(self, segment: Segment, settings: Settings) -> FastPath:
        self.tls = NativeTls(1024)
        settings = replace(settings, tls=self.tls)
        return NativeFastPath(segment, 0, settings)

    def secure(self, fastpath: FastPath) -> None:
        fastpath.secure(7, self.tls.context([credential("example.org")]), NOWHERE)

    def tcp(self, *data: bytes, receive_buffer: int = 0) -> socket.socket:
        """A connection over TCP alone that has sent *data*."""
        return super().client(*data, receive_buffer=receive_buffer)

    def client(  # type: ignore[override]
        self, *data: bytes, hello: PyClient | None = None, receive_buffer: int = 0, source: str = ""
    ) -> TlsSocket:
        """A connection that has shaken hands and then sent *data*."""
        connection = self.hello(hello, receive_buffer)
        for _ in range(3):
            self.turn()
            connection.pump()
        for each in data:
            connection.sendall(each)
        return connection

    def hello(self, client: PyClient | None = None, receive_buffer: int = 0) -> TlsSocket:
        """A connection that has sent its hello."""
        connection = TlsSocket(self.tcp(receive_buffer=receive_buffer), client or PyClient())
        connection.client.receive(b"")
        connection.flush()
        return connection

    def turn(self) -> list[Handoff]:
        """Runs while something is ready, but for the handoffs of others."""
        with select.epoll() as poll:
            poll.register(self.fastpath.fileno(), select.EPOLLIN)
            handoffs: list[Handoff] = []
            while not handoffs and poll.poll(0.005):
                handoffs = self.fastpath.run()
        return handoffs

    def figures(self, *names: str) -> tuple[int, ...]:
        """Counters of TLS."""
        self.fastpath.tick()
        return tuple(self.counted(f"tls_{name}") for name in names)

    # Before the handshake

    def test_a_silent_connection_is_as_small_as_any(self) -> None:
        fastpath = self.start()
        for _ in range(20):
            self.tcp()
        self.settle()
        self.assertEqual(fastpath.connections(), 20)
        self.assertLessEqual(fastpath.memory(), 20 * 24)  # type: ignore[attr-defined]

    def test_other_hellos_are_let_go_with_their_bytes(self) -> None:
        """TLS 1.2, HTTP without TLS, anything."""
        self.start()
        old = StdClient(version=ssl.TLSVersion.TLSv1_2)
        old.receive(b"")
        for first in (old.output(), get(EMPTY), b"\x16\x03\x01\x00\x05\x02", b"\x80"):
            connection = self.tcp(first)
            (handoff,) = self.settle()
            self.assertEqual((handoff.listener, handoff.data, handoff.layer), (7, first, None))
            self.assertEqual(self.received(connection), b"")
            self.fastpath.release(handoff.fd)
            socket.socket(fileno=handoff.fd).close()
        self.assertEqual(self.figures("let_go", "full", "handshakes"), (4, 0, 0))

    def test_a_hello_may_come_in_any_pieces(self) -> None:
        self.start()
        for cut in (1, 2, 5, 6, 100, 300):
            client = PyClient()
            client.receive(b"")
            hello = client.output()
            connection = TlsSocket(self.tcp(hello[:cut]), client)
            self.settle()
            self.assertEqual(self.figures("handshakes"), (0,))
            connection.socket.sendall(hello[cut:])
            for _ in range(3):
                self.turn()
                connection.pump()
            connection.sendall(get(EMPTY))
            self.settle()
            self.assertIn(b"200 OK", self.received(connection))

    def test_a_handshake_has_a_deadline(self) -> None:
        """From when it is accepted, and again from its first byte, whatever comes later."""
        self.start()
        silent, begun, half = self.tcp(), self.hello(), self.tcp(b"\x16\x03")
        self.settle()
        self.assertEqual(self.figures("handshakes"), (1,))
        self.advance(6)
        half.sendall(b"\x01")
        self.settle()
        self.assertEqual(self.fastpath.connections(), 3)
        self.advance(5)
        self.assertEqual((self.fastpath.connections(), self.figures("timeouts", "handshakes")), (0, (3, 0)))
        self.assertTrue(self.at_end(half) and begun.socket.recv(1 << 16) and self.at_end(silent))
        self.assertEqual(self.counted("timeouts_idle"), 0)

    def test_handshakes_at_once_are_limited(self) -> None:
        """In all; places that become free are given again."""
        self.start(Limits(handshakes=3))
        connections = [self.hello() for _ in range(5)]
        self.settle()
        self.assertEqual((self.fastpath.connections(), self.figures("refused", "handshakes")), (3, (2, 3)))
        for connection in connections[:3]:
            connection.pump()
        self.settle()
        self.client(get(EMPTY))
        self.settle()
        self.assertEqual(self.figures("refused", "handshakes", "full"), (2, 0, 4))

    def test_one_address_leaves_half_of_the_handshakes_to_others(self) -> None:
        self.start(Limits(connections_per_address=1000, handshakes=8))
        for _ in range(8):
            self.hello()
        self.settle()
        self.assertEqual(self.figures("refused", "handshakes"), (4, 4))

    def test_a_turn_takes_a_few_handshakes_and_every_request(self) -> None:
        """Twenty hellos wait, and a request on an open connection: it is answered in the first turn."""
        fastpath = self.start()
        connection = self.client()
        hellos = [self.hello() for _ in range(20)]
        fastpath.run()  # they are accepted
        connection.sendall(get(EMPTY))
        before = self.figures("handshakes")[0]
        fastpath.run()
        self.assertIn(b"200 OK", self.received(connection))
        self.assertLessEqual(self.figures("handshakes")[0] - before, 2)
        for _ in range(3):
            self.settle()
            for one in hellos:
                one.pump()
        self.assertEqual(self.figures("full", "handshakes"), (21, 0))

    def test_a_flight_that_is_not_taken_at_once_is_kept(self) -> None:
        """A chain of certificates that no socket takes in one piece."""
        fastpath = self.start()
        one, other = credential("example.org"), credential("other.example", kind="rsa")
        long = one._replace(chain=one.chain + other.chain * 60)
        fastpath.secure(7, self.tls.context([long]), NOWHERE)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection = self.hello(receive_buffer=4096)
        for _ in range(200):
            self.turn()
            connection.pump()
        connection.sendall(get(EMPTY))
        self.settle()
        self.assertIn(b"200 OK", self.received(connection))

    def test_who_leaves_in_the_middle_is_forgotten(self) -> None:
        self.start()
        connection = self.hello()
        self.settle()
        connection.close()
        self.settle()
        self.assertEqual((self.fastpath.connections(), self.figures("failed", "handshakes")), (0, (1, 0)))

    def test_garbage_instead_of_the_finished_gets_an_alert(self) -> None:
        self.start()
        connection = self.hello()
        self.settle()
        connection.socket.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        self.settle()
        self.assertEqual(self.figures("failed", "handshakes", "alerts_sent_bad_record_mac"), (1, 0, 1))
        with self.assertRaises(SSL.Error):
            connection.pump()
        self.advance(3)
        self.assertEqual(self.fastpath.connections(), 0)

    def test_keys_that_cannot_be_proved_are_not_used(self) -> None:
        self.start()
        self.tls.tls.spoil = True
        connection = self.hello()
        for _ in range(3):
            self.turn()
            connection.pump()
        self.assertEqual(self.figures("states", "handshakes", "full", "failed"), (0, 0, 0, 1))
        self.hello()
        (handoff,) = self.settle()
        self.assertEqual((handoff.layer, handoff.data[:1]), (None, b"\x16"))
        self.fastpath.release(handoff.fd)
        socket.socket(fileno=handoff.fd).close()

    # After it

    def test_handshakes_are_told_apart(self) -> None:
        """Full and resumed, by suite and by group."""
        self.start()
        first = self.client(get(EMPTY), hello=PyClient(suites="TLS_CHACHA20_POLY1305_SHA256"))
        self.settle()
        self.received(first)
        self.client(hello=PyClient(resumes=first.client))
        group = "x25519mlkem768" if "X25519MLKEM768" in self.tls.groups else "x25519"
        self.assertEqual(self.figures("full", "resumed", "chacha20", group, "states"), (1, 1, 2, 2, 2))
        self.assertGreater(self.counted("tls_handshake_us"), 0)

    def test_a_resting_connection_costs_at_most_240_bytes(self) -> None:
        fastpath = self.start()
        for _ in range(20):
            self.client(get(EMPTY))
        self.settle()
        self.assertLessEqual(fastpath.memory() / 20, 240)  # type: ignore[attr-defined]
        self.assertEqual(self.figures("states"), (20,))

    def test_a_request_behind_the_finished_is_answered(self) -> None:
        self.start()
        connection = self.hello()
        self.turn()
        connection.client.receive(connection.socket.recv(1 << 16))
        finished = connection.client.output()
        connection.socket.sendall(finished + connection.client.say(get(EMPTY)))
        self.settle()
        self.assertIn(b"200 OK", self.received(connection))

    def test_a_request_may_come_in_many_records_and_any_pieces(self) -> None:
        self.start()
        connection = self.client()
        records = b"".join(connection.client.say(bytes((byte,))) for byte in get(EMPTY))
        for start in range(0, len(records), 37):
            connection.socket.sendall(records[start : start + 37])
            self.settle()
        self.assertIn(b"200 OK", self.received(connection))

    def test_pipelined_requests_are_answered_in_one_record(self) -> None:
        """However many records they came in."""
        self.start()
        connection = self.client()
        connection.socket.sendall(b"".join(connection.client.say(get(EMPTY)) for _ in range(16)))
        self.settle()
        answer = connection.socket.recv(1 << 20)
        self.assertEqual(len(answer), 5 + int.from_bytes(answer[3:5], "big"))
        self.assertEqual(connection.client.receive(answer).count(b"HTTP/1.1 200"), 16)

    def test_a_part_of_a_record_has_the_time_that_a_head_has(self) -> None:
        self.start()
        connection = self.client()
        connection.socket.sendall(connection.client.say(get(EMPTY))[:9])
        self.settle()
        self.advance(11)
        self.assertIn(b"408", self.received(connection))
        self.assertEqual(self.counted("timeouts_head"), 1)

    def test_a_record_that_is_not_authentic_ends_its_connection_alone(self) -> None:
        self.start()
        connection, other = self.client(), self.client()
        record = bytearray(connection.client.say(get(EMPTY)))
        record[20] ^= 1
        connection.socket.sendall(record)
        self.settle()
        with self.assertRaises(SSL.Error):
            self.received(connection)
        self.assertEqual(self.figures("alerts_sent_bad_record_mac", "states"), (1, 1))
        self.advance(3)
        other.sendall(get(EMPTY))
        self.settle()
        self.assertIn(b"200 OK", self.received(other))
        self.assertEqual(self.figures("states"), (1,))

    def test_close_notify_is_answered(self) -> None:
        """After what was asked for before."""
        self.start()
        connection = self.client(get(EMPTY) * 2)
        connection.shutdown(socket.SHUT_WR)
        self.settle()
        self.assertEqual(self.received(connection).count(b"200 OK"), 2)
        self.assertTrue(connection.client.connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN)
        self.assertEqual((self.fastpath.connections(), self.figures("states")), (0, (0,)))

    def test_who_is_closed_is_told_so(self) -> None:
        """By close_notify, behind an answer that closes, when idle, when draining."""
        for how in ("answer", "idle", "draining"):
            self.start()
            connection = self.client(get(EMPTY, b"Connection: close") if how == "answer" else b"")
            self.settle()
            if how == "idle":
                self.advance(80)
            if how == "draining":
                self.fastpath.drain()
            self.received(connection)
            self.assertTrue(connection.client.connection.get_shutdown() & SSL.RECEIVED_SHUTDOWN, how)
            self.assertTrue(self.at_end(connection), how)

    def test_draining_finishes_handshakes(self) -> None:
        self.start()
        connection = self.hello()
        self.settle()
        self.fastpath.drain()
        connection.pump()
        connection.sendall(get(EMPTY))
        self.settle()
        self.assertIn(b"Connection: close\r\n", self.received(connection))
        self.assertEqual(self.fastpath.connections(), 0)

    def test_draining_shakes_hands_with_who_has_connected_and_said_hello(self) -> None:
        """As a request that came in time is answered without TLS; who says nothing for 2 s is closed."""
        self.start()
        silent, late = self.tcp(), TlsSocket(self.tcp(), PyClient())
        self.settle()
        queued = self.hello()
        self.fastpath.drain()
        self.settle()
        late.client.receive(b"")
        late.flush()
        self.settle()
        for connection in (queued, late):
            connection.pump()
            connection.sendall(get(EMPTY))
            self.settle()
            self.assertIn(b"Connection: close\r\n", self.received(connection))
        self.assertEqual(self.fastpath.connections(), 1)
        self.advance(3)
        self.assertTrue(self.at_end(silent))
        self.assertEqual(self.fastpath.connections(), 0)

    def test_what_could_not_be_sent_to_one_is_not_sent_to_another(self) -> None:
        """Its answers are sealed when its socket fails; the next connection gets its own bytes alone."""
        self.start()
        for _ in range(20):
            broken, sound = self.client(), self.client()
            broken.sendall(get(BIG) * 3)
            sound.sendall(get(EMPTY))
            broken.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            broken.close()  # RST: what is sent to it fails, or is lost
            self.settle()
            sound.sendall(get(EMPTY))
            self.settle()
            self.assertEqual(self.received(sound).count(b"200 OK"), 2)
            sound.close()
        self.settle()
        self.assertEqual((self.fastpath.connections(), self.figures("states")), (0, (0,)))

    def test_what_is_kept_is_ciphertext_and_never_sealed_again(self) -> None:
        """Sixty answers to a slow reader, with requests behind them that wait: all records are in order."""
        self.start()
        connection = self.client(get(BIG) * 20, receive_buffer=4096)
        for _ in range(20):
            self.settle()
            connection.sendall(get(EMPTY))
        got = b""
        for _ in range(20_000):
            self.settle()
            got += self.received(connection)
            if got.count(b"HTTP/1.1 200") == 40:
                break
        self.assertEqual((got.count(b"HTTP/1.1 200"), got.count(BODY)), (40, 20))

    def test_a_part_of_a_record_moves_to_twisted_and_back(self) -> None:
        self.start()
        connection = self.client()
        post, second, third = (
            connection.client.say(one) for one in (b"POST /x HTTP/1.1\r\n", b"more", get(EMPTY))
        )
        connection.socket.sendall(post + second[:10])
        (handoff,) = self.settle()
        assert handoff.layer is not None
        self.assertEqual(handoff.data, b"POST /x HTTP/1.1\r\n")
        self.assertEqual(handoff.layer.open(second[10:] + third[:7]).plaintext, b"more")
        other = NativeTls(1).record_layer(server_state())
        self.assertRaises(OSError, self.fastpath.adopt, handoff.fd, other)
        self.fastpath.adopt(handoff.fd, handoff.layer)
        self.assertRaises(ValueError, handoff.layer.seal, b"x")
        self.settle()
        connection.socket.sendall(third[7:])
        self.settle()
        self.assertIn(b"200 OK", self.received(connection))

    def test_certificates_that_are_loaded_again_keep_their_places(self) -> None:
        """There are 65,536, and without one nobody is told that he asks the wrong connection."""
        fastpath = self.start(sites=SITES)
        context = self.tls.context([credential("example.org")])
        for _ in range(100):
            fastpath.secure(7, context, Certificates({b"example.org": 1}, [[], *[[b"example.org"]] * 999]))
        self.client(b"POST /x HTTP/1.1\r\nHost: blog.example\r\n\r\n", hello=PyClient("blog.example"))
        (handoff,) = self.settle()
        assert handoff.shown is not None
        self.assertEqual(len(handoff.shown.certificates.own), 1000)

    def test_a_new_certificate_is_for_new_connections(self) -> None:
        fastpath = self.start()
        old = self.client(get(EMPTY))
        fastpath.secure(7, self.tls.context([credential("second.example")]), NOWHERE)
        new = self.client(get(EMPTY))
        self.settle()
        self.assertEqual(
            (old.client.certificate, new.client.certificate), ("ecdsa example.org", "ecdsa second.example")
        )
        old.sendall(get(EMPTY))
        self.settle()
        self.assertEqual(self.received(old).count(b"200 OK"), 2)
        self.assertRaises(
            OSError, fastpath.secure, 8, self.tls.context([credential("second.example")]), NOWHERE
        )

    def test_the_log_has_protocol_and_suite(self) -> None:
        self.start(log_every=1)
        self.client(get(EMPTY), hello=PyClient(suites="TLS_AES_256_GCM_SHA384"))
        self.settle()
        (record,) = self.logged()
        self.assertEqual((record.tls, record.status), (b"TLSv1.3 TLS_AES_256_GCM_SHA384", 200))

    def test_closing_ends_everything(self) -> None:
        """Handshakes under way and states; those handed off stay with who has them."""
        self.start()
        self.hello()
        self.client(get(EMPTY))
        self.client(b"POST /x HTTP/1.1\r\n")
        (handoff,) = self.settle()
        self.assertEqual(self.tls.states(), 2)
        self.fastpath.close()
        self.assertEqual(self.tls.states(), 1)
        assert handoff.layer is not None
        self.assertEqual(handoff.layer.suite, "TLS_AES_128_GCM_SHA256")
        handoff.layer.discard()
        socket.socket(fileno=handoff.fd).close()

"""What every wire must make of TLS: run over both builds."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterable

from loadgen.trust import Trust
from loadgen.wire import interface
from loadgen.wire.interface import Limits, Wire
from tests.loadgen.wire.base import EMPTY, FOREVER, GET, PAGE, ROOMY, WireBase
from tests.loadgen.wire.tls_peer import NAME, Peer, context, new_context, trust

BIG = 300_000
BIG_PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG


class TlsSuite(WireBase):
    """Mixed into a test case of each build."""

    def make_trusting(self, users: int, limits: Limits, given: Trust) -> Wire:
        """The wire under test."""
        raise AssertionError("the test case says which build")

    def make(self, users: int, limits: Limits) -> Wire:
        return self.make_trusting(users, limits, self.given)

    def secure(self, name: str = NAME, given: Trust | None = None, limits: Limits = ROOMY) -> Wire:
        """A wire and a server; node 0 is that one over TLS, by *name*."""
        self.given = trust() if given is None else given
        self.wire = self.make(100, limits)
        self.addCleanup(self.wire.close)
        self.server = self.listen()
        self.assertEqual(self.wire.node(*self.server.getsockname()[:2], name), 0)
        self.token = 0
        return self.wire

    def peer(self, settings: ssl.SSLContext | None = None) -> Peer:
        """The server's side of the next connection, its handshake not begun."""
        return Peer(self.accept(), settings or context(), self.turn)

    def turn(self) -> None:
        """The wire does something that ends nothing."""
        self.assertEqual(self.run_once(), [])

    def shaken(self, user: int = 0, settings: ssl.SSLContext | None = None) -> Peer:
        """A request of *user* has arrived on a new connection."""
        self.ask(user)
        peer = self.peer(settings)
        peer.shake()
        self.assertEqual(peer.read(), GET)
        return peer

    def visited(self, user: int = 0, settings: ssl.SSLContext | None = None) -> Peer:
        """The same, answered, and closed by the wire's user."""
        peer = self.shaken(user, settings)
        peer.write(EMPTY)
        self.assertEqual(self.answer().error, interface.OK)
        self.wire.leave(user)
        self.until_closed()
        return peer

    def resumed(self) -> list[int]:
        """Of the handshakes since the last call."""
        return [one.resumed for one in self.wire.handshakes()]

    # ---- answers ----

    def test_a_request_and_its_answer(self) -> None:
        self.secure()
        peer = self.shaken()
        peer.write(PAGE)
        answer = self.answer()
        self.assertEqual((answer.status, answer.error), (200, interface.OK))
        self.assertEqual(self.bodies[answer.body_at :][: answer.body_length], b"hello")
        self.assertTrue(answer.begun <= answer.sent <= answer.head <= answer.done)
        self.assertEqual(self.wire.connections(), 1)

    def test_the_connection_serves_again_and_counts_its_records(self) -> None:
        """The handshake belongs to the first request, with the certificate."""
        self.secure()
        peer = self.shaken()
        peer.write(EMPTY)
        first = self.answer()
        self.ask()
        self.assertEqual(peer.read(), GET)
        peer.write(EMPTY)
        second = self.answer()
        self.assertEqual(self.wire.opened(), 1)
        self.assertGreater(first.bytes_in, second.bytes_in + 500)
        self.assertEqual(second.bytes_out, len(GET) + 22)
        self.assertEqual(second.bytes_in, len(EMPTY) + 22)

    def test_it_says_whom_it_wants_and_what_it_speaks(self) -> None:
        names: list[str | None] = []
        settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

        def named(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            names.append(name)
            connection.context = context()

        settings.sni_callback = named
        settings.set_alpn_protocols(["h2", "http/1.1"])
        self.secure()
        peer = self.shaken(settings=settings)
        self.assertEqual((names, peer.tls.version()), ([NAME], "TLSv1.3"))

    def test_a_large_body_comes_whole_in_many_records(self) -> None:
        self.secure()
        peer = self.shaken()
        peer.tls.write(BIG_PAGE)
        body = bytes(range(250)) * (BIG // 250)
        for at in range(0, BIG, 10_000):
            peer.tls.write(body[at : at + 10_000])
        data = peer._out.read()
        found: list[interface.Answer] = []
        for _ in range(5000):
            with contextlib.suppress(BlockingIOError):
                data = data[peer.connection.send(data) :] if data else data
            found = self.run_once()
            if found:
                break
        self.assertEqual((found[0].error, found[0].body_length), (interface.OK, BIG))
        self.assertEqual(self.bodies[found[0].body_at :][:BIG], body)

    def test_a_large_request_goes_whole(self) -> None:
        self.secure()
        request = b"POST / HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000
        self.ask(request=request)
        peer = self.peer()
        peer.shake()
        got = b""
        while len(got) < len(request):
            got += peer.read()
        self.assertEqual(got, request)
        peer.write(EMPTY)
        self.assertEqual(self.answer().error, interface.OK)

    def test_answers_in_single_bytes_of_records(self) -> None:
        """However TCP cuts them."""
        self.secure()
        peer = self.shaken()
        peer.tls.write(PAGE)
        data = peer._out.read()
        for at in range(len(data) - 1):
            peer.connection.sendall(data[at : at + 1])
            self.assertEqual(self.run_once(), [])
        peer.connection.sendall(data[-1:])
        self.assertEqual(self.answer().error, interface.OK)

    def test_a_body_without_length_ends_with_a_goodbye_and_not_without(self) -> None:
        """An end that anybody on the way could have made completes nothing (RFC 8446 section 6.1)."""
        for polite, error in ((True, interface.OK), (False, interface.CLOSED)):
            self.secure()
            peer = self.shaken()
            peer.write(b"HTTP/1.1 200 OK\r\n\r\nab")
            self.turn()
            if polite:
                peer.goodbye()
            peer.connection.close()
            self.assertEqual(self.answer().error, error)

    def test_a_goodbye_with_the_last_bytes_is_heard(self) -> None:
        """Also while the connection below stays open."""
        self.secure()
        peer = self.shaken()
        peer.tls.write(b"HTTP/1.1 200 OK\r\n\r\nab")
        peer.goodbye()
        answer = self.answer()
        self.assertEqual((answer.error, answer.body_length), (interface.OK, 2))

    def test_leaving_says_goodbye(self) -> None:
        self.secure()
        peer = self.shaken()
        peer.write(EMPTY)
        self.answer()
        self.wire.leave(0)
        self.assertEqual(peer.read(), b"")

    def test_a_connection_closed_at_rest_is_noticed_or_its_request_sent_again(self) -> None:
        self.secure()
        peer = self.shaken()
        peer.write(EMPTY)
        self.answer()
        peer.goodbye()
        peer.connection.close()
        self.until_closed()
        peer = self.shaken()
        peer.write(EMPTY)
        self.answer()
        peer.connection.close()
        self.ask()
        again = self.peer()
        again.shake()
        self.assertEqual(again.read(), GET)
        again.write(EMPTY)
        self.assertEqual(self.answer().error, interface.OK)

    def test_six_connections_of_one_user_and_each_answer_is_its_own(self) -> None:
        self.secure()
        for _ in range(6):
            self.ask()
        peers = [self.peer() for _ in range(6)]
        for peer in peers:
            peer.shake()
        for number, peer in enumerate(peers):
            peer.read()
            peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
            answer = self.answer()
            self.assertEqual(self.bodies[answer.body_at :][:1], b"%d" % number)

    def test_nodes_in_the_clear_and_over_tls_are_different_ones(self) -> None:
        wire = self.secure()
        host, port = self.server.getsockname()[:2]
        self.assertEqual([wire.node(host, port), wire.node(host, port, NAME)], [1, 0])
        self.ask(node=1)
        connection = self.accept()
        self.assertEqual(connection.recv(65536), GET)
        connection.sendall(EMPTY)
        self.assertEqual(self.answer().error, interface.OK)

    # ---- sessions ----

    def test_who_comes_again_resumes_once_with_each_ticket(self) -> None:
        """Each handshake brings a new one; no server ever sees one twice."""
        self.secure()
        seen = []
        for expected in (0, 1, 1, 1):
            peer = self.visited()
            self.assertEqual(self.resumed(), [expected])
            self.assertEqual(peer.tls.session_reused, bool(expected))
            seen.append(identity(peer.seen))
        self.assertEqual(seen[0], b"")
        self.assertEqual(len({*seen}), 4)

    def test_at_most_two_are_kept_for_each_user_and_node(self) -> None:
        """Six connections at once bring more; who then opens six resumes two."""
        self.secure()
        for expected in (0, 2):
            for _ in range(6):
                self.ask()
            peers = [self.peer() for _ in range(6)]
            for peer in peers:
                peer.shake()
            for peer in peers:
                peer.read()
                peer.write(EMPTY)
            self.answers(6)
            self.assertEqual(sum(self.resumed()), expected)
            self.wire.leave(0)
            self.until_closed()

    def test_users_have_their_own(self) -> None:
        self.secure()
        self.visited(0)
        self.visited(1)
        self.visited(0)
        self.assertEqual(self.resumed(), [0, 0, 1])

    def test_a_server_that_has_forgotten_shakes_hands_in_full(self) -> None:
        """New ticket keys, as after a restart."""
        self.secure()
        self.visited(settings=new_context())
        self.visited(settings=new_context())
        self.assertEqual(self.resumed(), [0, 0])

    def test_a_session_whose_certificate_has_expired_meanwhile_is_none(self) -> None:
        """As in browsers, which look at it again; OpenSSL does not."""
        for seconds in (2, 8, 32):  # for a machine that is slow to begin
            until = time.time() + seconds
            settings = new_context(NAME, days=(-1, seconds / 86_400))
            self.secure()
            peer = self.peer_of_first_visit(settings)
            if peer is not None:
                break
        else:
            self.fail("no handshake within half a minute")
        self.assertEqual(self.resumed(), [0])
        time.sleep(max(0.0, until + 1 - time.time()))
        self.ask()
        again = self.peer(settings)
        found = self.answered_while(again)
        self.assertEqual(found.error, interface.EXPIRED)
        self.assertTrue(again.tls.session_reused)
        self.assertEqual((self.wire.connections(), self.resumed()), (0, []))

    def peer_of_first_visit(self, settings: ssl.SSLContext) -> Peer | None:
        """As :meth:`visited`; None: the certificate had expired by then."""
        self.ask()
        peer = self.peer(settings)
        found = self.answered_while(peer)
        if found.error == interface.EXPIRED:
            return None
        self.assertEqual(found.error, interface.OK)
        self.wire.leave(0)
        self.until_closed()
        return peer

    def answered_while(self, peer: Peer) -> interface.Answer:
        """What becomes of the only request, while its server shakes hands and answers."""
        said = False
        for _ in range(3000):
            if found := self.run_once():
                return found[0]
            with contextlib.suppress(ssl.SSLError, OSError):
                peer.pump()
                peer.tls.do_handshake()
                if not said and peer.tls.read(1 << 16) == GET:
                    peer.write(EMPTY)
                    said = True
            with contextlib.suppress(OSError):
                peer.pump()
        raise AssertionError("the request has no end")

    def test_a_server_without_tickets_is_none_worse(self) -> None:
        settings = new_context()
        settings.num_tickets = 0
        self.secure()
        self.visited(settings=settings)
        self.visited(settings=settings)
        self.assertEqual(self.resumed(), [0, 0])

    def test_a_ticket_that_comes_with_the_answer_is_kept(self) -> None:
        """Long after the handshake, in one piece with what was asked for."""
        self.secure()
        self.ask()
        peer = self.peer()
        for _ in range(2000):  # the server's handshake, whose last bytes are its tickets
            try:
                peer.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                peer.pump()
                self.turn()
        tickets = peer._out.read()
        for _ in range(2000):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.assertEqual(peer.tls.read(1 << 16), GET)
                break
            self.turn()
            peer.pump()
        self.assertTrue(tickets)
        peer.connection.sendall(tickets)
        peer.write(EMPTY)
        self.answer()
        self.wire.leave(0)
        self.until_closed()
        self.visited()
        self.assertEqual(self.resumed(), [0, 1])

    # ---- handshakes that fail ----

    def refused(self, settings: ssl.SSLContext | None, **options: object) -> int:
        """The error of a request whose server has these *settings*; None: it closes at once."""
        self.secure(**options)  # type: ignore[arg-type]
        self.ask()
        connection = self.accept()
        if settings is None:
            connection.close()
            return self.answer().error
        peer = Peer(connection, settings, lambda: None)
        found: list[interface.Answer] = []
        for _ in range(3000):
            found += self.run_once()
            if found:
                break
            with contextlib.suppress(ssl.SSLError, OSError):
                peer.pump()
                peer.tls.do_handshake()
            with contextlib.suppress(OSError):
                peer.pump()
        self.assertEqual(len(found), 1)
        self.assertEqual(self.wire.connections(), 0)
        self.assertEqual(self.wire.handshakes(), [])
        return found[0].error

    def test_a_certificate_that_nobody_trusted_has_signed(self) -> None:
        self.assertEqual(self.refused(context(), given=Trust()), interface.UNTRUSTED)

    def test_a_certificate_whose_time_is_over_or_has_not_come(self) -> None:
        self.assertEqual(self.refused(context(NAME, days=(-9, -5))), interface.EXPIRED)
        self.assertEqual(self.refused(context(NAME, days=(5, 9))), interface.EXPIRED)

    def test_a_certificate_for_another_name_or_address(self) -> None:
        self.assertEqual(self.refused(context("other.example")), interface.OTHER_NAME)
        self.assertEqual(self.refused(context("other.example"), name="127.0.0.1"), interface.OTHER_NAME)

    def test_a_server_of_yesterday(self) -> None:
        settings = new_context()
        settings.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assertEqual(self.refused(settings), interface.OLD_TLS)

    def test_a_server_that_closes_in_the_middle(self) -> None:
        self.assertEqual(self.refused(None), interface.NO_TLS)

    def test_a_server_that_speaks_no_tls(self) -> None:
        for said in (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"\x00" * 4096,
            b"\x16\x03\x03\xff\xff" + b"x" * 70_000,
        ):
            self.secure()
            self.ask()
            connection = self.accept()
            connection.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                connection.send(said)
            self.assertEqual(self.answer().error, interface.NO_TLS)

    def test_any_certificate_does_where_that_is_wanted(self) -> None:
        self.secure(given=Trust(insecure=True))
        self.visited(settings=context("other.example", days=(-9, -5)))
        self.assertEqual(self.resumed(), [0])

    def test_an_address_is_checked_as_an_address(self) -> None:
        self.secure("127.0.0.1")
        self.visited()

    def test_nobody_listening_is_no_matter_of_tls(self) -> None:
        wire = self.secure()
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        self.ask(node=wire.node("127.0.0.1", port, NAME))
        self.assertEqual(self.answer().error, interface.REFUSED)

    def test_a_handshake_that_does_not_go_on_times_out(self) -> None:
        self.secure(limits=Limits(FOREVER, 50_000_000, 1 << 20))
        self.ask()
        self.accept()
        self.assertEqual(self.answer().error, interface.TIMEOUT)
        self.assertEqual(self.wire.connections(), 0)

    def test_cancelling_in_a_handshake_ends_it(self) -> None:
        self.secure()
        token = self.ask()
        self.accept()
        self.wire.cancel(token)
        self.assertEqual(self.answer().error, interface.CANCELLED)
        self.assertEqual(self.wire.connections(), 0)

    def test_spoilt_records_end_the_connection(self) -> None:
        self.secure()
        peer = self.shaken()
        peer.tls.write(PAGE)
        data = bytearray(peer._out.read())
        data[-1] ^= 1
        peer.connection.sendall(data)
        self.assertEqual(self.answer().error, interface.CLOSED)
        self.assertEqual(self.wire.connections(), 0)

    # ---- time ----

    def test_a_handshake_counts_from_its_first_bytes(self) -> None:
        self.secure()
        self.ask()
        begun = time.monotonic_ns()
        peer = self.peer()
        for _ in range(20):
            self.turn()
        waited = time.monotonic_ns() - begun
        peer.shake()
        peer.read()
        peer.write(EMPTY)
        self.answer()
        (one,) = self.wire.handshakes()
        self.assertGreater(one.took_ns, waited // 2)
        self.assertEqual((one.node, self.wire.handshakes()), (0, []))

    def test_many_users_at_once(self) -> None:
        """More than events of one round."""
        self.secure()
        for user in range(100):
            self.ask(user)
        peers = [self.peer() for _ in range(100)]
        for peer in peers:
            peer.shake()
        for peer in peers:
            peer.read()
        for peer in peers:
            peer.write(EMPTY)
        self.assertEqual({answer.error for answer in self.answers(100)}, {interface.OK})
        self.assertEqual(len(self.wire.handshakes()), 100)


def identity(seen: bytes) -> bytes:
    """The ticket in a ClientHello that a server has *seen* (RFC 8446 section 4.2.11); b"" without one."""
    length = int.from_bytes(seen[3:5], "big")
    hello = seen[5 : 5 + length]
    at = 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 1 + hello[at] + 2
    for kind, value in _extensions(hello[at:]):
        if kind == 41:
            return value[4 : 4 + int.from_bytes(value[2:4], "big")]
    return b""


def _extensions(data: bytes) -> Iterable[tuple[int, bytes]]:
    while data:
        kind, length = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
        yield kind, data[4 : 4 + length]
        data = data[4 + length :]

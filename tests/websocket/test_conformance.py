"""Every case over ws and wss, against an application that a real node has mounted."""

from __future__ import annotations

import socket
import ssl

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.certificates import write_certificate
from tests.end_to_end.node import RunningNode
from tests.websocket.cases import Case, all_cases
from tests.websocket.wire import CLOSE, PATIENCE, Frame, Peer, close


class ConformanceTests(SynchronousTestCase):
    """One node with both kinds of listeners."""

    def setUp(self) -> None:
        tls = "tls:0:privateKey=DIR/key.pem:certKey=DIR/cert.pem:interface=127.0.0.1"
        mount = "/echo=tests.websocket.echo:EchoResource"
        plain = "tcp:0:interface=127.0.0.1"
        self.node = RunningNode("--mount", mount, workers=1, listen=(plain, tls))
        self.addCleanup(self.node.clean_up)
        write_certificate(self.node.directory, "node")
        self.node.write("index.html", b"one")
        self.node.start()
        # One for all: the authorities of this machine, which the default one reads, cost more than a case.
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def test_ws(self) -> None:
        self.run_all("http")

    def test_wss(self) -> None:
        self.run_all("https")

    def run_all(self, kind: str) -> None:
        failed = []
        cases = list(all_cases())
        for case in cases:
            try:
                self.run_case(case, self.connect(kind))
            except (AssertionError, OSError) as error:
                failed.append(f"{case.name}: {str(error)[:300] or type(error).__name__}")
        self.assertGreaterEqual(len(cases), 398)
        self.assertEqual(failed, [], f"{len(failed)} of {len(cases)} cases failed")

    def connect(self, kind: str) -> socket.socket:
        """A new connection to the listener of that kind."""
        url = next(one for one in self.node.urls if one.startswith(f"{kind}:"))
        connection = socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), timeout=PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if kind == "https":
            return self.context.wrap_socket(connection)
        return connection

    def run_case(self, case: Case, connection: socket.socket) -> None:
        """Send, and look at what comes."""
        with connection:
            peer = Peer(connection, b"/echo")
            for data in case.sends:
                peer.send(data)
            self.check(case, peer)

    def check(self, case: Case, peer: Peer) -> None:
        """The frames, the goodbye, and the end of the connection."""
        for expected in case.frames:
            self.compare(peer.next(), expected)
        if not case.by_server and not case.says_goodbye:
            peer.send(close())
        goodbye = peer.next()
        assert goodbye is not None and goodbye.opcode == CLOSE, f"no goodbye, but {describe(goodbye)}"
        code = int.from_bytes(goodbye.payload[:2], "big") if goodbye.payload else None
        assert code == case.code, f"goodbye with {code} instead of {case.code}"
        goodbye.payload[2:].decode("utf-8")
        if case.by_server:
            peer.send(close(case.code))
        assert peer.next() is None, "more came after the goodbye"

    def compare(self, came: Frame | None, expected: Frame) -> None:
        """As a short message, whatever the size."""
        assert came == expected, f"{describe(came)} instead of {describe(expected)}"


def describe(one: Frame | None) -> str:
    """In short."""
    if one is None:
        return "the end"
    return f"opcode {one.opcode} with {len(one.payload)} bytes {one.payload[:30]!r}"

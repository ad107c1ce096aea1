"""/.edge/socket of a real node, over ws and wss."""

from __future__ import annotations

import json
import socket
import ssl
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, CloseConnection, RejectConnection, Request, TextMessage
from wsproto.utilities import RemoteProtocolError

from tests.end_to_end.certificates import write_certificate
from tests.end_to_end.node import PATIENCE, RunningNode


class Client:
    """A blocking WebSocket client."""

    def __init__(self, connection: socket.socket, origin: str) -> None:
        self.connection = connection
        self.frames = WSConnection(ConnectionType.CLIENT)
        self.waiting: list[Any] = []
        headers = [(b"Origin", origin.encode())]
        self.send(Request(host="localhost", target="/.edge/socket", extra_headers=headers))

    def send(self, event: Any) -> None:
        """Send *event*."""
        self.connection.sendall(self.frames.send(event))

    def next(self) -> Any:
        """The next event; None: the connection has ended."""
        while not self.waiting:
            data = self.connection.recv(65536)
            if not data:
                return None
            self.frames.receive_data(data)
            self.waiting = list(self.frames.events())
        return self.waiting.pop(0)

    def message(self, topic: str) -> Any:
        """The next message of *topic*."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            event = self.next()
            if isinstance(event, TextMessage):
                found = json.loads(event.data)
                if found["type"] == topic:
                    return found
        raise AssertionError(f"no message of {topic}")


class SocketTests(SynchronousTestCase):
    """Both kinds of listener of one node."""

    def setUp(self) -> None:
        tls = "tls:0:privateKey=DIR/key.pem:certKey=DIR/cert.pem:interface=127.0.0.1"
        node = self.node = RunningNode(workers=1, listen=("tcp:0:interface=127.0.0.1", tls))
        self.addCleanup(node.clean_up)
        write_certificate(node.directory, "node")
        node.write("index.html", b"one")
        node.start()

    def connect(self, kind: str, origin: str = "") -> Client:
        url = next(one for one in self.node.urls if one.startswith(f"{kind}:"))
        address = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        connection: socket.socket = socket.create_connection(address, timeout=PATIENCE)
        if kind == "https":
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            connection = context.wrap_socket(connection)
        self.addCleanup(connection.close)
        return Client(connection, origin or f"{kind}://localhost")

    def test_what_is_new_is_pushed_and_the_connection_ends_in_order(self) -> None:
        for number, kind in enumerate(("http", "https")):
            client = self.connect(kind)
            self.assertIsInstance(client.next(), AcceptConnection)
            self.assertEqual(client.message("load")["document"]["v"], 1)
            before = client.message("changed")["seq"]
            self.node.write("index.html", b"%d" % number)
            self.assertGreater(client.message("changed")["seq"], before)
            client.message("load")
            client.send(CloseConnection(1000))
            while not isinstance(event := client.next(), CloseConnection):
                self.assertIsNotNone(event, kind)
            self.assertEqual(event.code, 1000)
            self.assertIsNone(client.next(), kind)  # and the transport is closed, too

    def test_pages_of_other_sites_are_refused(self) -> None:
        for kind in ("http", "https"):
            event = self.connect(kind, "http://evil.example").next()
            self.assertIsInstance(event, RejectConnection)
            self.assertEqual(event.status_code, 403)

    def test_what_the_node_says_of_itself_is_pushed_to_who_asks_and_can_be_read(self) -> None:
        client = self.connect("http")
        client.message("load")
        client.send(TextMessage('{"type":"subscribe","topics":["status"]}'))
        while not (document := client.message("status")["document"])["sockets"]:
            self.assertEqual(document["id"], "n1")
        self.assertEqual((document["v"], document["sockets"], document["gossip"]), (1, 1, None))
        self.assertGreater(document["table"]["entries"], 0)
        status, fields, body = self.node.ask("/.edge/status")
        self.assertEqual((status, fields["Access-Control-Allow-Origin"]), (200, "*"))
        self.assertEqual(json.loads(body)["id"], "n1")

    def test_the_status_is_for_whom_the_option_says(self) -> None:
        for audience, own, foreign in (("local", 200, 403), ("off", 404, 404)):
            self.assertEqual(self.node.stop(), 0)
            self.node.options += [f"--status={audience}"]
            self.node.start()
            for path in ("/.edge/status", "/.edge/"):
                self.wait_for_status(path, own)
                self.assertEqual(self.node.ask(path, {"Origin": "http://evil.example"})[0], foreign)

    def wait_for_status(self, path: str, status: int) -> None:
        """Until *path* is answered so."""
        self.node.wait_for(lambda: self.node.ask(path)[0] == status, f"{path} is answered {status}")

    def test_a_tenth_of_the_connections_stays_for_requests(self) -> None:
        self.assertEqual(self.node.stop(), 0)
        self.node.options += ["--connections=10", "--connections-per-address=0"]
        self.node.start()
        kept = [self.connect("http") for _ in range(9)]
        for client in kept:
            self.assertIsInstance(client.next(), AcceptConnection)
        event = self.connect("http").next()
        self.assertIsInstance(event, RejectConnection)
        self.assertEqual(event.status_code, 503)

    def test_hostile_bytes_and_the_end_of_the_node(self) -> None:
        for kind in ("http", "https"):
            client = self.connect(kind)
            client.message("load")
            client.connection.sendall(b"\xff" * 3000)
            code = None
            while (event := client.next()) is not None:
                code = event.code if isinstance(event, CloseConnection) else code
            self.assertEqual(code, 1002, kind)
        client = self.connect("https")
        client.message("load")
        self.assertEqual(self.node.stop(), 0)
        codes = []
        try:
            while (event := client.next()) is not None:
                codes += [event.code] if isinstance(event, CloseConnection) else []
        except (RemoteProtocolError, OSError):
            pass
        self.assertEqual(codes, [1001])

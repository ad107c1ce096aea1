"""A node behind others: the PROXY protocol, Forwarded and X-Forwarded-For, nginx before it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import ssl
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from edge.http.proxy_header import SIGNATURE
from tests import processes
from tests.end_to_end.cluster import free_port
from tests.end_to_end.node import PATIENCE, RunningNode, exchange
from tests.trust.made import make

V1 = b"PROXY TCP4 203.0.113.9 198.51.100.1 56324 80\r\n"
_BODY = socket.inet_pton(socket.AF_INET6, "2001:db8::9") * 2 + b"\x00\x50\x01\xbb" + b"\x04\x00\x01x" * 30
V2 = SIGNATURE + b"\x21\x21" + len(_BODY).to_bytes(2, "big") + _BODY
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"


def get(target: str, *lines: str, close: bool = True) -> bytes:
    """A request."""
    end = ["Connection: close"] if close else []
    return "\r\n".join([f"GET {target} HTTP/1.1", "Host: x", *lines, *end, "", ""]).encode()


def received(connection: socket.socket) -> bytes:
    """All that comes until the peer closes, however."""
    answer = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            answer += piece
    return bytes(answer)


class Base(SynchronousTestCase):
    """A node with an access log in JSON."""

    listen: tuple[str, ...] = ("tcp:0:interface=127.0.0.1",)

    def start(self, *options: str) -> RunningNode:
        """A node with these *options*."""
        node = self.node = RunningNode(*options, workers=1, listen=self.listen)
        self.addCleanup(node.clean_up)
        self.log = node.directory / "access.log"
        node.options += ["--access-log", str(self.log), "--access-log-format", "json", "--head-seconds", "1"]
        node.write("a.txt", b"hello")
        for number, name in enumerate(("top",)):
            made = make(f"{name}.example", number=number)
            (node.directory / f"{name}.pem").write_bytes(made.pem)
            (node.directory / f"{name}.key").write_bytes(made.key_pem())
        node.start()
        return node

    def tcp(self) -> socket.socket:
        """A connection to the first listener."""
        return socket.create_connection(("127.0.0.1", self.node.port), PATIENCE)

    def lines(self) -> list[dict[str, Any]]:
        """The access log."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def address_of(self, target: str) -> str:
        """Who asked for *target*, by the log."""
        self.node.wait_for(lambda: any(target in json.dumps(line) for line in self.lines()), "it is logged")
        [line] = [line for line in self.lines() if target in json.dumps(line)]
        return str(line["peer"])


class ProxyProtocolTests(Base):
    """Who may speak it is believed, and nobody else."""

    def ask(self, header: bytes, target: str, *lines: str) -> bytes:
        """The answer to a request behind *header*."""
        with self.tcp() as connection:
            connection.sendall(header + get(target, *lines))
            return received(connection)

    def check_all(self) -> None:
        """On whichever fast path."""
        for number, (header, address) in enumerate(
            (
                (V1, "203.0.113.9"),
                (V2, "2001:db8::9"),
                (LOCAL, "127.0.0.1"),
                (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
            )
        ):
            for way, lines in (("fast", ()), ("slow", ("TE: trailers",))):
                target = f"/a.txt?{way}{number}."
                self.assertTrue(self.ask(header, target, *lines).endswith(b"hello"), header)
                self.assertEqual(self.address_of(target), address)
        # the header in pieces, and the connection goes on, back on the fast path
        before = self.requests()
        with self.tcp() as connection:
            for at in range(len(V2)):
                connection.sendall(V2[at : at + 1])
            for _ in range(3):
                connection.sendall(get("/a.txt", close=False))
                answer = b""
                while not answer.endswith(b"hello"):
                    answer += connection.recv(65536)
            connection.sendall(get("/a.txt", "TE: trailers", close=False) + get("/a.txt"))
            self.assertEqual(received(connection).count(b"hello"), 2)
        self.assertEqual(self.requests() - before, 5)
        # what is no header, or is not all there in time, is closed without an answer, and said once
        for data in (V1[:20], get("/a.txt"), SIGNATURE + b"\x21\x11\xff\xff", b"PROXY TCP4 x\r\n"):
            with self.tcp() as connection:
                connection.sendall(data)
                self.assertEqual(received(connection), b"")
        told = "have that proxy send the header"
        self.node.wait_for(lambda: told in self.node.log.read_text(), "it is told")
        self.assertEqual(self.node.log.read_text().count(told), 1)

    def requests(self) -> int:
        """How many were answered."""
        return sum(worker["requests"] for worker in self.node.admin("GET", "/status")[1]["workers"])

    def test_the_address_in_the_header_counts_in_c(self) -> None:
        self.start("--proxy-protocol", "127.0.0.0/8", "--fast-path", "native")
        self.check_all()

    def test_the_address_in_the_header_counts_in_python(self) -> None:
        self.start("--proxy-protocol", "127.0.0.0/8", "--fast-path", "python")
        self.check_all()

    def test_the_address_in_the_header_counts_without_a_fast_path(self) -> None:
        self.start("--proxy-protocol", "127.0.0.0/8", "--fast-path", "off")
        self.check_all()

    def test_others_are_not_believed(self) -> None:
        self.start("--proxy-protocol", "10.0.0.0/8", "--proxy-protocol", "unix")
        for header in (V1, V2):
            answer = self.ask(header, "/a.txt")
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), answer)
        self.assertTrue(self.ask(b"", "/a.txt").endswith(b"hello"))

    def test_connections_are_counted_by_the_address_in_the_header(self) -> None:
        self.start("--proxy-protocol", "127.0.0.0/8", "--connections-per-address", "3")
        held = []
        for number in range(8):
            connection = self.tcp()
            self.addCleanup(connection.close)
            connection.sendall(V1.replace(b"113.9", b"113.%d" % number) + get("/a.txt", close=False))
            self.assertIn(b"hello", connection.recv(65536))
            held.append(connection)
        refused = 0
        for _ in range(5):
            connection = self.tcp()
            self.addCleanup(connection.close)
            connection.sendall(V1 + get("/a.txt", close=False))
            try:
                refused += not connection.recv(65536)
            except ConnectionResetError:
                refused += 1
        self.assertEqual(refused, 2)


class SecureTests(Base):
    """The header comes before TLS."""

    listen = ("tls:0:privateKey=DIR/top.key:certKey=DIR/top.pem:interface=127.0.0.1",)

    def test_the_header_comes_before_the_handshake(self) -> None:
        for fast_path in ("native",):
            self.start("--proxy-protocol", "127.0.0.0/8", "--fast-path", fast_path)
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
                context.maximum_version = version
                for way, lines in (("fast", ()), ("slow", ("TE: trailers",))):
                    target = f"/a.txt?{version.name}{way}."
                    raw = self.tcp()
                    raw.sendall(V1)
                    with context.wrap_socket(raw) as connection:
                        connection.sendall(get(target, *lines))
                        self.assertTrue(received(connection).endswith(b"hello"))
                    self.assertEqual(self.address_of(target), "203.0.113.9")


class ForwardedTests(Base):
    """Who is trusted is believed, and nobody else."""

    def ask(self, target: str, **fields: str) -> tuple[int, str]:
        """(status, who asked by the log)."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        status = self.node.ask(target, headers)[0]
        return status, self.address_of(target)

    def test_the_rightmost_address_that_is_not_trusted_is_logged(self) -> None:
        for fast_path in ("native", "python"):
            self.start("--trusted-proxies", "127.0.0.0/8", "--trusted-proxies", "10.0.0.0/8",
                       "--fast-path", fast_path)  # fmt: skip
            for number, (fields, address) in enumerate((
                ({}, "127.0.0.1"),
                ({"X_Forwarded_For": "203.0.113.9"}, "203.0.113.9"),
                ({"X_Forwarded_For": "8.8.8.8, 203.0.113.9, 10.1.1.1"}, "203.0.113.9"),
                ({"X_Forwarded_For": "2001:db8::9", "TE": "trailers"}, "2001:db8::9"),
                ({"Forwarded": 'for=8.8.8.8, for="[2001:db8::9]:80";proto=https'}, "2001:db8::9"),
                ({"X_Forwarded_For": "8.8.8.8, unknown"}, "127.0.0.1"),
            )):  # fmt: skip
                self.assertEqual(self.ask(f"/a.txt?{number}.", **fields), (200, address), fields)
            both = {"X-Forwarded-For": "8.8.8.8", "Forwarded": "for=9.9.9.9"}
            self.assertEqual(self.node.ask("/a.txt", both)[0], 400)

    def test_strangers_write_what_they_like(self) -> None:
        self.start("--trusted-proxies", "10.0.0.0/8")
        for number, fields in enumerate(({"X_Forwarded_For": "8.8.8.8"}, {"Forwarded": "for=8.8.8.8"})):
            self.assertEqual(self.ask(f"/a.txt?{number}.", **fields), (200, "127.0.0.1"))

    def test_the_host_that_was_asked_for_chooses_the_site(self) -> None:
        blog = Path(self.mktemp()).absolute()
        blog.mkdir()
        (blog / "a.txt").write_text("blog")
        self.start("--trusted-proxies", "127.0.0.0/8", "--site", f"blog.example={blog}")
        for headers in ({"X-Forwarded-Host": "blog.example"}, {"Forwarded": "host=blog.example"}):
            self.assertEqual(self.node.ask("/a.txt", headers)[2], b"blog")
        self.assertEqual(self.node.ask("/a.txt")[2], b"hello")


class NginxTests(Base):
    """nginx before a node, as on one machine."""

    listen = ("unix:DIR/edge.sock:mode=660", "tcp:0:interface=127.0.0.1")

    def nginx(self, upstream: str, more: str = "", stream: str = "") -> int:
        """Starts nginx before *upstream*; its port."""
        program = shutil.which("nginx")
        assert program is not None, "nginx is missing: apt-get install nginx-light libnginx-mod-stream"
        folder = Path(self.node.directory)
        port = free_port()
        server = f"server {{ listen 127.0.0.1:{port}; "
        if stream:
            blocks = f"stream {{ {server} proxy_pass {upstream}; {stream} }} }}"
        else:
            blocks = f"""http {{ access_log off;
                client_body_temp_path {folder}/n1; proxy_temp_path {folder}/n2;
                fastcgi_temp_path {folder}/n3; uwsgi_temp_path {folder}/n4; scgi_temp_path {folder}/n5;
                upstream node {{ server {upstream}; keepalive 4; }}
                {server} location / {{ proxy_pass http://node; proxy_http_version 1.1;
                proxy_set_header Connection ""; proxy_set_header Host $host;
                proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                proxy_set_header X-Forwarded-Proto $scheme; {more} }} }} }}"""
        modules = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;" if stream else ""
        file = folder / "nginx.conf"
        user = "user root;" if not os.getuid() else ""
        file.write_text(f"{modules} {user} daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err;"
                        f"worker_processes 1; events {{ }} {blocks}")  # fmt: skip
        process = processes.start([program, "-c", str(file), "-p", str(folder)])
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.terminate)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return port
            except OSError:
                time.sleep(0.05)
        raise AssertionError((folder / "nginx.err").read_text())

    def test_over_a_unix_socket_visitors_have_their_addresses(self) -> None:
        node = self.start("--trusted-proxies", "unix")
        sock = node.directory / "edge.sock"
        self.assertEqual(sock.stat().st_mode & 0o777, 0o660)
        port = self.nginx(f"unix:{sock}")
        for number in range(4):
            connection = self._client(port)
            self.assertEqual(exchange(connection, f"/a.txt?{number}.", {})[2], b"hello")
            self.assertEqual(self.address_of(f"/a.txt?{number}."), "127.0.0.1")
        spoofed = {"X-Forwarded-For": "8.8.8.8"}
        self.assertEqual(exchange(self._client(port), "/a.txt?spoofed", spoofed)[0], 200)
        self.assertEqual(self.address_of("/a.txt?spoofed"), "127.0.0.1")
        etag = exchange(self._client(port), "/a.txt")[1]["ETag"]
        self.assertEqual(exchange(self._client(port), "/a.txt", {"If-None-Match": etag})[0], 304)

    def test_nginx_says_by_the_proxy_protocol_whom_it_has_accepted(self) -> None:
        """Connections that nginx passes on as they are: over TCP, from the addresses of loopback."""
        node = self.start("--proxy-protocol", "unix")
        port = self.nginx(f"unix:{node.directory / 'edge.sock'}", stream="proxy_protocol on;")
        for number in range(3):
            source = (f"127.0.0.{5 + number}", 0)
            with socket.create_connection(("127.0.0.1", port), PATIENCE, source) as connection:
                connection.sendall(get("/a.txt", close=False) + get(f"/a.txt?{number}."))
                self.assertEqual(received(connection).count(b"hello"), 2)
            self.assertEqual(self.address_of(f"/a.txt?{number}."), source[0])

    def test_the_socket_of_a_dead_node_is_taken_over_and_that_of_a_living_one_is_not(self) -> None:
        node = self.start()
        sock = node.directory / "edge.sock"
        other = RunningNode(workers=1, listen=(f"unix:{sock}",))
        self.addCleanup(other.clean_up)
        self.assertNotEqual(other.spawn().wait(PATIENCE), 0)
        self.assertIn("another program listens", other.log.read_text())
        assert node.process is not None
        node.process.kill()
        node.process.wait(PATIENCE)
        self.assertTrue(sock.exists())
        node.start()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(sock))
            connection.sendall(get("/a.txt"))
            self.assertTrue(received(connection).endswith(b"hello"))

    @staticmethod
    def _client(port: int) -> Any:
        import http.client

        return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

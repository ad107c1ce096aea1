"""HTTPS of a real node, on the native path and off it: peers of all kinds, and one answer to all of them."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import unittest
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from edge.confinement import landlock
from tests import processes
from tests.end_to_end.certificates import write_certificate
from tests.end_to_end.node import PATIENCE, RunningNode
from tests.end_to_end.test_confinement import IMPORT_PATH, readable_python
from tests.trust.made import make

BIG = bytes(range(256)) * 12_000
PAGE = b"<!doctype html><title>page</title>" + b"words " * 400
TLS = "tls:0:privateKey=DIR/key.pem:certKey=DIR/cert.pem:interface=127.0.0.1"
NATIVE = find_spec("edge._tls") is not None


def client_context(newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """Verifies nothing: whose certificate it is, other tests look at."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = newest
    return context


class Connection:
    """A client's end of one connection: whole answers, one after the other."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._received = b""

    def send(self, data: bytes) -> None:
        """Send *data*."""
        self.socket.sendall(data)

    def ask(
        self, path: str, *lines: str, method: str = "GET", body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """One request, and its answer: status, fields but Date, body."""
        head = [f"{method} {path} HTTP/1.1", "Host: localhost", *lines]
        if body:
            head.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*head, "", ""]).encode() + body)
        return self.answer(method)

    def answer(self, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        """The next answer."""
        head = self._until(
            lambda: self._received.find(b"\r\n\r\n") + 4 if b"\r\n\r\n" in self._received else None
        )
        status_line, *lines = head.decode("latin-1").strip().split("\r\n")
        fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        fields.pop("date", None)
        status = int(status_line.split(" ")[1])
        length = 0 if method == "HEAD" or status in (204, 304) else int(fields.get("content-length", "0"))
        return status, fields, self._until(lambda: length if len(self._received) >= length else None)

    def _until(self, end: Any) -> bytes:
        while (at := end()) is None:
            data = self.socket.recv(65536)
            if not data:
                raise AssertionError(f"it ended after {self._received!r}")
            self._received += data
        taken, self._received = self._received[:at], self._received[at:]
        return taken

    def at_end(self) -> bool:
        """Whether nothing more comes, in order or not."""
        with contextlib.suppress(ConnectionResetError):
            return self.socket.recv(65536) == b""
        return True


class HTTPSCase(SynchronousTestCase):
    """A node with a plain and a TLS listener for all tests of a class; one worker, where all meet."""

    options: tuple[str, ...] = ()
    listen: tuple[str, ...] = ("tcp:0:interface=127.0.0.1", TLS)

    #: The node that runs, and for which class: trial has no end of a class, so the next one ends it.
    running: ClassVar[list[tuple[type, RunningNode]]] = []

    def setUp(self) -> None:
        if not self.running or self.running[0][0] is not type(self):
            HTTPSCase.end()
            self.begin()
        self.node = self.running[0][1]

    @classmethod
    def begin(cls) -> None:
        """Start the node of this class."""
        mount = "/mirror=tests.end_to_end.mounted:Mirror"
        log = ("--access-log", "DIR/access")
        node = RunningNode("--mount", mount, *log, *cls.options, workers=1, listen=cls.listen)
        cls.running.append((cls, node))
        node.options = [option.replace("DIR", str(node.directory)) for option in node.options]
        cls.prepare(node.directory)
        node.write("index.html", PAGE)
        node.write("big.bin", BIG)
        node.start()

    @staticmethod
    def end() -> None:
        """Stop the node that runs, if there is one."""
        while HTTPSCase.running:
            HTTPSCase.running.pop()[1].clean_up()

    @classmethod
    def prepare(cls, folder: Path) -> None:
        """Certificates, before the node starts."""
        write_certificate(folder, "node")

    def port(self, scheme: str) -> int:
        """Of the first listener of that kind."""
        return next(urlsplit(url).port or 0 for url in self.node.urls if url.startswith(f"{scheme}:"))

    def connect(self, context: ssl.SSLContext | None, name: str | None = None) -> Connection:
        """A new connection; None: without TLS."""
        scheme = "http" if context is None else "https"
        raw = socket.create_connection(("127.0.0.1", self.port(scheme)), timeout=PATIENCE)
        sock = raw if context is None else context.wrap_socket(raw, server_hostname=name)
        self.addCleanup(sock.close)
        return Connection(sock)

    def counted(self) -> dict[str, Any]:
        """What the admin API tells of TLS, with counters of the worker."""
        status = self.node.admin("GET", "/status")[1]
        return {**status["tls"]["handshakes"], **status["tls"]}


atexit.register(HTTPSCase.end)


@unittest.skipUnless(NATIVE, "there is no native TLS here")
class NativeTests(HTTPSCase):
    """TLS 1.3 on the fast path."""

    def test_answers_handoffs_and_returns_are_those_of_plain_connections(self) -> None:
        """One connection does it all: from the table, by Twisted, and back."""
        before, returns = self.counted(), self.node.metric("edge_returns_total{")
        connection = self.connect(client_context())
        status, fields, body = connection.ask("/")
        self.assertEqual((status, body), (200, PAGE))
        for _ in range(3):
            self.assertEqual(connection.ask("/", f"If-None-Match: {fields['etag']}")[0], 304)
            self.assertEqual(connection.ask("/big.bin")[2], BIG)
            self.assertEqual(connection.ask("/big.bin", "Range: bytes=9-19")[::2], (206, BIG[9:20]))
            self.assertEqual(connection.ask("/mirror")[2], b"secure")
            answer = connection.ask("/mirror", method="POST", body=BIG[:700_000])[2]
            self.assertEqual(answer.split()[1].decode(), hashlib.sha256(BIG[:700_000]).hexdigest())
            self.assertEqual(connection.ask("/nothing")[0], 404)
        self.assertEqual(connection.ask("/")[2], PAGE)
        self.assertGreaterEqual(self.node.metric("edge_returns_total{") - returns, 9)
        after = self.counted()
        self.assertEqual((after["full"] - before["full"], after["let_go"] - before["let_go"]), (1, 0))
        self.node.wait_for(lambda: self.counted()["states"] == 1, "it is counted")
        connection.socket.close()

    def test_pipelined_requests_of_both_ways_are_answered_in_order(self) -> None:
        connection = self.connect(client_context())
        paths = ["/", "/mirror", "/", "/nothing", "/big.bin", "/mirror", "/"] * 5
        connection.send("".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths).encode())
        bodies = {"/": PAGE, "/mirror": b"secure", "/big.bin": BIG}
        for path in paths:
            status, _, body = connection.answer()
            self.assertEqual(status, 404 if path == "/nothing" else 200, path)
            self.assertEqual(body, bodies.get(path, body), path)

    def test_bytes_that_come_one_by_one_are_served_alike(self) -> None:
        """Of records, too: a part of one is here when the connection goes to Twisted."""
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = client_context().wrap_bio(incoming, outgoing)
        raw = socket.create_connection(("127.0.0.1", self.port("https")), timeout=PATIENCE)
        self.addCleanup(raw.close)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.trickle(raw, outgoing.read())
                incoming.write(raw.recv(65536))
        client.write(b"GET /mirror HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n")
        client.write(b"Host: x\r\nConnection: close\r\n\r\n")
        self.trickle(raw, outgoing.read())
        received = b""
        while data := raw.recv(65536):
            incoming.write(data)
        with contextlib.suppress(ssl.SSLZeroReturnError, ssl.SSLWantReadError):
            while data := client.read(1 << 20):
                received += data
        self.assertEqual((received.count(b"HTTP/1.1 200"), received.endswith(PAGE)), (2, True))

    def trickle(self, raw: socket.socket, data: bytes) -> None:
        for at in range(len(data)):
            raw.send(data[at : at + 1])

    def test_close_notify_is_sent_and_an_abort_harms_nobody(self) -> None:
        connection = self.connect(client_context())
        self.assertEqual(connection.ask("/", "Connection: close")[0], 200)
        self.assertEqual(connection.socket.recv(100), b"")  # without close_notify it were an SSLEOFError
        for request in (b"", b"GET / HT", b"POST /mirror HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n12"):
            gone = self.connect(client_context())
            gone.send(request or b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            linger = struct.pack("ii", 1, 0)
            gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)  # a reset
            gone.socket.close()
        last = self.connect(client_context())
        self.assertEqual(last.ask("/")[0], 200)
        last.socket.close()
        self.node.wait_for(lambda: self.counted()["states"] == 0, "states of the gone are forgotten")

    def test_openssl_updates_its_keys_in_the_middle(self) -> None:
        """``K`` asks for ours, too; ``k`` does not: on the fast path, and while Twisted has it."""
        alerts = self.node.metric("edge_tls_alerts_total{")
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port('https')}", "-tls1_3"]
        with processes.start(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as client:
            assert client.stdin is not None and client.stdout is not None
            self.addCleanup(client.kill)
            os.set_blocking(client.stdout.fileno(), False)
            said = b""

            def heard(words: bytes, times: int) -> bool:
                nonlocal said
                said += client.stdout.read() or b""  # type: ignore[union-attr]
                return said.count(words) >= times

            self.node.wait_for(lambda: heard(b"Verify return code", 1), "they have shaken hands")
            for number, (key, path) in enumerate(
                [(b"K", b"/mirror"), (b"k", b"/mirror"), (b"K", b"/"), (b"k", b"/")] * 2, 1
            ):
                client.stdin.write(key + b"\n")
                client.stdin.flush()
                self.node.wait_for(lambda number=number: heard(b"KEYUPDATE", number), "the key is updated")
                client.stdin.write(b"HEAD %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)
                client.stdin.flush()
                self.node.wait_for(
                    lambda number=number: heard(b"HTTP/1.1 200 OK", number), f"answer {number} to\n{said!r}"
                )
            client.stdin.close()
        self.assertEqual(self.node.metric("edge_tls_alerts_total{"), alerts)

    def test_curl_gets_puts_and_resumes(self) -> None:
        url = f"https://127.0.0.1:{self.port('https')}"
        upload = self.node.directory / "upload"
        upload.write_bytes(BIG[:900_000])
        got = processes.run(
            ["curl", "-sk", "--tlsv1.3", f"{url}/big.bin", f"{url}/"], capture_output=True, timeout=PATIENCE
        )
        self.assertEqual((got.returncode, got.stdout), (0, BIG + PAGE))
        got = processes.run(
            ["curl", "-sk", "--data-binary", f"@{upload}", f"{url}/mirror", f"{url}/mirror"],
            capture_output=True, timeout=PATIENCE,
        )  # fmt: skip
        self.assertEqual(got.stdout, b"900000 %s" % hashlib.sha256(BIG[:900_000]).hexdigest().encode() * 2)

    def test_a_slow_reader_gets_a_long_answer_whole(self) -> None:
        connection = self.connect(client_context())
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        for _ in range(2):
            for path in ("/big.bin", "/big.bin?", "/mirror"):
                lines = ["Range: bytes=0-2999999"] if path.endswith("?") else []
                status, _, body = connection.ask(path, *lines)
                self.assertEqual(
                    (status, body),
                    {"/mirror": (200, b"secure"), "/big.bin": (200, BIG)}.get(path, (206, BIG[:3_000_000])),
                )

    def test_new_certificates_are_shown_and_open_connections_go_on(self) -> None:
        node = self.node
        before = self.connect(client_context())
        before.ask("/")
        write_certificate(node.directory, "second")
        assert node.process is not None
        node.process.send_signal(signal.SIGHUP)

        def shown() -> str:
            secure = self.connect(client_context()).socket
            assert isinstance(secure, ssl.SSLSocket)
            return x509.load_der_x509_certificate(secure.getpeercert(True) or b"").subject.rfc4514_string()

        node.wait_for(lambda: shown() == "CN=second", "the new certificate is shown")
        for _ in range(2):
            self.assertEqual(before.ask("/")[2], PAGE)
            self.assertEqual(before.ask("/mirror")[2], b"secure")

    def test_the_log_says_who_speaks_tls_and_by_which_cipher(self) -> None:
        self.assertIn("on the fast path, groups ", self.node.log.read_text())
        for context in (None, client_context(), client_context(ssl.TLSVersion.TLSv1_2)):
            connection = self.connect(context)
            connection.ask("/?logged")
            connection.ask("/mirror?logged")
        lines: list[dict[str, Any]] = []

        def logged() -> bool:
            written = (self.node.directory / "access").read_text().splitlines()
            lines[:] = [json.loads(line) for line in written if "?logged" in line]
            return len(lines) == 6

        self.node.wait_for(logged, "all is logged")
        spoken = sorted(f"{line.get('tls', '-')} {line.get('cipher', '')}".strip() for line in lines)
        self.assertEqual(spoken[:2], ["-", "-"])
        self.assertTrue(all(one.startswith("TLSv1.2 ECDHE-ECDSA-") for one in spoken[2:4]), spoken)
        self.assertTrue(all(one.startswith("TLSv1.3 TLS_") for one in spoken[4:]), spoken)
        self.assertEqual(len(set(spoken[4:])), 1)


class OneAnswerTests(HTTPSCase):
    """Promise 1 over TLS: over TCP, over TLS 1.3 and over TLS 1.2 the same request gets the same answer."""

    options = ("--hsts", "max-age=60")

    def test_all_ways_answer_alike(self) -> None:
        ways = [
            self.connect(context)
            for context in (client_context(), client_context(ssl.TLSVersion.TLSv1_2), None)
        ]
        etag = ways[0].ask("/")[1]["etag"]
        for way in ways[1:]:
            way.ask("/")
        for path, lines, method in (
            ("/", [], "GET"),
            ("/", [], "HEAD"),
            ("/", ["Accept-Encoding: br"], "GET"),
            ("/", [f"If-None-Match: {etag}"], "GET"),
            ("/", ["If-None-Match: *"], "HEAD"),
            (f"/?~etag={etag.strip(chr(34))}", [], "GET"),
            ("/big.bin", [], "GET"),
            ("/big.bin", ["Range: bytes=1-5"], "GET"),
            ("/big.bin", ["Range: bytes=99999999-"], "GET"),
            ("/nothing", [], "GET"),
            ("/", [], "DELETE"),
            ("/", ["Origin: http://localhost"], "GET"),
            ("/.edge/health", [], "GET"),
            ("/index.html", [], "GET"),
        ):
            first, second, plain = (way.ask(path, *lines, method=method) for way in ways)
            self.assertEqual(first, second, (path, lines))
            hsts = None if first[0] == 304 else "max-age=60"
            self.assertEqual(first[1].pop("strict-transport-security", None), hsts, (path, lines))
            self.assertEqual(first, plain, (path, lines))
        for request in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\0" * 50 + b"\r\n\r\n",
        ):
            refusals = []
            for context in (client_context(), client_context(ssl.TLSVersion.TLSv1_2), None):
                connection = self.connect(context)
                connection.send(request)
                status, fields, body = connection.answer()
                fields.pop("strict-transport-security", None)
                refusals.append((status, fields, body))
                self.assertTrue(connection.at_end())
            self.assertEqual(refusals, [refusals[0]] * 3)


class PolicyTests(HTTPSCase):
    """Several certificates, and TLS 1.3 alone."""

    options = ("--tls-policy", "modern")
    listen = (
        "tls:0:privateKey=DIR/a.key:certKey=DIR/a.pem:privateKey=DIR/b.key:certKey=DIR/b.pem"
        ":privateKey=DIR/c.key:certKey=DIR/c.pem:interface=127.0.0.1",
    )

    @classmethod
    def prepare(cls, folder: Path) -> None:
        make("a.example", days=(-1, 3000)).write(folder, name="a")
        make("a.example", title="rsa", kind="rsa", days=(-1, 3000)).write(folder, name="b")
        make("*.c.example", number=3, days=(-1, 3000)).write(folder, name="c")

    def shown(self, name: str | None, signatures: str = "") -> str:
        """Whose certificate is shown to who asks for *name* and can verify *signatures*."""
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port('https')}"]
        command += ["-servername", name] if name else ["-noservername"]
        command += ["-sigalgs", signatures] if signatures else []
        said = processes.run(command, input=b"", capture_output=True, timeout=PATIENCE).stdout.decode()
        return said.partition("subject=")[2].partition("\n")[0].replace(" ", "")

    def test_the_certificate_is_chosen_by_name_and_by_what_can_be_verified(self) -> None:
        for name, wanted in (
            ("a.example", "CN=a.example"),
            ("x.c.example", "CN=*.c.example"),
            ("unknown.example", "CN=a.example"),
            (None, "CN=a.example"),
        ):
            self.assertEqual(self.shown(name), wanted, name)
        self.assertEqual(self.shown("a.example", "rsa_pss_rsae_sha256"), "CN=rsa")
        self.assertEqual(self.shown("a.example", "ecdsa_secp256r1_sha256"), "CN=a.example")

    def test_tls_1_2_is_refused_by_a_word(self) -> None:
        with self.assertRaises(ssl.SSLError) as refused:
            self.connect(client_context(ssl.TLSVersion.TLSv1_2))
        self.assertIn("PROTOCOL_VERSION", str(refused.exception))
        self.assertEqual(self.connect(client_context()).ask("/")[0], 200)


class WithoutNativeTests(HTTPSCase):
    """Where the native module is not built, or not wanted, Twisted's TLS serves, and the log says so."""

    options = ("--fast-path", "python")

    def test_all_is_served_as_before(self) -> None:
        connection = self.connect(client_context())
        self.assertEqual(connection.ask("/")[2], PAGE)
        self.assertEqual(connection.ask("/mirror")[2], b"secure")
        self.assertIn("TLS: by Twisted alone", self.node.log.read_text())


class ConfinedTests(HTTPSCase):
    """Workers that may read neither certificate nor key, and little else."""

    listen = (TLS,)

    @classmethod
    def prepare(cls, folder: Path) -> None:
        write_certificate(folder, "first")
        (folder / "key.pem").chmod(0o600)
        node = cls.running[0][1]
        node.python = readable_python()
        node.environment["PYTHONPATH"] = os.pathsep.join(IMPORT_PATH)

    def setUp(self) -> None:
        if os.geteuid() or not landlock.abi():
            raise unittest.SkipTest("only root can start workers as somebody else; Landlock is needed, too")
        super().setUp()

    def shown(self, version: ssl.TLSVersion) -> str:
        """Whose certificate new connections are shown, by that version."""
        secure = self.connect(client_context(version)).socket
        assert isinstance(secure, ssl.SSLSocket)
        return x509.load_der_x509_certificate(secure.getpeercert(True) or b"").subject.rfc4514_string()

    def test_they_show_certificates_old_and_new_by_both_ways(self) -> None:
        node, versions = self.node, (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2)
        [worker] = node.worker_pids()
        status = Path(f"/proc/{worker}/status").read_text()
        self.assertNotIn("\nUid:\t0\t", status)
        for version in versions:
            self.assertEqual(self.shown(version), "CN=first")
            self.assertEqual(self.connect(client_context(version)).ask("/")[2], PAGE)
        write_certificate(node.directory, "second")
        (node.directory / "key.pem").chmod(0o600)
        assert node.process is not None
        node.process.send_signal(signal.SIGHUP)
        for version in versions:
            node.wait_for(lambda version=version: self.shown(version) == "CN=second", "the new one is shown")

"""TLS listeners of a real node."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import ssl
import urllib.request

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.certificates import write_certificate
from tests.end_to_end.node import PATIENCE, RunningNode

BIG = bytes(range(256)) * 4000


class TLSTests(SynchronousTestCase):
    """HTTPS, and certificates that change."""

    def setUp(self) -> None:
        node = self.node = RunningNode(
            "--head-seconds",
            "2",
            workers=1,
            listen=("tls:0:privateKey=DIR/key.pem:certKey=DIR/cert.pem:interface=127.0.0.1",),
        )
        self.addCleanup(node.clean_up)
        write_certificate(node.directory, "first")
        node.write("index.html", b"hello")
        node.write("big.bin", BIG)
        node.start()

    def connect(self) -> ssl.SSLSocket:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2", "http/1.1"])
        raw = socket.create_connection(("127.0.0.1", self.node.port), timeout=PATIENCE)
        connection = context.wrap_socket(raw)
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection: ssl.SSLSocket, path: str = "/") -> bytes:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = b""
        while b"\r\n\r\n" not in received:
            received += connection.recv(65536)
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += connection.recv(65536)
        return body

    def name(self) -> str:
        """To whom the certificate of a new connection was issued."""
        certificate = x509.load_der_x509_certificate(self.connect().getpeercert(True) or b"")
        return certificate.subject.rfc4514_string()

    def test_a_client_hello_and_then_silence_is_held_no_longer_than_a_head(self) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with self.assertRaises(ssl.SSLWantReadError):
            context.wrap_bio(incoming, outgoing).do_handshake()
        silent = [socket.create_connection(("127.0.0.1", self.node.port), timeout=PATIENCE) for _ in range(2)]
        for connection in silent:
            self.addCleanup(connection.close)
        silent[0].sendall(outgoing.read())
        patient = self.connect()
        for connection in silent:
            received = 0
            with contextlib.suppress(ConnectionResetError):
                while data := connection.recv(65536):  # or a timeout: the connection was held
                    received += len(data)
            self.assertEqual(received > 0, connection is silent[0])
        self.assertEqual(self.ask(patient), b"hello")

    def test_tls_serves_refuses_and_takes_new_certificates(self) -> None:
        node = self.node
        connection = self.connect()
        self.assertEqual(connection.selected_alpn_protocol(), "http/1.1")
        self.assertEqual(self.ask(connection), b"hello")
        self.assertEqual(self.ask(connection, "/big.bin"), BIG)
        refused = self.connect()
        refused.sendall(b"GET / HTTP/1.1\r\n\r\n")
        received = b""
        while data := refused.recv(65536):
            received += data
        self.assertTrue(received.startswith(b"HTTP/1.1 400 "))

        self.assertEqual(self.name(), "CN=first")
        write_certificate(node.directory, "second")
        assert node.process is not None
        node.process.send_signal(signal.SIGHUP)
        node.wait_for(lambda: self.name() == "CN=second", "SIGHUP loads the new certificate")
        write_certificate(node.directory, "third")
        node.wait_for(lambda: self.name() == "CN=third", "the changed file is noticed")
        (node.directory / "cert.pem").write_bytes(b"damaged")
        node.process.send_signal(signal.SIGHUP)
        node.wait_for(lambda: "cert.pem holds no certificate" in node.log.read_text(), "it says so")
        self.assertEqual(self.name(), "CN=third")
        self.assertEqual(self.ask(connection), b"hello")


class BesideTests(SynchronousTestCase):
    """What becomes of HTTP when a worker dies while something else cannot be had."""

    def test_neither_a_broken_certificate_nor_a_missing_log_takes_listeners_down(self) -> None:
        """HTTP goes on, and HTTPS with the last good certificate, not with that of the start."""
        tls = "tls:0:privateKey=DIR/key.pem:certKey=DIR/cert.pem:interface=127.0.0.1"
        node = RunningNode(workers=1, listen=("tcp:0:interface=127.0.0.1", tls))
        self.addCleanup(node.clean_up)
        logs = node.directory / "logs"
        logs.mkdir()
        node.options += ["--access-log", str(logs / "access")]
        write_certificate(node.directory, "first")
        node.write("index.html", b"hello")
        node.start()
        write_certificate(node.directory, "second")
        assert node.process is not None
        node.process.send_signal(signal.SIGHUP)
        node.wait_for(lambda: "SIGHUP: done" in node.log.read_text(), "the second certificate is loaded")
        (node.directory / "cert.pem").write_bytes(b"damaged")
        shutil.rmtree(logs)
        [victim] = node.worker_pids()
        os.kill(victim, signal.SIGKILL)
        node.wait_for(lambda: node.worker_pids() not in ([victim], [None]), "there is another")
        node.wait_for(node.workers_ready, "it is ready")
        self.assertEqual(node.ask("/")[::2], (200, b"hello"))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        port = int(node.urls[1].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as raw:
            certificate = context.wrap_socket(raw).getpeercert(True) or b""
        self.assertIn("second", x509.load_der_x509_certificate(certificate).subject.rfc4514_string())
        node.wait_for(lambda: "cert.pem holds no certificate" in node.log.read_text(), "it is said")
        self.assertEqual(node.admin("GET", "/status")[1]["workers"][0]["restarts"], 1)


class RedirectTests(SynchronousTestCase):
    """A node that leads from HTTP to HTTPS."""

    def test_plain_http_leads_to_https_except_challenges(self) -> None:
        """Also after the worker is another one, and with HSTS over HTTPS."""
        tls = "tls:0:privateKey=DIR/key.pem:certKey=DIR/cert.pem:interface=127.0.0.1"
        node = RunningNode(
            "--redirect-https", "--hsts=max-age=60", workers=1, listen=("tcp:0:interface=127.0.0.1", tls)
        )
        self.addCleanup(node.clean_up)
        write_certificate(node.directory, "node")
        node.write("index.html", b"hello")
        node.write(".well-known/acme-challenge/token", b"token.thumbprint")
        node.start()
        secure = f"https://127.0.0.1:{node.urls[1].rsplit(':', 1)[1]}"
        status, fields, _ = node.ask("/a?b=1")
        self.assertEqual((status, fields["Location"]), (308, f"{secure}/a?b=1"))
        self.assertNotIn("Strict-Transport-Security", fields)
        status, _, body = node.ask("/.well-known/acme-challenge/token")
        self.assertEqual((status, body), (200, b"token.thumbprint"))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with urllib.request.urlopen(f"{secure}/", timeout=PATIENCE, context=context) as answer:
            self.assertEqual(answer.read(), b"hello")
            self.assertEqual(answer.headers["Strict-Transport-Security"], "max-age=60")
            self.assertNotIn("Alt-Svc", answer.headers)

"""Clients that are not ours, against the TLS of a real node: curl, openssl, Python's ssl, wrk."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import shutil
import socket
import ssl
import subprocess
import sys
import termios
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests import processes
from tests.end_to_end.certificates import write_certificate
from tests.end_to_end.node import PATIENCE, RunningNode

BIG = bytes(range(256)) * 4000
FULL, LET_GO = (f'edge_tls_handshakes_total{{result="{one}"' for one in ("full", "let_go"))
UPDATES = "edge_tls_key_updates_total"
GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def unread(client: subprocess.Popen[bytes]) -> int:
    """Bytes in the pipe to *client*."""
    assert client.stdin is not None
    left = fcntl.ioctl(client.stdin.fileno(), termios.FIONREAD, bytes(4))
    return int.from_bytes(left, sys.byteorder)


@cache
def serving() -> RunningNode:
    """A node with one worker, the same for all tests here."""
    listen = ("tls:0:privateKey=DIR/key.pem:certKey=DIR/cert.pem:interface=127.0.0.1",)
    node = RunningNode(workers=1, listen=listen)
    atexit.register(node.clean_up)
    write_certificate(node.directory, "peers")
    node.write("index.html", b"hello")
    node.write("big.bin", BIG)
    node.start()
    return node


class PeerTests(SynchronousTestCase):
    """Whether the fast path or Twisted speaks TLS is told by counters."""

    def setUp(self) -> None:
        self.node = serving()
        self.address = f"127.0.0.1:{self.node.port}"

    def run_client(self, *command: str, said: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """A client, up to its end."""
        if shutil.which(command[0]) is None:
            raise AssertionError(f"{command[0]} is not installed (apt-get install {command[0]})")
        return processes.run(command, input=said, capture_output=True, timeout=PATIENCE)

    def openssl(self, *typed: str, options: tuple[str, ...] = ()) -> tuple[str, str]:
        """What ``s_client`` prints when *typed* is typed into it, line after line; and its complaints.

        A line is typed when the one before has been read, because what comes together is data; and "Q" when
        all is answered.
        """
        said, complaints = self.node.directory / "said", self.node.directory / "complaints"
        with said.open("wb") as out, complaints.open("wb") as err:
            command = ["openssl", "s_client", "-connect", self.address, "-no_ign_eof", *options]
            client = processes.start(command, stdin=subprocess.PIPE, stdout=out, stderr=err)
        with client:
            assert client.stdin is not None
            for number, line in enumerate(typed):
                if line == "Q\n":
                    asked = "".join(typed[:number]).count("HTTP/1.1\r\n")
                    self.node.wait_for(
                        lambda asked=asked: (
                            said.read_bytes().count(b"HTTP/1.1 200 OK") >= asked or client.poll() is not None
                        ),
                        "all is answered",
                    )
                with contextlib.suppress(BrokenPipeError):
                    client.stdin.write(line.encode())
                    client.stdin.flush()
                self.node.wait_for(lambda: client.poll() is not None or not unread(client), "it is read")
            client.wait(PATIENCE)
        return said.read_text("latin-1"), complaints.read_text("latin-1")

    def assert_counts(self, metric: str, before: float, more: int) -> None:
        """*metric* grows to *before* + *more*; workers tell their figures now and then."""
        self.node.wait_for(lambda: self.node.metric(metric) == before + more, f"{more} more of {metric}")

    def test_curl_asks_often_on_one_connection_and_for_long_bodies(self) -> None:
        url, before = f"https://{self.address}/", self.node.metric(FULL)
        out = self.node.directory / "out"
        command = ["curl", "-sk", "--http1.1", url, url, "-o", "-", "-o", "-"]
        self.assertEqual(self.run_client(*command).stdout, b"hello" * 2)
        self.assertEqual(self.run_client("curl", "-sk", f"{url}big.bin", "-o", str(out)).returncode, 0)
        self.assertEqual(Path(out).read_bytes(), BIG)
        self.assert_counts(FULL, before, 2)  # of the fast path

    def test_openssl_updates_keys_of_one_side_and_of_both(self) -> None:
        """Typing k and K; what is asked before, between and after is answered."""
        before = self.node.metric(UPDATES)
        output, complaints = self.openssl(GET, "k\n", GET, "K\n", GET, "K\n", GET, "Q\n")
        self.assertEqual(output.count("HTTP/1.1 200 OK"), 4, complaints)
        self.assertIn("KEYUPDATE", complaints + output)
        self.assertNotIn("alert", complaints)
        self.assert_counts(UPDATES, before, 3)

    def test_openssl_updates_keys_while_twisted_has_the_connection(self) -> None:
        """A request that goes to Twisted and stays unfinished there."""
        half = "GET /.edge/health HTTP/1.1\r\nHost: x\r\n"
        output, complaints = self.openssl(half, "K\n", "\r\n", "k\n", GET, "Q\n")
        self.assertEqual(output.count("HTTP/1.1 200 OK"), 2, complaints)

    def test_openssl_speaks_every_suite_and_group(self) -> None:
        for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"):
            for group in ("X25519", "P-256"):
                output, _ = self.openssl(
                    GET, "Q\n", options=("-tls1_3", "-ciphersuites", suite, "-groups", group)
                )
                self.assertIn(f"Cipher is {suite}", output)
                self.assertIn("HTTP/1.1 200 OK", output)

    def test_openssl_may_ask_for_what_the_fast_path_does_not_speak(self) -> None:
        """TLS 1.2, and a group that only Twisted's TLS has."""
        before = self.node.metric(LET_GO)
        for options in (("-tls1_2",), ("-tls1_3", "-groups", "P-384")):
            output, complaints = self.openssl(GET, "Q\n", options=options)
            self.assertIn("HTTP/1.1 200 OK", output, complaints)
        self.assert_counts(LET_GO, before, 2)

    def test_early_data_is_refused_and_asked_again(self) -> None:
        """No ticket allows any."""
        kept, early = self.node.directory / "session", self.node.directory / "early"
        early.write_text(GET)
        self.openssl(GET, "Q\n", options=("-tls1_3", "-sess_out", str(kept)))
        options = ("-tls1_3", "-sess_in", str(kept), "-early_data", str(early))
        output, complaints = self.openssl(GET, "Q\n", options=options)
        self.assertIn("HTTP/1.1 200 OK", output, complaints)
        self.assertNotIn("Early data was accepted", output)

    def test_python_resumes_its_session(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        session = None
        for reused in (False, True, True):
            raw = socket.create_connection(("127.0.0.1", self.node.port), timeout=PATIENCE)
            with context.wrap_socket(raw, session=session) as connection:
                connection.sendall(GET.encode())
                self.assertIn(b"200 OK", connection.recv(65536))
                self.assertEqual(connection.session_reused, reused)
                session = connection.session

    def test_what_is_no_tls_ends(self) -> None:
        with socket.create_connection(("127.0.0.1", self.node.port), timeout=PATIENCE) as connection:
            connection.sendall(GET.encode())
            while connection.recv(65536):
                pass

"""``loadgen flood`` against small servers in threads: both builds, and the command."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from loadgen.cli import main
from loadgen.flood.figures import Figures
from loadgen.flood.loop import Load
from loadgen.flood.processes import flood
from tests.commands import run_command

ROOT = Path(__file__).parents[2]
ANSWER = b"HTTP/1.1 304 \r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def server(serve: Serve) -> Iterator[int]:
    """A port where *serve* has every connection in a thread of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def one(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                serve(connection)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def answering(answer: bytes, seen: list[bytes] | None = None, once: bool = False) -> Serve:
    """Answers every request with *answer*; *once*: closes the connection after the first."""

    def serve(connection: socket.socket) -> None:
        while data := connection.recv(65536):
            if seen is not None:
                seen.append(data)
            connection.sendall(answer * data.count(b"\r\n\r\n"))
            if once:
                return

    return serve


def silent(connection: socket.socket) -> None:
    """Reads, and never answers."""
    while connection.recv(65536):
        pass


def endless(connection: socket.socket) -> None:
    """A body without end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(bytes(65536))


class LoopSuite:
    """What both builds do; mixed into a test case."""

    kind = ""

    def flood(self, port: int, seconds: float = 0.3, connections: int = 3, pipeline: int = 1) -> Figures:
        """A run."""
        return flood(self.kind, Load("127.0.0.1", port, GET, connections, pipeline, 100_000), seconds)

    def test_everything_is_counted(self: SynchronousTestCase) -> None:
        """Answers, bytes, latencies of batches."""
        with server(answering(ANSWER)) as port:
            figures = self.flood(port, pipeline=4)
        self.assertEqual(set(figures.statuses), {304})
        self.assertFalse(figures.errors)
        self.assertLessEqual(figures.requests * len(ANSWER), figures.bytes_in)
        self.assertLessEqual(figures.requests, figures.bytes_out / len(GET))
        self.assertGreaterEqual(figures.requests, 4 * figures.latency.count)
        self.assertGreater(figures.latency.percentile(50), 0)
        self.assertGreater(figures.cpu_seconds, 0)

    def test_answers_may_come_in_any_pieces(self: SynchronousTestCase) -> None:
        """Bodies counted or chunked, heads cut anywhere."""
        chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"
        counted = b"HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nabc"

        def serve(connection: socket.socket) -> None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            cut = 0
            while data := connection.recv(65536):
                text = (chunked + counted) * (data.count(b"\r\n\r\n") // 2)
                cut = (cut + 1) % len(text)
                connection.sendall(text[:cut])
                time.sleep(0.001)
                connection.sendall(text[cut:])

        with server(serve) as port:
            figures = self.flood(port, seconds=0.5, connections=5, pipeline=2)
        self.assertEqual(set(figures.statuses), {200, 404})
        self.assertFalse(figures.errors)

    def test_a_server_may_close_in_good_order(self: SynchronousTestCase) -> None:
        """The connection opens again, and nothing is wrong."""
        for text in (b"HTTP/1.1 304 \r\nConnection: close\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nto the end"):
            with server(answering(text, once=True)) as port:
                figures = self.flood(port)
            self.assertGreater(figures.requests, 3)
            self.assertFalse(figures.errors)

    def test_what_goes_wrong_is_counted_by_kind(self: SynchronousTestCase) -> None:
        """And it goes wrong ten times a second and connection, not as often as it can."""
        for serve, error in (
            (answering(b"garbage\r\n\r\n"), "not an HTTP answer"),
            (answering(ANSWER, once=True), "closed early"),
            (answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", once=True), "closed early"),
            (answering(ANSWER * 2), "not an HTTP answer"),
            (endless, "too large"),
        ):
            with server(serve) as port:
                figures = self.flood(port, connections=1)
            self.assertEqual(set(figures.errors), {error})
            self.assertLessEqual(figures.errors[error], 4)

    def test_a_server_that_goes_away_is_an_error(self: SynchronousTestCase) -> None:
        """The run goes on to its end, and would notice if it came back."""

        def serve(connection: socket.socket) -> None:
            connection.sendall(ANSWER)
            listener.close()

        with socket.create_server(("127.0.0.1", 0)) as listener:

            def first() -> None:
                with listener.accept()[0] as connection:
                    connection.recv(65536)
                    serve(connection)

            thread = threading.Thread(target=first)
            thread.start()
            figures = self.flood(listener.getsockname()[1], connections=1)
            thread.join()
        self.assertEqual(figures.statuses, {304: 1})
        self.assertEqual(figures.errors["closed early"], 1)
        self.assertGreaterEqual(figures.errors["no connection"], 1)

    def test_head_has_no_bodies(self: SynchronousTestCase) -> None:
        """Whatever its answers tell of them."""
        with server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")) as port:
            load = Load("127.0.0.1", port, GET.replace(b"GET", b"HEAD"), 1)
            figures = flood(self.kind, load, 0.1)
        self.assertEqual((set(figures.statuses), dict(figures.errors)), ({200}, {}))


class PythonLoopTests(LoopSuite, SynchronousTestCase):
    """The specification."""

    kind = "python"


class NativeLoopTests(LoopSuite, SynchronousTestCase):
    """The native build."""

    kind = "native"


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    return run_command(main, *arguments)


class FloodCommandTests(SynchronousTestCase):
    """The command line of ``loadgen flood``."""

    def test_it_reports_what_came_back(self) -> None:
        """Statuses, rates and bytes, as JSON."""
        seen: list[bytes] = []
        with server(answering(ANSWER, seen)) as port:
            url = f"http://127.0.0.1:{port}/page"
            code, out, _ = run("flood", url, "-c", "3", "-d", "0.3", "-p", "4", "--validator", "abc",
                               "--header", "X: y", "--json")  # fmt: skip
        summary = json.loads(out)
        self.assertEqual(code, 0)
        self.assertEqual(summary["requests"], summary["statuses"]["304"])
        self.assertEqual(len(summary["statuses"]), 1)
        self.assertTrue(seen[0].startswith(b"GET /page HTTP/1.1\r\nHost: 127.0.0.1:"))
        self.assertIn(b'If-None-Match: "abc"\r\nX: y\r\n', seen[0])

    def test_the_table_is_for_people(self) -> None:
        """Without --json a table is printed."""
        with server(answering(ANSWER)) as port:
            code, out, _ = run("flood", f"http://127.0.0.1:{port}/", "-c", "1", "-d", "0.1")
        self.assertEqual(code, 0)
        self.assertIn("requests per second", out)

    def test_several_processes_add_up(self) -> None:
        """Each has a part of the connections."""
        with server(answering(ANSWER)) as port:
            url = f"http://127.0.0.1:{port}/"
            code, out, _ = run("flood", url, "-c", "5", "-d", "0.3", "--processes", "2", "--json")
        self.assertEqual((code, json.loads(out)["errors"]), (0, {}))
        self.assertGreater(json.loads(out)["requests"], 5)

    def test_errors_make_the_exit_code(self) -> None:
        """1, with their kinds in the result."""
        with server(answering(b"garbage\r\n\r\n")) as port:
            code, out, _ = run("flood", f"http://127.0.0.1:{port}/", "-c", "1", "-d", "0.1", "--json")
        self.assertEqual((code, json.loads(out)["errors"]), (1, {"not an HTTP answer": 1}))

    def test_no_server_is_said_clearly(self) -> None:
        """The message names the URL and asks the obvious."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        code, _, err = run("flood", url, "-d", "0.1")
        self.assertEqual(code, 1)
        self.assertEqual(
            err, f"loadgen flood: {url}: no connection: Connection refused; is the node running?\n"
        )

    def test_a_server_that_says_nothing_is_said_clearly(self) -> None:
        """When the run is over."""
        with server(silent) as port:
            code, _, err = run("flood", f"http://127.0.0.1:{port}/", "-d", "0.1")
        self.assertEqual(code, 1)
        self.assertIn("no answer within 0.1 s", err)

    def test_ctrl_c_ends_it_with_what_there_is(self) -> None:
        """In one process or several; exit code 130."""
        for processes in ("1", "2"):
            seen: list[bytes] = []
            with server(answering(ANSWER, seen)) as port:
                command = [sys.executable, "-m", "loadgen.cli", "flood", f"http://127.0.0.1:{port}/",
                           "-d", "60", "-c", "4", "--processes", processes, "--json"]  # fmt: skip
                running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                self.addCleanup(running.kill)
                while len(seen) < 50 and running.poll() is None:
                    time.sleep(0.01)
                running.send_signal(signal.SIGINT)
                out, err = running.communicate(timeout=60)
            self.assertEqual((running.returncode, err), (130, b""))
            self.assertTrue(json.loads(out)["interrupted"])
            self.assertGreater(json.loads(out)["requests"], 0)

    def test_wrong_usage_exits_with_two(self) -> None:
        """Each wrong value is named."""
        url = "http://127.0.0.1:1/"
        for arguments, message in (
            (("flood", "ftp://x/"), "only http:// URLs"),
            (("flood", url, "-c", "0"), "--connections 0"),
            (("flood", url, "-p", "65"), "--pipeline 65"),
            (("flood", url, "-d", "-1"), "--duration -1"),
            (("flood", url, "-c", "2", "--processes", "3"), "there are only 2 connections"),
            (("flood", url, "--header", "a: b\r\nc: d"), "control characters"),
            (("flood", url, "--header", "no line"), "give a line like"),
        ):
            code, _, err = run(*arguments)
            self.assertEqual(code, 2)
            self.assertIn(message, err)

"""``loadgen flood`` against a small server in a thread."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase

from loadgen.cli import main
from tests.commands import run_command

ANSWER = b"HTTP/1.1 304 \r\n\r\n"


@contextlib.contextmanager
def server(answer: bytes, once: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """Answers every request with *answer*; *once*: closes the connection after the first."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                while data := connection.recv(65536):
                    seen.append(data)
                    connection.sendall(answer * data.count(b"\r\n\r\n"))
                    if once:
                        return

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/page", seen
        listener.shutdown(socket.SHUT_RDWR)


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    return run_command(main, *arguments)


class FloodCommandTests(SynchronousTestCase):
    """The command line of ``loadgen flood``."""

    def test_it_reports_what_came_back(self) -> None:
        """Statuses, rates and bytes, as JSON."""
        with server(ANSWER) as (url, seen):
            code, out, _ = run(
                "flood", url, "-c", "3", "-d", "0.3", "-p", "4", "--validator", "abc", "--json"
            )
        summary = json.loads(out)
        self.assertEqual(code, 0)
        self.assertEqual(list(summary["statuses"]), ["304"])
        self.assertEqual(summary["requests"], summary["statuses"]["304"])
        self.assertEqual(summary["requests"] % 4, 0)
        self.assertTrue(seen[0].startswith(b"GET /page HTTP/1.1\r\nHost: 127.0.0.1:"))
        self.assertIn(b'If-None-Match: "abc"\r\n', seen[0])

    def test_the_table_is_for_people(self) -> None:
        """Without --json a table is printed."""
        with server(ANSWER) as (url, _):
            code, out, _ = run("flood", url, "-c", "1", "-d", "0.1")
        self.assertEqual(code, 0)
        self.assertIn("requests per second", out)

    def test_a_server_that_answers_garbage_is_an_error(self) -> None:
        """Counted by kind, exit code 1, no traceback and no hang."""
        with server(b"garbage\r\n\r\n") as (url, _):
            code, out, _ = run("flood", url, "-c", "1", "-d", "0.1", "--json")
        self.assertEqual(code, 1)
        self.assertIn("not an HTTP/1.1 answer", out)

    def test_a_server_that_closes_is_counted(self) -> None:
        """Without having said Connection: close it is an error."""
        with server(ANSWER, once=True) as (url, _):
            code, out, _ = run("flood", url, "-c", "1", "-d", "0.1", "--json")
        self.assertEqual(code, 1)
        self.assertIn("closed by the server", out)

    def test_no_server_is_said_clearly(self) -> None:
        """The message names the URL and asks the obvious."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        code, _, err = run("flood", url, "-d", "0.1")
        self.assertEqual(code, 1)
        self.assertIn("is the node running?", err)

    def test_wrong_usage_exits_with_two(self) -> None:
        """Each wrong value is named."""
        url = "http://127.0.0.1:1/"
        for arguments, message in (
            (("flood", "ftp://x/"), "only http:// URLs"),
            (("flood", url, "-c", "0"), "--connections 0"),
            (("flood", url, "-p", "65"), "--pipeline 65"),
            (("flood", url, "-d", "-1"), "--duration -1"),
            (("flood", url, "--header", "a: b\r\nc: d"), "control characters"),
        ):
            code, _, err = run(*arguments)
            self.assertEqual(code, 2)
            self.assertIn(message, err)

"""A node before gunicorn and uvicorn, all of them real processes."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect as open_websocket

from tests.end_to_end.certificates import write_certificate
from tests.end_to_end.hostile import SAID, HostileServer
from tests.end_to_end.node import PATIENCE, RunningNode, exchange
from tests.end_to_end.servers import Server
from tests.poisoning import MARK, attempts


class Case(SynchronousTestCase):
    """A node with applications, and servers behind it."""

    def run_node(self, configuration: str, **servers: tuple[str, str]) -> None:
        """Start *servers*, each (kind, application) by name, and a node with *configuration*."""
        directory = Path(tempfile.mkdtemp(prefix="edge-up-"))
        self.addCleanup(shutil.rmtree, directory)
        directory.chmod(0o755)
        self.behind = {
            name: Server(kind, application, directory / f"{name}.sock")
            for name, (kind, application) in servers.items()
        }
        for server in self.behind.values():
            self.addCleanup(server.stop)
            server.start()
        file = directory / "edge.toml"
        file.write_text(configuration.replace("DIR", str(directory)))
        tls = "tls:0:privateKey=DIR/key.pem:certKey=DIR/cert.pem:interface=127.0.0.1"
        self.node = RunningNode("--config", str(file), workers=1, listen=("tcp:0:interface=127.0.0.1", tls))
        self.addCleanup(self.node.clean_up)
        write_certificate(self.node.directory, "node")
        self.node.write("file.html", b"a file")
        self.node.start()

    def told(self, path: str, *arguments: Any) -> dict[str, Any]:
        """The JSON that is answered."""
        status, _, body = self.node.ask(path, *arguments)
        self.assertEqual(status, 200, body)
        return json.loads(body)  # type: ignore[no-any-return]

    def talk(self, data: bytes) -> socket.socket:
        """A connection on which *data* was sent."""
        connection = socket.create_connection(("127.0.0.1", self.node.port), PATIENCE)
        self.addCleanup(connection.close)
        connection.sendall(data)
        return connection


class UpstreamTests(Case):
    """One node, servers of several kinds."""

    def test_uvicorn_answers_streams_and_switches_and_each_side_waits_for_the_other(self) -> None:
        self.run_node(
            """
            [[app]]
            at = "/"
            to = "http+unix:DIR/asgi.sock"
            timeout-seconds = 3

            [[app]]
            at = "/gone"
            to = "http+unix:DIR/nobody.sock"
            """,
            asgi=("uvicorn", "asgi:app"),
        )
        self.it_is_told_what_a_visitor_may_say()
        self.head_has_no_body_and_the_connection_goes_on()
        self.what_python_has_passed_on_is_relayed_and_the_same()
        self.events_come_as_they_happen()
        self.a_request_and_its_answer_may_be_on_their_way_at_once()
        self.a_client_that_waits_for_100_gets_it_from_the_application()
        self.websockets_pass()
        self.a_client_that_takes_nothing_costs_little_and_one_that_goes_is_noticed()
        self.over_tls_all_is_the_same()
        self.an_answer_that_does_not_come_is_504_and_nobody_there_is_503()
        self.another_worker_finds_it_again()
        self.when_the_node_stops_websockets_are_told_why()

    def test_gunicorn_answers_also_after_it_has_closed_what_rested(self) -> None:
        self.run_node(
            """
            [[app]]
            at = "/wsgi"
            to = "http+unix:DIR/wsgi.sock"
            """,
            wsgi=("gunicorn", "wsgi:app"),
        )
        self.bodies_arrive_with_and_without_a_length()
        for _ in range(2):
            self.told("/wsgi")
            self.told("/wsgi", {}, "POST", b"x")
            time.sleep(2.2)
        self.told("/wsgi", {}, "POST", b"x")

    def test_one_of_two_is_killed_under_load_and_no_read_fails(self) -> None:
        self.run_node(
            """
            [[app]]
            at = "/"
            to = ["http+unix:DIR/first.sock", "http+unix:DIR/second.sock"]
            probe = "/probe"
            """,
            first=("uvicorn", "asgi:app"),
            second=("uvicorn", "asgi:app"),
        )
        connection = self.node.connect()
        pids = set()
        for number in range(300):
            if number == 100:
                self.behind["first"].kill()
            if number == 200:
                self.behind["first"].start()
            status, _, body = exchange(connection, "/two", keep=True)
            self.assertEqual(status, 200, number)
            pids.add(json.loads(body)["pid"])
        self.assertGreaterEqual(len(pids), 2)
        first = self.behind["first"].process
        assert first is not None
        self.node.wait_for(lambda: self.told("/two")["pid"] == first.pid, "the one that is back is asked")
        connection.close()

    def test_whatever_a_server_says_visitors_get_one_whole_answer_or_none_and_the_node_goes_on(self) -> None:
        hostile = HostileServer()
        hostile.start()
        self.addCleanup(hostile.stop)
        self.run_node(f'app = ["/={hostile.target}"]\n')
        for path in (*SAID, "/reset", "/endless-head"):
            connection = self.talk(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            seen = b""
            with contextlib.suppress(ConnectionResetError):
                while (piece := connection.recv(65536)) and not seen.endswith((b"\n\n", b"ok")):
                    seen += piece
                    if seen.startswith(b"HTTP/1.1 502") or seen.endswith(b"\r\n\r\nok"):
                        break
            connection.close()
            self.assertNotIn(b"evil", seen, path)
            if path in ("/fine", "/two-answers"):
                self.assertTrue(seen.startswith(b"HTTP/1.1 200 "), path)
            elif path in ("/short", "/short-chunks", "/bad-chunks"):
                self.assertFalse(seen.endswith(b"0\r\n\r\n"), "cut off: what has come is not whole")
            else:
                self.assertTrue(seen.startswith(b"HTTP/1.1 502 Bad Gateway\r\n"), (path, seen))
        self.assertEqual(self.node.ask("/fine")[2], b"ok")
        asked = hostile.asked.count
        self.assertEqual(
            (asked("/empty"), asked("/two-lengths")), (2, 1), "no answer: once more; a bad one: no"
        )
        log = self.node.log.read_text()
        self.assertIn("Content-Length", log)
        self.assertNotIn("Traceback", log)

    # What the first test does, in its order

    def it_is_told_what_a_visitor_may_say(self) -> None:
        told = self.told("/a%20b?c=%2F", {"X-Forwarded-For": "6.6.6.6", "X_Y": "z", "Cookie": "a=b"})
        self.assertEqual((told["method"], told["target"]), ("GET", "/a%20b?c=%2F"))
        fields = dict(told["fields"])
        self.assertEqual(fields["x-forwarded-for"], "127.0.0.1")
        self.assertEqual(
            (fields["x-forwarded-proto"], fields["cookie"], fields["via"]), ("http", "a=b", "1.1 edge")
        )
        self.assertNotIn("x_y", fields)
        self.assertEqual(self.node.ask("/file.html")[2], b"a file")

    def bodies_arrive_with_and_without_a_length(self) -> None:
        told = self.told("/wsgi/form", {}, "POST", b"x" * 300_000)
        self.assertEqual((told["length"], told["environ"]["PATH_INFO"]), (300_000, "/wsgi/form"))
        connection = self.node.connect()
        pieces = iter([b"abc", b"defg"])
        connection.request("PUT", "/wsgi", pieces, {"Transfer-Encoding": "chunked"}, encode_chunked=True)
        self.assertEqual(json.loads(connection.getresponse().read())["length"], 7)
        connection.close()

    def head_has_no_body_and_the_connection_goes_on(self) -> None:
        connection = self.node.connect()
        for method in ("HEAD", "GET", "HEAD"):
            status, fields, body = exchange(connection, "/x", method=method, keep=True)
            self.assertEqual(
                (status, int(fields["content-length"]) > 0, bool(body)), (200, True, method == "GET")
            )
        connection.close()

    def what_python_has_passed_on_is_relayed_and_the_same(self) -> None:
        """A request with Via goes through Python, any other one of a known address does not."""
        for path, method in (("/relayed?a=%2F", "GET"), ("/relayed?a=%2F", "HEAD")):

            def is_relayed(path: str = path, method: str = method) -> bool:
                before = self.node.metric("edge_handoffs_total")
                self.ask_recognised(path, method)
                return self.node.metric("edge_handoffs_total") == before

            self.node.wait_for(is_relayed, f"{path} is relayed")
            passed = self.node.metric("edge_shared_answers_total", 'result="passed"')
            status, fields, body = self.ask_recognised(path, method)
            self.assertEqual(self.node.metric("edge_shared_answers_total", 'result="passed"'), passed + 1)
            same = self.ask_recognised(path, method, Via="1.1 another")
            said = [
                [one for one in each.items() if one[0].lower() not in ("date", "content-length")]
                for each in (fields, same[1])
            ]  # the body tells of Via
            self.assertEqual((status, said[0]), (same[0], said[1]))
            self.assertEqual(self.without_via(body), self.without_via(same[2]))

    def ask_recognised(self, path: str, method: str, **fields: str) -> tuple[int, Any, bytes]:
        """(status, fields, body) of a request that the fast path recognises."""
        connection = self.node.connect()
        try:
            return exchange(connection, path, {"Accept-Encoding": "gzip", **fields}, method=method)
        finally:
            connection.close()

    def without_via(self, body: bytes) -> Any:
        told = json.loads(body) if body else {"fields": []}
        return told | {"fields": [one for one in told["fields"] if one[0] != "via"], "length": None}

    def events_come_as_they_happen(self) -> None:
        connection = self.talk(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        seen = b""
        while b"data: first\n\n" not in seen:
            seen += connection.recv(65536)
        self.assertIn(b"text/event-stream", seen)

    def a_request_and_its_answer_may_be_on_their_way_at_once(self) -> None:
        connection = self.talk(
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        seen = b""
        for number in range(3):
            piece = b"piece %d;" % number
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
            while piece not in seen:
                seen += connection.recv(65536)
        connection.sendall(b"0\r\n\r\n")
        while not seen.endswith(b"0\r\n\r\n"):
            seen += connection.recv(65536)

    def a_client_that_waits_for_100_gets_it_from_the_application(self) -> None:
        connection = self.talk(
            b"PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        )
        self.assertEqual(connection.recv(65536), b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(b"abc")
        self.assertIn(b'"length": 3', connection.recv(65536))

    def websockets_pass(self) -> None:
        with open_websocket(f"ws://127.0.0.1:{self.node.port}/socket", proxy=None) as talk:
            for text in ("one", "x" * 100_000):
                talk.send(text)
                self.assertEqual(talk.recv(PATIENCE), "heard " + text)

    def a_client_that_takes_nothing_costs_little_and_one_that_goes_is_noticed(self) -> None:
        """The application's 6 GB stay where they are."""
        [worker] = self.node.worker_pids()
        before = _resident(worker)
        connection = self.talk(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.recv(100)
        time.sleep(1.0)  # enough for some hundred MB
        self.assertLess(_resident(worker) - before, 32 << 20)
        connection.close()
        log = self.behind["asgi"].log
        self.node.wait_for(lambda: b"nobody wants it" in log.read_bytes(), "the application knows")

    def over_tls_all_is_the_same(self) -> None:
        port = int(next(url for url in self.node.urls if url.startswith("https:")).rsplit(":", 1)[1])
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=_BELIEVING)
        told = json.loads(exchange(connection, "/x", keep=True)[2])
        fields = dict(told["fields"])
        self.assertEqual(
            (fields["x-forwarded-proto"], fields["x-forwarded-host"]), ("https", f"127.0.0.1:{port}")
        )
        body = bytes(range(256)) * 4000
        self.assertEqual(exchange(connection, "/echo", method="POST", body=body, keep=True)[2], body)
        connection.request("GET", "/endless")
        answer = connection.getresponse()
        self.assertEqual(answer.read(3_000_000), b"x" * 3_000_000)
        connection.close()
        with open_websocket(f"wss://127.0.0.1:{port}/socket", proxy=None, ssl=_BELIEVING) as talk:
            talk.send("x" * 100_000)
            self.assertEqual(talk.recv(PATIENCE), "heard " + "x" * 100_000)

    def an_answer_that_does_not_come_is_504_and_nobody_there_is_503(self) -> None:
        status, _, body = self.node.ask("/slow")
        self.assertEqual((status, body.startswith(b"504 Gateway Timeout")), (504, True))
        status, fields, _ = self.node.ask("/gone")
        self.assertEqual((status, fields["retry-after"]), (503, "1"))
        self.node.wait_for(lambda: "nobody.sock" in self.node.log.read_text(), "it is said")

    def another_worker_finds_it_again(self) -> None:
        [worker] = self.node.worker_pids()
        os.kill(worker, signal.SIGKILL)
        self.node.wait_for(
            lambda: self.node.worker_pids() not in ([worker], [None]), "another worker is there"
        )
        self.node.wait_for(lambda: self.node.ask("/x")[0] == 200, "it asks")

    def when_the_node_stops_websockets_are_told_why(self) -> None:
        with open_websocket(f"ws://127.0.0.1:{self.node.port}/socket", proxy=None) as talk:
            talk.send("one")
            talk.recv(PATIENCE)
            assert self.node.process is not None
            self.node.process.send_signal(signal.SIGTERM)
            with self.assertRaises(ConnectionClosed) as left:
                talk.recv(PATIENCE)
        assert left.exception.rcvd is not None
        self.assertEqual(left.exception.rcvd.code, 1001)
        self.assertEqual(self.node.stop(), 0)
        log, until = self.behind["asgi"].log, time.monotonic() + PATIENCE
        while b"closed with 1001" not in log.read_bytes():
            self.assertLess(time.monotonic(), until, log.read_text())
            time.sleep(0.05)


class PoisoningTests(Case):
    """A gullible application behind a node that stores whatever may be shared."""

    def test_no_attempt_reaches_a_second_reader(self) -> None:
        self.run_node(
            """
            public-url = "https://shop.example"

            [[app]]
            at = "/"
            to = "http+unix:DIR/gullible.sock"
            share = "/**"
            ignore-query = "utm_*"
            """,
            gullible=("uvicorn", "asgi:gullible"),
        )
        reached, hits = [], 0
        for attempt in attempts():
            for _ in range(3):
                self.send(attempt.first, 0.5 if b"Content-Length: 4\r\n" in attempt.first else 5)
            for _ in range(2):
                answer = self.send(attempt.second, PATIENCE)
                hits += b"\r\nCache-Status: edge; hit\r\n" in answer
                if not answer.startswith(b"HTTP/1.1 200 ") or MARK in answer:
                    reached.append(f"{attempt.name}: {answer[:100]!r}")
        self.assertEqual(reached, [])
        self.assertGreater(hits, 100, "it is the cache that was tried")
        fields = dict(self.told("/who", {"Host": "other.example"})["fields"])
        said = [fields[name] for name in ("host", "x-forwarded-host", "x-forwarded-proto")]
        self.assertEqual(said, ["shop.example", "shop.example", "https"], "whoever asks first")
        self.assertNotIn("x-forwarded-for", fields)

    def send(self, data: bytes, patience: float) -> bytes:
        """What is answered to *data* until the end of its connection, or for *patience* seconds nothing."""
        connection = self.talk(data)
        connection.settimeout(patience)
        found = b""
        try:
            while piece := connection.recv(65536):
                found += piece
                if b"HTTP/1.1 101" in found:
                    break
        except (TimeoutError, ConnectionResetError):
            pass
        connection.close()
        return found


#: Whatever certificate it is shown.
_BELIEVING = ssl.create_default_context()
_BELIEVING.check_hostname, _BELIEVING.verify_mode = False, ssl.CERT_NONE


def _resident(pid: int) -> int:
    """Bytes of memory of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096

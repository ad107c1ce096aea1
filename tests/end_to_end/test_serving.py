"""A real node of two workers, as its clients see it."""

from __future__ import annotations

import gzip
import json
import os
import signal
import socket

from twisted.trial.unittest import SynchronousTestCase

from edge.node.process.signals import LEFT
from edge.node.supervisor.signals import SIGNALS
from tests.end_to_end.node import PATIENCE, RunningNode, UnixConnection, exchange, shared

TEXT = b"a text that is worth compressing\n" * 100
BIG = os.urandom(700_000)


def prepare(node: RunningNode) -> RunningNode:
    """Publish the site of these tests on *node*."""
    node.write("index.html", b"<h1>hello</h1>\n")
    node.write("a.txt", TEXT)
    node.write("sub/index.html", b"sub\n")
    node.write("big.bin", BIG)
    return node


class ServingTests(SynchronousTestCase):
    """What clients get, whichever way their requests take."""

    options: tuple[str, ...] = ()
    workers = 2
    fast_path = ""

    @classmethod
    def make(cls) -> RunningNode:
        """A node for all tests of a class: they leave it as it is."""
        return prepare(RunningNode(*cls.options, workers=cls.workers))

    def setUp(self) -> None:
        self.node = shared(self.make)

    def test_every_kind_of_answer_is_right(self) -> None:
        node = self.node
        status, fields, body = node.ask("/a.txt")
        self.assertEqual((status, body), (200, TEXT))
        etag = fields["ETag"]
        self.assertEqual(node.ask("/a.txt", {"If-None-Match": etag})[0], 304)
        self.assertEqual(node.ask("/a.txt?~etag=" + etag.strip('"'))[0], 304)
        self.assertEqual(node.ask("/a.txt", {"If-Match": '"x"'})[0], 412)
        self.assertEqual(node.ask("/a.txt", {"Range": "bytes=2-5"})[::2], (206, TEXT[2:6]))
        self.assertEqual(node.ask("/a.txt", {"Range": "bytes=99999-"})[0], 416)
        status, fields, body = node.ask("/a.txt", {"Accept-Encoding": "gzip"})
        self.assertEqual((fields["Content-Encoding"], gzip.decompress(body)), ("gzip", TEXT))
        self.assertEqual(node.ask("/a.txt", {"Accept-Encoding": "gzip, br"})[1]["Content-Encoding"], "br")
        self.assertEqual(node.ask("/big.bin")[2], BIG)
        self.assertEqual(node.ask("/sub")[1]["Location"], "/sub/")
        self.assertEqual(node.ask("/none")[0], 404)
        self.assertEqual(node.ask("/a.txt", method="PUT", body=b"x")[0], 405)
        current = etag.strip('"').encode()
        status, _, body = node.ask("/.edge/revalidate", method="POST", body=current + b" /a.txt\nx /a.txt\n")
        self.assertEqual((status, json.loads(body)["stale"]), (200, [1]))
        status, fields, body = node.ask("/.edge/load")
        self.assertEqual(json.loads(body)["nodes"][0]["state"], "alive")
        self.assertIn("application_utilization", fields["endpoint-load-metrics"])
        self.assertEqual(node.ask("/.edge/ready")[0], 200)
        status, report = node.admin("GET", "/status")
        if self.fast_path:
            self.assertEqual(report["fast_path"], self.fast_path)

    def test_one_connection_goes_to_twisted_and_back(self) -> None:
        before = self.node.metric("edge_returns_total{")
        connection = self.node.connect()
        for _ in range(3):
            self.assertEqual(exchange(connection, "/a.txt", keep=True)[0], 200)
            self.assertEqual(exchange(connection, "/a.txt", {"Range": "bytes=0-0"}, keep=True)[0], 206)
            self.assertEqual(exchange(connection, "/big.bin", keep=True)[2], BIG)
        connection.close()
        returns = self.node.metric("edge_returns_total{") - before
        self.assertEqual(returns >= 4, self.fast_path != "off", returns)

    def test_pipelined_requests_are_answered_in_order_across_both_sides(self) -> None:
        with socket.create_connection(("127.0.0.1", self.node.port), timeout=PATIENCE) as connection:
            connection.sendall(
                b"GET /sub/ HTTP/1.1\r\nHost: x\r\n\r\n"
                b"GET /sub/ HTTP/1.1\r\nHost: x\r\nRange: bytes=0-0\r\n\r\n"
                b"GET /sub/ HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\n"
            )
            received = b""
            while data := connection.recv(65536):
                received += data
        statuses = [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]
        self.assertEqual(statuses, [b"200", b"206", b"200", b"400"])

    def test_each_byte_is_counted_once_whichever_way_it_took(self) -> None:
        """What the fast path had read of a request that it let go was counted by both sides."""

        def counted() -> list[float]:
            return [self.node.metric(f"edge_{way}_bytes_total{{") for way in ("received", "sent")]

        before = counted()
        asked = [
            b"GET /sub/ HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /sub/ HTTP/1.1\r\nHost: x\r\nRange: bytes=0-0\r\n\r\n",
            b"GET /.edge/socket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        ]
        with socket.create_connection(("127.0.0.1", self.node.port), timeout=PATIENCE) as connection:
            connection.sendall(asked[0] + asked[1])
            connection.sendall(asked[2])
            # A frame that the fast path does not take, and the goodbye.
            frames = b"\x81\x8f\0\0\0\0" + b'{"type":"what"}' + b"\x88\x82\0\0\0\0\x03\xe8"
            connection.sendall(frames)
            received = sum(map(len, iter(lambda: connection.recv(65536), b"")))
        wanted = [sum(map(len, asked)) + len(frames), received]
        self.node.wait_for(lambda: counted() != before, "it is counted")
        self.assertEqual([now - then for now, then in zip(counted(), before, strict=True)], wanted)


class PythonFastPathTests(ServingTests):
    """The serving suite over the Python twin."""

    options = ("--fast-path", "python")
    workers = 1
    fast_path = "python"


class WithoutFastPathTests(ServingTests):
    """The serving suite with everything through Twisted, in one process."""

    options = ("--fast-path", "off")
    workers = 0
    fast_path = "off"


class UnixListenerTests(SynchronousTestCase):
    """Listening on a Unix socket."""

    def test_a_unix_socket_serves_and_its_stale_file_is_replaced(self) -> None:
        node = prepare(RunningNode(listen=("unix:DIR/http.sock:mode=600",)))
        self.addCleanup(node.clean_up)
        path = str(node.directory / "http.sock")
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(path)
        node.start()
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        for headers in ({}, {"Range": "bytes=0-"}):
            self.assertEqual(exchange(UnixConnection(path), "/a.txt", headers)[2], TEXT)
        node.stop()
        self.assertFalse(os.path.exists(path))


class SignalTests(SynchronousTestCase):
    """Signals and commands to a running node."""

    def setUp(self) -> None:
        self.node = prepare(RunningNode())
        self.addCleanup(self.node.clean_up)
        self.node.start()

    def connection_to(self, pid: int) -> object:
        """A keep-alive connection that the worker with *pid* serves."""
        index = self.node.worker_pids().index(pid)
        for _ in range(100):
            connection = self.node.connect()
            exchange(connection, "/a.txt", keep=True)
            worker = self.node.admin("GET", "/status")[1]["workers"][index]
            if worker["connections"]:
                return connection
            connection.close()
        raise AssertionError("the kernel gave this worker no connection")

    def test_a_killed_worker_is_replaced_and_the_others_connections_live_on(self) -> None:
        victim, other = self.node.worker_pids()
        connection = self.connection_to(other)
        os.kill(victim, signal.SIGKILL)
        self.node.wait_for(lambda: self.node.worker_pids()[0] not in (victim, None), "there is another")
        self.node.wait_for(self.node.workers_ready, "it is ready")
        self.assertEqual(exchange(connection, "/a.txt", keep=True)[0], 200)  # type: ignore[arg-type]
        self.assertEqual(self.node.worker_pids()[1], other)
        for _ in range(20):
            self.assertEqual(self.node.ask("/")[0], 200)
        self.assertIn(f"(pid {victim}) was killed by SIGKILL", self.node.log.read_text())
        connection.close()  # type: ignore[attr-defined]

    def test_sigterm_lets_a_download_finish_and_exits_with_0(self) -> None:
        connection = socket.socket()
        self.addCleanup(connection.close)
        connection.settimeout(PATIENCE)
        # So that neither this side nor the kernel of that one takes all of it, and small windows are no wait.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        connection.connect(("127.0.0.1", self.node.port))
        connection.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        received = connection.recv(1000)
        process = self.node.process
        assert process is not None
        process.send_signal(signal.SIGTERM)
        self.node.wait_for(lambda: "draining" in self.node.log.read_text(), "it drains")
        self.assertIsNone(process.poll())
        while data := connection.recv(65536):
            received += data
        self.assertTrue(received.endswith(BIG[-1000:]))
        connection.close()
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_no_signal_ends_it_but_those_that_are_to(self) -> None:
        """Neither the supervisor nor workers, not even a worker that has only just been spawned."""
        process = self.node.process
        assert process is not None
        harmless = sorted(set(signal.valid_signals()) - LEFT - set(SIGNALS))
        harmless += [signal.SIGHUP, signal.SIGUSR1]
        victim, other = self.node.worker_pids()
        os.kill(victim, signal.SIGKILL)
        self.node.wait_for(lambda: self.node.worker_pids()[0] not in (victim, None), "there is another")
        for pid in (self.node.worker_pids()[0], other, process.pid):
            for number in harmless:
                os.kill(pid, number)
        self.node.wait_for(lambda: "SIGHUP: done" in self.node.log.read_text(), "it has reloaded")
        self.node.wait_for(self.node.workers_ready, "all are ready")
        workers = self.node.admin("GET", "/status")[1]["workers"]
        self.assertEqual([worker["restarts"] for worker in workers], [1, 0], self.node.log.read_text())
        self.assertEqual(self.node.ask("/a.txt")[0], 200)

    def test_workers_end_when_the_supervisor_dies(self) -> None:
        pids = self.node.worker_pids()
        process = self.node.process
        assert process is not None
        process.kill()
        process.wait(PATIENCE)
        self.node.process = None
        self.node.wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), "they end")
        self.node.spawn()  # for the cleanup to end
        self.node.wait_for(lambda: self.node.state_of() == "ready", "ready")

    def test_files_are_published_when_they_change_and_purged_when_told(self) -> None:
        self.node.write("new.txt", b"new")
        self.node.wait_for(lambda: self.node.ask("/new.txt")[2] == b"new", "the new file is there")
        (self.node.site / "new.txt").unlink()
        self.node.wait_for(lambda: self.node.ask("/new.txt")[0] == 404, "it is gone")
        status, answer = self.node.admin("POST", "/purge", {"paths": ["/a.txt", "/none"]})
        self.assertEqual((answer["purged"], answer["unknown"]), (["/a.txt"], ["/none"]))
        self.assertEqual(self.node.ask("/a.txt")[0], 404)
        self.node.write("other.txt", b"other")
        self.node.wait_for(lambda: self.node.ask("/other.txt")[0] == 200, "another file is there")
        self.assertEqual(self.node.ask("/a.txt")[0], 404)
        status, answer = self.node.admin("POST", "/publish", {"webroot": None})
        self.assertEqual((status, answer["puts"], answer["removes"]), (200, 1, 0))
        self.assertEqual(self.node.ask("/a.txt")[0], 200)
        another = self.node.directory / "another"
        another.mkdir()
        (another / "only.txt").write_bytes(b"only")
        status, answer = self.node.admin("POST", "/publish", {"webroot": str(another)})
        self.assertEqual((status, answer["puts"]), (200, 1))
        self.assertEqual((self.node.ask("/only.txt")[0], self.node.ask("/a.txt")[0]), (200, 404))
        status, answer = self.node.admin("POST", "/publish", {"webroot": str(another / "none")})
        self.assertEqual(status, 409)
        self.assertIn("none", answer["error"])
        (another / "only.txt").write_bytes(b"changed")
        self.node.wait_for(lambda: self.node.ask("/only.txt")[2] == b"changed", "the change shows")

    def test_the_admin_api_checks_measures_and_drains(self) -> None:
        status, answer = self.node.admin("GET", "/check")
        self.assertEqual((status, answer["ok"]), (200, True), answer)
        self.node.ask("/a.txt")
        self.node.wait_for(lambda: self.node.metric("edge_requests_total{") > 0, "it is counted")
        self.assertEqual(self.node.admin("POST", "/purge", {"paths": 1})[0], 400)
        self.assertEqual(self.node.admin("GET", "/none")[0], 404)
        self.assertEqual(self.node.admin("POST", "/drain"), (200, {"state": "draining"}))
        assert self.node.process is not None
        self.assertEqual(self.node.process.wait(PATIENCE), 0)

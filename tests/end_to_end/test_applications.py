"""Applications that know nothing of the node, run by it: Django, Flask, FastAPI, Starlette, twisted.web."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import ssl
import tempfile
import time
import venv
from collections.abc import Callable
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from edge.confinement.in_force import in_force
from tests import processes
from tests.end_to_end.certificates import write_certificate
from tests.end_to_end.cluster import RunningCluster
from tests.end_to_end.hosting import APPLICATIONS, HostingNode
from tests.end_to_end.node import ROOT, RunningNode, exchange
from tests.end_to_end.test_confinement import IMPORT_PATH, NOBODY, readable_python
from tests.end_to_end.test_https import TLS

BODY = os.urandom(900_000)
#: With these the fast path recognises a request, and relays it; without, http.client says "identity".
RECOGNISED = {"Accept-Encoding": "gzip"}


class Base(SynchronousTestCase):
    """A node, and what it answers."""

    def host(self, *applications: dict[str, Any], **more: Any) -> HostingNode:
        node = HostingNode(*applications, **more)
        self.addCleanup(node.clean_up)
        return node.start_all()

    def json(self, node: HostingNode, path: str, **more: Any) -> Any:
        status, _, body = node.ask(path, **more)
        self.assertEqual(status, more.get("status", 200), body)
        return json.loads(body)


class FrameworkTests(Base):
    """Unchanged applications of the frameworks that people use."""

    def test_flask_and_django_and_twisted_web(self) -> None:
        node = self.host(
            {"name": "flask", "at": "/flask", "run": "flask_shop:app"},
            {"name": "django", "at": "/", "run": "django_shop.wsgi:application"},
            {"name": "twisted", "at": "/twisted", "run": "twisted_shop:Shop"},
        )
        port = node.port
        self.assertEqual(
            [node.application(name)["kind"] for name in node.names], ["wsgi", "wsgi", "twisted.web"]
        )
        self.assertEqual(node.ask("/index.html")[2], b"the site\n")  # a file wins

        self.assertEqual(node.ask("/flask/")[2], b"<h1>Flask</h1>")
        self.assertEqual(node.ask("/flask/", method="HEAD")[::2], (200, b""))
        where = self.json(node, "/flask/where?a=%2F")
        self.assertEqual(where["url"], f"http://127.0.0.1:{port}/flask/where?a=/")
        self.assertEqual(where["external"], f"http://127.0.0.1:{port}/flask/echo")
        self.assertEqual(where["peer"], "127.0.0.1")
        echoed = self.json(node, "/flask/echo", method="POST", body=BODY, headers={"Content-Type": "a/b"})
        expected = {"size": len(BODY), "digest": hashlib.sha256(BODY).hexdigest(), "type": "a/b"}
        self.assertEqual(echoed, expected)
        form = b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\nn\r\n--x\r\nContent-Disposition: '
        form += b'form-data; name="file"; filename="f"\r\n\r\n' + b"y" * 100_000 + b"\r\n--x--\r\n"
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        formed = self.json(node, "/flask/form", method="POST", body=form, headers=kind)
        self.assertEqual(formed, {"name": "n", "file": "f", "size": 100_000})
        _, fields, body = node.ask("/flask/count")
        cookie = fields["Set-Cookie"].split(";")[0]
        self.assertEqual((body, node.ask("/flask/count", {"Cookie": cookie})[2]), (b"1", b"2"))
        lines = node.ask("/flask/stream?x=%C3%A4")[2].decode().splitlines()
        self.assertEqual((len(lines), lines[-1]), (20_000, "199 \u00e4"))
        self.assertEqual(node.ask("/flask/away")[1]["Location"], "/flask/")
        self.assertEqual(node.ask("/flask/fails")[0], 500)
        self.assertEqual(node.ask("/flask/none")[0], 404)
        node.says("a mistake in the shop")

        self.assertEqual(node.ask("/where")[1]["X-Content-Type-Options"], "nosniff")
        where = self.json(node, "/where?x=1")
        self.assertEqual(where["url"], f"http://127.0.0.1:{port}/where?x=1")
        self.assertEqual((where["reverse"], where["secure"]), ("/order", False))
        _, fields, body = node.ask("/where")
        head = {
            "Cookie": fields["Set-Cookie"].split(";")[0],
            "X-CSRFToken": json.loads(body)["token"],
            "Content-Type": "application/x-www-form-urlencoded",
        }
        self.assertEqual(node.ask("/order", method="POST", body=b"what=x")[0], 403)
        ordered = self.json(node, "/order", method="POST", body=b"what=" + b"x" * 200_000, headers=head)
        self.assertEqual(ordered, {"size": 200_000, "orders": 1})
        self.assertEqual(node.ask("/later")[2], b"later")
        self.assertEqual(node.ask("/stream")[2].count(b"\n"), 100_000)

        self.assertEqual(node.ask("/twisted/")[2], b"Twisted at /")
        self.assertEqual(node.ask("/twisted/later")[2], b"later")
        self.assertIn(b"produces as fast", node.ask("/twisted/file")[2])
        self.assertEqual(node.ask("/twisted/file", method="HEAD")[2], b"")
        self.assertEqual(node.ask("/twisted/", method="POST", body=BODY)[2], b"%d" % len(BODY))

    def test_starlette_and_fastapi_and_django_on_asyncio(self) -> None:
        node = self.host(
            {"name": "chat", "at": "/chat", "run": "starlette_chat:app"},
            {"name": "orders", "at": "/api", "run": "fastapi_orders:app"},
            {"name": "django", "at": "/django", "run": "django_shop.asgi:application"},
        )
        self.assertEqual([node.application(name)["kind"] for name in node.names], ["asgi"] * 3)
        url = f"http://127.0.0.1:{node.port}"
        self.assertEqual(node.ask("/chat/?q=1")[2].decode(), f"hello {url}/chat/?q=1")
        expected = {"size": len(BODY), "digest": hashlib.sha256(BODY).hexdigest()}
        self.assertEqual(self.json(node, "/chat/upload", method="POST", body=BODY), expected)
        self.assertEqual(node.ask("/chat/events")[2], b"data: 0\n\ndata: 1\n\ndata: 2\n\n")
        self.assertEqual(node.ask("/chat/none")[0], 404)
        order = {"what": "ab", "count": 3}
        head = {"Content-Type": "application/json", "User-Agent": "me"}
        status, _, body = node.ask("/api/orders", head, "POST", json.dumps(order).encode())
        self.assertEqual((status, json.loads(body)), (201, {"what": "ababab", "who": "me"}))
        self.assertEqual(node.ask("/api/orders", head, "POST", b'{"what": 1}')[0], 422)
        self.assertEqual(self.json(node, "/api/sync/7"), {"number": 7})
        self.assertEqual(node.ask("/api/openapi.json")[0], 200)
        self.assertEqual(self.json(node, "/django/where")["reverse"], "/django/order")
        self.assertEqual(node.ask("/django/later")[2], b"later")

        there = f"ws://127.0.0.1:{node.port}"
        with connect(f"{there}/chat/chat", subprotocols=["talk"]) as talk:  # type: ignore[list-item]
            self.assertEqual(talk.subprotocol, "talk")
            for text in ("hello", "x" * 300_000):
                talk.send(text)
                self.assertEqual(talk.recv(), f"/chat/chat: {text}")
            talk.send("bye")
            with self.assertRaises(ConnectionClosed) as closed:
                talk.recv()
            assert closed.exception.rcvd is not None
            self.assertEqual(
                (closed.exception.rcvd.code, closed.exception.rcvd.reason), (4000, "as you wish")
            )
        with connect(f"{there}/api/echo") as echo:
            echo.send(BODY)
            self.assertEqual(echo.recv(), BODY)
        with self.assertRaises(InvalidStatus) as refused:
            connect(f"{there}/chat/private")
        self.assertEqual(refused.exception.response.status_code, 403)
        with connect(f"{there}/chat/chat") as open_still, self.assertRaises(ConnectionClosed) as left:
            assert node.process is not None
            node.process.send_signal(signal.SIGTERM)
            open_still.recv(processes.PATIENCE)
        assert left.exception.rcvd is not None
        self.assertEqual(left.exception.rcvd.code, 1001)
        self.assertEqual(node.stop(), 0)
        node.says("app chat: chat: up")
        node.says("app chat: chat: down")

    def test_who_does_not_take_holds_the_application_back_and_who_goes_ends_it(self) -> None:
        node = self.host({"name": "chat", "at": "/", "run": "starlette_chat:app"})
        with socket.create_connection(("127.0.0.1", node.port), processes.PATIENCE) as slow:
            slow.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            slow.recv(1000)
            time.sleep(0.5)  # long enough for some hundred MB
            process = node.application("chat")["processes"][0]
            self.assertLess(process["memory_bytes"], 200 << 20)
            self.assertEqual(self.json(node, "/facts")["gone"], 0)
        node.wait_for(
            lambda: self.json(node, "/facts")["gone"] == 1, "the application knows that he has gone"
        )


class InterpreterTests(Base):
    """An application in an environment of its own, in which nothing is installed."""

    def test_a_virtual_environment_without_anything(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="edge-"))
        self.addCleanup(shutil.rmtree, folder)
        folder.chmod(0o755)  # applications may be nobody
        venv.create(folder / "venv", with_pip=False)
        node = self.host(
            {"name": "where", "at": "/", "run": "where:app", "python": folder / "venv",
             "environment": {"SHOP": "mine"}}
        )  # fmt: skip
        where = self.json(node, "/a")
        self.assertEqual(where["prefix"], str(folder / "venv"))
        self.assertEqual((where["folder"], where["path"][0]), (str(APPLICATIONS), str(APPLICATIONS)))
        self.assertEqual((where["variable"], where["found"]), ("mine", []))
        self.assertEqual((where["blocked"], where["sigterm"]), ([], True))
        self.assertNotIn(str(ROOT / "edge" / "app" / "hosting"), where["path"])
        self.assertEqual(node.ask("/b", method="POST", body=BODY)[0], 200)


class ConfinedTests(Base):
    """A node that root starts: neither workers nor applications keep anything of that."""

    def test_workers_that_may_connect_to_nothing_reach_applications_that_are_nobody(self) -> None:
        if os.geteuid():
            raise SkipTest("only root can start them as somebody else")
        node = HostingNode(
            {"name": "where", "at": "/", "run": "where:app"}, options=("--confinement", "required"), workers=2
        )
        self.addCleanup(node.clean_up)
        node.python = readable_python()
        node.environment = {"PYTHONPATH": os.pathsep.join(IMPORT_PATH)}
        node.start_all()
        self.assertEqual(self.json(node, "/a")["uid"], NOBODY)
        for pid in (*node.pids("where"), *node.worker_pids()):
            now = in_force(pid)
            assert now is not None
            self.assertEqual((set(now.users), now.capabilities, now.no_new_privileges), ({NOBODY}, 0, True))
            self.assertNotIn(0, now.groups)
            self.assertEqual(now.filters_system_calls, pid in node.worker_pids())
        self.assertEqual(node.ask("/b", method="POST", body=BODY)[0], 200)


class HelperTests(Base):
    """What an application says of its answers and its data."""

    def test_a_shared_answer_is_a_hit_until_the_application_says_that_it_changed(self) -> None:
        node = self.host(
            {"name": "shop", "at": "/", "run": "flask_shop:app", "share": ["/ranking"]}, workers=2
        )
        first = node.ask("/ranking")[2]
        self.assertTrue(first.startswith(b"0 sold; "))
        node.wait_for(lambda: node.ask("/ranking")[2] == node.ask("/ranking")[2], "it is stored")
        fields = node.ask("/ranking")[1]
        self.assertIn("hit", fields["Cache-Status"])
        for number in range(1, 6):
            done = self.json(node, "/buy", method="POST")
            self.assertEqual(done, {"sold": number, "unsettled": 0})
            self.assertTrue(node.ask("/ranking")[2].startswith(b"%d sold; " % number))


class HostingCluster(RunningCluster):
    """Nodes that each run the shop."""

    def make(self, number: int, *options: str) -> RunningNode:
        shop = {"name": "shop", "at": "/", "run": "flask_shop:app", "share": ["/ranking"]}
        return HostingNode(shop, options=options)


class ClusterTests(Base):
    """Two nodes, each with the application."""

    def test_neither_processes_nor_a_node_that_are_killed_are_noticed(self) -> None:
        cluster = HostingCluster(2)
        self.addCleanup(cluster.clean_up)
        cluster.start()
        first, second = cluster.nodes
        assert isinstance(first, HostingNode) and isinstance(second, HostingNode)

        def is_shared() -> bool:
            """Of a new answer; who hears nothing of the other in time, fills for himself, as he should."""
            self.json(first, "/buy", method="POST")
            return bool(first.ask("/ranking")[2] == second.ask("/ranking")[2])

        first.wait_for(is_shared, "both answer with what one of them has made")
        for node in (first, second):
            node.wait_for(lambda n=node: "hit" in (n.ask("/ranking")[1]["Cache-Status"] or ""), "it is a hit")  # type: ignore[misc]
        asked = ask_in_the_meantime(first, "/ranking")
        for node in (first, second):
            for pid in node.pids("shop"):
                os.kill(pid, 9)
        assert second.process is not None
        second.process.kill()
        first.wait_for(lambda: first.ready("shop"), "another process is ready")
        time.sleep(1)
        self.assertEqual(asked(), {200}, first.said())
        self.json(first, "/buy", method="POST")
        self.assertTrue(first.ask("/ranking")[2].startswith(b"1 sold; "))


class RelayedTests(Base):
    """What the fast path relays by itself."""

    def test_what_is_relayed_is_what_python_passes_on(self) -> None:
        """A request with Via goes through Python, any other one of a known address does not."""
        node = self.host({"name": "shop", "at": "/", "run": "flask_shop:app"})
        for path, size in (("/where", 0), ("/stream?x=1", 100_000), ("/away", 0), ("/none", 0)):
            node.wait_for(lambda path=path: self.is_relayed(node, path), f"{path} is relayed")  # type: ignore[misc]
            status, fields, body = node.ask(path, RECOGNISED)
            same = node.ask(path, {**RECOGNISED, "Via": "1.1 another"})
            self.assertGreaterEqual(len(body), size)
            self.assertEqual((status, body), (same[0], same[2]))
            self.assertEqual(self.undated(fields), self.undated(same[1]))
            self.assertEqual(fields["Cache-Status"], "edge; fwd=bypass")

    def test_over_tls_likewise_with_everything_on_one_connection(self) -> None:
        node = HostingNode({"name": "shop", "at": "/", "run": "flask_shop:app"}, listen=(TLS,))
        self.addCleanup(node.clean_up)
        write_certificate(node.directory, "node")
        node.start_all()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = HTTPSConnection("127.0.0.1", node.port, timeout=processes.PATIENCE, context=context)
        self.addCleanup(connection.close)
        expected = {}
        for path in ("/where", "/stream?x=1", "/index.html"):
            for _ in range(2):  # of the first answer nobody knows yet that it is for nobody else
                fields = {**RECOGNISED, "Via": "1.1 another"}
                expected[path] = exchange(connection, path, fields, keep=True)
        self.assertIn("https://", json.loads(expected["/where"][2])["url"])

        def are_relayed() -> bool:
            """On a connection that has come back from Python."""
            before = node.metric("edge_handoffs_total")
            for path, (status, said, body) in expected.items():
                answered = exchange(connection, path, RECOGNISED, keep=True)
                self.assertEqual((answered[0], answered[2]), (status, body), path)
                self.assertEqual(self.undated(answered[1]), self.undated(said), path)
            return node.metric("edge_handoffs_total") == before

        node.wait_for(are_relayed, "all are relayed")

    def is_relayed(self, node: HostingNode, path: str) -> bool:
        """Whether a request of *path* was answered without a handoff."""
        before = node.metric("edge_handoffs_total")
        node.ask(path, RECOGNISED)
        return node.metric("edge_handoffs_total") == before

    def undated(self, fields: Any) -> list[tuple[str, str]]:
        return [(name, value) for name, value in fields.items() if name.lower() != "date"]


class ProcessTests(Base):
    """Processes that are replaced, killed, or somewhere else."""

    def test_a_reload_is_noticed_by_nobody(self) -> None:
        node = self.host({"name": "shop", "at": "/", "run": "flask_shop:app", "processes": 2})
        before = node.pids("shop")
        connection = node.connect()
        with open(f"/proc/{before[0]}/cmdline", "rb") as told:
            self.assertIn(b"flask_shop:app", told.read())
        asked = ask_in_the_meantime(node, "/where")
        status, done = node.admin("POST", "/applications/reload", {"name": "shop"})
        self.assertEqual((status, done), (200, {"replaced": 2, "problems": []}))
        after = node.pids("shop")
        self.assertEqual(set(before) & set(after), set())
        node.wait_for(lambda: not any(map(is_alive, before)), "the former processes have ended")
        self.assertEqual(asked(), {200})
        self.assertEqual(exchange(connection, "/")[0], 200)
        status, refused = node.admin("POST", "/applications/reload", {"name": "none"})
        self.assertEqual(
            (status, refused["error"]), (409, "there is no application none; this node runs shop")
        )

    def test_a_process_that_is_killed_costs_no_request_that_may_be_repeated(self) -> None:
        node = self.host({"name": "shop", "at": "/", "run": "flask_shop:app", "processes": 2})
        asked = ask_in_the_meantime(node, "/where")
        for number, pid in enumerate(node.pids("shop")):
            os.kill(pid, 9)
            node.wait_for(lambda n=number: self.restarts(node)[n] and node.ready("shop"), "it is replaced")  # type: ignore[misc]
        self.assertEqual(asked(), {200}, node.said())
        self.assertEqual(self.restarts(node), [1, 1])
        node.says("was killed by SIGKILL")

    def restarts(self, node: HostingNode) -> list[int]:
        return [one["restarts"] for one in node.application("shop")["processes"]]


def ask_in_the_meantime(node: HostingNode, path: str) -> Callable[[], set[int]]:
    """Ask on and on in threads; what is returned stops that, and gives the statuses."""
    stop, statuses, port = Event(), set(), node.port

    def ask(fields: dict[str, str]) -> None:
        while not stop.is_set():
            connection = HTTPConnection("127.0.0.1", port, timeout=processes.PATIENCE)
            statuses.add(exchange(connection, path, fields)[0])

    threads = [Thread(target=ask, args=(fields,)) for fields in ({}, RECOGNISED, {}, RECOGNISED)]
    for thread in threads:
        thread.start()

    def end() -> set[int]:
        stop.set()
        processes.join(*threads)
        return statuses

    return end


def is_alive(pid: int) -> bool:
    """Whether process *pid* has not ended."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # before it was opened, or since
        return False

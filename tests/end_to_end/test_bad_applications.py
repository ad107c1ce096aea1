"""Applications that do what they should not: each costs its own requests, and is said in a sentence."""

from __future__ import annotations

import http.client
import os
import time

from twisted.trial.unittest import SynchronousTestCase

from tests import processes
from tests.end_to_end.hosting import HostingNode
from tests.end_to_end.test_applications import is_alive


class BadApplicationTests(SynchronousTestCase):
    """A node whose applications misbehave."""

    def host(self, *applications: dict[str, object]) -> HostingNode:
        node = HostingNode(*applications)
        self.addCleanup(node.clean_up)
        return node

    def test_what_cannot_be_loaded_is_said_and_the_rest_is_served(self) -> None:
        modules = {
            "raises": "1 / 0\n",
            "wrong": "def app(:\n",
            "thread": "import threading, time\n"
            "threading.Thread(target=time.sleep, args=(600,)).start()\n1 / 0\n",
            "exits": "raise SystemExit(7)\n",
            "killed": "import os\nos.kill(os.getpid(), 9)\n",
            "other": "import nothing_of_this_name\n",
            "number": "app = 1\n",
            "factory": "def app():\n    raise ValueError('no data')\n",
            "startup": "async def app(scope, receive, send):\n    await receive()\n"
            "    await send({'type': 'lifespan.startup.failed', 'message': 'no database'})\n",
            "good": "def app(environ, start):\n    start('200 OK', [])\n    return [b'good']\n",
        }
        node = self.host(
            *({"name": name, "at": f"/{name}", "run": f"{name}:app", "folder": "FOLDER"} for name in modules),
            {"name": "missing", "at": "/missing", "run": "no_such_module:app", "folder": "FOLDER"},
            {"name": "attribute", "at": "/attribute", "run": "good:none", "folder": "FOLDER"},
            {
                "name": "python",
                "at": "/python",
                "run": "good:app",
                "folder": "FOLDER",
                "python": "/no/python",
            },
        )
        folder = node.directory / "modules"
        folder.mkdir()
        node.directory.chmod(0o755)  # applications may be nobody
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text)
        file = node.directory / "edge.toml"
        file.write_text(file.read_text().replace("FOLDER", str(folder)))
        node.start()
        node.wait_for(lambda: node.ready("good"), "the good one is ready")
        self.assertEqual(node.ask("/good")[2], b"good")
        for name, sentence in {
            "raises": f"raises cannot be imported: ZeroDivisionError: division by zero ({folder}/raises.py, ",
            "thread": "thread cannot be imported: ZeroDivisionError: division by zero",
            "wrong": "wrong cannot be imported: SyntaxError: invalid syntax (wrong.py, line 1)",
            "exits": "exits ends the interpreter (code 7) when it is imported",
            "killed": "was killed by SIGKILL before it was ready",
            "other": "other cannot be imported: ModuleNotFoundError: No module named 'nothing_of_this_name'",
            "number": "number:app is no application, but of the type int; it has to be callable with",
            "factory": f"factory:app failed: ValueError: no data ({folder}/factory.py, line 2)",
            "startup": "its startup failed: no database",
            "missing": f"there is no module no_such_module in {folder}, nor installed in ",
            "attribute": f"good has no none; name what is made in {folder}/good.py",
            "python": "/no/python: there is no such interpreter",
        }.items():
            node.wait_for(lambda n=name: node.application(n)["problem"], f"{name} failed")  # type: ignore[misc]
            self.assertIn(sentence, node.application(name)["problem"])
            node.says(f"app {name}: {node.application(name)['problem']}; starting again")
        self.assertNotIn("Traceback", node.said())
        self.assertEqual(node.ask("/raises")[0], 503)
        _, done = node.admin("POST", "/applications/reload", {"name": "number"})
        self.assertIn("number: number:app is no application", done["problems"][0])
        (folder / "number.py").write_text(modules["good"])
        self.assertEqual(node.admin("POST", "/applications/reload", {"name": "number"})[1]["problems"], [])
        self.assertEqual(node.ask("/number")[2], b"good")
        (folder / "number.py").write_text("app = 1\n")
        problems = node.admin("POST", "/applications/reload", {"name": "number"})[1]["problems"]
        self.assertIn("the process before goes on", problems[0])
        self.assertEqual(node.ask("/number")[2], b"good")
        self.assertFalse(node.admin("GET", "/check")[1]["ok"])

    def test_wrong_answers_cost_themselves(self) -> None:
        node = self.host(
            {"name": "wsgi", "at": "/w", "run": "bad:wsgi"}, {"name": "asgi", "at": "/a", "run": "bad:asgi"}
        ).start_all()
        for path, expected in (
            ("/w/status", 500), ("/w/999", 500), ("/w/split", 502), ("/w/name", 502), ("/w/fields", 500),
            ("/w/number", 500), ("/w/text", 500), ("/w/nothing", 500), ("/w/long", 502), ("/w/short", 502),
            ("/a/silent", 500), ("/a/twice", 500), ("/a/body", 500), ("/a/odd", 500),
        ):  # fmt: skip
            status, fields, _ = node.ask(path)
            self.assertEqual(status, expected, path)
            self.assertIsNone(fields["Set-Cookie"], path)
        for path in ("/w/early", "/a/half"):
            with self.assertRaises((http.client.IncompleteRead, ConnectionResetError), msg=path):
                node.ask(path)
        for sentence in (
            "app wsgi: RuntimeError: no more",
            "app wsgi: an answer that cannot be sent is 500: status 999; 200 to 599 are possible",
            "app wsgi: an answer that cannot be sent is 500: more than 256 fields",
            "Content-Length: b'-1' is no number of bytes",
            "TypeError: sequence item 0: expected a bytes-like object, str found",
            "more bytes (5) than its head said (3)",
            "app asgi: the application returned without ending its answer to b'/a/silent'",
            "app asgi: RuntimeError: an event of type 'http.response.odd', which is not known here",
        ):
            node.says(sentence)
        self.assertEqual([node.application(name)["processes"][0]["restarts"] for name in node.names], [0, 0])
        self.assertEqual((node.ask("/w/good")[2], node.ask("/a/good")[2]), (b"12345", b"12345"))

    def test_processes_that_die_fork_flood_or_write_where_they_should_not(self) -> None:
        node = self.host({"name": "wsgi", "at": "/", "run": "bad:wsgi"}).start_all()
        for restarts, path in enumerate(("/exit", "/fork", "/dies", "/control"), 1):
            try:
                self.assertIn(node.ask(path, method="POST")[0], (200, 502), path)
            except (http.client.IncompleteRead, ConnectionResetError):
                self.assertEqual(path, "/dies")
            node.wait_for(lambda: self.restarts(node) == restarts and node.ready("wsgi"), f"{path} is over")  # noqa: B023
            self.assertEqual(node.ask("/good")[2], b"12345")
        node.says("app wsgi: exited with code 3 after")
        node.says("what it says on descriptor 3 is not understood")
        (pid,) = node.pids("wsgi")
        with open(f"/proc/{pid}/stat") as stat:
            group = int(stat.read().rpartition(")")[2].split()[2])
        self.assertEqual(group, pid)
        self.assertEqual(node.ask("/flood")[0], 200)
        node.wait_for(lambda: "lines left out: more than 100 a second" in node.said(), "the flood is dammed")
        self.assertLess(node.said().count("app wsgi: noise"), 1100)

    def restarts(self, node: HostingNode) -> int:
        return int(node.application("wsgi")["processes"][0]["restarts"])

    def test_hanging_is_cut_off_and_threads_that_hang_are_replaced(self) -> None:
        node = self.host(
            {"name": "wsgi", "at": "/w", "run": "bad:wsgi", "threads": 2, "timeout-seconds": 1},
            {"name": "asgi", "at": "/a", "run": "bad:asgi", "timeout-seconds": 1},
            {"name": "leak", "at": "/l", "run": "bad:wsgi", "memory-mib": 70},
        ).start_all()
        (before,), (leaky,) = node.pids("wsgi"), node.pids("leak")
        self.assertEqual(node.ask("/a/hang")[0], 504)
        self.assertEqual(node.ask("/a/good")[0], 200)
        for _ in range(2):
            self.assertEqual(node.ask("/w/hang", method="POST")[0], 504)
        node.says("no answer within 1 s")
        self.assertEqual(node.ask("/l/leak", method="POST")[0], 200)
        node.wait_for(lambda: node.pids("wsgi") not in ([before], [None]), "another process has taken over")
        node.says("all 2 threads hang; another process takes over")
        self.assertEqual(node.ask("/w/good")[0], 200)
        node.wait_for(lambda: node.pids("leak") not in ([leaky], [None]), "the leaky one is replaced")
        node.says("more than memory-mib = 70")
        self.assertEqual(self.killed_with_the_node(node), [])

    def killed_with_the_node(self, node: HostingNode) -> list[int]:
        """Processes that outlive a node that is killed."""
        pids = [pid for name in node.names for pid in node.pids(name) if pid]
        assert node.process is not None
        os.kill(node.process.pid, 9)
        node.process.wait(processes.PATIENCE)
        until = time.monotonic() + processes.PATIENCE
        while any(map(is_alive, pids)) and time.monotonic() < until:
            time.sleep(0.1)
        return [pid for pid in pids if is_alive(pid)]

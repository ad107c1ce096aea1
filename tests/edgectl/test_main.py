"""``edgectl`` against a small admin server in a thread."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.edgectl.main import main
from tests import processes
from tests.commands import run_command

STATUS = {
    "node": "n1",
    "cluster": "c",
    "version": "1",
    "state": "ready",
    "uptime_s": 3725.5,
    "pid": 12345,
    "fast_path": "native",
    "listeners": ["http://localhost:1"],
    "workers": [
        {
            "index": 0,
            "pid": 7,
            "state": "ready",
            "restarts": 1,
            "connections": 2,
            "requests": 3,
            "lag_ms": 0.5,
        }
    ],
    "table": {"entries": 9},
    "load": {"utilization": 0.25},
    "site": {
        "webroot": "/[b]x",
        "resources": 1,
        "published_at": 1700000000,
        "problems": [{"path": "/bad[1]", "problem": "unreadable"}],
    },
}


def _request(connection: socket.socket) -> bytes:
    """One request with its body."""
    data = b""
    while True:
        data += connection.recv(65536)
        head, end, body = data.partition(b"\r\n\r\n")
        length = head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0] or b"0"
        if end and len(body) >= int(length):
            return data


@contextlib.contextmanager
def node(status: int, body: bytes, path: str | None = None) -> Iterator[tuple[str, list[bytes]]]:
    """Answers every request with *body*; gives the endpoint and what was asked."""
    asked: list[bytes] = []
    with tempfile.TemporaryDirectory() as directory:
        name = path or os.path.join(directory, "admin.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(name)
            listener.listen()

            def serve() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        connection, _ = listener.accept()
                        with connection:
                            asked.append(_request(connection))
                            head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n"
                            connection.sendall(head.encode() + body)

            threading.Thread(target=serve, daemon=True).start()
            yield f"unix:{name}", asked
            listener.shutdown(socket.SHUT_RDWR)


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    return run_command(main, *arguments)


class EdgectlTests(SynchronousTestCase):
    """Each command, and each thing that can go wrong."""

    def test_status_is_shown_in_tables(self) -> None:
        """What is in the answer, and nothing of it read as markup."""
        with node(200, json.dumps(STATUS).encode()) as (endpoint, asked):
            code, out, _ = run("--admin", endpoint, "status")
        self.assertEqual(code, 0)
        self.assertTrue(asked[0].startswith(b"GET /status HTTP/1.1\r\n"))
        for text in ("node n1 of cluster c", "12345", "1:02:05", "/[b]x", "/bad[1]", "2023-11-14 22:13:20"):
            self.assertIn(text, out)

    def test_json_is_for_machines(self) -> None:
        """The answer as it came."""
        with node(200, json.dumps(STATUS).encode()) as (endpoint, _):
            self.assertEqual(json.loads(run("--admin", endpoint, "--json", "status")[1]), STATUS)

    def test_json_may_stand_anywhere(self) -> None:
        """As people write it; behind -- it is a path as any other."""
        for words in (("--json", "status"), ("status", "--json")):
            with node(200, json.dumps(STATUS).encode()) as (endpoint, _):
                self.assertEqual(json.loads(run("--admin", endpoint, *words)[1]), STATUS)
        with node(200, b'{"purged": ["--json/"], "unknown": []}') as (endpoint, asked):
            self.assertEqual(run("--admin", endpoint, "purge", "--", "--json/")[0], 0)
        self.assertIn(b'"--json/"', asked[0])

    def test_certificates_of_the_cluster_as_json(self) -> None:
        """What was made, and who is revoked."""
        with tempfile.TemporaryDirectory() as folder:
            made = json.loads(run("cluster", "init", "--dir", folder, "--json")[1])
            self.assertEqual(made, {"files": [f"{folder}/ca.pem", f"{folder}/ca.key"]})
            files = json.loads(run("cluster", "cert", "n1", "--dir", folder, "--json")[1])["files"]
            self.assertTrue(all(map(os.path.exists, files)), files)
            [one] = json.loads(run("cluster", "revoke", "n1", "--dir", folder, "--json")[1])["revoked"]
            self.assertEqual((one["names"], len(one["sha256"])), (["n1"], 64))

    def test_metrics_as_json(self) -> None:
        """Series by name, with their labels."""
        text = b'# TYPE a counter\n# HELP a b\na_total{c="d"} 3.0\na_total{c="e"} 4.0\n'
        with node(200, text) as (endpoint, _):
            found = json.loads(run("--admin", endpoint, "metrics", "--json")[1])
        series = [{"labels": {"c": "d"}, "value": 3.0}, {"labels": {"c": "e"}, "value": 4.0}]
        self.assertEqual(found, {"a_total": series})

    def test_shells_complete_commands_and_options(self) -> None:
        """What bash offers; that zsh and fish can read theirs."""
        with tempfile.TemporaryDirectory() as folder:
            files = {}
            for shell in ("bash", "zsh", "fish"):
                code, out, _ = run("completion", shell)
                self.assertEqual(code, 0)
                files[shell] = os.path.join(folder, shell)
                with open(files[shell], "w") as file:
                    file.write(out)
                read = processes.run([shell, "-n", files[shell]], capture_output=True, text=True)
                self.assertEqual((read.returncode, read.stderr), (0, ""), shell)
            for typed, offered in (
                ("cert", "certificates"),
                ("monitoring da", "dashboard"),
                ("--js", "--json"),
            ):
                words = ("edgectl", *typed.split())
                script = (
                    f"source {files['bash']}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1};"
                    f"$(complete -p edgectl | sed 's/.*-F \\([^ ]*\\).*/\\1/') edgectl {words[-1]} x;"
                    'printf "%s\\n" "${COMPREPLY[@]}"'
                )
                told = processes.run(["bash", "-c", script], capture_output=True, text=True)
                self.assertIn(offered, told.stdout.split(), told.stderr)

    def test_publish_and_purge_send_what_is_meant(self) -> None:
        """A directory is made absolute: the node has another working directory."""
        done = {"puts": 1, "removes": 0, "unchanged": 2, "problems": [], "sequence": 7}
        with node(200, json.dumps(done).encode()) as (endpoint, asked):
            self.assertEqual(run("--admin", endpoint, "publish", "site")[0], 0)
            self.assertEqual(run("--admin", endpoint, "publish")[0], 0)
        bodies = [json.loads(each.partition(b"\r\n\r\n")[2]) for each in asked]
        self.assertEqual(
            bodies, [{"webroot": os.path.abspath("site"), "site": None}, {"webroot": None, "site": None}]
        )
        purged = {"purged": ["/a"], "unknown": ["/b"], "sequence": 8}
        with node(200, json.dumps(purged).encode()) as (endpoint, asked):
            code, out, _ = run("--admin", endpoint, "purge", "/a", "/b")
        self.assertEqual((code, out.split()), (1, ["purged", "/a", "unknown", "/b"]))

    def test_applications_are_listed_and_reloaded(self) -> None:
        process = {
            "index": 0, "pid": 4711, "state": "ready", "restarts": 2, "leaving": 0, "running": 3,
            "memory_bytes": 50 << 20, "cpu_seconds": 1.5,
        }  # fmt: skip
        shop = {
            "name": "shop", "at": "/", "run": "shop:[app]", "to": [], "kind": "wsgi", "problem": "it [fails]",
            "processes": [process, {**process, "pid": None, "state": "waiting"}],
        }  # fmt: skip
        api = {**shop, "name": "api", "run": "", "to": ["http://h:1"], "problem": "", "processes": []}
        found = {"applications": [shop, api]}
        with node(200, json.dumps(found).encode()) as (endpoint, asked):
            code, out, _ = run("--admin", endpoint, "app", "list")
            self.assertEqual(json.loads(run("--admin", endpoint, "--json", "app", "list")[1]), found)
        self.assertEqual(code, 0)
        self.assertTrue(asked[0].startswith(b"GET /applications HTTP/1.1\r\n"))
        for text in ("shop:[app]", "4711", "waiting", "50 M", "http://h:1", "elsewhere", "shop: it [fails]"):
            self.assertIn(text, out)
        for problems, expected in (([], 0), (["shop/1: no"], 1)):
            done = json.dumps({"replaced": 2, "problems": problems}).encode()
            with node(200, done) as (endpoint, asked):
                code, out, _ = run("--admin", endpoint, "app", "reload", "shop")
            self.assertEqual(code, expected)
            self.assertIn(problems[0] if problems else "shop: 2 process(es) replaced", out)
            self.assertEqual(json.loads(asked[0].partition(b"\r\n\r\n")[2]), {"name": "shop"})

    def test_check_fails_when_a_check_failed(self) -> None:
        """For monitoring."""
        checks = [
            {"name": "table", "ok": True, "detail": "x"},
            {"name": "disk", "ok": False, "detail": "full"},
        ]
        for ok, expected in ((True, 0), (False, 1)):
            with node(200, json.dumps({"ok": ok, "checks": checks}).encode()) as (endpoint, _):
                self.assertEqual(run("--admin", endpoint, "check")[0], expected)

    def test_drain_and_metrics(self) -> None:
        """The state, and the text as it is."""
        with node(200, b'{"state": "draining"}') as (endpoint, _):
            self.assertIn("draining", run("--admin", endpoint, "drain")[1])
        with node(200, b"edge_weight 1\n") as (endpoint, _):
            self.assertEqual(run("--admin", endpoint, "metrics")[1], "edge_weight 1\n")

    def test_a_refusal_is_the_nodes_own_sentence(self) -> None:
        """Exit code 1."""
        with node(400, b'{"error": "/x: no such folder"}') as (endpoint, _):
            self.assertEqual(
                run("--admin", endpoint, "publish", "/x"), (1, "", "edgectl: /x: no such folder\n")
            )

    def test_no_node_is_said_clearly(self) -> None:
        """No traceback: where it looked, and what to do."""
        code, _, err = run("--state-dir", "/nonexistent", "status")
        self.assertEqual(code, 1)
        self.assertIn("unix:/nonexistent/admin.sock: there is no such socket; is the node running?", err)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        self.assertIn(
            "nobody listens", run("--admin", f"tcp:{port}", "--token-file", "/dev/null", "status")[2]
        )
        self.assertIn("not an admin endpoint", run("--admin", "http://x", "status")[2])
        self.assertIn(
            "token cannot be read", run("--admin", "tcp:1", "--state-dir", "/nonexistent", "status")[2]
        )

    def test_a_node_says_in_its_state_directory_where_it_is_asked_over_tcp(self) -> None:
        """The usual socket comes first: the folder may be another one for who asks, as in a container."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "admin.token").write_text("secret\n")
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for told in ("", "[]", '{"admin": 3}', json.dumps({"admin": url})):
            (folder / "listening.json").write_text(told)
            found = run("--state-dir", str(folder), "status")[2]
            self.assertIn(f"{url}: nobody listens" if url in told else "there is no such socket", found)
        (folder / "admin.sock").write_text("")
        self.assertIn("admin.sock", run("--state-dir", str(folder), "status")[2])

    def test_something_else_on_the_socket_is_said_clearly(self) -> None:
        """Not JSON, or not even HTTP."""
        with node(200, b"<html>") as (endpoint, _):
            self.assertIn("not the admin socket of a node", run("--admin", endpoint, "status")[2])

    def test_wrong_usage_exits_with_two(self) -> None:
        """And says what is wrong."""
        for arguments in ((), ("purge", "a"), ("fly",)):
            self.assertEqual(run(*arguments)[0], 2)

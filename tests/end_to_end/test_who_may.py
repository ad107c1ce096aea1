"""Passwords, networks and rates of real nodes: what strangers get, and what they learn."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import bcrypt
from twisted.trial.unittest import SynchronousTestCase

from tests import processes
from tests.end_to_end.node import RunningNode

GZIP = {"Accept-Encoding": "gzip"}  # so that the fast path recognises it


def basic(credentials: str) -> dict[str, str]:
    """The fields of somebody who logs in."""
    token = base64.b64encode(credentials.encode()).decode()
    return {**GZIP, "Authorization": f"Basic {token}"}


def line(name: str, password: str) -> bytes:
    """A line of htpasswd -B."""
    return b"%b:%b\n" % (name.encode(), bcrypt.hashpw(password.encode(), bcrypt.gensalt(6)))


class GuardedNode(RunningNode):
    """A node with a public page, a folder for users, one for networks, and one that is limited."""

    def __init__(self, *options: str, workers: int = 2) -> None:
        super().__init__(*options, workers=workers)
        self.users = self.directory / "htpasswd"
        self.users.write_bytes(line("ada", "secret"))
        self.write("index.html", b"hello\n")
        self.write("admin/index.html", b"the secret page\n")
        self.write("net/x.txt", b"for networks\n")
        self.write("api/x.txt", b"often\n")
        self.options += ["--auth", f"/admin/**={self.users}", "--access", "/net/**=192.0.2.0/24"]
        self.options += ["--rate", "/api/**=20/day", "--access-log", str(self.directory / "access.log")]

    def logged(self) -> list[dict[str, Any]]:
        """The access log."""
        return [json.loads(line) for line in (self.directory / "access.log").read_text().splitlines()]


class WhoMayTests(SynchronousTestCase):
    """Two or three workers."""

    fast_path = "native"

    def start(self, *options: str, workers: int = 2) -> GuardedNode:
        """A node that is ready."""
        node = GuardedNode("--fast-path", self.fast_path, *options, workers=workers)
        self.addCleanup(node.clean_up)
        node.start()
        return node

    def test_strangers_get_nothing_and_learn_nothing(self) -> None:
        node = self.start()
        self.assertEqual(node.ask("/", GZIP)[0], 200)
        status, fields, body = node.ask("/admin/", GZIP)
        self.assertEqual((status, fields["WWW-Authenticate"].partition(" ")[0]), (401, "Basic"))
        status, fields, body = node.ask("/admin/", basic("ada:secret"))
        self.assertEqual((status, body), (200, b"the secret page\n"))
        self.assertTrue(fields["Cache-Control"].startswith("private"), fields["Cache-Control"])
        self.assertNotIn("Edge-State", fields)
        tag = fields["ETag"]
        status, fields, _ = node.ask("/admin/", {**basic("ada:secret"), "If-None-Match": tag})
        self.assertEqual((status, fields["Cache-Control"].partition(",")[0]), (304, "private"))
        for path in (
            "/admin/",
            "//admin/",
            "/%61dmin/",
            "/./admin/",
            "/admin/index.html",
            "/x/..%2fadmin/",
            "/admin",
        ):
            for method in ("GET", "HEAD", "POST", "OPTIONS"):
                status, _, body = node.ask(path, {**GZIP, "If-None-Match": tag}, method=method)
                self.assertIn(status, (401, 404), (path, method))
                self.assertNotIn(b"the secret page", body)
        batch = tag.strip('"').encode() + b" /admin/\n" + tag.strip('"').encode() + b" //admin/index.html\n"
        for more in (GZIP, {**GZIP, "X-Forwarded-For": "192.0.2.1"}, {"Accept-Encoding": "identity"}):
            answer = json.loads(node.ask("/.edge/revalidate", more, method="POST", body=batch)[2])
            self.assertEqual(answer["stale"], [0, 1])
        state = node.ask("/.edge/changes", GZIP)[2].strip().decode()
        node.write("admin/index.html", b"other\n")
        node.write("index.html", b"other\n")
        node.wait_for(lambda: node.ask("/", GZIP)[2] == b"other\n", "it is published")
        node.wait_for(
            lambda: node.ask("/admin/", basic("ada:secret"))[2] == b"other\n", "that is published, too"
        )
        changed = node.ask(f"/.edge/changes?since={state}", GZIP)[2]
        self.assertIn(b"/index.html\n" if b"/index.html" in changed else b"/\n", changed)
        self.assertNotIn(b"admin", changed)
        self.assertEqual(node.ask("/net/x.txt", GZIP)[0], 403)
        node.wait_for(lambda: any(one.get("user") == "ada" for one in node.logged()), "the log says who")
        self.assertFalse(any(one.get("user") for one in node.logged() if one["status"] == 401))

    def test_brute_force_is_slow_and_holds_nobody_up(self) -> None:
        """Ten wrong passwords at once from one address; others are served meanwhile."""
        node = self.start()
        self.assertEqual(node.ask("/admin/", basic("ada:secret"))[0], 200)
        statuses: list[int] = []

        def guess(number: int) -> None:
            for attempt in range(10):
                statuses.append(node.ask("/admin/", basic(f"ada:{number}-{attempt}"))[0])

        threads = [threading.Thread(target=guess, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            self.assertEqual(node.ask("/", GZIP)[0], 200)
        self.assertEqual(statuses.count(401) + statuses.count(429), 40)
        self.assertLessEqual(statuses.count(401), 12)
        self.assertEqual(node.ask("/admin/", GZIP)[0], 401)

    def test_files_of_users_are_read_again_when_they_change(self) -> None:
        """What cannot be understood changes nothing, and is said."""
        node = self.start()
        self.assertEqual(node.ask("/admin/", basic("eve:new"))[0], 401)
        node.users.write_bytes(line("eve", "new"))
        node.wait_for(lambda: node.ask("/admin/", basic("eve:new"))[0] != 401, "eve may log in")
        node.users.write_bytes(b"eve:{SHA}x\n")
        node.wait_for(lambda: "who could log in before still can" in node.log.read_text(), "it is said")
        self.assertIn("line 1 (eve): a hash by SHA-1", node.log.read_text())
        self.assertIn(node.ask("/admin/", basic("eve:new"))[0], (200, 429))

    def test_all_workers_share_a_rate(self) -> None:
        """Whoever is asked, and on whichever way: 20 answers and not one more."""
        node = self.start(workers=3)
        statuses: list[int] = []

        def ask(number: int) -> None:
            for _ in range(10):
                fields = GZIP if number % 2 else {"Accept-Encoding": "identity"}
                statuses.append(node.ask("/api/x.txt", fields)[0])

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        processes.join(*threads)
        self.assertEqual((statuses.count(200), statuses.count(429)), (20, 40))
        status, fields, _ = node.ask("/api/x.txt", GZIP)
        self.assertEqual(status, 429)
        self.assertLessEqual(0, int(fields["Retry-After"]) - 4000)
        self.assertEqual(node.ask("/", GZIP)[0], 200)
        node.wait_for(lambda: sum(one["status"] == 429 for one in node.logged()) == 41, "all is logged")
        self.assertEqual(len({one["worker"] for one in node.logged() if one["status"] == 200}) > 1, True)

    def test_a_file_that_is_no_protection_stops_the_start(self) -> None:
        node = GuardedNode(workers=1)
        self.addCleanup(node.clean_up)
        node.users.write_bytes(b"ada:$apr1$x$y\n")
        process = node.spawn()
        self.assertNotEqual(process.wait(60), 0)
        self.assertIn("line 1 (ada): a hash by MD5", node.log.read_text())
        self.assertNotIn("Traceback", node.log.read_text())


class TwinTests(SynchronousTestCase):
    """The same where there is no compiler."""

    def test_all_workers_share_a_rate_and_strangers_get_nothing(self) -> None:
        node = GuardedNode("--fast-path", "python")
        self.addCleanup(node.clean_up)
        node.start()
        statuses = [node.ask("/api/x.txt", GZIP)[0] for _ in range(30)]
        self.assertEqual((statuses.count(200), statuses.count(429)), (20, 10))
        self.assertEqual(node.ask("/admin/", GZIP)[0], 401)
        self.assertEqual(node.ask("/admin/", basic("ada:secret"))[2], b"the secret page\n")

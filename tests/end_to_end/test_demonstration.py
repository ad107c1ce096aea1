"""The demonstration on two real nodes: what is written, by whomever, is read on each of them."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from twisted.trial.unittest import SynchronousTestCase

from demonstration.schema import make_schema
from edge.app.graphql import Documents, GraphQL
from tests import processes
from tests.demonstration.servers import postgresql, redis_server
from tests.end_to_end.cluster import RunningCluster
from tests.end_to_end.node import ROOT, RunningNode

SCHEMA = make_schema()
GRAPHQL = GraphQL(SCHEMA, Documents.read(ROOT / "demonstration" / "queries", SCHEMA))


class Site(RunningCluster):
    """Two nodes, each with a process of the application."""

    def __init__(self, data: str = "", cache: str = "") -> None:
        self.data, self.cache = data, cache
        super().__init__(2)

    def make(self, number: int, *options: str) -> RunningNode:
        self.shared = Path(self.folder) / "data"
        if not self.shared.exists():
            self.shared.mkdir()
            self.shared.chmod(0o777)  # the application is nobody
            self.folder.chmod(0o755)
        node = RunningNode(*options, workers=1)
        environment = {
            "DEMONSTRATION_DATA": self.data or f"sqlite:{self.shared / 'd.sqlite'}",
            "DEMONSTRATION_KEY": str(self.shared / "session.key"),
            "DEMONSTRATION_CACHE": self.cache,
        }
        lines = [
            "[[app]]",
            'name = "site"',
            'at = "/"',
            'run = "demonstration.app:app"',
            f'folder = "{ROOT}"',
        ]
        told = ", ".join(f'{name} = "{value}"' for name, value in environment.items())
        file = node.directory / "edge.toml"
        file.write_text("\n".join([*lines, f"environment = {{ {told} }}"]))
        node.options += ["--config", str(file)]
        return node


class DemonstrationTests(SynchronousTestCase):
    """Votes on n1, read on n2."""

    #: With SQLite, for all tests but one: each votes for other characters.
    shared: Site | None = None

    @classmethod
    def tearDownClass(cls) -> None:
        if cls.shared is not None:
            cls.shared.clean_up()
            cls.shared = None

    def site(self) -> Site:
        """The site that is shared."""
        if self.shared is None:
            type(self).shared = Site()
            self.begin(self.shared)
        assert self.shared is not None
        return self.shared

    def begin(self, site: Any) -> None:
        site.start()
        for node in site.nodes:
            node.wait_for(lambda node=node: node.ask("/ranking")[0] == 200, "the application answers")

    def keep(self, node: RunningNode, *paths: str) -> None:
        """Have *node* answer *paths* from its table."""
        for path in paths:
            node.wait_for(lambda path=path: "hit" in node.ask(path)[1]["Cache-Status"], f"{path} is stored")

    def vote(self, node: RunningNode, code: str, key: str) -> Any:
        body = json.dumps({"variables": {"code": code}}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": key}
        status, _, answer = node.ask(GRAPHQL.address("Vote"), headers, "POST", body)
        self.assertEqual(status, 200, answer)
        return json.loads(answer)["data"]["vote"]["votes"]

    def votes(self, node: RunningNode) -> dict[str, int]:
        status, _, answer = node.ask(GRAPHQL.address("Ranking", {"first": 50}))
        self.assertEqual(status, 200, answer)
        return {one["code"]: one["votes"] for one in json.loads(answer)["data"]["ranking"]}

    def test_a_vote_on_one_node_is_in_every_query_and_page_of_the_other(self) -> None:
        one, two = self.site().nodes
        ranking = GRAPHQL.address("Ranking", {"first": 50})
        pages = ("/", "/ranking", "/character/41", "/block/basic-latin", "/search?q=latin+capital+letter+a")
        for round in range(3):
            self.keep(two, ranking, *pages)
            before = {path: two.ask(path)[2] for path in pages}
            self.assertEqual(self.vote(one, "41", f"key {round}"), round + 1)
            self.assertEqual(self.votes(two)["41"], round + 1)
            for path in pages[:4]:
                after = two.ask(path)[2]
                self.assertNotEqual(after, before[path], path)
        form = b"code=41&text=Hello+there&back=/character/41"
        self.keep(two, "/", "/character/41")
        answer = one.ask("/comment", {"Sec-Fetch-Site": "same-origin"}, "POST", form)
        self.assertEqual((answer[0], answer[1]["Location"]), (303, "/character/41"))
        for path in ("/", "/character/41"):
            self.assertIn(b"Hello there", two.ask(path)[2])

    def test_a_query_is_confirmed_without_asking_the_application(self) -> None:
        one, two = self.site().nodes
        ranking = GRAPHQL.address("Ranking", {"first": 50})
        self.keep(one, ranking)
        etag = one.ask(ranking)[1]["ETag"]
        for node in (one, two):
            node.wait_for(lambda node=node: node.ask(ranking, {"If-None-Match": etag})[0] == 304, "a 304")
        self.assertEqual(one.ask(ranking + "&x=1")[0], 308)
        self.assertEqual(one.ask(ranking.replace("sha256:", "sha256:0"))[0], 404)
        kind = {"Content-Type": "application/json"}
        self.assertEqual(one.ask("/graphql", kind, "POST", b'{"query":"{blocks{name}}"}')[0], 404)

    def test_pages_of_other_sites_change_nothing_and_those_of_the_other_node_do(self) -> None:
        one, two = self.site().nodes
        form = b"code=51&back=/ranking"
        self.assertEqual(one.ask("/vote", {"Origin": "https://evil.example"}, "POST", form)[0], 403)
        headers = {"Origin": f"http://127.0.0.1:{two.port}", "Host": f"127.0.0.1:{two.port}"}
        self.assertEqual(two.ask("/vote", headers, "POST", form)[0], 303)
        self.assertEqual(self.votes(one)["51"], 1)

    def test_what_another_program_writes_into_the_file_is_shown(self) -> None:
        site = self.site()
        self.keep(site.nodes[1], GRAPHQL.address("Ranking", {"first": 50}))
        with closing(sqlite3.connect(site.shared / "d.sqlite", timeout=30)) as connection, connection:
            connection.execute("INSERT INTO votes (visitor, code, at) VALUES ('another program', 97, 0)")
        for node in site.nodes:
            node.wait_for(lambda node=node: self.votes(node).get("61") == 1, "the vote is shown")

    def test_a_key_is_made_once_for_all_nodes_and_for_nobody_else(self) -> None:
        site = self.site()
        self.assertEqual((site.shared / "session.key").stat().st_mode & 0o777, 0o600)
        form, here = b"code=71&back=/", {"Sec-Fetch-Site": "same-origin"}
        cookie = site.nodes[0].ask("/vote", here, "POST", form)[1]["Set-Cookie"].partition(";")[0]
        site.nodes[1].ask("/vote", {**here, "Cookie": cookie}, "POST", form)
        self.assertEqual(self.votes(site.nodes[0])["71"], 1)

    def test_postgresql_and_redis_restarted_under_it_and_written_to_by_another_program(self) -> None:
        server, cache = postgresql(), redis_server()
        data = server.new_database()
        site = Site(data, cache.new_database())
        self.addCleanup(site.clean_up)
        self.begin(site)
        one, two = site.nodes
        ranking = GRAPHQL.address("Ranking", {"first": 50})
        self.assertEqual(self.vote(one, "41", "k1"), 1)
        self.keep(two, ranking, "/")
        with psycopg.connect(data) as connection:
            connection.execute("INSERT INTO votes (visitor, code, at) VALUES ('another program', 65, 0)")
        for node in site.nodes:
            node.wait_for(lambda node=node: self.votes(node) == {"41": 2}, "the vote is shown")
        self.keep(two, ranking, "/")
        server.process.stop()
        cache.process.stop()
        try:
            for _ in range(20):  # nobody notices who reads what the edge has
                self.assertEqual(self.votes(two), {"41": 2})
                self.assertEqual(two.ask("/")[0], 200)
        finally:
            cache.start()
            server.start()
        one.wait_for(lambda: self.vote(one, "42", "k2") == 1, "votes are counted again")
        self.assertEqual(self.votes(two), {"41": 2, "42": 1})
        with psycopg.connect(data) as connection:
            connection.execute("INSERT INTO votes (visitor, code, at) VALUES ('another program', 66, 0)")
        for node in site.nodes:
            node.wait_for(lambda node=node: self.votes(node) == {"41": 2, "42": 2}, "the vote is shown")

    def test_many_who_vote_on_both_nodes_at_once_are_all_counted_and_read_what_they_wrote(self) -> None:
        nodes = self.site().nodes
        wrong: list[str] = []

        def write(number: int) -> None:
            for turn in range(6):
                votes = self.vote(nodes[number % 2], "91", f"key {number} {turn} of a voter")
                read = self.votes(nodes[(number + turn) % 2]).get("91", 0)
                if read < votes:
                    wrong.append(f"{number} wrote {votes} and read {read}")

        writers = [threading.Thread(target=write, args=(number,)) for number in range(6)]
        for writer in writers:
            writer.start()
        processes.join(*writers)
        self.assertEqual(wrong, [])
        self.assertEqual([self.votes(node)["91"] for node in nodes], [36, 36])

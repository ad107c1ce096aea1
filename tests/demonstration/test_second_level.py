"""Redis before a database: what is found there, what is not, and what happens without it."""

from __future__ import annotations

import contextlib
import io
import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from demonstration.data import second_level
from demonstration.data.opening import open_store
from demonstration.data.second_level import GROUP, STREAM, Channel, SecondLevel, connect
from demonstration.data.store import Change, Score
from demonstration.services.watching import watch_channel
from edge.app import changes
from tests.demonstration.servers import redis_server


class RedisTestCase(SynchronousTestCase):
    """Two processes, as it were, with one SQLite file and one Redis."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        self.file = folder / "d.sqlite"
        self.server = redis_server()
        self.url = self.server.new_database()
        self.now = 0.0
        self.one, self.two = self.open(), self.open()

    def open(self) -> SecondLevel:
        store = SecondLevel(open_store(str(self.file)), connect(self.url, 60), "redis", lambda: self.now)
        self.addCleanup(store.close)
        return store

    def behind_its_back(self, statement: str) -> None:
        """Change the database so that nobody learns of it."""
        with closing(sqlite3.connect(self.file)) as connection, connection:
            connection.execute(statement)


class SecondLevelTests(RedisTestCase):
    """Reads and writes."""

    def test_what_one_process_has_read_another_one_finds(self) -> None:
        self.one.vote("v", 65, True)
        self.one.comment("v", 65, "hi", "k", 1.5)
        reads = (
            lambda store: store.top(9),
            lambda store: store.scores([65, 66]),
            lambda store: store.comments(None, 9),
            lambda store: store.comments(65, 9),
        )
        before = [read(self.one) for read in reads]
        self.behind_its_back("UPDATE scores SET votes = 1000")
        self.behind_its_back("DROP TRIGGER comments_removed_change")
        self.behind_its_back("DELETE FROM comments")
        self.assertEqual([read(self.two) for read in reads], before)
        self.assertEqual(before[1], {65: 1})
        self.assertIsInstance(before[0][0], Score)

    def test_a_write_leaves_nothing_to_be_found_that_was_read_before(self) -> None:
        self.two.vote("v", 65, True)
        self.assertEqual((self.one.top(9), self.one.comments(65, 9)), ([Score(65, 1)], []))
        self.two.vote("w", 65, True)
        self.assertEqual(self.one.top(9), [Score(65, 2)])
        self.two.comment("w", 65, "hi", "k", 0.0)
        self.assertEqual(len(self.one.comments(65, 9)), 1)
        self.assertEqual(len(self.one.comments(None, 9)), 1)

    def test_a_read_that_a_write_overtakes_is_not_found_after_it(self) -> None:
        """Who was slow stores under a version that is over."""
        inner = self.one._store
        slow = inner.top

        def overtaken(first: int) -> list[Score]:
            found = slow(first)
            self.two.vote("v", 65, True)
            return found

        inner.top = overtaken
        self.assertEqual(self.one.top(9), [])
        self.assertEqual(self.two.top(9), [Score(65, 1)])

    def test_a_version_that_redis_has_forgotten_does_not_come_back(self) -> None:
        self.assertEqual(self.one.top(9), [])
        self.behind_its_back("INSERT INTO votes VALUES ('v', 65, 0)")
        with connect(self.url, 60) as client:
            for key in client.keys("demonstration:version:*"):
                client.delete(key)
        self.assertEqual(self.one.top(9), [Score(65, 1)])

    def test_a_value_ends_by_itself(self) -> None:
        self.one.top(9)
        with connect(self.url, 60) as client:
            kept = [client.ttl(key) for key in client.keys("demonstration:top:*")]
        self.assertEqual(len(kept), 1)
        self.assertTrue(0 < kept[0] <= 10)

    def test_without_redis_the_database_is_asked_and_that_is_said_once(self) -> None:
        self.one.vote("v", 65, True)
        self.one.top(9)
        said = io.StringIO()
        self.server.process.stop()
        try:
            with contextlib.redirect_stderr(said):
                self.assertEqual(self.one.top(9), [Score(65, 1)])
                self.assertEqual(self.one.vote("w", 65, True)[0], 2)
                self.assertEqual(self.one.top(9), [Score(65, 2)])
                self.now += 5
                self.assertEqual(self.one.top(9), [Score(65, 2)])
                self.assertEqual(said.getvalue().count("\n"), 1)
                self.assertIn("Redis cannot be asked", said.getvalue())
        finally:
            self.server.start()
        with contextlib.redirect_stderr(said):
            self.now += 60
            self.assertEqual(self.one.top(9), [Score(65, 2)])
        self.assertIn("Redis is there again", said.getvalue())
        self.behind_its_back("UPDATE scores SET votes = 1000")
        self.assertEqual(self.two.top(9), [Score(65, 2)])

    def test_what_was_written_while_redis_could_not_be_told_is_told_first(self) -> None:
        """The Redis that was cut off still has what was read before."""
        self.assertEqual(self.two.top(9), [])
        cut_off, self.one._redis = self.one._redis, connect("unix:///nowhere")
        with contextlib.redirect_stderr(io.StringIO()):
            self.one.vote("v", 65, True)
            self.assertEqual(self.one.top(9), [Score(65, 1)])
            self.assertEqual(self.two.top(9), [])  # for ten seconds at most
            self.one._redis, self.now = cut_off, self.now + 60
            self.one.claim()
        self.one.renew([])
        self.assertEqual(self.two.top(9), [Score(65, 1)])


class ChannelTests(RedisTestCase):
    """What other programs say in Redis."""

    def test_each_message_is_told_by_one_and_then_forgotten(self) -> None:
        with connect(self.url, 60) as client:
            one, two = Channel(client), Channel(client)
            self.assertEqual(one.take(0.01), [])
            client.xadd(STREAM, {"kind": "vote", "code": "65"})
            got = two.take(0.01)
            self.assertEqual([change for _, change in got], [Change(0, "vote", 65)])
            self.assertEqual(one.take(0.01), [])
            two.told([number for number, _ in got])
            self.assertEqual((client.xlen(STREAM), client.xpending(STREAM, GROUP)["pending"]), (0, 0))

    def test_what_a_process_took_and_did_not_tell_is_another_ones(self) -> None:
        self.patch(second_level, "TAKE_OVER_SECONDS", 0.0)
        with connect(self.url, 60) as client:
            client.xadd(STREAM, {"kind": "comment", "code": "66"})
            self.assertEqual(len(Channel(client).take(0.01)), 1)
            self.assertEqual([change for _, change in Channel(client).take(0.01)], [Change(0, "comment", 66)])

    def test_what_is_no_change_touches_nothing(self) -> None:
        with connect(self.url, 60) as client, contextlib.redirect_stderr(io.StringIO()) as said:
            wrong = {"kind": "vote"}, {"kind": "x", "code": "1"}, {"kind": "vote", "code": "-1"}, {"a": "b"}
            for fields in wrong:
                client.xadd(STREAM, fields)
            self.assertEqual({change for _, change in Channel(client).take(0.01)}, {Change(0, "", 0)})
            self.assertEqual(said.getvalue().count("is no change"), 4)

    def test_a_message_reaches_the_nodes_and_renews_what_was_kept(self) -> None:
        told: list[list[bytes]] = []

        class Node:
            def changed(self, groups: list[bytes], settled: object) -> None:
                told.append(groups)
                settled(0)

        self.patch(changes, "node", Node())
        self.assertEqual(self.one.top(9), [])
        self.behind_its_back("INSERT INTO scores VALUES (65, 7)")
        watching = watch_channel(self.url, self.one.renew)
        self.addCleanup(watching.stop)
        with connect(self.url, 60) as client:
            client.xadd(STREAM, {"kind": "vote", "code": "65"})
            while client.xlen(STREAM):
                pass
        self.assertEqual(told, [[b"ranking", b"character:41", b"block:basic-latin"]])
        self.assertEqual(self.two.top(9), [Score(65, 7)])

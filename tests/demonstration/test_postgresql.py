"""PostgreSQL when it is restarted, gone, from the future; its migrations and backups."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
from twisted.trial.unittest import SynchronousTestCase

from demonstration.data.backup import backup
from demonstration.data.migrating import newest
from demonstration.data.opening import open_store
from demonstration.data.postgresql import KIND, Postgresql, migrate
from demonstration.data.sql import SqlStore
from demonstration.data.store import Score, StoreError, Unavailable
from tests import processes
from tests.demonstration.servers import postgresql

SHAPE = """
SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns
WHERE table_schema = 'public' UNION ALL SELECT tgrelid::regclass::text, tgname::text, '' FROM pg_trigger
WHERE NOT tgisinternal UNION ALL SELECT tablename::text, indexname::text, '' FROM pg_indexes
WHERE schemaname = 'public' ORDER BY 1, 2
"""


class PostgresqlTests(SynchronousTestCase):
    """A database of its own in the server of the tests."""

    def setUp(self) -> None:
        self.server = postgresql()
        self.url = self.server.new_database()

    def open(self, patience: float = 30.0) -> SqlStore:
        store = SqlStore(Postgresql(self.url, patience))
        self.addCleanup(store.close)
        return store

    def test_each_version_comes_to_the_same_tables_and_keeps_its_data(self) -> None:
        shapes = []
        for version in range(newest(KIND) + 1):
            self.url = self.server.new_database()
            with psycopg.connect(self.url, autocommit=True) as connection:
                migrate(connection, self.url, version)
                if version:
                    connection.execute("INSERT INTO votes VALUES ('v', 65, 0)")
            store = self.open()
            self.assertEqual(store.top(9), [Score(65, 1)] if version else [])
            store.comment("v", 65, "hi", "k", 0.0)
            self.assertIsNone(store.begin("v", "k", "print"))
            with psycopg.connect(self.url) as connection:
                shapes.append(connection.execute(SHAPE).fetchall())
        self.assertEqual(len(shapes), newest("sqlite") + 1)
        self.assertGreater(len(shapes[0]), 20)
        self.assertEqual([shape for shape in shapes if shape != shapes[0]], [])

    def test_a_database_from_the_future_is_left_alone(self) -> None:
        self.open()
        with psycopg.connect(self.url) as connection:
            connection.execute("UPDATE version SET number = 99")
        said = str(self.assertRaises(StoreError, self.open))
        self.assertIn("is of version 99", said)

    def test_a_restart_costs_nobody_an_error_and_who_waits_hears_again(self) -> None:
        store = self.open()
        store.vote("v", 65, True)
        self.assertEqual(store.top(9), [Score(65, 1)])
        heard: list[int] = []
        stopped, again = threading.Event(), threading.Event()

        def listen() -> None:
            while not stopped.is_set():
                try:
                    heard.extend(change.code for change in store.claim())
                    if 66 in heard:
                        again.set()
                    store.wait(1.0, stopped)
                except Unavailable:
                    stopped.wait(0.05)

        listener = threading.Thread(target=listen)
        listener.start()
        self.addCleanup(listener.join)
        self.addCleanup(stopped.set)
        self.server.process.stop()
        with ThreadPoolExecutor(1) as thread:
            waits = thread.submit(store.vote, "w", 65, True)
            time.sleep(0.3)
            self.server.start()
            self.assertEqual(waits.result()[0], 2)
        self.assertEqual(store.top(9), [Score(65, 2)])
        with psycopg.connect(self.url) as connection:
            connection.execute("INSERT INTO votes VALUES ('x', 66, 0)")
        self.assertTrue(again.wait(30))

    def test_a_database_that_is_gone_is_said_at_once_to_all_but_the_first(self) -> None:
        store = self.open(patience=0.1)
        store.vote("v", 65, True)
        self.server.process.stop()
        try:
            said = str(self.assertRaises(Unavailable, store.top, 9))
            self.assertIn("the database cannot be asked", said)
            said = str(self.assertRaises(Unavailable, store.top, 9))
            self.assertIn("is gone, and is tried again every second", said)
        finally:
            self.server.start()
        store._database._gone_until = 0.0
        self.assertEqual(store.top(9), [Score(65, 1)])

    def test_no_sentence_has_the_password(self) -> None:
        url = "postgresql://me:secret@127.0.0.1:1/none?password=secret"
        said = str(self.assertRaises(Unavailable, Postgresql, url, 0.0))
        self.assertIn("postgresql://127.0.0.1:1/none", said)
        self.assertNotIn("secret", said)

    def test_a_backup_can_be_restored(self) -> None:
        self.open().vote("v", 65, True)
        target = Path(self.mktemp())
        self.assertGreater(backup(self.url, target), 1000)
        url = self.server.new_database()
        restore = [shutil.which("pg_restore") or "pg_restore", f"--dbname={url}", str(target)]
        processes.run(restore, check=True, capture_output=True)
        self.assertEqual(open_store(url).top(9), [Score(65, 1)])
        self.assertIn(
            "does not exist", str(self.assertRaises(StoreError, backup, f"{url}&dbname=none", target))
        )

"""The same suite on all stores: SQLite, PostgreSQL, and each of them behind Redis."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from unittest import TestLoader

import psycopg
from twisted.trial.unittest import SynchronousTestCase

from tests.demonstration.servers import postgresql, redis_server
from tests.demonstration.store_suite import StoreSuite, fresh


class InSqlite:
    """A file."""

    def database(self) -> str:
        return f"sqlite:{fresh(Path(self.mktemp())) / 'd.sqlite'}"

    def write_as_another_program(self, statement: str) -> None:
        with closing(sqlite3.connect(self.place[0].removeprefix("sqlite:"))) as connection, connection:
            connection.execute(statement)


class InPostgresql:
    """A database of the server that the tests have started."""

    def database(self) -> str:
        return postgresql().new_database()

    def write_as_another_program(self, statement: str) -> None:
        with psycopg.connect(self.place[0]) as connection:
            connection.execute(statement)


class Alone:
    """No Redis."""

    def where(self) -> tuple[str, str]:
        return self.database(), ""


class BehindRedis:
    """A database of the Redis that the tests have started."""

    def where(self) -> tuple[str, str]:
        return self.database(), redis_server().new_database()


class SqliteTests(Alone, InSqlite, StoreSuite, SynchronousTestCase):
    """SQLite, as it is by default."""


class PostgresqlTests(Alone, InPostgresql, StoreSuite, SynchronousTestCase):
    """PostgreSQL."""


class SqliteBehindRedisTests(BehindRedis, InSqlite, StoreSuite, SynchronousTestCase):
    """SQLite, with Redis before it."""


class PostgresqlBehindRedisTests(BehindRedis, InPostgresql, StoreSuite, SynchronousTestCase):
    """PostgreSQL, with Redis before it."""


class StoresTests(SynchronousTestCase):
    """The suite itself."""

    def test_the_suite_runs_on_all_four(self) -> None:
        """A suite that is loaded by nobody passes."""
        stores = (SqliteTests, PostgresqlTests, SqliteBehindRedisTests, PostgresqlBehindRedisTests)
        for store in stores:
            cases = TestLoader().getTestCaseNames(store)
            self.assertGreaterEqual(len(cases), 18, store)
            self.assertTrue({name for name in dir(StoreSuite) if name.startswith("test_")} <= set(cases))

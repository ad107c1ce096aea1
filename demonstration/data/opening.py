"""From the configuration to a store."""

from __future__ import annotations

from pathlib import Path

from demonstration.data.sql import Database, SqlStore
from demonstration.data.sqlite import Sqlite
from demonstration.data.store import Store, StoreError


def open_store(where: str, cache: str = "") -> Store:
    """The store at *where*, ``sqlite:FILE`` or ``postgresql://...``, behind the Redis *cache* if any.

    Programs that are not installed, and what is no address, are a :class:`StoreError`.
    """
    store = SqlStore(_database(where))
    if not cache:
        return store
    if not cache.startswith(("redis://", "rediss://", "unix://")):
        raise StoreError(f"{cache.partition('://')[0]}: a cache is redis://HOST:PORT/N or unix://PATH")
    try:
        from demonstration.data.second_level import SecondLevel, connect
    except ImportError as error:
        raise StoreError(f"a cache in Redis needs redis-py: pip install redis ({error})") from None
    return SecondLevel(store, connect(cache), cache.rpartition("@")[2])


def _database(where: str) -> Database:
    if where.startswith(("postgresql://", "postgres://")):
        try:
            from demonstration.data.postgresql import Postgresql
        except ImportError as error:
            raise StoreError(f"PostgreSQL needs psycopg: pip install 'psycopg[binary]' ({error})") from None
        return Postgresql(where)
    if "://" in where:
        raise StoreError(
            f"{where.partition('://')[0]}: data are at sqlite:FILE or postgresql://USER@HOST/NAME"
        )
    return Sqlite(Path(where.removeprefix("sqlite:")))

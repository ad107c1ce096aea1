"""From the configuration to a store."""

from __future__ import annotations

from pathlib import Path

from demonstration.data.sql import SqlStore
from demonstration.data.sqlite import Sqlite
from demonstration.data.store import Store


def open_store(where: str) -> Store:
    """The store at *where*: a file, with ``sqlite:`` before it or not."""
    return SqlStore(Sqlite(Path(where.removeprefix("sqlite:"))))

"""Migrations: numbered files of SQL, each from one version of the tables to the next.

``migrations/sqlite/0001-votes.sql`` makes version 1 of an empty database.  A version that a release had is
never edited; what comes after it is a new file.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).with_name("migrations")
_NAME = re.compile(r"(\d{4})-[a-z-]+\.sql")


class Migration(NamedTuple):
    """A step, to version *number*."""

    number: int
    sql: str


@cache
def migrations(kind: str) -> tuple[Migration, ...]:
    """All steps for a *kind* of database, in order, without a gap."""
    found = []
    for file in sorted((FOLDER / kind).glob("*.sql")):
        match = _NAME.fullmatch(file.name)
        assert match, f"{file}: call it NNNN-what.sql"
        found.append(Migration(int(match[1]), file.read_text("utf-8")))
    assert [one.number for one in found] == list(range(1, len(found) + 1)), f"a gap in {FOLDER / kind}"
    return tuple(found)


def newest(kind: str) -> int:
    """The version that this code is for."""
    return len(migrations(kind))

"""The application of the Unicode pages in ``webroot/``: which characters a visitor likes.

``GET /favourites?visitor=ID`` lists them; ``POST /favourites`` changes one::

    {"visitor": ID, "code": "41", "favourite": true}

A POST may carry an Idempotency-Key; with one that was seen before it changes nothing, and says so.  All nodes
of a cluster share one SQLite file.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

import msgspec
from twisted.internet.threads import deferToThread
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE IF NOT EXISTS favourites (visitor TEXT, code TEXT, PRIMARY KEY (visitor, code));
CREATE TABLE IF NOT EXISTS seen (key TEXT PRIMARY KEY, at INTEGER DEFAULT (unixepoch()));
"""
#: Keys are remembered for this long, seconds: longer than a mutation waits in a browser.
_REMEMBERED = 30 * 86_400
#: Favourites of one visitor.
_MOST = 1000
_VISITOR = re.compile(r"[\w-]{1,64}")


class Change(msgspec.Struct):
    """A change of one favourite: the JSON body of a POST."""

    visitor: str
    code: str
    favourite: bool


class Favourites(Resource):
    """The resource ``/favourites``: who has chosen which code point, kept in SQLite."""

    isLeaf = True

    def __init__(self, file: str) -> None:
        super().__init__()
        self._file = file
        with self._open() as database:
            database.executescript(_SCHEMA)

    def favourites_of(self, visitor: str) -> dict[str, Any]:
        """The answer to *visitor*'s GET: code points, the oldest choice first."""
        with self._open() as database:
            rows = database.execute("SELECT code FROM favourites WHERE visitor=? ORDER BY rowid", (visitor,))
            return {"codes": [code for (code,) in rows]}

    def change(self, visitor: str, code: str, favourite: bool, key: str | None) -> dict[str, Any]:
        """The answer to a POST; one whose *key* (Idempotency-Key) was seen before changes nothing."""
        with self._open() as database:  # one transaction: the key and what it stands for
            if key is not None:
                database.execute("DELETE FROM seen WHERE at < unixepoch() - ?", (_REMEMBERED,))
                if not database.execute("INSERT OR IGNORE INTO seen (key) VALUES (?)", (key,)).rowcount:
                    return {"favourite": favourite, "repeated": True}
            if favourite:
                count = database.execute("SELECT count(*) FROM favourites WHERE visitor=?", (visitor,))
                if count.fetchone()[0] < _MOST:
                    database.execute("INSERT OR IGNORE INTO favourites VALUES (?, ?)", (visitor, code))
            else:
                database.execute("DELETE FROM favourites WHERE visitor=? AND code=?", (visitor, code))
        return {"favourite": favourite}

    # Twisted's overrides

    def render_GET(self, request: Any) -> int:
        visitor = request.args.get(b"visitor", [b""])[0].decode("utf-8", "replace")
        if not _VISITOR.fullmatch(visitor):
            return self._answer(request, 400, {"error": "visitor: give 1 to 64 letters, digits or dashes"})
        return self._later(request, self.favourites_of, visitor)

    def render_POST(self, request: Any) -> int:
        key = request.getHeader(b"idempotency-key")
        try:
            change = msgspec.json.decode(request.content.read(), type=Change)
            code = int(change.code, 16)
        except (msgspec.DecodeError, ValueError) as error:
            return self._answer(request, 400, {"error": str(error)})
        if not _VISITOR.fullmatch(change.visitor) or not 0 <= code < 0x110000 or (key and len(key) > 200):
            return self._answer(request, 400, {"error": "no such visitor or character"})
        return self._later(request, self.change, change.visitor, f"{code:x}", change.favourite, key)

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._file, timeout=10)

    def _later(self, request: Any, work: Any, *arguments: Any) -> int:
        def failed(failure: Any) -> None:
            self._answer(request, 503, {"error": failure.getErrorMessage()})

        found = deferToThread(work, *arguments)
        found.addCallbacks(lambda content: self._answer(request, 200, content), failed)
        return NOT_DONE_YET

    def _answer(self, request: Any, status: int, content: Any) -> int:
        request.setResponseCode(status)
        request.setHeader(b"content-type", b"application/json")
        request.setHeader(b"cache-control", b"no-store")
        request.write(json.dumps(content).encode() + b"\n")
        request.finish()
        return NOT_DONE_YET

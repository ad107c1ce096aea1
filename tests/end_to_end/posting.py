"""An application that takes what is posted to it: mounted beside a site with ``--mount``."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from twisted.web.resource import Resource

if TYPE_CHECKING:
    from edge.node.connection.request import EdgeRequest


class Posting(Resource):
    """``POST /take/STATUS`` is answered so; ``GET`` says what was posted: lines of key, path and body."""

    isLeaf = True

    def __init__(self, file: str) -> None:
        super().__init__()
        self._file = Path(file)

    def render_GET(self, request: EdgeRequest) -> bytes:
        """What was posted so far."""
        request.setHeader(b"content-type", b"text/plain")
        request.setHeader(b"cache-control", b"no-store")
        return self._file.read_bytes() if self._file.exists() else b""

    def render_POST(self, request: EdgeRequest) -> bytes:
        """Note it and answer with the status in the path."""
        key = request.getHeader(b"idempotency-key") or b"-"
        with self._file.open("ab") as file:
            file.write(b"%s %s %s\n" % (key, request.path, request.content.read()))
        request.setResponseCode(int(request.path.rpartition(b"/")[2]))
        request.setHeader(b"content-type", b"text/html")
        return b"<!doctype html><title>taken</title><h1>taken</h1>"

"""An application that answers as many do: without a validator, with a weak one, by Accept, never the same.

Mounted beside a site with ``--mount``.  It tells what it was asked under ``log``.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import ClassVar

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

_PAGE = (
    "<!doctype html><html lang=en><link rel=icon href=data:,><title>%s</title>"
    "<script type=module src=/edge/client.js></script><p id=text>%s"
)
#: Bytes of a piece of what does not end, and seconds between two.
_PIECE, _PAUSE = bytes(65536), 0.02


class Answering(Resource):
    """All of it: the last part of the path says how."""

    isLeaf = True
    #: What was asked: [method, last part of the path, Accept].
    asked: ClassVar[list[list[str]]] = []
    state = 0
    #: Pieces of "endless" that were sent, and whether its reader has gone.
    pieces = 0
    ended = 0

    def __init__(self, argument: str = "") -> None:
        super().__init__()

    def render(self, request: Request) -> bytes | int:
        """One answer."""
        what = request.path.decode().rpartition("/")[2]
        accept = request.getHeader("accept") or ""
        if what == "log":
            request.setHeader("cache-control", "no-store")
            request.setHeader("content-type", "application/json")
            told = {"asked": self.asked, "pieces": Answering.pieces, "ended": Answering.ended}
            return json.dumps(told).encode()
        self.asked.append([request.method.decode(), what, accept])
        request.setHeader("content-type", "text/html; charset=utf-8")
        told_by: Callable[[Request, str], bytes | int] = getattr(self, f"answer_{what}")
        return told_by(request, accept)

    def answer_plain(self, request: Request, accept: str) -> bytes:
        """Neither a validator nor Cache-Control."""
        return (_PAGE % ("plain", "plain")).encode()

    def answer_weak(self, request: Request, accept: str) -> bytes:
        """A weak validator."""
        request.setHeader("etag", 'W/"1"')
        if request.getHeader("if-none-match") == 'W/"1"':
            request.setResponseCode(304)
            return b""
        return (_PAGE % ("weak", "weak")).encode()

    def answer_clock(self, request: Request, accept: str) -> bytes:
        """Never the same, and permitted to be used while it is stale."""
        request.setHeader("cache-control", "stale-while-revalidate=1000")
        return (_PAGE % ("clock", time.monotonic_ns())).encode()

    def answer_negotiated(self, request: Request, accept: str) -> bytes:
        """By Accept, and it says so."""
        request.setHeader("vary", "Accept")
        request.setHeader("cache-control", "max-age=1000")
        if "json" in accept:
            request.setHeader("content-type", "application/json")
            return b'{"json": true}'
        return (_PAGE % ("negotiated", "html")).encode()

    def answer_state(self, request: Request, accept: str) -> bytes:
        """What POST counts up; fresh for long."""
        if request.method == b"POST":
            Answering.state += 1
        request.setHeader("cache-control", "max-age=1000")
        return str(Answering.state).encode()

    def answer_out(self, request: Request, accept: str) -> bytes:
        """Logs out: what browsers keep of the site is to go."""
        for name in ("clear-site-data", "edge-clear-site-data"):
            request.setHeader(name, '"cache"')
        return b"bye"

    def answer_away(self, request: Request, accept: str) -> bytes:
        """A redirect to where the query says, perhaps another site."""
        request.redirect(request.args[b"to"][0])
        return b""

    def answer_moved(self, request: Request, accept: str) -> bytes:
        """Leads to "state"."""
        request.redirect(b"state")
        return b""

    def answer_endless(self, request: Request, accept: str) -> int:
        """A body without end."""
        from twisted.internet import reactor

        gone = []

        def over(reason: object) -> None:
            gone.append(reason)
            Answering.ended += 1

        def piece() -> None:
            if not gone:
                Answering.pieces += 1
                request.write(_PIECE)
                reactor.callLater(_PAUSE, piece)

        request.notifyFinish().addErrback(over)
        piece()
        return NOT_DONE_YET

"""A server that is no good node: it goes bad once it has answered enough users.

Not after a while: how soon a run begins depends on how busy the machine is.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from edge.resource import etag_of
from tests import processes


def tag(body: bytes) -> str:
    """The ETag of *body*, without quotes."""
    return etag_of(sha256(body).digest()).decode()


class Liar(ThreadingHTTPServer):
    """One page with one asset; see the attributes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages = {"/": b"<link rel=stylesheet href=/a.css><p>one", "/a.css": b"p { color: red }"}
        #: Confirms everything, whatever it has.
        self.confirms_all = False
        #: Sent instead of any answer but load documents.
        self.garbage = b""
        #: Added to each body.
        self.spoilt = b""
        #: Answers that virtual users got, and the bodies among them; crawlers do not count.
        self.answered = 0
        self.given: set[bytes] = set()
        self._plan: list[tuple[Callable[[], bool], Callable[[], object]]] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def once(self, condition: Callable[[], bool], action: Callable[[], object]) -> None:
        """Have *action* happen after the answer to a user with which *condition* became true."""
        self._plan.append((condition, action))

    def count(self, body: bytes) -> None:
        """A virtual user has got *body*."""
        with self._lock:
            self.answered += 1
            self.given.add(body)
            due = [one for one in self._plan if one[0]()]
            self._plan = [one for one in self._plan if one not in due]
        for _, action in due:
            action()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Liar

    def log_message(self, format: str, *arguments: object) -> None:
        """It says nothing."""

    def do_GET(self) -> None:
        """Load documents and pages."""
        path = self.path.partition("?")[0]
        if path == "/.edge/load":
            node = {
                "id": "n1", "url": self.server.url, "state": "alive", "weight": 0.9, "utilization": 0.1,
                "rps": 0.0, "eps": 0.0, "connections": 0, "egress_bps": 0, "lag_ms": 0.0,
            }  # fmt: skip
            document = {"v": 1, "cluster": "liar", "seq": 1, "at": 1, "ttl_ms": 500, "nodes": [node]}
            self._answer(200, json.dumps(document).encode())
        elif self.server.garbage:
            self.wfile.write(self.server.garbage)
            self.close_connection = True
        elif path not in self.server.pages:
            self._answer(404, b"none")
        else:
            body = self.server.pages[path]
            sent = (self.headers["If-None-Match"] or "").strip('"')
            if sent and (self.server.confirms_all or sent == tag(body)):
                self._answer(304, b"", sent)
            else:
                self._answer(200, body + self.server.spoilt, tag(body))

    def do_POST(self) -> None:
        """Batches."""
        lines = self.rfile.read(int(self.headers["Content-Length"])).decode().split("\n")
        if self.server.garbage:
            self.wfile.write(self.server.garbage)
            self.close_connection = True
            return
        stale = []
        for number, line in enumerate(lines):
            sent, path = line.split(" ")
            if not self.server.confirms_all and sent != tag(self.server.pages.get(path, b"")):
                stale.append(number)
        self._answer(200, json.dumps({"v": 1, "seq": 1, "stale": stale}, separators=(",", ":")).encode())

    def _answer(self, status: int, body: bytes, etag: str = "") -> None:
        self.send_response(status)
        if etag:
            self.send_header("ETag", f'"{etag}"')
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if "User-Agent" in self.headers:  # virtual users are browsers
            self.server.count(body)


@contextlib.contextmanager
def running() -> Iterator[Liar]:
    """One, until the end of the block."""
    liar = Liar()
    thread = threading.Thread(target=liar.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield liar
    finally:
        liar.shutdown()
        processes.join(thread)
        liar.server_close()

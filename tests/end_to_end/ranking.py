"""An application in this process, for the nodes of a test: values that readers share and writers change."""

from __future__ import annotations

import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests import processes


class Ranking(ThreadingHTTPServer):
    """``GET /PATH``: the value of PATH, to be shared, in the group PATH; ``POST /PATH``: one more."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lock = threading.Lock()
        #: Path -> its value; calls by (method, path).
        self.values: Counter[str] = Counter()
        self.calls: Counter[tuple[str, str]] = Counter()
        #: Seconds that each answer takes after the value was read.
        self.delay = 0.0
        #: Further fields of answers to GET.
        self.fields = {"Cache-Control": "public, s-maxage=600"}
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        """What ``to`` of an application names."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        """Answer nothing more."""
        self.shutdown()
        self.server_close()
        processes.join(self.thread)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Ranking

    def do_GET(self) -> None:
        """The value."""
        with self.server.lock:
            self.server.calls["GET", self.path] += 1
            value = self.server.values[self.path]
        time.sleep(self.server.delay)
        self._answer(200, value, {**self.server.fields, "Cache-Groups": f'"{self.path}", "all"'})

    def do_POST(self) -> None:
        """One more."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.server.lock:
            self.server.calls["POST", self.path] += 1
            self.server.values[self.path] += 1
            value = self.server.values[self.path]
        self._answer(200, value, {"Cache-Group-Invalidation": f'"{self.path}"'})

    def _answer(self, status: int, value: int, fields: dict[str, str]) -> None:
        body = b"%d\n" % value
        self.send_response(status)
        for name, text in {"Content-Type": "text/plain", "Content-Length": str(len(body)), **fields}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

"""A small server for crawlers: correct ETags, unless a test says otherwise."""

from __future__ import annotations

import http.server
import threading
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import LoadgenError
from loadgen.run.coordinator.crawl import Crawler
from loadgen.run.messages.sitemap import SiteMap
from tests.loadgen.run.samples import etag


class Server:
    """Answers what a test says, with correct ETags unless it says otherwise; keeps what it was asked."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self.fields: dict[str, dict[str, str]] = {}
        self.statuses: dict[str, int] = {}
        #: What goes over the wire instead of an answer, before the connection closes.
        self.raw: dict[str, bytes] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_GET(self) -> None:
                outer.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                if self.path in outer.raw:
                    self.wfile.write(outer.raw[self.path])
                    self.close_connection = True
                    return
                body = outer.bodies.get(self.path, b"")
                self.send_response(outer.statuses.get(self.path, 200 if self.path in outer.bodies else 404))
                fields = {"ETag": f'"{etag(body)}"', "Content-Length": str(len(body))}
                for name, value in (fields | outer.fields.get(self.path, {})).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, *arguments: Any) -> None:
                """A crawler that goes away is what some tests are about."""

        self.connections = 0
        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address: tuple[str, int] = ("127.0.0.1", self.http.server_address[1])
        self.url = f"http://localhost:{self.address[1]}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join(20)


class Case(SynchronousTestCase):
    """One node."""

    def setUp(self) -> None:
        self.server = Server()
        self.addCleanup(self.server.close)
        self.crawler = Crawler(self.server.url, self.server.address)
        self.addCleanup(self.crawler.close)

    def publish(self, **bodies: bytes) -> None:
        """Keywords are names with _ for . in /NAME."""
        self.server.bodies |= {"/" + name.replace("_", "."): body for name, body in bodies.items()}

    def home(self, body: bytes) -> None:
        self.server.bodies["/"] = body

    def pages(self, found: SiteMap) -> list[list[str]]:
        """Paths."""
        return [[found.resources[one].path for one in parts] for parts in found.pages]

    def refused(self, what: Any, *arguments: Any) -> str:
        """Why."""
        with self.assertRaises(LoadgenError) as caught:
            what(*arguments)
        return str(caught.exception)

"""The connection of a crawl: what nodes answer, and what is no answer of a node."""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from edge.load.document import encode as encode_load
from loadgen.run.coordinator.crawl import Crawler, max_age
from loadgen.run.coordinator.crawl_connection import Patience
from tests.loadgen.run.coordinator.serving import Case
from tests.loadgen.run.samples import etag, load
from tests.loadgen.trickling import Trickling


class LoadTests(Case):
    """Where the nodes are."""

    def test_the_load_document_is_read(self) -> None:
        self.server.bodies["/.edge/load"] = encode_load(load())
        self.assertEqual(self.crawler.load(), load())

    def test_what_has_none_is_no_node(self) -> None:
        for body in (b"", b"<html>not found", b"{}", b'{"v":2}', b"\xff", b'{"x":' + b"[" * 100_000):
            self.server.bodies["/.edge/load"] = body
            why = self.refused(self.crawler.load)
            self.assertIn(f"{self.server.url}/.edge/load: no load document", why)
            self.assertIn("is this a node of twistd edge?", why)


class ConnectionTests(Case):
    """What goes wrong on the way."""

    def test_a_connection_that_the_node_closed_is_opened_again(self) -> None:
        self.home(b"<a href=/a><a href=/b>")
        self.publish(a=b"a", b=b"b")
        self.server.fields["/a"] = {"Connection": "close"}
        self.assertEqual(len(self.crawler.site("/", 10).pages), 3)

    def test_when_nobody_listens_that_is_said(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        crawler = Crawler(f"http://localhost:{port}", ("127.0.0.1", port))
        why = self.refused(crawler.load)
        self.assertIn(f"http://localhost:{port}/.edge/load: no answer: Connection refused", why)
        self.assertIn("make run", why)

    def test_an_answer_that_is_none_or_cut_off_is_asked_for_once_more_and_then_named(self) -> None:
        for raw in (
            b"",
            b"SSH-2.0-OpenSSH\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nshort",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nsho",
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200,
        ):
            self.server.raw["/"] = raw
            self.server.asked.clear()
            self.assertIn(f"{self.server.url}/: no answer: ", self.refused(self.crawler.site, "/", 1), raw)
            self.assertEqual(len(self.server.asked), 2)

    def test_the_answer_behind_interim_ones_is_read(self) -> None:
        """RFC 9110 section 15.2: 103 is common, 100 a server may send unasked."""
        head = b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nETag: "%b"\r\n\r\n' % etag(b"home").encode()
        for before in (b"103 Early Hints\r\nLink: </a.css>\r\n\r\n", b"100 Continue\r\n\r\n"):
            self.server.raw["/"] = (b"HTTP/1.1 " + before) * 3 + head + b"home"
            crawler = Crawler(self.server.url, self.server.address)
            self.addCleanup(crawler.close)
            self.assertEqual(len(crawler.site("/", 1).pages), 1)

    def test_interim_ones_without_end_are_no_answer(self) -> None:
        for one in (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n"):
            self.server.raw["/"] = one * 10_000
            self.assertIn("interim answers (1xx) without end", self.refused(self.crawler.site, "/", 1))

    def test_a_head_that_trickles_is_not_waited_for(self) -> None:
        """Nor is a handshake of TLS: each byte comes in time, the whole never."""
        for scheme, beginning in (
            ("http", b"HTTP/1.1 200 OK\r\nX: "),
            ("https", b"\x16\3\3\x40\0\2\0\x3f\0"),
        ):
            server = Trickling(beginning)
            self.addCleanup(server.close)
            crawler = Crawler(f"{scheme}://localhost", server.address, patience=Patience(seconds=0.3))
            self.addCleanup(crawler.close)
            self.assertIn("the answer does not end", self.refused(crawler.site, "/", 1))

    def test_a_body_beyond_all_reason_is_not_waited_for(self) -> None:
        self.home(b"x" * (2 << 20))
        crawler = Crawler(self.server.url, self.server.address, patience=Patience(most_bytes=1 << 20))
        self.addCleanup(crawler.close)
        self.assertIn("is over 1 MiB", self.refused(crawler.site, "/", 1))

    def test_nor_is_one_that_trickles(self) -> None:
        self.home(b"home")
        crawler = Crawler(self.server.url, self.server.address, patience=Patience(seconds=-1.0))
        self.addCleanup(crawler.close)
        self.assertIn("does not end", self.refused(crawler.site, "/", 1))


class MaxAgeTests(SynchronousTestCase):
    """For how long an answer is fresh."""

    def test_seconds_or_none(self) -> None:
        for value, expected in {
            None: -1, "": -1, "max-age=60": 60, "public, max-age=31536000, immutable": 31_536_000,
            "max-age=0": -1,
            "no-cache": -1, "no-store, max-age=60": -1, "Max-Age=5": 5, "max-age=x": -1, "max-age": -1,
            "max-age=60 , public": 60, "private, no-cache=\"x\", max-age=9": -1, "max-age=\xb2": -1,
            "s-maxage=60": -1,
        }.items():  # fmt: skip
            self.assertEqual(max_age(value), expected, value)

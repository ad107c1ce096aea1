"""The published site on the Twisted side."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from edge.http.dates import format_date
from edge.node.process.life import NodeState
from edge.node.process.lookup import pack
from edge.resource import Resource
from tests.node.serving import NOW, Answer, Connection
from tests.node.tables import BODIES, MODIFIED, Site, representation, tag


class PublishedTests(SynchronousTestCase):
    """Answers from the table."""

    def setUp(self) -> None:
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.site = Site(self.directory)
        self.addCleanup(self.site.close)

    def ask(self, target: str, *lines: str, method: str = "GET", body: bytes = b"") -> Answer:
        connection = self.site.connect(frozenset({b"https://a.example"}))
        head = [f"{method} {target} HTTP/1.1", "Host: x", *lines]
        if body:
            head.append(f"Content-Length: {len(body)}")
        connection.send("\r\n".join([*head, "", ""]).encode() + body)
        for _ in range(20):
            connection.turn()
        [answer] = connection.answers("H" if method == "HEAD" else "")
        return answer

    def test_the_head_of_a_200_is_the_fast_paths_byte_for_byte(self) -> None:
        connection = self.site.connect()
        connection.send(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(
            connection.transport.written,
            b"HTTP/1.1 200 OK\r\nDate: %b\r\nETag: %b\r\nLast-Modified: %b\r\nContent-Length: 19\r\n"
            b"Content-Type: text/plain\r\nVary: Accept-Encoding\r\nCache-Control: no-cache\r\n\r\n%b"
            % (format_date(NOW), tag(BODIES[0]).encode(), format_date(MODIFIED), BODIES[0]),
        )

    def test_the_coding_is_negotiated(self) -> None:
        for accept, body in [("br, gzip", BODIES[2]), ("gzip", BODIES[1]), ("br;q=0", BODIES[0])]:
            answer = self.ask("/a.txt", f"Accept-Encoding: {accept}")
            self.assertEqual((answer.body, answer.fields["etag"]), (body, tag(body)))

    def test_a_current_copy_is_confirmed_by_header_and_by_query(self) -> None:
        for target, lines in [
            ("/a.txt", [f"If-None-Match: {tag(BODIES[0])}"]),
            ("/a.txt", [f'If-None-Match: W/{tag(BODIES[0])}, "x"']),
            ("/a.txt", ["If-None-Match: *"]),
            ("/a.txt?~etag=" + tag(BODIES[0]).strip('"'), []),
            ("/a.txt", [f"If-Modified-Since: {format_date(MODIFIED).decode()}"]),
        ]:
            answer = self.ask(target, *lines)
            self.assertEqual((answer.status, answer.body), (304, b""), (target, lines))

    def test_failed_preconditions_are_412(self) -> None:
        self.assertEqual(self.ask("/a.txt", 'If-Match: "other"').status, 412)
        self.assertEqual(self.ask("/a.txt", f"If-Match: W/{tag(BODIES[0])}").status, 412)
        self.assertEqual(self.ask("/a.txt", f"If-Match: {tag(BODIES[0])}").status, 200)

    def test_ranges_apply_to_the_selected_representation(self) -> None:
        answer = self.ask("/a.txt", "Range: bytes=7-11")
        self.assertEqual((answer.status, answer.body), (206, b"plain"))
        self.assertEqual(answer.fields["content-range"], "bytes 7-11/19")
        answer = self.ask("/a.txt", "Range: bytes=-2", "Accept-Encoding: gzip")
        self.assertEqual((answer.body, answer.fields["content-encoding"]), (b"p)", "gzip"))
        answer = self.ask("/a.txt", "Range: bytes=19-")
        self.assertEqual((answer.status, answer.fields["content-range"]), (416, "bytes */19"))

    def test_head_is_answered_with_the_head_alone(self) -> None:
        for target, status in [("/a.txt", 200), ("/none", 404), ("/dir", 301), ("/big", 200)]:
            answer = self.ask(target, method="HEAD")
            self.assertEqual((answer.status, answer.body), (status, b""))
            self.assertNotEqual(answer.fields["content-length"], "0")

    def test_a_body_in_a_file_is_sent_whole_and_in_ranges(self) -> None:
        self.assertEqual(self.ask("/big").body, self.site.big)
        self.assertEqual(self.ask("/big", "Range: bytes=100000-200000").body, self.site.big[100000:200001])

    def test_a_slow_client_does_not_make_a_file_pile_up_in_memory(self) -> None:
        connection = self.site.connect()
        connection.transport.stalled = True
        connection.send(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.turn(20)
        self.assertLess(len(connection.transport.written), 140_000)
        for _ in range(20):
            connection.transport.take(1_000_000)
            connection.turn()
        [answer] = connection.answers()
        self.assertEqual(answer.body, self.site.big)

    def test_a_damaged_file_ends_the_connection(self) -> None:
        [file] = [path for path in self.site.blobs.glob("*/*")]
        file.write_bytes(b"short")
        connection = self.site.connect()
        connection.send(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.turn()
        self.assertTrue(connection.transport.aborted)

    def test_a_folder_without_its_slash_is_redirected_within_this_host(self) -> None:
        answer = self.ask("/dir?q=1")
        self.assertEqual((answer.status, answer.fields["location"]), (301, "/dir/?q=1"))
        self.site.put(b"/evil.example/", representation(0, b"x"))
        for target in ("//evil.example", "/%2Fevil.example", "/%5Cevil.example", "/\\evil.example"):
            self.assertIn(self.ask(target).status, (400, 404), target)

    def test_paths_that_only_look_like_others_are_404(self) -> None:
        for target in (
            "/dir/../a.txt",
            "/%2e%2e/a.txt",
            "/dir/%2e./a.txt",
            "/a.txt%00",
            "/dir%5c..",
            "/%252e",
            "//a.txt",
        ):
            self.assertEqual(self.ask(target).status, 404, target)
        self.assertEqual(self.ask("/%61.txt").status, 200)

    def test_a_site_without_an_index_says_so_at_its_root(self) -> None:
        answer = self.ask("/")
        self.assertEqual((answer.status, answer.fields["content-type"]), (404, "text/html; charset=utf-8"))
        self.assertIn(b"has no <code>index.html</code>", answer.body)
        self.assertEqual(self.ask("/", method="HEAD").body, b"")
        self.assertNotIn(b"index.html", self.ask("/other").body)

    def test_404_has_the_sites_own_page(self) -> None:
        self.assertEqual(self.ask("/none").fields["content-type"], "text/plain; charset=utf-8")
        permission = b"Edge-Client-Cache-Control: stale-while-revalidate=2592000\r\n"
        self.site.put(b"/404.html", representation(0, b"<p>not here", lines=permission))
        answer = self.ask("/none")
        self.assertEqual((answer.status, answer.body), (404, b"<p>not here"))
        self.assertNotIn("edge-client-cache-control", answer.fields)
        self.assertNotIn("etag", answer.fields)

    def test_other_methods_are_405_with_allow_and_options_says_the_same(self) -> None:
        for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
            answer = self.ask("/a.txt", method=method)
            self.assertEqual((answer.status, answer.fields["allow"]), (405, "GET, HEAD, OPTIONS"))
        answer = self.ask("/a.txt", method="OPTIONS")
        self.assertEqual((answer.status, answer.fields["allow"]), (204, "GET, HEAD, OPTIONS"))

    def test_an_allowed_origin_may_read_the_answer(self) -> None:
        field = "access-control-allow-origin"
        self.assertEqual(self.ask("/a.txt", "Origin: https://a.example").fields[field], "*")
        self.assertNotIn(field, self.ask("/a.txt", "Origin: https://b.example").fields)

    def test_what_a_full_table_does_not_hold_is_asked_for(self) -> None:
        self.site.writer.set_complete(False)
        self.site.elsewhere[b"/more"] = Resource(b"/more", MODIFIED, (self.site.blob(b"found"),))
        self.assertEqual(self.ask("/more").body, b"found")
        self.assertEqual(self.ask("/none").status, 404)

    def test_a_starting_node_says_503_for_what_it_does_not_know_yet(self) -> None:
        self.site.writer.set_complete(False)
        self.site.life.state = NodeState.STARTING
        answer = self.ask("/none")
        self.assertEqual((answer.status, answer.fields["retry-after"]), (503, "1"))
        self.assertEqual(self.ask("/a.txt").status, 200)

    def test_a_client_that_goes_while_the_supervisor_is_asked_does_no_harm(self) -> None:
        self.site.writer.set_complete(False)
        asked: Deferred[object] = Deferred()
        connection: Connection = self.site.connect(look_up=lambda path: asked)
        connection.send(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.transport.abortConnection()
        asked.callback({})
        self.assertEqual(connection.transport.written, b"")

    def test_packed_entries_of_nothing_are_empty(self) -> None:
        self.assertEqual(pack(None), b"")

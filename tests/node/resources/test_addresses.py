"""Rules that are no entries, as the Twisted side answers by them."""

from __future__ import annotations

import os

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from edge.addresses.fields import FieldRule
from edge.node.connection.request import EdgeRequest
from edge.node.process.lookup import pack, unpack
from edge.node.process.own_resources import ADDRESSES
from edge.node.resources.addresses import Addresses
from edge.publish.addressing import Document, OpenRule
from edge.resource import Resource, redirect
from edge.table.reader import Reader
from edge.table.segment import Segment
from edge.table.writer import Writer
from tests.node.serving import Answer
from tests.node.tables import Site, representation

NAVIGATION = "Accept: text/html"


def rule(source: str, to: str, status: int = 308) -> OpenRule:
    """One with captures."""
    return OpenRule(source, "", to, status, False)


class AddressesTests(SynchronousTestCase):
    """What a worker answers where the table has nothing."""

    def setUp(self) -> None:
        directory = self.mktemp()
        os.mkdir(directory)
        self.site = Site(directory)
        self.addCleanup(self.site.close)
        self.show(
            rule("/old/:year/*", "/new/:year/:splat", 301),
            rule("/docs/*", "/:splat", 200),
            rule("/away/*", "https://example.org/:splat?q=:splat", 302),
            rule("/closed/*", "", 410),
            rule("/nothing/*", "/not-there/:splat", 200),
        )

    def show(
        self, *rules: OpenRule, fallback: str = "", merge: bool = True, header: tuple[FieldRule, ...] = ()
    ) -> None:
        """Have these rules from now on."""
        document = msgspec.msgpack.encode(Document(rules, fallback, merge, header))
        assert self.site.writer.put_template(ADDRESSES, b"", b"", document)

    def ask(self, target: str, *lines: str, method: str = "GET") -> Answer:
        """The answer to a request."""
        connection = self.site.connect(frozenset({b"https://a.example"}), with_rules=True)
        connection.send("\r\n".join([f"{method} {target} HTTP/1.1", "Host: x", *lines, "", ""]).encode())
        for _ in range(20):
            connection.turn()
        [answer] = connection.answers("H" if method == "HEAD" else "")
        return answer

    def test_captures_are_put_in_and_the_query_is_passed_on(self) -> None:
        answer = self.ask("/old/2024/a%20b/c?x=1")
        self.assertEqual((answer.status, answer.fields["location"]), (301, "/new/2024/a%20b/c?x=1"))
        self.assertEqual(self.ask("/away/a/b?x=1").fields["location"], "https://example.org/a/b?q=a%2Fb")
        self.assertEqual(self.ask("/old/2024/x", method="POST").status, 301)

    def test_no_capture_leads_to_another_host_or_ends_a_line(self) -> None:
        for target in (
            "/old/x/%0d%0aX-Evil:%20y",
            "/old//evil.example",
            "/old/x//evil.example/",
            "/old/%5C%5Cevil/x",
        ):
            answer = self.ask(target)
            self.assertNotIn("x-evil", answer.fields)
            location = answer.fields.get("location", "/")
            self.assertTrue(location.startswith("/") and not location.startswith(("//", "/\\")), location)

    def test_a_rewrite_answers_with_the_file_and_none_without(self) -> None:
        answer = self.ask("/docs/a.txt")
        self.assertEqual((answer.status, answer.body), (200, b"hello, plain world\n"))
        self.assertNotIn("edge-state", answer.fields)
        tag = answer.fields["etag"]
        self.assertEqual(self.ask("/docs/a.txt", f"If-None-Match: {tag}").status, 304)
        self.assertEqual(self.ask("/docs/missing").status, 404)
        self.assertEqual(self.ask("/nothing/x").status, 404)

    def test_no_rewrite_leads_out_of_the_site_or_to_what_is_the_node_s_own(self) -> None:
        for target in ("/docs/..%2Fetc/passwd", "/docs/%2e%2e/x", "/docs/.edge/load", "/docs/.git/config"):
            self.assertIn(self.ask(target).status, (404,), target)

    def test_what_is_gone_says_so(self) -> None:
        self.assertEqual(self.ask("/closed/x").status, 410)
        self.assertEqual(
            self.ask("/closed/x").body, b"410 Gone: What was at this path is gone, and will not come back.\n"
        )

    def test_published_redirects_are_answered_for_every_method(self) -> None:
        assert self.site.writer.put(redirect(b"/moved", 307, b"/a.txt", 1, b"X-Field: 1\r\n"))
        for method in ("GET", "POST", "HEAD", "OPTIONS"):
            answer = self.ask("/moved?q", method=method)
            self.assertEqual((answer.status, answer.fields["location"]), (307, "/a.txt?q"))
            self.assertEqual(answer.fields["x-field"], "1")
        self.assertEqual(
            self.ask("/moved", "Origin: https://a.example").fields["access-control-allow-origin"], "*"
        )

    def test_a_page_of_what_is_gone_is_shown_with_the_status(self) -> None:
        assert self.site.writer.put(redirect(b"/gone", 410, b"/a.txt"))
        answer = self.ask("/gone")
        self.assertEqual((answer.status, answer.body), (410, b"hello, plain world\n"))

    def test_the_fallback_is_for_navigations_alone(self) -> None:
        self.show(fallback="/a.txt")
        answer = self.ask("/app/deep/link", NAVIGATION)
        self.assertEqual((answer.status, answer.body), (200, b"hello, plain world\n"))
        self.assertIn("Accept", answer.fields["vary"].split(", "))
        self.assertNotIn("edge-state", answer.fields)
        self.assertEqual(
            self.ask("/app/deep/link", NAVIGATION, f"If-None-Match: {answer.fields['etag']}").status, 304
        )
        for lines in ([], ["Accept: */*"], [NAVIGATION, "Sec-Fetch-Dest: script"]):
            answer = self.ask("/app/missing.js", *lines)
            self.assertEqual(answer.status, 404)
            self.assertIn("Accept", answer.fields["vary"].split(", "))
        self.assertEqual(self.ask("/app/x", NAVIGATION, method="POST").status, 404)
        self.assertEqual(self.ask("/.edge/nothing", NAVIGATION).status, 404)

    def test_a_fallback_that_is_at_another_address_is_found_there(self) -> None:
        assert self.site.writer.put(redirect(b"/index.html", 308, b"/dir/"))
        self.show(fallback="/index.html")
        self.assertEqual(self.ask("/x", NAVIGATION).body, b"index")

    def test_a_rewrite_of_everything_comes_last(self) -> None:
        self.show(rule("/*", "/a.txt", 200), fallback="/dir/")
        self.assertEqual(self.ask("/missing.js").body, b"hello, plain world\n")
        self.assertEqual(self.ask("/dir").status, 301)
        reader = Reader(self.site.segment, 0)
        self.assertFalse(Addresses(reader).answers(b"/missing.js"))

    def test_slashes_are_merged_where_something_is(self) -> None:
        for target, location in (
            ("//a.txt?x", "/a.txt?x"),
            ("/dir///", "/dir/"),
            ("//dir", "/dir"),
            ("//old//1//b", "/old/1/b"),
        ):
            answer = self.ask(target)
            self.assertEqual((answer.status, answer.fields["location"]), (308, location))
        for target in (
            "//evil.example",
            "//evil.example/..",
            "//",
            "/a.txt//",
            "//.edge/load",
            "//%2e%2e/a.txt",
        ):
            answer = self.ask(target)
            self.assertEqual((answer.status, "location" in answer.fields), (404, False), target)
        self.show(merge=False)
        self.assertEqual(self.ask("//a.txt").status, 404)

    def test_rules_of_fields_are_about_redirects_too(self) -> None:
        self.show(rule("/old/*", "/new/:splat"), header=(FieldRule("/old/**", (("set", "X-Field", "1"),)),))
        self.assertEqual(self.ask("/old/x").fields["x-field"], "1")

    def test_other_rules_count_from_the_next_request_on(self) -> None:
        connection = self.site.connect(with_rules=True)
        for to in ("/one", "/two"):
            self.show(rule("/x/*", to))
            connection.send(b"GET /x/y HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.turn()
        self.assertEqual([one.fields["location"] for one in connection.answers()], ["/one", "/two"])

    def test_applications_come_after_rules_and_folders_and_before_what_is_left(self) -> None:
        self.show(rule("/old/*", "/new/:splat"), rule("/*", "/a.txt", 200), fallback="/a.txt")
        asked = []

        def answer(request: EdgeRequest) -> bool:
            asked.append(request.head.path)
            request.refuse(418, "An application.")
            return True

        self.site.beyond = answer
        for target, status in (
            ("/old/x", 308),
            ("/dir", 301),
            ("/app", 418),
            ("/a.txt", 200),
            ("//app", 418),
        ):
            self.assertEqual(self.ask(target, NAVIGATION).status, status, target)
        self.assertEqual(asked, [b"/app", b"//app"])

    def test_without_any_everything_is_as_it_was(self) -> None:
        segment = Segment.create(capacity=64, arena_bytes=1 << 16, workers=1)
        self.addCleanup(segment.close)
        addresses = Addresses(Reader(segment, 0))
        self.assertIsNone(addresses.find(b"/a", None))
        self.assertIsNone(addresses.fallback)
        self.assertEqual(addresses.merged(b"//a"), b"/a")

    def test_rules_that_have_no_room_are_not_believed_to_be_there(self) -> None:
        segment = Segment.create(capacity=64, arena_bytes=1 << 16, workers=1)
        self.addCleanup(segment.close)
        self.assertFalse(Writer(segment).put_template(ADDRESSES, b"", b"", b"x" * (1 << 17)))


class LookUpTests(SynchronousTestCase):
    """Redirects on their way to a worker whose table has no room for them."""

    def test_they_arrive_with_their_status(self) -> None:
        [entry] = unpack(pack(redirect(b"/a", 302, b"/b", 5, b"X-A: 1\r\n"))).values()
        self.assertEqual(
            (entry.status, entry.lines_200, entry.lines_304), (302, b"X-A: 1\r\n", b"Location: /b\r\n")
        )

    def test_what_is_no_redirect_has_none(self) -> None:
        [entry] = unpack(pack(Resource(b"/a", 5, (representation(0, b"x"),)))).values()
        self.assertEqual((entry.status, entry.lines_200[:12]), (200, b"Content-Type"))

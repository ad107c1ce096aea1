"""What every answerer must do: run over the native build and over its Python twin."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from edge.certificates import Certificates, Shown
from edge.fastpath.interface import Answerer, Next, Settings
from edge.http import changes
from edge.http.answer import (
    head_200,
    head_304,
    head_answer,
    head_answer_304,
    head_plain,
    redirect_published,
)
from edge.http.changes import tag_of
from edge.http.dates import format_date
from edge.networks import address_of_text, networks_of
from edge.sites import SiteHosts
from edge.table.layout import OFFSET_HITS
from edge.table.segment import CounterBlock, Segment
from edge.table.site_state import NOTHING, StateEntry
from edge.table.writer import Writer
from tests.fastpath import site
from tests.fastpath.site import BIG, DATE, EMPTY, HOST, PAGE, PHOTO, get, revalidate

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as Base
else:
    Base = object

CHANGES = changes.PATH
CHANGES_LINES = b"Access-Control-Allow-Origin: *\r\n"
HISTORY = b"aaaaaa2\naaaaaa1\naaaaaa2 /a.html\n"
#: A default site, and two others.
SITES = (
    SiteHosts(b"", default=True),
    SiteHosts(b"blog.example", (b"blog.example",)),
    SiteHosts(b"*.shop.example", (b"*.shop.example",)),
)


def at_host(host: bytes, path: bytes = PAGE, *lines: bytes) -> bytes:
    """A request to *host*."""
    return get(path, *lines).replace(HOST, b"Host: %b\r\n" % host, 1)


#: Header lines with which a request is let go.
LET_GO_LINES = (
    b"Range: bytes=0-1",
    b'If-Range: "x"',
    b"If-Match: *",
    b"If-Unmodified-Since: x",
    b"If-Modified-Since: x",
    b"Expect: 100-continue",
    b"Transfer-Encoding: chunked",
    b"Content-Length: 0",
    b"Upgrade: websocket",
    b"Connection: upgrade",
    b"Connection: close, x",
    b"TE: trailers",
    b"Trailer: X",
    b"HTTP2-Settings: x",
    b"Content-Encoding: gzip",
    b"X-HTTP-Method-Override: PUT",
    b"Host: example.org",
    b"Accept-Encoding: br;q=1",
    b"Accept-Encoding: *",
    b"Accept-Encoding: identity",
    b"Accept-Encoding: br,,gzip",
    b"Accept-Encoding:",
    b'If-None-Match: "a',
    b"If-None-Match: a",
    b'If-None-Match: "a" "b"',
    b'If-None-Match: "a",',
    b'If-None-Match: w/"a"',
    b"If-None-Match:",
    b'If-None-Match: "\xe9"',
    b"X : y",
    b" folded",
    b"X\x00: y",
    b"X: \x01",
    b"X: a\x7f",
    b"no colon",
    b": y",
    b"X: a\rb",
    b"X: a\nY: b",
    b"X\xe9: y",
)
#: Whole requests that are let go.
LET_GO = (
    b"PUT / HTTP/1.1\r\n" + HOST + b"\r\n",
    b"get /a.html HTTP/1.1\r\n" + HOST + b"\r\n",
    b"\r\n" + get(),
    b"GET /a.html HTTP/1.0\r\n" + HOST + b"\r\n",
    b"GET /a.html HTTP/1.2\r\n" + HOST + b"\r\n",
    b"GET /a.html http/1.1\r\n" + HOST + b"\r\n",
    b"GET  /a.html HTTP/1.1\r\n" + HOST + b"\r\n",
    b"GET /a.html HTTP/1.1\n" + HOST + b"\r\n",
    b"GET /a.html HTTP/1.1\r\n\r\n",
    b"GET http://example.org/a.html HTTP/1.1\r\n\r\n",
    b"GET /a.html HTTP/1.1\r\nHost:\r\n\r\n",
    b"GET /a.html HTTP/1.1\r\nHost: a b\r\n\r\n",
    b"GET /a.html HTTP/1.1\r\nHost: a:123456\r\n\r\n",
    b"GET /a.html HTTP/1.1\r\nHost: u@h\r\n\r\n",
    b"GET /a.html HTTP/1.1\r\nHost: []\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    get(b"/nothing"),
    get(b"/A.html"),
    get(b"/%61.html"),
    get(b"/a.html/"),
    get(b"/../a.html"),
    get(b"/.edge/revalidate"),
    get(b"/a.html?x=<"),
    get(b'/a.html?x="y'),
    get(b"/a.html?>"),
    get(b"/a|b"),
    get(b"/100%"),
    get(b"/a.html?x#y"),
    get(b"/a.html?\xe9"),
    get(b"/a.html", b"X: " + b"y" * 8192),
    get(b"/a.html", *[b"X: y"] * 64),
    get(PHOTO, b"Accept: image/avif;q=0.5"),
    get(PHOTO, b'Accept: text/a;b=",image/avif,"'),
    revalidate(b"no space"),
    revalidate(b"x /a\n\n"),
    revalidate(b" /a"),
    revalidate(b'"x /a'),
    revalidate(b"x  /a"),
    revalidate(b"x /a b"),
    revalidate(b"W/x /a"),
    revalidate(b"x a"),
    revalidate(b"x /a\r"),
    revalidate(b"x /\xe9"),
    revalidate(b"x /a", b"Content-Type: application/json"),
    revalidate(b"x /a", b"Content-Type: text/plain", b"Content-Type: x"),
    revalidate(b"x /a", b"If-None-Match: *"),
    get(b"/.edge/revalidate", method=b"POST"),
    revalidate(b"x /a\n" * 1001),
    get(b"/.edge/revalidate", b"Content-Length: 131073", method=b"POST"),
    get(b"/.edge/revalidate", b"Content-Length: 0x1", method=b"POST"),
    get(b"/a.html", method=b"POST"),
)


class AnswererSuite(Base):
    """Mixed into a test case; :meth:`make` is the build under test."""

    def make(self, segment: Segment, settings: Settings) -> Answerer:
        """The answerer under test, as worker 0."""
        raise AssertionError("the test case says which build")

    def setUp(self) -> None:
        """The small site, and an answerer that allows one origin."""
        self.segment = site.published()
        self.addCleanup(self.segment.close)
        self.answerer = self.make(self.segment, Settings(allow_origins=(b"https://n2.example",)))

    def answered(self, request: bytes) -> bytes:
        """The answer to a request that is to be answered whole."""
        output, consumed, after = self.answerer.answer(request, DATE)
        self.assertEqual((consumed, after), (len(request), Next.RECEIVE), request)
        return output

    def expected_200(self, path: bytes, variant: int = 0, cors: bytes = b"", close: bool = False) -> bytes:
        """The head that the specification writes."""
        for resource in site.resources():
            for one in resource.representations:
                if (resource.path, one.variant) == (path, variant):
                    return head_200(DATE, one.etag, resource.modified, one.length, one.lines_200, cors, close)
        raise KeyError(path)

    def test_get_is_answered_to_the_byte(self) -> None:
        """As edge.http.answer writes it."""
        self.assertEqual(self.answered(get()), self.expected_200(PAGE) + b"<p>identity</p>" * 40)
        self.assertEqual(self.answered(get(EMPTY)), self.expected_200(EMPTY))
        for query in (b"?v=1&x", b"?", b"?x=%41%ff", b"?a[]=1", b"?{|}^`\\'", b"?100%", b"?x=%4g"):
            self.assertEqual(self.answered(get(PAGE + query)), self.answered(get()))

    def test_head_gets_the_head_of_get(self) -> None:
        """And no body."""
        for path in (PAGE, PHOTO, EMPTY, BIG):
            self.assertEqual(self.answered(get(path, method=b"HEAD")), self.expected_200(path))

    def test_pages_and_nothing_else_say_what_browsers_may_fetch(self) -> None:
        """Speculation-Rules, as long as the worker wants it."""
        plain = {path: self.answered(get(path)) for path in (PAGE, PHOTO, EMPTY)}
        etag = next(line for line in plain[PAGE].split(b"\r\n") if line.startswith(b"ETag: "))[6:]
        small = self.answered(get(PAGE, b"If-None-Match: " + etag))
        line = b'Speculation-Rules: "/rules.json"\r\n'
        self.answerer.speculate(line)
        head, _, body = plain[PAGE].partition(b"\r\n\r\n")
        self.assertEqual(self.answered(get()), head + b"\r\n" + line + b"\r\n" + body)
        for path in (PHOTO, EMPTY):
            self.assertEqual(self.answered(get(path)), plain[path], path)
        self.assertEqual(self.answered(get(PAGE, b"If-None-Match: " + etag)), small)
        self.answerer.speculate(b"")
        self.assertEqual(self.answered(get()), plain[PAGE])
        with self.assertRaises(ValueError):
            self.answerer.speculate(b"x" * 300)

    def test_the_best_coding_is_chosen(self) -> None:
        """br before zstd before gzip before identity, among those that are named."""
        for value, variant, body in (
            (b"gzip, deflate, br, zstd", 2, b"br bytes"),
            (b"gzip, Zstd", 3, b"zstd bytes"),
            (b"GZIP", 1, b"gzip bytes"),
            (b"deflate", 0, b"<p>identity</p>" * 40),
        ):
            answer = self.answered(get(PAGE, b"Accept-Encoding: " + value))
            self.assertEqual(answer, self.expected_200(PAGE, variant) + body)

    def test_image_formats_need_to_be_named(self) -> None:
        """A wildcard does not choose them."""
        for value, body in (
            (b"image/avif,image/webp,*/*;q=0.8", b"avif"),
            (b"text/html, Image/WebP", b"webp"),
            (b"*/*", b"jpeg"),
            (b"image/*", b"jpeg"),
        ):
            self.assertTrue(self.answered(get(PHOTO, b"Accept: " + value)).endswith(b"\r\n\r\n" + body))

    def test_a_known_etag_is_confirmed(self) -> None:
        """Strong or weak, in a list, by star, or in the query; in at most 200 bytes."""
        tag = site.etag(PAGE)
        vary = b"Cache-Control: no-cache\r\nVary: Accept-Encoding\r\n"
        for request in (
            get(PAGE, b'If-None-Match: "%s"' % tag),
            get(PAGE, b'if-none-match:\t"x,y" , W/"%s" ' % tag),
            get(PAGE, b"If-None-Match: *"),
            get(PAGE, b'If-None-Match: "%s"' % tag, b"If-Modified-Since: x", method=b"HEAD"),
            get(PAGE + b"?~etag=" + tag),
            get(PAGE + b"?a=b&~etag=" + tag, b'If-None-Match: "x"'),
        ):
            answer = self.answered(request)
            self.assertEqual(answer, head_304(DATE, tag, vary))
            self.assertLessEqual(len(answer), 200)

    def test_another_etag_is_not(self) -> None:
        """Also that of another variant, and an ill-formed one in the query."""
        whole = self.answered(get())
        tag = site.etag(PAGE)
        for request in (
            get(PAGE, b'If-None-Match: "%s"' % site.etag(PAGE, 2)),
            get(PAGE, b'If-None-Match: ""'),
            get(PAGE + b"?~etag=x"),
            get(PAGE + b"?~etag=%s&a" % tag),
            get(PAGE + b"?x~etag=" + tag),
            get(PAGE + b"?~etag=" + tag + b"." * 3),
            get(PAGE + b"?~etag=" + b"a" * 65),
        ):
            self.assertEqual(self.answered(request), whole)

    def test_allowed_origins_are_told_so(self) -> None:
        """Exactly those; the longest 304 there can be has 200 bytes at most."""
        cors = b"Access-Control-Allow-Origin: *\r\n"
        answer = self.answered(get(EMPTY, b"Origin: https://n2.example"))
        self.assertEqual(answer, self.expected_200(EMPTY, cors=cors))
        for other in (b"https://n2.example.evil", b"https://N2.example", b"null"):
            self.assertEqual(self.answered(get(EMPTY, b"Origin: " + other)), self.expected_200(EMPTY))
        any_origin = self.make(self.segment, Settings(allow_origins=(b"*",)))
        self.assertIn(cors, any_origin.answer(get(EMPTY, b"Origin: x"), DATE)[0])
        self.answerer.allow_origins([b"https://n3.example"])
        self.assertEqual(self.answered(get(EMPTY, b"Origin: https://n2.example")), self.expected_200(EMPTY))
        self.assertIn(cors, self.answered(get(EMPTY, b"Origin: https://n3.example")))
        with contextlib.suppress(ValueError):  # the native build has room for 1,024
            self.answerer.allow_origins([b"https://%d.example" % number for number in range(1025)])

    def test_a_redirect_is_answered_to_the_byte_and_passes_the_query_on(self) -> None:
        """As edge.http.answer writes it; what is gone is not said here."""
        for path, status, to in site.REDIRECTS:
            for query in (None, b"", b"x=1&y=%0d"):
                request = get(path if query is None else path + b"?" + query)
                if status in (404, 410):
                    self.assertEqual(self.answerer.answer(request, DATE), (b"", 0, Next.HAND_OFF))
                    continue
                line = b"Location: %b\r\n" % to
                head, body = redirect_published(status, line, query, DATE, b"X-Moved: yes\r\n")
                self.assertEqual(self.answered(request), head + body)
                self.assertEqual(self.answered(request.replace(b"GET", b"HEAD", 1)), head)
        self.assertIn(b"Location: /a?x#b?c\r\n", self.answered(get(b"/moved-303?x")))
        self.assertIn(b"Location: /a.html?own=1\r\n", self.answered(get(b"/moved-302?x")))
        self.assertIn(b"Location: https://example.org/?x#there\r\n", self.answered(get(b"/moved-301?x")))

    def test_a_redirect_that_has_no_room_for_the_query_is_let_go(self) -> None:
        """The head of an answer is bounded; the Twisted side has no such bound."""
        request = get(b"/moved-307?" + b"y" * 4200)
        self.assertEqual(self.answerer.answer(request, DATE), (b"", 0, Next.HAND_OFF))

    def test_no_condition_and_no_batch_confirms_a_redirect(self) -> None:
        """It has nothing that could be current."""
        tag = site.etag(b"/moved")
        self.assertIn(b"308 Permanent", self.answered(get(b"/moved", b'If-None-Match: "%b"' % tag)))
        self.assertIn(b"308 Permanent", self.answered(get(b"/moved", b"If-None-Match: *")))
        self.assertTrue(self.answered(revalidate(tag + b" /moved")).endswith(b'"stale":[0]}'))

    def test_who_says_itself_who_may_read_it_is_not_said_of_twice(self) -> None:
        """Two such lines would be none."""
        for path in (site.OWN_CORS_PAGE, b"/moved-cors"):
            for lines in ((), (b"If-None-Match: *",)):
                answer = self.answered(get(path, b"Origin: https://n2.example", *lines))
                self.assertEqual(answer.count(b"Access-Control-Allow-Origin"), 1)
        self.assertIn(b"-Allow-Origin: *\r\n", self.answered(get(b"/moved", b"Origin: https://n2.example")))

    def test_what_is_not_recognised_is_let_go_untouched(self) -> None:
        """Nothing is answered and nothing consumed, with an earlier request or without."""
        before = get(EMPTY, method=b"HEAD")
        answer = self.answered(before)
        for request in (*(get(PAGE, line) for line in LET_GO_LINES), *LET_GO):
            self.assertEqual(self.answerer.answer(request, DATE), (b"", 0, Next.HAND_OFF), request)
            pipelined = self.answerer.answer(before + request, DATE)
            self.assertEqual(pipelined, (answer, len(before), Next.HAND_OFF), request)

    def test_a_request_may_come_in_pieces(self) -> None:
        """Cut at every byte: nothing until it is whole."""
        for request in (
            get(PAGE, b"Accept-Encoding: br", b'If-None-Match: "x"'),
            get(PHOTO, method=b"HEAD"),
            revalidate(b"x /a\ny /b"),
        ):
            for cut in range(len(request)):
                self.assertEqual(
                    self.answerer.answer(request[:cut], DATE), (b"", 0, Next.RECEIVE), request[:cut]
                )

    def test_pipelined_requests_are_answered_in_order(self) -> None:
        """Up to 64 in one call."""
        one, two = get(EMPTY), get(PAGE, method=b"HEAD")
        output, consumed, after = self.answerer.answer((one + two) * 50 + two[:9], DATE)
        self.assertEqual(output, (self.answered(one) + self.answered(two)) * 32)
        self.assertEqual((consumed, after), (32 * len(one + two), Next.ANSWER))

    def test_much_output_is_sent_before_more_is_made(self) -> None:
        """After 256 KiB the caller gets its turn."""
        _, consumed, after = self.answerer.answer(get(BIG) * 10, DATE)
        self.assertEqual((consumed, after), (2 * len(get(BIG)), Next.ANSWER))

    def test_connection_close_ends_the_connection(self) -> None:
        """What follows is not answered."""
        request = get(EMPTY, b"Connection: Close")
        expected = self.expected_200(EMPTY, close=True)
        self.assertEqual(self.answerer.answer(request + get(), DATE), (expected, len(request), Next.CLOSE))
        self.assertEqual(self.answered(get(EMPTY, b"Connection: keep-alive")), self.expected_200(EMPTY))

    def test_draining_ends_every_connection(self) -> None:
        """With the answer that is due."""
        self.answerer.drain()
        _, consumed, after = self.answerer.answer(get() + get(), DATE)
        self.assertEqual((consumed, after), (len(get()), Next.CLOSE))

    def several_sites(self) -> None:
        """A default site as in :mod:`tests.fastpath.site`, and two others with a page each."""
        writer = site.writer_of(self.segment)
        for name in (b"blog.example/a.html", b"*.shop.example/a.html"):
            writer.put(site.page(name, name))
        self.answerer = self.make(self.segment, Settings(sites=SITES, allow_origins=(b"https://a.example",)))
        self.answerer.allow_origins([b"https://b.example"], 1)

    def test_the_host_says_which_site_answers(self) -> None:
        """In any case, with or without a port and the dot at the end."""
        self.several_sites()
        whole = self.answered(get())
        for host in (
            b"example.org",
            b"other.example",
            b"127.0.0.1:80",
            b"[::1]",
            b"blog.example.x",
            b"x" * 300,
        ):
            self.assertEqual(self.answered(at_host(host)), whole, host)
        for name, hosts in {
            b"blog.example": (b"blog.example", b"BLOG.Example", b"blog.example.:80", b"blog.example:8080"),
            b"*.shop.example": (b"www.shop.example", b"a.b.shop.example", b"a.SHOP.example.:99"),
        }.items():  # fmt: skip
            for host in hosts:
                answer = self.answered(at_host(host))
                self.assertTrue(answer.endswith(b"\r\n\r\n" + name + b"/a.html"), (host, answer))

    def test_a_page_of_one_site_is_none_of_another(self) -> None:
        """Neither by its path, nor by its name as a path, nor by its validator."""
        self.several_sites()
        for host, path in (
            (b"blog.example", EMPTY),
            (b"blog.example", b"/blog.example/a.html"),
            (b"example.org", b"/blog.example/a.html"),
            (b"shop.example", b"/*.shop.example/a.html"),
        ):
            self.let_go(at_host(host, path))
        tag = b'If-None-Match: "%b"' % site.etag(PAGE)
        self.assertTrue(self.answered(at_host(b"example.org", PAGE, tag)).startswith(b"HTTP/1.1 304 "))
        self.assertTrue(self.answered(at_host(b"blog.example", PAGE, tag)).startswith(b"HTTP/1.1 200 "))

    def test_sites_take_turns_on_one_connection(self) -> None:
        """The same path, again and again: what is remembered of one is not given to another."""
        self.several_sites()
        asked = [at_host(host) for host in (b"blog.example", b"example.org", b"a.shop.example")] * 3
        self.assertEqual(self.answered(b"".join(asked)), b"".join(map(self.answered, asked)))

    def test_copies_are_asked_about_at_the_site_of_the_host(self) -> None:
        """A batch names paths; the node's own resources are the same for all sites."""
        self.several_sites()
        page = (
            b"%b /a.html\n"
            % site.page(b"blog.example/a.html", b"blog.example/a.html").representations[0].etag
        )
        own = b"%b /a.html\n" % site.etag(PAGE)
        for host, stale in (
            (b"blog.example", b"[1]"),
            (b"example.org", b"[0]"),
            (b"a.shop.example", b"[0,1]"),
        ):
            answer = self.answered(revalidate(page + own).replace(HOST, b"Host: %b\r\n" % host))
            self.assertIn(b'"stale":' + stale, answer)

    def test_changes_are_told_of_the_site_of_the_host(self) -> None:
        """By their paths."""
        self.several_sites()
        entry = StateEntry(site.writer_of(self.segment))
        entry.show(CHANGES_LINES, CHANGES_LINES)
        entry.settle(b"aaaaaa3\naaaaaa1\naaaaaa3 blog.example/x\naaaaaa2 /y\naaaaaa2 blog.example.org/z\n", 0)
        for host, told in ((b"blog.example", b"/x\n"), (b"example.org", b"/y\n"), (b"a.shop.example", b"")):
            answer = self.answered(at_host(host, CHANGES + b"?since=aaaaaa1"))
            self.assertEqual(answer.partition(b"\r\n\r\n")[2], b"aaaaaa3\n" + told, host)

    def test_each_site_says_itself_whose_pages_may_read_it(self) -> None:
        """Allowed at one, not at another."""
        self.several_sites()
        for host, origin, readable in (
            (b"example.org", b"https://a.example", True),
            (b"example.org", b"https://b.example", False),
            (b"blog.example", b"https://a.example", False),
            (b"blog.example", b"https://b.example", True),
            (b"a.shop.example", b"https://a.example", False),
        ):
            answer = self.answered(at_host(host, PAGE, b"Origin: " + origin))
            self.assertEqual(b"Access-Control-Allow-Origin: *" in answer, readable, (host, origin))

    def test_what_is_for_another_site_than_the_connection_is_let_go(self) -> None:
        """Unless the certificate that was shown is for it, or the peer is a proxy that is trusted."""
        certificates = Certificates(
            {b"blog.example": 1, b"*.shop.example": 2, b"example.org": 2},
            [(b"first.example",), (b"blog.example",), (b"*.shop.example", b"example.org")],
        )
        self.several_sites()
        for name, site_number, host, is_answered in (
            (b"blog.example", 1, b"BLOG.example.:443", True),
            (b"blog.example", 1, b"example.org", False),
            (b"blog.example", 1, b"a.shop.example:443", False),
            (b"blog.example", 1, b"other.example", False),
            (b"a.shop.example", 2, b"example.org", True),
            (b"a.shop.example", 2, b"b.shop.example", True),
            (b"a.shop.example", 2, b"a.b.shop.example", True),  # the same site
            (b"a.shop.example", 2, b"blog.example", False),
            (b"example.org", 0, b"a.shop.example", True),
            (b"example.org", 0, b"a.b.shop.example", False),
            (b"example.org", 0, b"127.0.0.1", True),  # the default site's, too
            (b"x.example", 0, b"blog.example", False),
            (b"x.example", 0, b"a.b.shop.example", True),  # who asks for that is shown the same
            (b"x.example", None, b"first.example", True),
        ):
            self.answerer.show(Shown(certificates, certificates.shown_to(name), site_number))
            asked = at_host(host)
            if is_answered:
                self.assertTrue(self.answered(asked).startswith(b"HTTP/1.1 200 "), (name, host))
            else:
                self.let_go(asked)
                self.let_go(revalidate(b"x /a").replace(HOST, b"Host: %b\r\n" % host))
        self.answerer.show(None)
        self.answered(at_host(b"blog.example"))

    def test_a_trusted_proxy_asks_for_all_sites_over_one_connection(self) -> None:
        self.several_sites()
        local = networks_of(["127.0.0.0/8"])
        self.answerer = self.make(self.segment, Settings(sites=SITES, trusted=local))
        certificates = Certificates({b"blog.example": 1}, [(), (b"blog.example",)])
        self.answerer.show(Shown(certificates, 1, 1))
        for address, is_answered in ((b"127.0.0.1", True), (b"192.0.2.1", False)):
            self.answerer.receive_from(address_of_text(address) or b"", 0)
            if is_answered:
                self.answered(at_host(b"a.shop.example"))
            else:
                self.let_go(at_host(b"a.shop.example"))

    def test_hosts_of_no_site_are_let_go_where_there_is_no_default(self) -> None:
        """Whatever they ask for."""
        self.answerer = self.make(self.segment, Settings(sites=(SiteHosts(b"", (b"example.org",)),)))
        self.assertTrue(self.answered(get()).startswith(b"HTTP/1.1 200 "))
        for host in (b"example.com", b"www.example.org", b"org", b"127.0.0.1", b"example.org..", b"."):
            self.let_go(at_host(host))
            self.let_go(revalidate(b"x /a").replace(HOST, b"Host: %b\r\n" % host))

    def test_a_batch_is_revalidated(self) -> None:
        """Any variant's ETag is current; lines end in LF or CRLF; queries are ignored."""
        lines = (
            site.etag(PAGE) + b" /a.html",
            b'"%s" /a.html?x' % site.etag(PAGE, 2),
            b'W/"%s" /i.jpg' % site.etag(PHOTO, 8),
            b"stale-etag-16bytes /a.html",
            site.etag(PAGE) + b" /gone",
            b"short /a.html",
            b'"" /a.html',
            site.etag(PAGE) + b" /%61.html",
        )
        body = b'{"v":1,"seq":%d,"stale":[3,4,5,6,7]}' % self.segment.sequence
        expected = (
            b"HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Length: %d\r\n"
            b"Content-Type: application/json\r\nCache-Control: no-store\r\n\r\n%s" % (DATE, len(body), body)
        )
        for text in (b"\n".join(lines), b"\r\n".join(lines) + b"\r\n"):
            self.assertEqual(
                self.answered(revalidate(text, b"Content-Type: Text/Plain; charset=utf-8")), expected
            )
        self.assertIn(b'"stale":[]', self.answered(revalidate(b"")))
        self.assertIn(b",998,999]", self.answered(revalidate(b"x /a\n" * 1000)))

    def stored(self, name: bytes, variant: int = 0, cors: bytes = b"") -> bytes:
        """The answer under *name*, as the specification writes it."""
        one = site.answer(name).representations[variant]
        date = format_date(site.ANSWERED)
        return head_answer(date, 5, self.written(name, variant), one.length, one.lines_200, cors) + (
            one.body or b""
        )

    @staticmethod
    def written(name: bytes, variant: int) -> bytes:
        """The ETag of an answer, as it is written."""
        if name == b"/app/own":
            return (b'"own"', b'"own-gzip"', b'"own-br"', b'"own-zstd"')[variant]
        return b'"%b"' % site.etag(name, variant)

    def put_answers(self) -> Writer:
        """All answers of an application; whoever wrote them."""
        self.segment = site.published(answers=True)
        self.addCleanup(self.segment.close)
        self.answerer = self.make(self.segment, Settings(allow_origins=(b"https://n2.example",)))
        return Writer(self.segment)

    def let_go(self, request: bytes) -> None:
        """Nothing is answered."""
        self.assertEqual(self.answerer.answer(request, DATE), (b"", 0, Next.HAND_OFF), request)

    def test_an_answer_of_an_application_is_sent_with_its_age_and_its_date(self) -> None:
        """In the best coding, to exactly its query."""
        self.put_answers()
        for name in (b"/app", b"/app?x=1", b"/app?q=%7B%7D&y", b"/app/own"):
            self.assertEqual(self.answered(get(name)), self.stored(name))
        self.assertEqual(self.answered(get(b"/app?x=1", b"Accept-Encoding: br")), self.stored(b"/app?x=1", 2))
        self.assertEqual(self.answered(get(b"/app", b"Accept-Encoding: zstd, gzip")), self.stored(b"/app", 3))
        self.assertEqual(
            self.answered(get(b"/app/own", b"Accept-Encoding: zstd")), self.stored(b"/app/own", 3)
        )
        head = self.answered(get(b"/app", b"Accept-Encoding: gzip", method=b"HEAD"))
        self.assertEqual(head + b"/app in 1", self.stored(b"/app", 1))
        self.assertIn(b"\r\nAge: 5\r\n", head)

    def test_two_queries_never_share_an_answer(self) -> None:
        """Not even one with nothing in it and none; files go on ignoring them."""
        self.put_answers()
        for query in (
            b"?",
            b"?x",
            b"?x=1&",
            b"?x=2",
            b"?&x=1",
            b"?x=%31",
            b"?X=1",
            b"?q=%7b%7D&y",
            b"?y&q=%7B%7D",
        ):
            self.let_go(get(b"/app" + query))
        self.let_go(get(b"/app/own?x=1"))
        self.assertIn(b"<p>identity", self.answered(get(PAGE + b"?x=1")))

    def test_an_answer_that_is_not_fresh_or_no_200_is_let_go(self) -> None:
        """So is one of an application that was doubted since, and each while the node has lost touch."""
        writer = self.put_answers()
        self.let_go(get(b"/app/old"))
        self.let_go(get(b"/app/other"))
        writer.put_answer(site.answer(b"/app")._replace(application=255))
        self.segment.doubt(7)
        self.assertEqual(self.answered(get(b"/app")), self.stored(b"/app"))
        self.segment.doubt(255)
        self.let_go(get(b"/app"))
        self.assertTrue(self.answered(get(b"/app?x=1")))
        writer.put_answer(site.answer(b"/app")._replace(application=255))
        self.assertEqual(self.answered(get(b"/app")), self.stored(b"/app"))
        self.segment.doubt()
        for name in (b"/app", b"/app?x=1"):
            self.let_go(get(name))
        writer.put_answer(site.answer(b"/app")._replace(application=255))
        self.segment.set_answers_lease(site.NOW_MS)
        self.let_go(get(b"/app"))
        self.segment.set_answers_lease(site.NOW_MS + 1)
        self.assertEqual(self.answered(get(b"/app")), self.stored(b"/app"))

    def test_a_copy_of_an_answer_is_confirmed(self) -> None:
        """By the ETag of the coding, in the field or in the query, in at most 200 bytes."""
        self.put_answers()
        one = site.answer(b"/app?x=1").representations[2]
        expected = head_answer_304(format_date(site.ANSWERED), 5, b'"%b"' % one.etag, one.lines_304)
        br = b"Accept-Encoding: br"
        for request in (
            get(b"/app?x=1", br, b'If-None-Match: "%b"' % one.etag),
            get(b"/app?x=1&~etag=" + one.etag, br),
            get(b"/app?x=1", br, b"If-None-Match: *", method=b"HEAD"),
        ):
            self.assertEqual(self.answered(request), expected)
        self.assertLessEqual(len(expected), 200)
        plain = site.answer(b"/app").representations[0]
        expected = head_answer_304(format_date(site.ANSWERED), 5, b'"%b"' % plain.etag, plain.lines_304)
        self.assertEqual(self.answered(get(b"/app?~etag=" + plain.etag)), expected)
        self.assertEqual(self.answered(get(b"/app?~etag=" + one.etag)), self.stored(b"/app"))

    def test_an_etag_of_the_application_goes_out_and_confirms_as_ours_does(self) -> None:
        """Told apart by the coding; and who may read the answer, it says itself."""
        self.put_answers()
        for coding, variant in ((b"", 0), (b"gzip", 1), (b"br", 2), (b"zstd", 3)):
            accept = b"Accept-Encoding: " + (coding or b"x")
            written = self.written(b"/app/own", variant)
            lines = site.answer(b"/app/own").representations[variant].lines_304
            expected = head_answer_304(format_date(site.ANSWERED), 5, written, lines)
            for request in (
                get(b"/app/own", accept, b"If-None-Match: W/" + written),
                get(b"/app/own", accept, b'If-None-Match: "%b"' % site.etag(b"/app/own", variant)),
                get(b"/app/own?~etag=" + written.strip(b'"'), accept),
            ):
                self.assertEqual(self.answered(request), expected)
            other = self.written(b"/app/own", (variant + 1) % 4)
            whole = self.stored(b"/app/own", variant)
            self.assertEqual(self.answered(get(b"/app/own", accept, b"If-None-Match: " + other)), whole)
        batch = b'"own" /app/own\n"own-zstd" /app/own\nown-x /app/own\nown /app'
        self.assertIn(b'"stale":[2,3]', self.answered(revalidate(batch)))
        self.assertEqual(self.answered(get(b"/app", b'If-None-Match: "own"')), self.stored(b"/app"))
        origin = b"Origin: https://n2.example"
        self.assertEqual(self.answered(get(b"/app/own", origin)), self.stored(b"/app/own"))
        cors = b"Access-Control-Allow-Origin: *\r\n"
        self.assertEqual(self.answered(get(b"/app", origin)), self.stored(b"/app", cors=cors))

    def test_answers_are_revalidated_by_their_whole_target(self) -> None:
        """Any coding's ETag; what is not fresh is stale."""
        self.put_answers()
        lines = (
            site.etag(b"/app?x=1", 2) + b" /app?x=1",
            site.etag(b"/app?x=1") + b" /app",
            site.etag(b"/app") + b" /app?",
            site.etag(b"/app") + b" /app",
            site.etag(b"/app/old") + b" /app/old",
            site.etag(PAGE) + b" /a.html?x=1",
        )
        self.assertIn(b'"stale":[1,2,4]}', self.answered(revalidate(b"\n".join(lines))))

    def test_what_is_sent_is_marked_for_who_decides_what_stays(self) -> None:
        """Once for all codings; files are not."""
        writer = self.put_answers()
        number = writer.find_answer(b"/app")
        assert number is not None
        self.assertFalse(self.segment.take_hit(number))
        self.answered(get(b"/app", b"Accept-Encoding: br") + get(b"/app") + get(PAGE))
        self.let_go(get(b"/app/old"))
        self.assertEqual(sum(self.segment.block(0).memory[OFFSET_HITS:]), 1)
        self.assertEqual([self.segment.take_hit(number) for _ in range(2)], [True, False])
        self.assertEqual(CounterBlock(self.segment, 0).read()["answers_hit"], 2)

    def test_requests_are_counted(self) -> None:
        """In the worker's block of the segment."""
        self.answered(get() + get(PAGE, b"If-None-Match: *") + revalidate(b"x /a\ny /b"))
        counted = CounterBlock(self.segment, 0).read()
        names = ("requests", "ok", "not_modified", "revalidations", "validators")
        self.assertEqual([counted[name] for name in names], [3, 1, 1, 1, 2])

    def test_the_epoch_is_left(self) -> None:
        """So that nothing is held from reclamation between calls."""
        self.answered(get())
        self.assertEqual(self.segment.worker_epochs()[0], 0)

    # The state of the site: edge/http/changes.py

    def at_state(self, history: bytes = HISTORY, origin: int = 0) -> StateEntry:
        """The site is at the state that *history* begins with."""
        entry = StateEntry(site.writer_of(self.segment))
        entry.show(CHANGES_LINES, CHANGES_LINES)
        entry.settle(history, origin)
        return entry

    def test_who_is_at_the_state_of_the_site_gets_304(self) -> None:
        self.at_state()
        expected = head_304(DATE, tag_of(b"aaaaaa2"), CHANGES_LINES)
        for path in (b"?since=aaaaaa2", b"?since=aaaaaa2&~etag=x", b"?~etag=" + tag_of(b"aaaaaa2")):
            self.assertEqual(self.answered(get(CHANGES + path)), expected)
        tag = b'If-None-Match: "%b"' % tag_of(b"aaaaaa2")
        for path in (b"", b"?since=x", b"?x"):
            self.assertEqual(self.answered(get(CHANGES + path, tag)), expected)
        self.assertLessEqual(len(expected), 128)

    def test_who_was_at_another_gets_the_paths_that_have_changed(self) -> None:
        self.at_state()
        for query, body in {
            b"?since=aaaaaa1": b"aaaaaa2\n/a.html\n",
            b"?since=aaaaaa0": b"?\n",
            b"?since=aaaaaa3": b"?\n",
            b"?since=": b"?\n",
        }.items():
            head = head_plain(200, DATE, len(body), CHANGES_LINES)
            self.assertEqual(self.answered(get(CHANGES + query)), head + body)
            self.assertEqual(self.answered(get(CHANGES + query, method=b"HEAD")), head)

    def test_without_one_the_state_itself_is_the_answer(self) -> None:
        self.at_state()
        head = head_200(DATE, tag_of(b"aaaaaa2"), 0, 8, CHANGES_LINES)
        self.assertEqual(self.answered(get(CHANGES)), head + b"aaaaaa2\n")
        self.assertEqual(self.answered(get(CHANGES + b"?x", b'If-None-Match: "x"')), head + b"aaaaaa2\n")

    def test_a_state_that_may_not_be_confirmed_is_not(self) -> None:
        head = head_plain(200, DATE, 2, CHANGES_LINES)
        entry = self.at_state(origin=NOTHING)
        for _ in range(2):
            for query in (b"", b"?since=aaaaaa2", b"?~etag=" + tag_of(b"aaaaaa2"), b"?~etag=" + tag_of(b"?")):
                self.assertEqual(self.answered(get(CHANGES + query)), head + b"?\n")
            entry.open()

    def test_what_is_sent_whole_says_at_which_state_it_is_current(self) -> None:
        self.assertNotIn(b"Edge-State", self.answered(get()))
        entry = self.at_state(origin=NOTHING)  # whatever leases say: the table is whole
        self.assertIn(b"\r\nEdge-State: aaaaaa2\r\n\r\n", self.answered(get()))
        self.assertIn(b"\r\nEdge-State: aaaaaa2\r\n\r\n", self.answered(get(method=b"HEAD")))
        self.assertNotIn(b"Edge-State", self.answered(get(PAGE, b'If-None-Match: "%b"' % site.etag(PAGE))))
        self.assertNotIn(b"Edge-State", self.answered(get(CHANGES)))
        entry.open()
        self.assertIn(b"\r\nEdge-State: ?\r\n\r\n", self.answered(get()))

    def test_a_batch_says_at_which_state_the_others_are_current(self) -> None:
        entry = self.at_state()
        tag = site.etag(PAGE)
        batch = revalidate(tag + b" /a.html\nx /a.html")
        self.assertTrue(self.answered(batch).endswith(b'"stale":[1],"s":"aaaaaa2"}'))
        entry.open()
        self.assertTrue(self.answered(batch).endswith(b'"stale":[1]}'))

    def test_states_and_histories_may_be_as_long_as_they_can_be(self) -> None:
        state = b".".join(b"%06d" % n + b"z" * 11 for n in range(64))
        lines = state + b"\n" + state + b"\n"
        history = lines + b"000000z /" + b"x" * (changes.HISTORY_BYTES - len(lines) - 10) + b"\n"
        self.at_state(history)
        self.assertIn(b"Edge-State: " + state, self.answered(get()))
        pipelined = get(CHANGES + b"?since=" + state[:-1] + b"a") * 20
        answers = b""
        while pipelined:
            output, consumed, _ = self.answerer.answer(pipelined, DATE)
            answers, pipelined = answers + output, pipelined[consumed:]
        self.assertEqual(answers.count(b"200 OK"), 20)

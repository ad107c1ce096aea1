"""Every refusal that the parser owes, each whole, cut at every byte and with more behind it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.http.events import Limits
from tests.http.helpers import HOST, cuts, only_head, parse, run, status_of

GET = b"GET / HTTP/1.1\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def field(line: bytes) -> bytes:
    return GET + HOST + line + b"\r\n\r\n"


def post(line: bytes) -> bytes:
    return POST + line + b"\r\n\r\n"


def one_0(line: bytes) -> bytes:
    return b"POST / HTTP/1.0\r\n" + HOST + line + b"\r\n\r\n"


def target(raw: bytes, method: bytes = b"GET") -> bytes:
    return method + b" " + raw + b" HTTP/1.1\r\n" + HOST + b"\r\n"


HOSTS = {
    "no Host": GET + b"\r\n",
    "no Host but other fields": GET + b"Accept: */*\r\n\r\n",
    "no Host with an absolute target": b"GET http://a/ HTTP/1.1\r\n\r\n",
    "no Host in HTTP/1.2": b"GET / HTTP/1.2\r\n\r\n",
    "Host twice": GET + HOST + b"Host: other.org\r\n\r\n",
    "Host twice and equal": GET + HOST + HOST + b"\r\n",
    "Host twice in another case": GET + HOST + b"hOST: example.org\r\n\r\n",
    "Host twice and empty": GET + b"Host:\r\nHost:\r\n\r\n",
    "Host and an empty Host": GET + HOST + b"Host:\r\n\r\n",
    "an empty Host": GET + b"Host:\r\n\r\n",
    "a Host of white space": GET + b"Host: \t \r\n\r\n",
    "an empty Host in HTTP/1.0": b"GET / HTTP/1.0\r\nHost:\r\n\r\n",
    "Host twice in HTTP/1.0": b"GET / HTTP/1.0\r\n" + HOST + HOST + b"\r\n",
    **{
        f"the Host {value!r}": GET + b"Host: " + value + b"\r\n\r\n"
        for value in (
            *(b"a b", b"a, b", b"a/b", b"a?b", b"a#b", b"user@a", b"http://a", b"a:b", b"a:1:2", b"a:123456"),
            *(
                b":80",
                b"[::1",
                b"::1",
                b"[]",
                b"[::1]x",
                b"[g]",
                b"a%zz",
                b"a%2",
                b'"a"',
                b"a\\b",
                b"caf\xc3\xa9",
            ),
        )
    },
}

FIELDS = {
    "space before the colon": field(b"X : a"),
    "tab before the colon": field(b"X\t: a"),
    "space before the colon of Host": GET + b"Host : a\r\n\r\n",
    "obs-fold": field(b"X: a\r\n b"),
    "obs-fold by tab": field(b"X: a\r\n\tb: c"),
    "obs-fold of nothing": field(b"X: a\r\n "),
    "white space before the first field": GET + b" " + HOST + b"\r\n",
    "a tab before the first field": GET + b"\tX: a\r\n" + HOST + b"\r\n",
    "a line of white space before the first field": GET + b" \r\n" + HOST + b"\r\n",
    "bare CR in a value": field(b"X: a\rb"),
    "CR twice at the end of a line": field(b"X: a\r"),
    "bare CR in a name": field(b"X\rY: a"),
    "bare CR alone": field(b"\r"),
    "an empty name": field(b": a"),
    "a name with a space": field(b"X Y: a"),
    "a name with a parenthesis": field(b"X(Y): a"),
    "a name with a slash": field(b"X/Y: a"),
    "a name in quotes": field(b'"X": a'),
    "a name beyond ASCII": field(b"caf\xe9: a"),
    "a name with NUL": field(b"X\x00: a"),
    "a line without a colon": field(b"X"),
    "a known name without a colon": field(b"Host"),
    "a long name that is no token": field(b"x" * 100 + b"(: a"),
    **{
        f"control byte {c:#04x} in a value": field(b"X: a%cb" % c)
        for c in (*range(9), *range(14, 32), 11, 12, 127)
    },
    "bare LF after the request line": b"GET / HTTP/1.1\n" + HOST + b"\r\n",
    "bare LF after a field": field(b"X: a\nY: b"),
    "bare LF after the last field": GET + b"Host: a\n\r\n",
    "bare LF for the empty line": GET + HOST + b"\n",
    "bare LF everywhere": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare LF before the request": b"\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "LF CR": GET + b"Host: a\n\r\r\n\r\n",
}

LENGTHS = {
    **{
        f"Content-Length {value!r}": post(b"Content-Length: " + value)
        for value in (
            *(b"", b"+1", b"-1", b"0x1", b"1_0", b"1.0", b"1 1", b"1,1", b"1, 1", b"1,2", b"1,", b",", b"a"),
            *(b"\xb2", b"\xd9\xa1", b'"1"', b"1" * 20, b"0" * 20, b"9" * 5000, b"1;a=b"),
        )
    },
    "Content-Length differs between lines": post(b"Content-Length: 1\r\nContent-Length: 2"),
    "Content-Length differs in spelling": post(b"Content-Length: 1\r\nContent-Length: 01"),
    "Content-Length and nothing": post(b"Content-Length: 1\r\nContent-Length:"),
    "Content-Length equal but malformed": post(b"Content-Length: x\r\nContent-Length: x"),
    "Content-Length on GET is checked too": field(b"Content-Length: x"),
    "Content-Length with Transfer-Encoding": post(b"Content-Length: 1\r\nTransfer-Encoding: chunked"),
    "Transfer-Encoding with Content-Length": post(b"Transfer-Encoding: chunked\r\nContent-Length: 0"),
    "Content-Length with an unknown coding": post(b"Content-Length: 1\r\nTransfer-Encoding: x"),
    "Content-Length with an empty coding": post(b"Content-Length: 1\r\nTransfer-Encoding:"),
    "Transfer-Encoding on HTTP/1.0": one_0(b"Transfer-Encoding: chunked"),
    "an unknown Transfer-Encoding on HTTP/1.0": one_0(b"Transfer-Encoding: x"),
    "Transfer-Encoding on two lines": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    "codings on two lines": post(b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"),
    **{
        f"Transfer-Encoding {value!r}": post(b"Transfer-Encoding: " + value)
        for value in (
            *(
                b"",
                b",",
                b"identity",
                b"Identity",
                b"identity, chunked",
                b"chunked, identity",
                b"chunked, chunked",
            ),
            *(
                b"chunked, gzip",
                b"chunked, x",
                b"chunked,",
                b",chunked",
                b"chunked;q=1",
                b"chunked ;",
                b"chu nked",
            ),
            *(b'"chunked"', b"(x)", b"\x80chunked", b"ch\xc5\xabnked"),
        )
    },
}

CHUNKS = {
    **{
        f"the chunk line {line!r}": CHUNKED + line + b"\r\nabc\r\n0\r\n\r\n"
        for line in (
            *(
                b"",
                b" ",
                b"g",
                b"0x3",
                b"+3",
                b"-3",
                b" 3",
                b"3 ",
                b"\t3",
                b"3 3",
                b"3,",
                b"_3",
                b"0" * 17,
                b"3\r",
            ),
            *(
                b"3;",
                b"3; ",
                b"3;;a",
                b"3;a=",
                b"3;=b",
                b"3;a b",
                b"3;a=b c",
                b'3;a="b',
                b'3;a="b"c',
                b"3;a=\x00",
            ),
            *(b'3;a="\x00"', b"3;a\r", b"3 a", b"\xb3", b'3;a="\\', b'3;a="\n"'),
        )
    },
    "a bare LF after the size": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "a bare LF after the data": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "nothing after the data": CHUNKED + b"3\r\nabc0\r\n\r\n",
    "more data than its size": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "a bare CR after the data": CHUNKED + b"3\r\nabc\r0\r\n\r\n",
    "a bare LF after the last chunk": CHUNKED + b"0\n\r\n",
    "a bare LF at the end": CHUNKED + b"0\r\n\n",
    "a folded trailer": CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n",
    "white space before the first trailer": CHUNKED + b"0\r\n A: b\r\n\r\n",
    "a trailer without a colon": CHUNKED + b"0\r\nA\r\n\r\n",
    "a trailer with a space before its colon": CHUNKED + b"0\r\nA : b\r\n\r\n",
    "a trailer with an empty name": CHUNKED + b"0\r\n: b\r\n\r\n",
    "a trailer with NUL": CHUNKED + b"0\r\nA: \x00\r\n\r\n",
    "a trailer with bare CR": CHUNKED + b"0\r\nA: b\rc\r\n\r\n",
    "a trailer with bare LF": CHUNKED + b"0\r\nA: b\nC: d\r\n\r\n",
    "a chunk line over the limit": CHUNKED + b"3;" + b"a" * 255 + b"\r\nabc\r\n0\r\n\r\n",
    "a chunk line that does not end": CHUNKED + b"3;" + b"a" * 300,
}

LINES = {
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/0.9 by name": b"GET / HTTP/0.9\r\n" + HOST + b"\r\n",
    "HTTP/0.9 with a space behind": b"GET / \r\n",
    **{
        f"the version {version!r}": b"GET / " + version + b"\r\n" + HOST + b"\r\n"
        for version in (
            *(
                b"http/1.1",
                b"Http/1.1",
                b"HTTP/1",
                b"HTTP/1.",
                b"HTTP/.1",
                b"HTTP/1.10",
                b"HTTP/01.1",
                b"HTTP/1,1",
            ),
            *(
                b"HTTP/a.b",
                b"HTTP 1.1",
                b"HTTP/1.1 ",
                b" HTTP/1.1",
                b"HTTPS/1.1",
                b"HTTP/1.1\t",
                b"HTTP/2",
                b"ICY",
            ),
            *(
                b"HTTP/1.\xb9",
                b"HTTP/-1.1",
                b"HTTP/1.1\r",
                b"\rHTTP/1.1",
                b"HTTP/1.1\x00",
                b"HTTP/1.1x",
                b"HTTP/0.0",
            ),
        )
    },
    "a lone word": b"GET\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "tabs for spaces": b"GET\t/\tHTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "no target": b"GET HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space before the method": b" GET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "two empty lines": b"\r\n\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a bare CR before the method": b"\rGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method that is no token": b"G(T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method with NUL": b"G\x00T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a byte order mark": b"\xef\xbb\xbfGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "the beginning of TLS": b"\x16\x03\x01\x02\x00\x01",
    "a long line without end": b"GET / " + b"x" * 9000,
    "a long line of nonsense": b"()" * 5000,
}

TARGETS = {
    **{
        f"the target {raw!r}": target(raw)
        for raw in (
            *(
                b"*",
                b"/a#b",
                b"#",
                b"/#",
                b"*a",
                b"a",
                b"?a",
                b"a/b",
                b"../a",
                b"ftp://a/",
                b"javascript:alert(1)",
            ),
            *(
                b"http:",
                b"http:/a",
                b"http://",
                b"http:///a",
                b"http://?a",
                b"http://user@a/",
                b"http://a:b/",
            ),
            *(
                b"http://a:b@c/",
                b"http://a\\b/",
                b"http://[::1/",
                b"https://",
                b"http://a#b",
                b"example.org:443",
            ),
            *(
                b"/%",
                b"/%2",
                b"/%zz",
                b"/%%41",
                b"/a%0",
                b"/%u0041",
                b"http://a/%g0",
                b"/\x00",
                b"/\x7f",
                b"/\x80",
            ),
            *(
                b"/\xc3\xa9",
                b"/\x1b",
                b'/"',
                b"/<",
                b"/>",
                b"/\\",
                b"/^",
                b"/`",
                b"/{",
                b"/|",
                b"/}",
                b"/a?b|c",
                b"/\r",
            ),
            *(b"/a\tb", b"/?\x80"),
        )
    },
    "CONNECT": target(b"example.org:443", b"CONNECT"),
    "CONNECT to a path": target(b"/", b"CONNECT"),
    "CONNECT to *": target(b"*", b"CONNECT"),
    "* with HEAD": target(b"*", b"HEAD"),
    "* with POST": target(b"*", b"POST"),
    "* with a query": target(b"*?a", b"OPTIONS"),
}

OTHER = [
    (501, "an unknown method", target(b"/", b"BREW")),
    (501, "a method in lower case", target(b"/", b"get")),
    (501, "a known method with more", target(b"/", b"GETS")),
    (501, "a very long method", target(b"/", b"A" * 1000)),
    (501, "a method without end", b"A" * 9000),
    (501, "an unknown transfer coding", post(b"Transfer-Encoding: x")),
    (501, "gzip as a transfer coding", post(b"Transfer-Encoding: gzip, chunked")),
    (501, "gzip alone", post(b"Transfer-Encoding: GZip")),
    (501, "an unknown coding with parameters", post(b'Transfer-Encoding: x;a="b,c", chunked')),
    (505, "HTTP/2.0", b"GET / HTTP/2.0\r\n" + HOST + b"\r\n"),
    (505, "HTTP/3.0", b"GET / HTTP/3.0\r\n\r\n"),
    (505, "HTTP/9.9", b"POST / HTTP/9.9\r\n\r\n"),
    (505, "the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    (414, "a target over 8 KiB", target(b"/" + b"a" * 8192)),
    (414, "a query over 8 KiB", target(b"/?" + b"a" * 8191)),
    (414, "a target without end", b"GET /" + b"a" * 9000),
    (431, "a header section over 16 KiB", field(b"X: " + b"a" * 16384)),
    (431, "a field without end", GET + b"X: " + b"a" * 17000),
    (431, "a hundred and one fields", GET + HOST + b"X: a\r\n" * 100 + b"\r\n"),
    (431, "trailers over 4 KiB", CHUNKED + b"0\r\nA: " + b"b" * 4096 + b"\r\n\r\n"),
    (431, "a hundred and one trailers", CHUNKED + b"0\r\n" + b"A: b\r\n" * 101 + b"\r\n"),
    (413, "a length over the limit", post(b"Content-Length: 1048577")),
    (413, "the longest length", post(b"Content-Length: " + b"9" * 19)),
    (413, "a chunk over the limit", CHUNKED + b"100001\r\n"),
    (413, "the largest chunk", CHUNKED + b"f" * 16 + b"\r\n"),
    (417, "an unknown expectation", post(b"Expect: x\r\nContent-Length: 1")),
    (417, "an expectation with a parameter", post(b"Expect: 100-continue;a\r\nContent-Length: 1")),
    (417, "two expectations", post(b"Expect: 100-continue, x\r\nContent-Length: 1")),
    (417, "two lines of Expect", post(b"Expect: 100-continue\r\nExpect: x\r\nContent-Length: 1")),
    (417, "an unknown expectation without a body", field(b"Expect: 200-ok")),
    (417, "an unknown expectation in HTTP/1.0", one_0(b"Expect: x")),
]

REFUSALS = [
    *(
        (400, name, data)
        for table in (HOSTS, FIELDS, LENGTHS, CHUNKS, LINES, TARGETS)
        for name, data in table.items()
    ),
    *OTHER,
]


class RefusalTests(SynchronousTestCase):
    """Over the whole table."""

    def test_each_is_refused_with_its_status(self) -> None:
        for status, name, data in REFUSALS:
            self.assertEqual(status_of(data), status, name)

    def test_each_is_refused_alike_wherever_it_is_cut(self) -> None:
        for _, name, data in REFUSALS:
            if len(data) < 300:
                whole = parse(data)
                for pieces in cuts(data):
                    self.assertEqual(run(pieces)[0], whole, (name, pieces))

    def test_long_ones_are_refused_alike_by_pieces_of_any_size(self) -> None:
        for _, name, data in REFUSALS:
            if len(data) >= 300:
                whole = parse(data)
                for size in (1, 7, 1000, 4096, 8191):
                    pieces = [data[i : i + size] for i in range(0, len(data), size)]
                    self.assertEqual(run(pieces)[0], whole, (name, size))

    def test_nothing_behind_a_refusal_is_read(self) -> None:
        """The request behind it, which an attacker would like to be answered, never is."""
        hidden = b"GET /hidden HTTP/1.1\r\n" + HOST + b"\r\n"
        for _, name, data in REFUSALS:
            if status_of(data + hidden) is None:
                self.fail(name)
            events, left = run([data + hidden, hidden])
            self.assertNotIn("hidden", repr(events[:-1]), name)
            self.assertEqual([event for event in events if isinstance(event, tuple)], events[-1:], name)
            self.assertEqual(left, b"", name)

    def test_a_refusal_comes_after_the_requests_before_it(self) -> None:
        first = b"GET /first HTTP/1.1\r\n" + HOST + b"\r\n"
        for status, name, data in REFUSALS:
            if data.startswith((b"\r", b"\n")):
                continue
            events = parse(first + data)
            self.assertEqual(only_head(first), events[0], name)
            assert isinstance(events[-1], tuple)
            self.assertEqual(events[-1][0], status, name)


class LimitTests(SynchronousTestCase):
    """What is exactly at a limit is let through."""

    def accepted(self, data: bytes, limits: Limits | None = None) -> None:
        self.assertIsNone(status_of(data, limits))
        self.assertEqual(run([data], limits)[1], b"")
        self.assertTrue(parse(data, limits))

    def test_a_target_of_8_kib(self) -> None:
        self.accepted(target(b"/" + b"a" * 8191))
        self.accepted(target(b"/" + b"a" * 8191, b"OPTIONS"))

    def test_a_header_section_of_16_kib(self) -> None:
        line = b"X: " + b"a" * (16384 - len(HOST) - len(b"X: \r\n\r\n"))
        self.accepted(field(line))
        self.assertEqual(status_of(field(line + b"a")), 431)

    def test_a_hundred_fields(self) -> None:
        self.accepted(GET + HOST + b"X: a\r\n" * 99 + b"\r\n")

    def test_a_body_at_the_limit(self) -> None:
        limits = Limits(body=10)
        self.accepted(post(b"Content-Length: 10") + b"0123456789", limits)
        self.assertEqual(status_of(post(b"Content-Length: 11"), limits), 413)
        self.accepted(CHUNKED + b"5\r\n01234\r\n5\r\n01234\r\n0\r\n\r\n", limits)
        self.assertEqual(status_of(CHUNKED + b"5\r\n01234\r\n6\r\n", limits), 413)

    def test_a_chunk_line_at_the_limit(self) -> None:
        self.accepted(CHUNKED + b"1;" + b"a" * 254 + b"\r\nx\r\n0\r\n\r\n")

    def test_the_extensions_of_a_body_are_limited_together(self) -> None:
        chunk = b"1;" + b"a" * 127 + b"\r\nx\r\n"
        self.accepted(CHUNKED + chunk * 32 + b"0\r\n\r\n")
        self.assertEqual(status_of(CHUNKED + chunk * 33 + b"0\r\n\r\n"), 400)

    def test_trailers_at_the_limit(self) -> None:
        self.accepted(CHUNKED + b"0\r\nA: " + b"b" * (4096 - 7) + b"\r\n\r\n")
        self.assertEqual(status_of(CHUNKED + b"0\r\nA: " + b"b" * (4096 - 6) + b"\r\n\r\n"), 431)

    def test_hopeless_spaces_take_no_quadratic_time(self) -> None:
        """Each of these once was slow somewhere; a quadratic parser would not come back."""
        spaces = b" \t" * 8000
        self.assertEqual(status_of(field(b"X:" + spaces + b"\x01")), 400)
        self.assertEqual(status_of(field(b"X" + spaces + b": a")), 400)
        self.accepted(field(b"X:" + spaces))
        self.assertEqual(status_of(CHUNKED + b"1" + spaces[:250] + b"\r\n"), 400)

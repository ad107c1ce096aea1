"""Heads that are refused with 400: what is wrong with each -> its bytes."""

from __future__ import annotations

from tests.http.helpers import HOST

GET = b"GET / HTTP/1.1\r\n"


def field(line: bytes) -> bytes:
    return GET + HOST + line + b"\r\n\r\n"


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
    "bare LF in the place of CRLF, with a byte before it": b"GET / HTTP/1.1x\n" + HOST + b"\r\n",
    "bare LF after a field": field(b"X: a\nY: b"),
    "bare LF after the last field": GET + b"Host: a\n\r\n",
    "bare LF for the empty line": GET + HOST + b"\n",
    "bare LF everywhere": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare LF before the request": b"\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "LF CR": GET + b"Host: a\n\r\r\n\r\n",
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

"""Framing and chunks that are refused with 400, and what is refused with another status."""

from __future__ import annotations

from tests.http.helpers import HOST
from tests.http.refused_heads import GET, field, target

POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def post(line: bytes) -> bytes:
    return POST + line + b"\r\n\r\n"


def one_0(line: bytes) -> bytes:
    return b"POST / HTTP/1.0\r\n" + HOST + line + b"\r\n\r\n"


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
    "a bare LF after the size, with a byte before it": CHUNKED + b"3x\nabc\r\n0\r\n\r\n",
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

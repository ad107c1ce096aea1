"""One answer: what the fast path answers itself, the Twisted side answers with the same bytes."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.fastpath.interface import Settings
from edge.fastpath.twin import PythonAnswerer
from edge.http.changes import tag_of
from edge.http.dates import format_date
from edge.node.process.own_resources import LOAD
from edge.node.telemetry.documents import put_batch_lines, put_document, show_state
from edge.table.site_state import NOTHING, StateEntry
from tests.node.serving import NOW
from tests.node.tables import BODIES, MODIFIED, Site, representation, tag

ORIGINS = frozenset({b"https://a.example"})
TAGS = [tag(body).encode() for body in BODIES.values()]
TARGETS = [
    b"/a.txt",
    b"/dir/",
    b"/img",
    b"/a.txt?x=1",
    b"/a.txt?~etag=" + TAGS[0].strip(b'"'),
    b"/a.txt?y&~etag=" + TAGS[2].strip(b'"'),
    b"/a.txt?~etag=other",
    b"/.edge/load",
    b"/.edge/changes",
    b"/.edge/changes?since=aaaaaa2",
    b"/.edge/changes?since=aaaaaa1",
    b"/.edge/changes?since=",
    b"/.edge/changes?~etag=" + tag_of(b"aaaaaa2"),
    b"/none",
    b"/%61.txt",
    b"//a.txt",
]
LINES = [
    b"Accept-Encoding: gzip, deflate, br, zstd",
    b"Accept-Encoding: gzip;q=1.0, br;q=0.5",
    b"accept-encoding: *;q=0",
    b"Accept: image/avif,image/webp,*/*;q=0.8",
    b"Accept: */*",
    b"If-None-Match: " + TAGS[0],
    b"If-None-Match: W/" + TAGS[1],
    b"If-None-Match: " + b", ".join(TAGS),
    b"If-None-Match: *",
    b'If-None-Match: "other"',
    b'If-None-Match: "%b"' % tag_of(b"aaaaaa2"),
    b"If-Modified-Since: " + format_date(MODIFIED),
    b"If-Modified-Since: " + format_date(MODIFIED - 9),
    b"Origin: https://a.example",
    b"Origin: https://b.example",
    b"Connection: keep-alive",
    b"Connection: close",
    b"Range: bytes=0-3",
    b"If-Match: *",
    b"User-Agent: test",
    b"Cookie: a=b",
    b"Expect: 100-continue",
    b"Upgrade: h2c",
    b" folded: x",
    b"Host: twice",
]
VALIDATORS = b"\n".join([TAGS[0].strip(b'"') + b" /a.txt", b"old /a.txt", TAGS[1] + b" /a.txt?q", b"x /none"])

gets = st.builds(
    lambda method, target, lines: b"\r\n".join(
        [method + b" " + target + b" HTTP/1.1", b"Host: x", *lines, b"", b""]
    ),
    st.sampled_from([b"GET", b"GET", b"HEAD"]),
    st.sampled_from(TARGETS),
    st.lists(st.sampled_from(LINES), max_size=4),
)
posts = st.builds(
    lambda body, lines: b"\r\n".join(
        [b"POST /.edge/revalidate HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body), *lines, b"", body]
    ),
    st.sampled_from([VALIDATORS, VALIDATORS + b"\n", b"", b"nonsense", VALIDATORS.replace(b"\n", b"\r\n")]),
    st.lists(st.sampled_from([*LINES[13:17], b"Content-Type: text/plain;charset=UTF-8"]), max_size=2),
)


class SameAnswerTests(SynchronousTestCase):
    """The Python twin (itself compared with the native build) beside a channel."""

    def setUp(self) -> None:
        directory = self.mktemp()
        os.mkdir(directory)
        self.site = Site(directory)
        self.addCleanup(self.site.close)
        images = [representation(number, body) for number, body in ((0, b"jpeg"), (4, b"webp"), (8, b"avif"))]
        self.site.put(b"/img", *images)
        orca = b"endpoint-load-metrics: TEXT eps=0\r\n"
        put_document(self.site.writer, LOAD, b'{"v":1}', orca, NOW)
        put_batch_lines(self.site.writer, orca)
        self.state = StateEntry(self.site.writer)
        show_state(self.state, orca)
        options = Settings(allow_origins=tuple(ORIGINS))
        self.answerer: Any = PythonAnswerer(self.site.segment, 0, options)
        self.answered = 0

    @settings(max_examples=200)
    @given(st.lists(st.one_of(gets, gets, posts), min_size=1, max_size=4), st.integers(0, 400))
    def compare(self, requests: list[bytes], cut: int) -> None:
        """*requests*, pipelined, cut in two for the channel."""
        data = b"".join(requests)
        answers, consumed, _ = self.answerer.answer(data, format_date(NOW))
        if not consumed:
            return
        self.answered += 1
        taken = data[:consumed]
        connection = self.site.connect(ORIGINS)
        connection.send(taken[:cut], taken[cut:])
        connection.turn()
        self.assertEqual(connection.transport.written, answers, taken)

    def test_both_sides_give_the_same_bytes(self) -> None:
        """Also without a state of the site, at one, within a step, and without a lease."""
        self.compare()
        self.assertGreater(self.answered, 50)
        self.state.settle(b"aaaaaa2\naaaaaa1\naaaaaa2 /a.txt\n", 0)
        self.compare()
        self.state.open()
        self.compare()
        self.state.settle(b"aaaaaa2\naaaaaa1\n", NOTHING)
        self.compare()

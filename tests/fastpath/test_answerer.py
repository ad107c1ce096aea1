"""The heart of the fast path: both builds do what the suite says, and the same."""

from __future__ import annotations

from edge._native import ffi
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.access.buckets import HEADER_BYTES
from edge.access.patterns import Patterns
from edge.access.rules import AccessRule, AuthRule, RateRule, Rules
from edge.fastpath.answerer import PythonAnswerer
from edge.fastpath.interface import Answerer, Guarding, Logging, Next, Settings
from edge.fastpath.native import NativeAnswerer
from edge.logs.ring import Ring
from edge.networks import mapped
from edge.node.process.bucket_memory import BucketMemory
from edge.table.counters import COUNTER_COUNT
from edge.table.layout import OFFSET_COUNTERS, OFFSET_HITS
from edge.table.segment import CounterBlock, Segment
from edge.table.site_counts import SiteAnswers, SiteCounts
from edge.table.site_state import NOTHING, StateEntry
from tests.fastpath import site
from tests.fastpath.answerer_suite import LET_GO, LET_GO_LINES, SITES, AnswererSuite
from tests.logs.records import ring_memory


class PythonAnswererTests(AnswererSuite, SynchronousTestCase):
    """The twin."""

    def make(self, segment: Segment, settings: Settings) -> Answerer:
        """A build, as worker 0."""
        return PythonAnswerer(segment, 0, settings, lambda: site.NOW_MS)


class NativeAnswererTests(AnswererSuite, SynchronousTestCase):
    """The native build.  It must be there: tests do not pass over a missing build."""

    def make(self, segment: Segment, settings: Settings) -> Answerer:
        """A build, as worker 0."""
        return NativeAnswerer(segment, 0, settings, lambda: site.NOW_MS)


TAGS = [
    site.etag(site.PAGE),
    site.etag(site.PAGE, 1),
    site.etag(site.PAGE, 2),
    site.etag(site.PHOTO, 8),
    b"x",
    *(site.etag(name, variant) for name in site.ANSWERS[:3] for variant in (0, 2)),
    site.etag(b"/app/own"),
    b"own",
    b"own-br",
    b"own-zstd",
]
PATHS = st.sampled_from(
    [
        b"/a.html",
        b"/i.jpg",
        b"/empty",
        b"/gone",
        b"/a.html?x=1",
        b"/a.html?x[]=%{|}",
        b"/a|b",
        b"/i.jpg?~etag=" + TAGS[3],
        *site.ANSWERS,
        b"/app?",
        b"/app?x=1&",
        b"/app?x=1&~etag=" + TAGS[7],
        b"/app?~etag=" + TAGS[5],
        b"/app/own?~etag=own-br",
        site.OWN_CORS_PAGE,
        *(path + query for path, _, _ in site.REDIRECTS for query in (b"", b"?q=1&~etag=" + TAGS[0])),
        b"/moved-307?" + b"y" * 4200,
        b"/moved-cors",
    ]
)
LINES = st.one_of(
    st.sampled_from(LET_GO_LINES),
    st.sampled_from(
        [
            b"X: y",
            b"User-Agent: a\tb\xff",
            b"Referer: \x80" * 2,
            b"Accept-Encoding: gzip, br",
            b"Accept-Encoding: gzip",
            b"Accept-Encoding: zstd,gzip",
            b"Accept: image/avif, x",
        ]
    ),
    st.sampled_from([b"Connection: close", b"Origin: https://n2.example", b"Accept: image/webp;x=y"]),
    st.lists(st.sampled_from(TAGS), min_size=1, max_size=3).map(
        lambda tags: b"If-None-Match: " + b", ".join(b'"%s"' % tag for tag in tags)
    ),
)
REQUESTS = st.one_of(
    st.builds(
        lambda path, lines, method: site.get(path, *lines, method=method),
        PATHS,
        st.lists(LINES, max_size=4),
        st.sampled_from([b"GET", b"HEAD", b"GET", b"POST"]),
    ),
    st.lists(
        st.sampled_from(
            [tag + b" " + path for tag in TAGS for path in (b"/a.html?y", *site.ANSWERS)] + [b"bad"]
        ),
        max_size=5,
    ).map(lambda lines: site.revalidate(b"\n".join(lines))),
    st.sampled_from(LET_GO),
)
ODD = st.sampled_from(
    [
        b"\r",
        b"\n",
        b"\0",
        b" ",
        b"\t",
        b":",
        b",",
        b'"',
        b"\x7f",
        b"\xff",
        b"/",
        b"?",
        b"%",
        b"|",
        b"<",
        b"\\",
    ]
)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Some requests in a row, with a few bytes changed now and then."""
    stream = b"".join(draw(st.lists(REQUESTS, min_size=1, max_size=3)))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(stream)))
        stream = stream[:at] + draw(ODD) + stream[at + draw(st.integers(0, 1)) :]
    return stream


_HOSTS = [
    b"example.org",
    b"blog.example",
    b"BLOG.example.:80",
    b"a.shop.example",
    b"h.unknown",
    b"x" * 70,
    b"",
]
_GLOBS = ["/**", "/a.html", "/app/**", "*.jpg", "/a*", "/app", "/.edge/**"]


class TwinTests(SynchronousTestCase):
    """Differential: the two builds over the same table, whatever the bytes."""

    def setUp(self) -> None:
        """One table, two workers."""
        self.segment = site.published(answers=True)
        self.addCleanup(self.segment.close)
        memories = [ring_memory(), ring_memory()]
        self.rings = [Ring(memory) for memory in memories]
        one, other = (
            Settings(allow_origins=(b"https://n2.example",), log=Logging(memory, 2)) for memory in memories
        )
        self.native = NativeAnswerer(self.segment, 0, one, lambda: site.NOW_MS)
        self.python = PythonAnswerer(self.segment, 1, other, lambda: site.NOW_MS)
        for each in (self.native, self.python):
            each.receive_from(bytes(15) + b"\1", 1_700_000_000_000_000)

    @settings(max_examples=1500)
    @given(streams())
    def test_both_builds_answer_alike(self, stream: bytes) -> None:
        """Output, bytes consumed, and what is logged of it are equal.

        What is next, too, but for an incomplete head that is already hopeless, which the native build lets
        go a little earlier.
        """
        native, python = (each.answer(stream, site.DATE) for each in (self.native, self.python))
        hits = [self.segment.block(worker).memory[OFFSET_HITS:] for worker in (0, 1)]
        self.assertEqual(hits[0], hits[1])
        self.assertEqual(native[:2], python[:2])
        logged = [list(iter(ring.read, None)) for ring in self.rings]
        self.assertEqual(*logged)
        rest = stream[native[1] :]
        if (native[2], python[2]) == (Next.HAND_OFF, Next.RECEIVE):
            self.assertNotIn(b"\r\n\r\n", rest)
        else:
            self.assertEqual(native[2], python[2])

    @settings(max_examples=300)
    @given(st.binary(max_size=300))
    def test_random_bytes_are_let_go_or_awaited(self, stream: bytes) -> None:
        """Never answered."""
        for each in (self.native, self.python):
            output, consumed, after = each.answer(stream, site.DATE)
            self.assertEqual((output, consumed), (b"", 0))
            self.assertIn(after, (Next.RECEIVE, Next.HAND_OFF))


class GuardedTwinTests(SynchronousTestCase):
    """Differential: who may, and how often."""

    def setUp(self) -> None:
        self.segment = site.published(answers=True)
        self.addCleanup(self.segment.close)
        self.memories = [BucketMemory.create() for _ in range(2)]
        for memory in self.memories:
            self.addCleanup(memory.close)
        self.memories[0].memory[24:32] = self.memories[1].memory[24:32]
        self.now_ms = site.NOW_MS

    def start(self, rules: Rules) -> list[Answerer]:
        """Both builds under *rules*."""
        told = [Settings(guarding=Guarding([Patterns(rules)], one.memory, one.fd)) for one in self.memories]
        return [
            NativeAnswerer(self.segment, 0, told[0], lambda: self.now_ms),
            PythonAnswerer(self.segment, 1, told[1], lambda: self.now_ms),
        ]

    def test_rules_stay_what_they_are_whatever_memory_is_used_after_them(self) -> None:
        """Memory that C looks into belongs to the answerer as long as it lives."""
        for native in [self.start(Rules([AuthRule("/a.html", "u", "r")]))[0] for _ in range(50)]:
            used = [ffi.new("edge_pattern[]", count % 3 + 1) for count in range(300)]
            self.assertEqual(native.answer(site.get(), site.DATE)[1:], (0, Next.HAND_OFF))
            del used

    @settings(max_examples=150)
    @given(
        st.lists(st.sampled_from(_GLOBS), max_size=2),
        st.lists(st.tuples(st.sampled_from(_GLOBS), st.sampled_from(["192.0.2.0/24", "::/0"])), max_size=2),
        st.lists(st.tuples(st.sampled_from(_GLOBS), st.integers(1, 3)), max_size=2),
        st.lists(st.tuples(streams(), st.booleans(), st.integers(0, 1500)), max_size=6),
    )
    def test_both_builds_answer_alike(
        self,
        auth: list[str],
        access: list[tuple[str, str]],
        rates: list[tuple[str, int]],
        said: list[tuple[bytes, bool, int]],
    ) -> None:
        """What is let go, what is too often, and when: the same bytes, and the same tokens are left."""
        for memory in self.memories:
            memory.memory[HEADER_BYTES:] = bytes(len(memory.memory) - HEADER_BYTES)
        both = self.start(
            Rules(
                [AuthRule(glob, "u", "r") for glob in auth],
                [AccessRule(glob, (network,)) for glob, network in access],
                [RateRule(glob, 1, "second", burst) for glob, burst in rates],
            )
        )
        for stream, is_inside, passes in said:
            self.now_ms += passes
            client = mapped(bytes((192, 0, 2, 1))) if is_inside else mapped(bytes((10, 0, 0, 1)))
            for each in both:
                each.receive_from(client, 0)
            native, python = (each.answer(stream, site.DATE) for each in both)
            self.assertEqual(native[:2], python[:2])
        self.assertEqual(*(memory.memory[:] for memory in self.memories))

    def test_what_needs_a_password_is_never_answered(self) -> None:
        """Nor said to be current."""
        rules = Rules([AuthRule("/a.html", "u", "r")])
        tag = site.etag(site.PAGE)
        for each in self.start(rules):
            self.assertEqual(each.answer(site.get(b"/a.html"), site.DATE), (b"", 0, Next.HAND_OFF))
            self.assertEqual(each.answer(site.get(b"/a.html?~etag=" + tag), site.DATE)[2], Next.HAND_OFF)
            batch, _, _ = each.answer(site.revalidate(tag + b" /a.html\n" + tag + b" /a.html?x"), site.DATE)
            self.assertIn(b'"stale":[0,1]', batch)
            self.assertIn(b"200 OK", each.answer(site.get(b"/empty"), site.DATE)[0])

    def test_too_many_are_told_when_to_come_again(self) -> None:
        """And others are not concerned; what is let go takes no token."""
        for each in self.start(Rules(rates=[RateRule("/**", 1, "minute", 2)])):
            each.receive_from(mapped(bytes((192, 0, 2, 1))), 0)
            for _ in range(5):
                self.assertEqual(each.answer(site.get(b"/none"), site.DATE)[2], Next.HAND_OFF)
            output, _, _ = each.answer(site.get(b"/empty") * 3, site.DATE)
            self.assertEqual(output.count(b"HTTP/1.1 200 OK"), 2)
            self.assertTrue(output.endswith(b"try again later.\n"))
            self.assertIn(b"HTTP/1.1 429 Too Many Requests\r\n", output)
            self.assertIn(b"\r\nRetry-After: 60\r\n", output)
            output, _, _ = each.answer(site.get(b"/empty", method=b"HEAD"), site.DATE)
            self.assertTrue(output.startswith(b"HTTP/1.1 429 ") and output.endswith(b"\r\n\r\n"))
            each.receive_from(mapped(bytes((192, 0, 2, 2))), 0)
            self.assertIn(b"200 OK", each.answer(site.get(b"/empty"), site.DATE)[0])


_IDS = (b"aaaaaa", b"bbbbbb", b"cccccc", b"-_0Zz9")
_NUMBERS = st.sampled_from([b"", b"1", b"5", b"z", b"1-", b"zzzzzzzzzzz", b"-1", b"0" * 12])
_VECTORS = st.dictionaries(st.sampled_from(_IDS), _NUMBERS, max_size=4).map(
    lambda vector: b".".join(key + vector[key] for key in sorted(vector))
)
_CHANGES = st.lists(
    st.builds(lambda key, number, path: key + number + b" " + path, st.sampled_from(_IDS), _NUMBERS,
              st.sampled_from([b"/", b"/a b", b"", b"/long/" + b"x" * 99])),
    max_size=6,
).map(lambda lines: b"".join(line + b"\n" for line in lines))  # fmt: skip
HISTORIES = st.one_of(
    st.builds(
        lambda state, floors, lines: state + b"\n" + floors + b"\n" + lines, _VECTORS, _VECTORS, _CHANGES
    ),
    st.lists(st.sampled_from([b"\n", b" ", b".", b"aaaaaa1", b"?", b"/x", b"\0"]), max_size=9).map(b"".join),
)


class SiteCountTwinTests(SynchronousTestCase):
    """Differential: what is counted of each site."""

    def setUp(self) -> None:
        self.segment = site.published(answers=True, sites=len(SITES))
        self.addCleanup(self.segment.close)
        writer = site.writer_of(self.segment)
        for name in (b"blog.example/a.html", b"*.shop.example/a.html"):
            writer.put(site.page(name, name))
        self.memories = [BucketMemory.create() for _ in range(2)]
        for memory in self.memories:
            self.addCleanup(memory.close)
        self.memories[0].memory[24:32] = self.memories[1].memory[24:32]
        rates = Patterns(Rules(rates=[RateRule("/empty", 1, "minute", 1)]))
        told = [
            Settings(sites=SITES, guarding=Guarding([rates] * len(SITES), one.memory, one.fd))
            for one in self.memories
        ]
        self.native = NativeAnswerer(self.segment, 0, told[0], lambda: site.NOW_MS)
        self.python = PythonAnswerer(self.segment, 1, told[1], lambda: site.NOW_MS)
        for each in (self.native, self.python):
            each.receive_from(mapped(bytes((192, 0, 2, 1))), 0)

    def counted(self) -> list[SiteAnswers]:
        """By both builds."""
        native, python = (SiteCounts(self.segment, index).read() for index in range(2))
        self.assertEqual(native, python)
        return native

    @settings(max_examples=200)
    @given(st.lists(st.tuples(streams(), st.sampled_from(_HOSTS)), max_size=4))
    def test_both_builds_count_alike(self, said: list[tuple[bytes, bytes]]) -> None:
        """Whatever is asked for at whichever host, every answer of the fast path is one site's."""
        for stream, host in said:
            stream = stream.replace(site.HOST, b"Host: %b\r\n" % host)
            native, python = (each.answer(stream, site.DATE) for each in (self.native, self.python))
            self.assertEqual(native[:2], python[:2])
        answers = sum(sum(one.by_class) for one in self.counted())
        self.assertEqual(answers, CounterBlock(self.segment, 0).read()["requests"])

    def test_each_kind_of_answer_counts_in_its_class_with_its_body(self) -> None:
        blog = b"Host: blog.example\r\n"
        page = site.get(b"/a.html").replace(site.HOST, blog)
        matched = site.get(b"/a.html", b"If-None-Match: *").replace(site.HOST, blog)
        head = site.get(b"/a.html", method=b"HEAD").replace(site.HOST, blog)
        stream = page + matched + head + site.get(b"/empty") * 2 + site.get(b"/a.html")
        answers = [each.answer(stream, site.DATE) for each in (self.native, self.python)]
        self.assertEqual(*answers)
        self.assertEqual(answers[0][1], len(stream))
        body = answers[0][0].split(b"\r\n\r\n", 2)[1].partition(b"HTTP/1.1 304")[0]
        default, one, *others = self.counted()
        self.assertEqual(one, SiteAnswers((0, 2, 1, 0, 0), len(body)))
        self.assertEqual(default.by_class, (0, 2, 0, 1, 0))
        self.assertGreater(default.sent, 0)
        self.assertEqual(others, [SiteAnswers(), SiteAnswers()])

    def test_without_rows_nothing_is_counted(self) -> None:
        segment = site.published()
        self.addCleanup(segment.close)
        for index, build in enumerate((NativeAnswerer, PythonAnswerer)):
            answerer = build(segment, index, Settings(sites=SITES), lambda: site.NOW_MS)
            self.assertEqual(answerer.answer(site.get(), site.DATE)[1], len(site.get()))
            self.assertEqual(CounterBlock(segment, index).read()["requests"], 1)
            counters = OFFSET_COUNTERS + 8 * COUNTER_COUNT
            self.assertEqual(
                segment.block(index).memory[counters:].count(0), len(segment.block(index).memory) - counters
            )


class StateTwinTests(SynchronousTestCase):
    """Differential: what has changed since a state."""

    def setUp(self) -> None:
        self.segment = site.published()
        self.addCleanup(self.segment.close)
        self.native = NativeAnswerer(self.segment, 0, Settings())
        self.python = PythonAnswerer(self.segment, 1, Settings())
        self.writer = site.writer_of(self.segment)

    @settings(max_examples=1500)
    @given(
        HISTORIES,
        _VECTORS,
        st.sampled_from([b"?since=%b", b"?since=%b&~etag=x", b"?%b", b"#%b"]),
        st.booleans(),
    )
    def test_both_builds_answer_alike(
        self, history: bytes, asked: bytes, form: bytes, confirmed: bool
    ) -> None:
        """Whatever the history holds, and whatever is asked; a batch and a page, too."""
        entry = StateEntry(self.writer)
        entry.settle(history, 0 if confirmed else NOTHING)
        stream = site.get(b"/.edge/changes" + form % asked) + site.get() + site.revalidate(b"x /a")
        native, python = (each.answer(stream, site.DATE) for each in (self.native, self.python))
        self.assertEqual(native, python)
        if b" " not in asked and form[:1] == b"?" and history:
            self.assertEqual(native[1], len(stream))

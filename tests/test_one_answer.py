"""Promise 1: the same request gets the same answer from the native code, its twin and Twisted.

Generated requests - valid, odd and hostile, pipelined, cut anywhere - go to all three over one table.
What the fast paths answer, the Twisted side must answer with the same bytes.
"""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.config.applications import Application
from edge.fastpath.answerer import PythonAnswerer
from edge.fastpath.interface import Next, Settings
from edge.fastpath.native import NativeAnswerer
from edge.http.answer import hsts_line, speculation_line
from edge.http.dates import format_date
from edge.node.applications.caching import CachingOrigin
from edge.node.applications.fills import FillDesk
from edge.node.applications.gateway import Gateway, Place
from edge.node.connection.site import ChannelFactory, EdgeSite, RootResource
from edge.node.process.life import Life
from edge.node.resources.edge_resources import EdgeResources
from edge.node.resources.published import PublishedResource, Source
from edge.node.resources.pushing import Pushing
from edge.sites import ALONE, SiteHosts
from edge.table.reader import Entry, Reader
from edge.table.segment import CounterBlock
from tests.fastpath import site
from tests.fastpath.answerer_suite import SITES
from tests.fastpath.test_answerer import streams
from tests.node.applications.parts import Scripted
from tests.node.transports import PeerTransport

NOW = 1_750_000_000
ORIGIN = b"https://n2.example"
HSTS = "max-age=60; includeSubDomains"


async def _nobody(path: bytes) -> dict[int, Entry]:
    raise AssertionError(f"a complete table is not asked about: {path!r}")


class NobodyFills:
    """A supervisor that says nothing; what is not in the table stays unanswered."""

    def ask(self, application: str, name: bytes, share: bool, told: object) -> None:
        """Nobody is told."""

    def store(self, token: int, application: str, packed: bytes, kept: object) -> None:
        """Nobody is told."""

    def end(self, token: int, outcome: object, why: str = "") -> None:
        """Nobody listens."""

    def changed(self, change: object) -> Deferred[Any]:
        return Deferred()


class Ways(SynchronousTestCase):
    """The three ways of a request through a worker."""

    sites: ClassVar[tuple[SiteHosts, ...]] = ALONE

    def setUp(self) -> None:
        """One table, three readers of it."""
        self.segment = site.published(answers=True)
        self.addCleanup(self.segment.close)
        #: The fast paths' answers over TCP, and over TLS, where they say that this is to stay so (--hsts).
        self.native, self.python = (
            [
                build(
                    self.segment,
                    0,
                    Settings(allow_origins=(ORIGIN,), hsts=hsts_line(HSTS), secure=secure, sites=self.sites),
                    lambda: site.NOW_MS,
                )
                for secure in (False, True)
            ]
            for build in (NativeAnswerer, PythonAnswerer)
        )
        for one in (*self.native, *self.python):
            one.speculate(speculation_line("/rules.json"))
        reader = Reader(self.segment, 1, lambda: site.NOW_MS)
        self.source = Source(reader, "/nonexistent", _nobody, ((ORIGIN,), (), ()))

    def twisted(self, stream: bytes, cuts: list[int], secure: bool) -> PeerTransport:
        """What a channel does with *stream*, arriving in pieces."""
        clock = Clock()
        clock.advance(NOW)
        published = PublishedResource(self.source)
        pushing = Pushing(self.source.reader, (frozenset(),) * 3, clock)
        root = RootResource(EdgeResources(self.source.reader, published, Life(), pushing), published)
        edge_site = EdgeSite(root, clock, hsts=HSTS, sites=self.sites)
        edge_site.speculation = speculation_line("/rules.json")
        gateway = Gateway([self.place(clock)], self.source.reader, clock, ((),) * 3, hosts=edge_site.hosts)
        edge_site.streams = gateway
        published.beyond = gateway.take_whole
        channel = ChannelFactory(edge_site, secure, sealed=secure).buildProtocol(None)
        transport = PeerTransport(clock)
        transport.connect(channel)
        for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            channel.dataReceived(stream[begin:end])
            clock.advance(0)
        for _ in range(len(stream) // 20 + 2):
            clock.advance(0)
        return transport

    def place(self, clock: Clock) -> Place:
        """An application whose answers are in the table, and which itself answers nothing."""
        counters = CounterBlock(self.segment, 1)
        configured = Application(name="app", at="/app", to=("http://127.0.0.1:1",))
        desk = FillDesk(NobodyFills(), clock, clock.seconds)
        return Place(
            b"/app",
            CachingOrigin(
                Scripted(), configured, desk, self.source.reader, counters, (ORIGIN,), lambda: site.NOW_MS
            ),
        )

    def check(self, stream: bytes, cuts: list[int], secure: bool = False) -> None:
        """All three on one stream."""
        date = format_date(NOW)
        output, consumed, after = self.native[secure].answer(stream, date)
        self.assertEqual(self.python[secure].answer(stream, date)[:2], (output, consumed))
        written = self.twisted(stream, cuts, secure).written
        self.assertEqual(written[: len(output)], output)
        if after is Next.CLOSE or consumed == len(stream):
            self.assertEqual(written, output)


class OneAnswerTests(Ways):
    """With one site."""

    @settings(max_examples=400)
    @given(streams(), st.data())
    def test_all_ways_answer_alike(self, stream: bytes, data: st.DataObject) -> None:
        """Whatever is in the stream and however it is cut."""
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=3)))
        self.check(stream, cuts, data.draw(st.booleans()))

    def test_plain_requests_are_answered_by_all(self) -> None:
        """The ordinary ones, so that the property above cannot be true for want of answers."""
        tag = site.etag(site.PAGE, 2)
        for request in (
            site.get(),
            site.get(site.PAGE, b"Accept-Encoding: br", b'If-None-Match: "%s"' % tag),
            site.get(site.PHOTO, b"Accept: image/webp", method=b"HEAD"),
            site.get(site.EMPTY, b"Origin: " + ORIGIN, b"Connection: close"),
            site.get(b"/a.html?x&~etag=" + site.etag(site.PAGE)),
            site.revalidate(b"%s /a.html\nx /b" % tag),
            site.get(site.BIG) * 3,
            site.get(b"/app?x=1", b"Accept-Encoding: br"),
            site.get(b"/app?x=1", b"Accept-Encoding: zstd, gzip"),
            site.get(b"/app/own", b"Accept-Encoding: zstd", b'If-None-Match: "own-zstd"'),
            site.get(b"/app", b'If-None-Match: "%s"' % site.etag(b"/app"), b"Origin: " + ORIGIN),
            site.get(b"/app/own", b"Accept-Encoding: gzip", b'If-None-Match: W/"own-gzip"'),
            site.get(b"/app?q=%7B%7D&y&~etag=" + site.etag(b"/app?q=%7B%7D&y"), b"Origin: " + ORIGIN),
            site.get(b"/app/own", b"Origin: " + ORIGIN, b"Connection: close", method=b"HEAD"),
            site.revalidate(b"%s /app?x=1\nown-br /app/own\nx /app" % site.etag(b"/app?x=1")),
        ):
            self.assertTrue(self.native[False].answer(request, site.DATE)[0])
            for secure in (False, True):
                self.check(request, [], secure)
                self.check(request, [len(request) // 2], secure)


_HOSTS = (
    b"blog.example",
    b"Blog.Example.:80",
    b"a.shop.example",
    b"example.org",
    b"shop.example",
    b"[::1]:80",
    b"blog.example, x",
    b"x" * 300 + b".shop.example",
)


class SeveralSitesTests(Ways):
    """With a default site and two others that have a page each."""

    sites: ClassVar[tuple[SiteHosts, ...]] = SITES

    def setUp(self) -> None:
        super().setUp()
        writer = site.writer_of(self.segment)
        for name in (b"blog.example/a.html", b"*.shop.example/a.html"):
            writer.put(site.page(name, name))
        writer.set_complete(True)

    @settings(max_examples=200)
    @given(streams(), st.lists(st.sampled_from(_HOSTS), min_size=1, max_size=4), st.data())
    def test_all_ways_answer_alike_at_every_host(
        self, stream: bytes, hosts: list[bytes], data: st.DataObject
    ) -> None:
        """Requests of one connection name different hosts."""
        first, *rest = stream.split(site.HOST)
        named = [b"Host: %b\r\n%b" % (hosts[at % len(hosts)], piece) for at, piece in enumerate(rest)]
        self.check(first + b"".join(named), [], data.draw(st.booleans()))

    def test_pages_of_both_ways_are_those_of_their_hosts(self) -> None:
        """So that the property above cannot be true for want of them."""
        for host in _HOSTS[:3]:
            request = site.get().replace(site.HOST, b"Host: %b\r\n" % host)
            self.assertTrue(self.native[False].answer(request, site.DATE)[0].endswith(b"example/a.html"))
            self.check(request, [])

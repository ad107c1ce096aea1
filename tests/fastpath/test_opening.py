"""Opening handshakes: C does what the twin does, and what is opened is what Twisted would open."""

from __future__ import annotations

import os
from base64 import b64encode

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.access.patterns import Patterns
from edge.access.rules import AccessRule, AuthRule, RateRule, Rules
from edge.fastpath.answerer import PythonAnswerer
from edge.fastpath.interface import Answerer, Guarding, Next, Settings
from edge.fastpath.native import NativeAnswerer
from edge.fastpath.opening import STATUS, Audience, Opening
from edge.networks import mapped, networks_of
from edge.node.connection.site import ChannelFactory, EdgeSite, RootResource
from edge.node.process.bucket_memory import BucketMemory
from edge.node.process.life import Life
from edge.node.resources.edge_resources import EdgeResources
from edge.node.resources.published import PublishedResource, Source
from edge.node.resources.pushing import TOPICS, Pushing
from edge.table.reader import Entry, Reader
from tests.fastpath import site
from tests.fastpath.answerer_suite import SITES
from tests.fastpath.opening_suite import KEY, opening
from tests.node.transports import PeerTransport

EXAMPLES = int(os.environ.get("OPENINGS", "150"))
FRIEND = b"https://friend.example"

# fmt: off
_HOSTS = st.sampled_from(
    (
        b"example.org", b"localhost:8080", b"LOCALHOST", b"a.localhost", b".localhost", b"a..localhost",
        b"xlocalhost", b"localhost.", b"127.0.0.1", b"127.0.0.1:80", b"1.2.3", b"1.2.3.4.5", b"1.2.3.4567",
        b"1.2.3.4.localhost", b"[::1]:8080", b"[1.2.3.4]", b"-.localhost", b"999.1.1.1", b"1.2.3.4:",
    )
)
_ORIGINS = st.one_of(
    st.none(),
    st.tuples(st.sampled_from((b"http://", b"https://", b"HTTP://", b"")), st.none() | _HOSTS),
    st.sampled_from((FRIEND, b"null", b"*", b"", b"https://friend.example/")),
)
_QUERIES = st.one_of(
    st.sampled_from((b"", b"", b"?", b"?v=2", b"?topics=load", b"?topics=status", b"?v=2&topics=changed")),
    st.lists(
        st.sampled_from(
            (b"v=2", b"v=1", b"v=3", b"v", b"v=", b"x=1", b"", b"topics=", b"topics=load",
             b"topics=status,load", b"topics=load,load", b"topics=changed", b"topics=nodes", b"topics=,",
             b"topics=Load", b"%76=2", b";")
        ),
        max_size=3,
    ).map(lambda fields: b"?" + b"&".join(fields)),
)
_LINES = st.lists(
    st.sampled_from(
        (
            b"X: y", b"Cookie: a=b", b"Accept-Encoding: gzip, deflate, br, zstd", b"Cache-Control: no-cache",
            b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits", b"Pragma: no-cache",
            b"Sec-WebSocket-Protocol: chat", b"Sec-Fetch-Site: cross-site", b"User-Agent: Mozilla/5.0",
            b"Upgrade: websocket", b"Upgrade: h2c", b"Connection: close", b"Sec-WebSocket-Version: 13",
            b"If-None-Match: *", b"If-Modified-Since: x", b"Content-Length: 0",
            b"TE: trailers", b"Range: bytes=0-1",
            b"Expect: 100-continue", b"X-Forwarded-For: 1.2.3.4", b"Host: example.org", b"no colon",
        )
    ),
    max_size=3,
)
_KEYS = st.one_of(
    st.binary(min_size=16, max_size=16).map(lambda raw: b64encode(raw)),
    st.sampled_from((KEY, KEY[:-1], KEY + b"=", b"", b"dGhlIHNhbXBsZSBub25jZT==", b"*" * 22 + b"==")),
)
_ASKED = st.tuples(
    st.sampled_from((b"Connection: Upgrade", b"Connection: keep-alive, Upgrade", b"connection:UPGRADE",
                     b"Connection: Upgrade, close", b"Connection: keep-alive", b"Connection: upgrade,")),
    st.sampled_from((b"Upgrade: websocket", b"upgrade: WebSocket",
                     b"Upgrade: websocket, h2c", b"Upgrade: tls")),
    st.sampled_from((b"Sec-WebSocket-Version: 13", b"sec-websocket-version: 13 ",
                     b"Sec-WebSocket-Version: 8")),
)
# fmt: on


async def _nobody(path: bytes) -> dict[int, Entry]:
    raise AssertionError(f"a complete table is not asked about: {path!r}")


def mostly(asked: tuple[bytes, ...], plain: tuple[bool, ...]) -> tuple[bytes, ...]:
    """*asked*, most of them as they ought to be, or little would be opened."""
    right = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13")
    return tuple(one if is_plain else other for one, other, is_plain in zip(right, asked, plain, strict=True))


def named(bits: int) -> set[str]:
    """The topics of these *bits*."""
    return {topic for number, topic in enumerate(TOPICS) if bits >> number & 1}


def opened(answerer: Answerer, data: bytes, audience: Audience) -> tuple[bytes, int, Next, Opening | None]:
    """What *answerer* says last to *data*, how far it is then, and what it has opened."""
    answerer.welcome(True, audience)
    at, after = 0, Next.ANSWER
    while after is Next.ANSWER:
        output, consumed, after = answerer.answer(data[at:], site.DATE)
        at += consumed
        assert consumed or after is not Next.ANSWER, "it makes no progress"
    return output, at, after, answerer.opened


class OpeningTests(SynchronousTestCase):
    """Generated handshakes, over TCP and over TLS."""

    def setUp(self) -> None:
        self.segment = site.published()
        self.addCleanup(self.segment.close)
        self.reader = Reader(self.segment, 1, lambda: site.NOW_MS)
        self.builds = {
            secure: [
                build(self.segment, 0, Settings(allow_origins=(FRIEND,), secure=secure), lambda: site.NOW_MS)
                for build in (NativeAnswerer, PythonAnswerer)
            ]
            for secure in (False, True)
        }

    def twisted(self, data: bytes, secure: bool, audience: Audience) -> tuple[bytes, Pushing]:
        """What a channel sends in answer to *data*, and who pushes to it."""
        clock = Clock()
        clock.advance(1_750_000_000)
        published = PublishedResource(Source(self.reader, "/nonexistent", _nobody, ((FRIEND,),)))
        pushing = Pushing(self.reader, ((FRIEND,),), clock, audience=audience.value)
        self.addCleanup(pushing.stop)
        own = EdgeResources(self.reader, published, Life(), pushing, audience.value)
        edge_site = EdgeSite(RootResource(own, published), clock, hsts="max-age=60")
        channel = ChannelFactory(edge_site, secure, sealed=secure).buildProtocol(None)
        transport = PeerTransport(clock)
        transport.address = "127.0.0.1"
        transport.connect(channel)
        channel.dataReceived(data)
        clock.advance(0)
        return bytes(transport.written), pushing

    @settings(max_examples=EXAMPLES, deadline=None)
    @given(
        _HOSTS,
        _ORIGINS,
        _QUERIES,
        _LINES,
        _KEYS,
        _ASKED,
        st.tuples(*[st.integers(0, 5).map(bool)] * 3),
        st.sampled_from(Audience),
        st.booleans(),
        st.integers(0, 3),
    )
    def test_c_does_what_the_twin_does_and_twisted_opens_the_same(
        self,
        host: bytes,
        origin: bytes | tuple[bytes, bytes | None] | None,
        query: bytes,
        lines: list[bytes],
        key: bytes,
        asked: tuple[bytes, ...],
        plain: tuple[bool, ...],
        audience: Audience,
        secure: bool,
        before: int,
    ) -> None:
        if isinstance(origin, tuple):
            origin = origin[0] + (host if origin[1] is None else origin[1])
        more = [*lines] if origin is None else [b"Origin: " + origin, *lines]
        whole = opening(query, *more, key=key).replace(b"Host: example.org", b"Host: " + host, 1)
        for right, other in zip(mostly((b"",) * 3, (True,) * 3), mostly(asked, plain), strict=True):
            whole = whole.replace(right, other, 1)
        stream = site.get() * before + whole + b"\x89\x80abcd"
        one, other = (opened(answerer, stream, audience) for answerer in self.builds[secure])
        self.assertEqual(one, other)
        output, consumed, after, found = one
        self.assertEqual(found is None, after is not Next.OPEN)
        if found is None:
            return
        self.assertEqual(consumed, len(stream) - 6)
        theirs, pushing = self.twisted(whole, secure, audience)
        self.assertEqual(theirs[: len(output)], output)
        (socket,) = pushing.sockets
        choice = found.choice
        if audience is Audience.LOCAL and found.is_own:
            choice |= 1 << STATUS
        self.assertEqual(found.site, socket.site)
        self.assertEqual((named(found.topics), named(choice)), (set(socket.topics), set(socket.choice)))

    def test_nothing_is_opened_by_one_that_does_not_welcome(self) -> None:
        for answerer in (*self.builds[False], *self.builds[True]):
            for prepare in (lambda one: None, lambda one: one.drain()):
                prepare(answerer)
                self.assertEqual(answerer.answer(opening(), site.DATE), (b"", 0, Next.HAND_OFF))
                answerer.welcome(True, Audience.PUBLIC)

    def test_rules_hold_for_openings(self) -> None:
        """Who comes too often is told so, and may ask on; passwords are asked for by Twisted."""
        memories = [BucketMemory.create() for _ in range(2)]
        for memory in memories:
            self.addCleanup(memory.close)
        for rules, said in (
            (Rules(rates=[RateRule("/.edge/**", 1, "minute", 2)]), [Next.OPEN, Next.OPEN, Next.RECEIVE]),
            (Rules([AuthRule("/.edge/socket", "u", "r")]), [Next.HAND_OFF] * 3),
            (Rules(access=[AccessRule("/.edge/socket", ("192.0.2.0/24",))]), [Next.HAND_OFF] * 3),
        ):
            for build, memory in zip((NativeAnswerer, PythonAnswerer), memories, strict=True):
                told = Settings(guarding=Guarding([Patterns(rules)], memory.memory, memory.fd))
                answerer = build(self.segment, 0, told, lambda: site.NOW_MS)
                answerer.receive_from(mapped(bytes((10, 0, 0, 1))), 0)
                found = [opened(answerer, opening(), Audience.PUBLIC) for _ in said]
                self.assertEqual([each[2] for each in found], said)
                self.assertEqual([each[3] is not None for each in found], [one is Next.OPEN for one in said])
                if said[2] is Next.RECEIVE:
                    self.assertTrue(found[2][0].startswith(b"HTTP/1.1 429 "))

    def test_each_site_has_its_own_and_what_comes_through_a_proxy_is_twisteds(self) -> None:
        """It knows what the proxy says of who asks, and over what."""
        local = networks_of(["127.0.0.1"])
        for build in (NativeAnswerer, PythonAnswerer):
            told = Settings(sites=SITES, trusted=local)
            answerer = build(self.segment, 0, told, lambda: site.NOW_MS)
            answerer.allow_origins((FRIEND,), 1)
            asking = opening(b"", b"Origin: " + FRIEND)
            blog = asking.replace(b"Host: example.org", b"Host: blog.example")
            answerer.receive_from(mapped(bytes((192, 0, 2, 1))), 0)
            found = opened(answerer, blog, Audience.PUBLIC)
            self.assertEqual(found[3], Opening(1, 0b011, 0b111, False))
            self.assertEqual(opened(answerer, asking, Audience.PUBLIC)[1:], (0, Next.HAND_OFF, None))
            answerer.receive_from(mapped(bytes((127, 0, 0, 1))), 0)
            self.assertEqual(opened(answerer, blog, Audience.PUBLIC)[1:], (0, Next.HAND_OFF, None))

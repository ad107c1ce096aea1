# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import socket
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import treq
from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from twisted.web.resource import Resource
from zope.interface import implementer

from edge.node.bodies.fetcher import BodyFetcher
from edge.node.bodies.store import Wanted
from edge.node.cluster.bodyserver import BodyResource
from edge.node.cluster.peer_endpoints import BodyClient
from edge.node.connection.site import ChannelFactory, EdgeSite
from edge.node.process.acceptor import Acceptor
from edge.publish.blobs import Blobs
from edge.resource import etag_of

reactor: Any = installed
BODY = bytes(range(256)) * 8000
DIGEST = sha256(BODY).digest()
PATH = b"/a%20b+c&d"


@implementer(IAgentEndpointFactory)
class Endpoints:
    """Every name is the server under test."""

    def __init__(self, port: int) -> None:
        self._port = port

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        return TCP4ClientEndpoint(reactor, "127.0.0.1", self._port)


class BodyServerTests(TestCase):
    """Over a real connection."""

    def setUp(self) -> None:
        self.blobs = Blobs(self.mktemp())
        self.addCleanup(self.blobs.close)
        self.other = Blobs(self.mktemp())
        self.addCleanup(self.other.close)
        self.other.put(BODY)
        self.found: bytes | str | None = self.other.path(etag_of(DIGEST))
        self.asked: list[tuple[bytes, bytes, int]] = []
        root, edge = Resource(), Resource()
        root.putChild(b".edge", edge)
        edge.putChild(b"body", BodyResource(self))
        self.site = EdgeSite(root, reactor)
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        self.addCleanup(listener.close)
        port = listener.getsockname()[1]
        acceptor = Acceptor(listener, ChannelFactory(self.site), reactor)
        acceptor.start()
        pool = HTTPConnectionPool(reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.wait_for_the_end()))
        self.addCleanup(acceptor.stop)
        self.addCleanup(pool.closeCachedConnections)
        self.base = f"http://127.0.0.1:{port}/.edge/body/"
        agent = Agent.usingEndpointFactory(reactor, Endpoints(port), pool=pool)
        self.agent = agent
        client = BodyClient(Endpoints(port), reactor)
        self.addCleanup(client.close)
        self.fetcher = BodyFetcher(self.blobs, client, lambda origin: [origin], reactor)

    async def wait_for_the_end(self) -> None:
        """Of the server's side of all connections."""
        self.site.abort()
        while self.site.channels:
            await deferLater(reactor, 0)

    def find(self, digest: bytes, path: bytes, variant: int) -> bytes | str | None:
        self.asked.append((digest, path, variant))
        return self.found

    async def ask(
        self, target: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        response: Any = await treq.request(
            method,
            self.base + target,
            headers=Headers({k: [v] for k, v in (headers or {}).items()}),
            agent=self.agent,
        )
        return response.code, await response.content()

    async def fetch_it(self) -> None:
        await self.fetcher.fetch(Wanted(DIGEST, len(BODY), PATH, 5, "n1"), True)
        self.assertEqual(self.blobs.read(etag_of(DIGEST), DIGEST), BODY)
        self.assertEqual(self.asked, [(DIGEST, PATH, 5)])

    def test_a_file_is_fetched(self) -> Deferred[None]:
        """From its blob into the other store."""
        return Deferred.fromCoroutine(self.fetch_it())

    def test_a_body_in_memory_is_fetched(self) -> Deferred[None]:
        """It is sent in pieces too."""
        self.found = BODY
        return Deferred.fromCoroutine(self.fetch_it())

    async def test_a_range_resumes(self) -> None:
        """206, 416."""
        target = f"{DIGEST.hex()}?path=/&variant=0"
        code, body = await self.ask(target, headers={"Range": "bytes=1000-"})
        self.assertEqual((code, body == BODY[1000:]), (206, True))
        self.assertEqual((await self.ask(target, headers={"Range": "bytes=99999999-"}))[0], 416)

    async def test_what_is_wrong_is_refused(self) -> None:
        """And not looked for."""
        name = DIGEST.hex()
        for target in (
            "?path=/&variant=0",
            f"{name[1:]}?path=/&variant=0",
            f"{name}/x?path=/&variant=0",
            f"{'z' * 64}?path=/&variant=0",
            f"{name}?variant=0",
            f"{name}?path=x&variant=0",
            f"{name}?path=/&path=/&variant=0",
            f"{name}?path=/",
            f"{name}?path=/&variant=16",
            f"{name}?path=/&variant=-1",
        ):
            self.assertEqual((await self.ask(target))[0], 400, target)
        self.assertEqual((await self.ask(f"{name}?path=/&variant=0", "POST"))[0], 405)
        self.assertEqual(self.asked, [])

    async def test_what_is_not_here_is_not_found(self) -> None:
        """Neither a body that nobody knows nor one whose file has gone."""
        for self.found in (None, "/nonexistent"):
            self.assertEqual((await self.ask(f"{DIGEST.hex()}?path=/&variant=0"))[0], 404)

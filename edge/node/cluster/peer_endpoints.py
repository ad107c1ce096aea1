"""The client for bodies: HTTP over the cluster's TLS, to nodes by their names: ``https://n2/...``."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treq import collect
from treq.client import HTTPClient
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.web.client import Agent, HTTPConnectionPool, _HTTP11ClientFactory
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from edge.errors import EdgeError
from edge.node.cluster.streams import ALPN_HTTP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from twisted.internet.defer import Deferred
    from twisted.web.client import URI

    from edge.trust.contexts import PeerCertificates

#: Bytes of an answer to a POST.
MOST_BYTES = 256 * 1024
#: Seconds to connect.
CONNECT_SECONDS = 3.0


@implementer(IAgentEndpointFactory)
class PeerEndpoints:
    """Endpoints of nodes; *address_of* raises :class:`edge.errors.EdgeError` for strangers."""

    def __init__(
        self, certificates: PeerCertificates, address_of: Callable[[str], tuple[str, int]], reactor: Any
    ) -> None:
        self._certificates = certificates
        self._address_of = address_of
        self._reactor = reactor

    # Twisted's overrides

    def endpointForURI(self, uri: URI) -> Any:
        name = uri.host.decode("ascii")
        host, port = self._address_of(name)
        return wrapClientTLS(
            self._certificates.client((ALPN_HTTP,), name),
            HostnameEndpoint(self._reactor, host, port, timeout=CONNECT_SECONDS),
        )


class _QuietFactory(_HTTP11ClientFactory):
    """Does not log each connection; twisted.web.client says that the pool's factory may be replaced."""

    noisy = False


class BodyClient:
    """Asks other nodes for bodies by HTTP; implements :class:`edge.node.bodies.fetcher.Client`.

    Connections are kept; redirects are not followed.
    """

    def __init__(self, endpoints: Any, reactor: Any, per_holder: int = 4) -> None:
        """*endpoints*: an IAgentEndpointFactory for whose URIs the names of nodes are hosts."""
        pool = self._pool = HTTPConnectionPool(reactor)
        pool._factory = _QuietFactory
        pool.maxPersistentPerHost = per_holder
        pool.cachedConnectionTimeout = 60  # less than the idle time of EdgeSite
        self._client = HTTPClient(Agent.usingEndpointFactory(reactor, endpoints, pool=pool))

    def get(self, holder: str, target: str, headers: Mapping[str, str]) -> Awaitable[Any]:
        """``GET https://<holder><target>``: a response with ``code``, ``headers``, ``deliverBody``."""
        return self._client.request(
            "GET",
            f"https://{holder}{target}",
            headers=Headers({name: [value] for name, value in headers.items()}),
            allow_redirects=False,
            unbuffered=True,
        )

    async def post(self, name: str, target: str, body: bytes) -> tuple[int, bytes]:
        """``POST https://<name><target>``: status and body of the answer."""
        answer = await self._client.request(
            "POST", f"https://{name}{target}", data=body, allow_redirects=False
        )
        pieces: list[bytes] = []

        def take(piece: bytes) -> None:
            pieces.append(piece)
            if sum(map(len, pieces)) > MOST_BYTES:
                raise EdgeError(f"its answer is longer than {MOST_BYTES} bytes")

        await collect(answer, take)
        return answer.code, b"".join(pieces)

    def close(self) -> Deferred[None]:
        """Close the connections that nobody uses now."""
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed

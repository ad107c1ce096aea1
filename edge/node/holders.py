"""HTTP over the cluster's TLS, to nodes by their names: ``https://n2/...``."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from edge.node.streams import ALPN_HTTP

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.web.client import URI

    from edge.trust.contexts import PeerCertificates

#: Seconds to connect.
CONNECT_SECONDS = 3.0


@implementer(IAgentEndpointFactory)
class Holders:
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

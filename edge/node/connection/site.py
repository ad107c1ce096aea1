"""What all channels of a worker share, and the root of its resources.

:class:`EdgeSite` is a ``twisted.web.server.Site`` in what resources may expect of one (sessions,
``getResourceFor``), and makes :class:`~edge.node.connection.channel.EdgeChannel` instead of Twisted's.
:class:`RootResource` sends ``/.edge/...`` to the node's own resources, first segments that an
application was mounted at (``putChild``) there, and all else to the published site.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.web.resource import IResource, Resource
from twisted.web.server import Site

from edge.http.answer import hsts_line
from edge.http.dates import format_date
from edge.networks import NOWHERE
from edge.node.connection.channel import EdgeChannel
from edge.node.connection.staying import Staying
from edge.node.process.channel_limits import ChannelLimits
from edge.node.process.clocks import date_of
from edge.shares import Pools
from edge.sites import ALONE, Hosts
from edge.table.counters import INDEX

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twisted.internet.interfaces import IAddress

    from edge.fastpath.interface import SocketState
    from edge.networks import Networks
    from edge.node.connection.context import OpenConnection
    from edge.node.connection.guarding import Guard
    from edge.node.connection.recording import RequestLog
    from edge.node.connection.request import EdgeRequest
    from edge.node.connection.streamed import Streams
    from edge.node.connection.tracing import Tracing
    from edge.node.connection.upgraded import Upgraded
    from edge.sites import SiteHosts
    from edge.table.site_counts import SiteCounts


#: Files of bodies that may be open at once where there are few connections.
FILES = 64


class Counters(Protocol):
    """What :class:`edge.table.segment.CounterBlock` offers."""

    def add(self, index: int, n: int = 1) -> None:
        """Count *n* more."""


class EdgeSite(Site):
    """The channels of one worker (or of the admin API) and what they share: their context, in every sense."""

    _log = Logger()
    displayTracebacks = False

    def __init__(
        self,
        root: Resource,
        clock: Any,
        counters: Counters | None = None,
        access_log: RequestLog | None = None,
        limits: ChannelLimits | None = None,
        hsts: str = "",
        pools: Pools | None = None,
        sites: Sequence[SiteHosts] = ALONE,
        trusted: Networks = NOWHERE,
    ) -> None:
        """*hsts*: value of Strict-Transport-Security in answers over TLS; "": none.

        *pools*: what its connections share; None: those of a process that has few of them.
        *sites*: which hosts are of which site.  *trusted*: proxies whose Forwarded is believed.
        """
        super().__init__(root, reactor=clock)
        self.clock = clock
        self.limits = limits or ChannelLimits()
        self.pools = pools or Pools.of(FILES, self.limits.body_bytes)
        self.access_log = access_log
        self.hsts = hsts_line(hsts)
        #: The line Speculation-Rules of pages; b"": none, for now.
        self.speculation = b""
        self.hosts = Hosts(sites)
        self.trusted = trusted
        self.channels: set[OpenConnection] = set()
        self.streams: Streams | None = None
        self.guard: Guard | None = None
        #: Of a node that counts by site.
        self.by_site: SiteCounts | None = None
        self.tracing: Tracing | None = None
        self.resume: Callable[[SocketState], Upgraded] | None = None
        self.staying = Staying()
        #: No further requests are wanted on any connection.
        self.draining = False
        self._counters = counters

    def count(self, name: str, n: int = 1) -> None:
        """Add to the counter of that name (see :mod:`edge.table.counters`)."""
        if self._counters is not None:
            self._counters.add(INDEX[name], n)

    def date(self) -> bytes:
        """IMF-fixdate of now."""
        return format_date(int(date_of(self.clock)))

    def drain(self) -> None:
        """Close idle connections now and the others after their present answer."""
        self.draining = True
        for channel in list(self.channels):
            channel.drain()

    def abort(self) -> int:
        """Abort all connections; how many there were."""
        left = list(self.channels)
        for channel in left:
            channel.abort()
        return len(left)

    def answered(self, status: int, host: bytes = b"", sent: int = 0) -> None:
        """Count one answer; see :class:`.context.ConnectionContext`."""
        self.count("twisted_requests")
        self.count(f"twisted_{min(max(status // 100, 1), 5)}xx")
        if self.by_site is not None:
            self.by_site.add(self.hosts.find(host), status, sent)

    # Twisted's overrides

    def log(self, request: EdgeRequest) -> None:  # type: ignore[override]
        request.channel.answered(request.code)

    def startFactory(self) -> None:
        """No log file to open."""

    def stopFactory(self) -> None:
        """No log file to close."""


class ChannelFactory(Factory):
    """Makes the channels of connections of one kind; *secure* and *sealed* as of the channel."""

    noisy = False

    def __init__(self, site: EdgeSite, secure: bool = False, sealed: bool = False) -> None:
        self._site = site
        self._secure = secure
        self._sealed = sealed

    # Twisted's overrides

    def buildProtocol(self, addr: IAddress | None) -> EdgeChannel:
        return EdgeChannel(self._site, self._secure, self._sealed)


class RootResource(Resource):
    """The root of a worker's resources: ``/.edge/...``, the mounts, and for all else the published site."""

    def __init__(self, own: IResource, published: IResource) -> None:
        super().__init__()
        self._published = published
        self.putChild(b".edge", own)

    # Twisted's overrides

    def getChildWithDefault(self, path: bytes, request: EdgeRequest) -> IResource:
        if request.prefix and path != b".edge":  # mounts are of the default site
            return self._published
        found: IResource = super().getChildWithDefault(path, request)
        return found

    def getChild(self, path: bytes, request: EdgeRequest) -> IResource:
        return self._published

"""What a worker is told: everything it needs besides the descriptors it inherits.

Made by the supervisor from the configuration, sent as JSON over the control connection.  Nothing
secret is in it: certificates, with their keys, are told apart from it.
"""

from __future__ import annotations

import msgspec

from edge.access.rules import AccessRule, AuthRule, RateRule, Rules
from edge.config.applications import Application
from edge.confinement.confine import Confinement
from edge.fastpath import interface
from edge.http.answer import hsts_line
from edge.networks import networks_of
from edge.node.process.channel_limits import ChannelLimits
from edge.node.process.control import BUCKETS_FD, LOG_FD, WAKE_FD
from edge.shares import PREFIX_BITS, Pools
from edge.sites import SiteHosts


class ListenerSettings(msgspec.Struct, frozen=True):
    """One listener as a worker sees it."""

    #: Its descriptor in the worker.
    fd: int
    #: For messages.
    url: str
    #: All workers accept on the same socket.
    shared: bool = False
    #: TLS is spoken; the certificates come over the control connection.
    secure: bool = False


class SiteSettings(msgspec.Struct, frozen=True):
    """One site as a worker sees it."""

    #: Of the names of its entries; "" of the default site.
    prefix: str = ""
    #: In lower case; ``*.NAME`` is all below a name.
    hosts: tuple[str, ...] = ()
    #: It takes the hosts that no site names.
    default: bool = False
    #: Serialized origins that may read its answers; "*" = all.
    allow_origins: tuple[str, ...] = ()
    #: How browsers find it: scheme, host and port; "": that depends on the host.
    url: str = ""
    #: Who may; see :mod:`edge.access.rules`.
    auth: tuple[AuthRule, ...] = ()
    access: tuple[AccessRule, ...] = ()
    rates: tuple[RateRule, ...] = ()
    #: Names of files that stand for their folder.
    index: tuple[str, ...] = ()
    #: Whether answers of its applications are coded with Zstandard, too.
    zstd: bool = True


class TraceSettings(msgspec.Struct, frozen=True):
    """How a worker traces requests."""

    #: Descriptor of the ring that spans are written into (:mod:`edge.traces.ring`).
    ring: int
    #: The share of traces that is recorded, of those that nobody who is believed has decided about.
    ratio: float = 1.0
    #: Networks whose ``traceparent`` is believed.
    believed: tuple[str, ...] = ()


class WorkerSettings(msgspec.Struct, frozen=True):
    """The settings of one worker."""

    index: int
    #: auto, native, python or off.
    fast_path: str
    listeners: tuple[ListenerSettings, ...]
    #: Directory of the blob store.
    blobs: str
    #: Connections at once in this worker; further ones are closed.
    connections: int
    connections_per_address: int = 0
    ipv6_prefix: int = PREFIX_BITS
    #: Files of bodies open at once.
    files: int = 256
    head_seconds: int = 10
    idle_seconds: int = 75
    write_seconds: int = 30
    body_seconds: int = 30
    #: See :class:`~edge.node.process.channel_limits.ChannelLimits`.
    least_rate: int = 1024
    body_bytes: int = 1024 * 1024
    #: The default site first, if there is one.
    sites: tuple[SiteSettings, ...] = (SiteSettings(default=True),)
    #: Of so many, requests are counted apart.
    counted_sites: int = 0
    #: Networks of proxies, see :class:`edge.config.model.Config`.
    proxy_protocol: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    #: Plain HTTP over TCP only leads to HTTPS, which is at this port; None: it is served.
    https_port: int | None = None
    #: See :data:`edge.trust.listener_certificate.POLICIES`.
    tls_policy: str = "intermediate"
    #: Value of Strict-Transport-Security over HTTPS; "": none.
    hsts: str = ""
    #: The name of this node; percent of its utilization below which pages may be prefetched; by which rules.
    node: str = ""
    speculation: int = 0
    speculation_rules: str = ""
    #: Who may see the status: "public", "local" or "off".
    status: str = "public"
    #: This worker's part of the node's link, bits per second; 0: unknown.
    link_bps: float = 0.0
    #: See :mod:`edge.node.resources.mounts`.
    mounts: tuple[str, ...] = ()
    #: Those behind the node.
    applications: tuple[Application, ...] = ()
    #: Answers are written down.
    logs: bool = False
    #: Of the fast path's one in this many; 0: none.
    log_every: int = 1
    #: Descriptors: of the ring that they are written into, and of what wakes its reader.
    log_ring: int = LOG_FD
    log_wake: int = WAKE_FD
    #: Of the buckets of rates.
    buckets: int = BUCKETS_FD
    #: None: requests are not traced.
    traces: TraceSettings | None = None
    drain_seconds: float = 10.0
    #: Another one has served in its place: what cannot be had any more keeps nothing else from being served.
    is_successor: bool = False
    #: What the process gives up before it serves.
    confinement: Confinement = Confinement()

    def rules(self) -> list[Rules]:
        """Who may, by number of the site; []: everybody everything."""
        made: list[Rules] = []
        for site in self.sites:
            first = sum(len(one.rates) for one in made)
            made.append(Rules(site.auth, site.access, site.rates, site.index, first))
        return made if any(made) else []

    def fast_path_settings(self) -> interface.Settings:
        """The part of them that the fast path is told."""
        return interface.Settings(
            limits=interface.Limits(
                connections=self.connections,
                connections_per_address=self.connections_per_address,
                ipv6_prefix=self.ipv6_prefix,
                head_seconds=self.head_seconds,
                idle_seconds=self.idle_seconds,
                write_seconds=self.write_seconds,
                least_rate=self.least_rate,
            ),
            sites=self.site_hosts(),
            proxies=networks_of(self.proxy_protocol),
            trusted=networks_of(self.trusted_proxies),
            hsts=hsts_line(self.hsts),
        )

    def site_hosts(self) -> tuple[SiteHosts, ...]:
        """Which hosts are of which site."""
        return tuple(
            SiteHosts(
                one.prefix.encode("ascii"), tuple(host.encode("ascii") for host in one.hosts), one.default
            )
            for one in self.sites
        )

    def pools(self) -> Pools:
        """What connections on the Twisted side share."""
        return Pools.of(self.files, self.body_bytes, told_apart=self.connections_per_address > 0)

    def channel_limits(self) -> ChannelLimits:
        """The bounds of connections on the Twisted side."""
        return ChannelLimits(
            head_seconds=self.head_seconds,
            idle_seconds=self.idle_seconds,
            body_seconds=self.body_seconds,
            write_seconds=self.write_seconds,
            least_rate=self.least_rate,
            ipv6_prefix=self.ipv6_prefix,
            body_bytes=self.body_bytes,
        )


def encode(settings: WorkerSettings) -> bytes:
    """*settings* as JSON."""
    return msgspec.json.encode(settings)


def decode(data: bytes) -> WorkerSettings:
    """The settings in *data*, which :func:`encode` made."""
    return msgspec.json.decode(data, type=WorkerSettings)

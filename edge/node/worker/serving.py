"""What serves the connections of one worker: the fast path in the reactor, the Twisted side behind it.

A worker process has exactly one; with ``--workers 0`` the supervisor has one itself.  Its life is that of
:mod:`edge.node.process.life`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import DecodeError
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from edge.access.htpasswd import parse_users
from edge.descriptors import socket_limit
from edge.errors import ConfigError
from edge.fastpath import Build, select
from edge.fastpath.adapter import Adapter
from edge.fastpath.answerer import monotonic_ms
from edge.fastpath.buckets import buckets_of
from edge.fastpath.interface import Guarding, Logging
from edge.http.answer import speculation_line
from edge.load.document import decode as decode_load
from edge.load.speculation import Speculation
from edge.networks import networks_of
from edge.node.applications.fills import FillDesk
from edge.node.applications.held import HeldRequests
from edge.node.connection.guarding import Guard
from edge.node.connection.recording import RequestLog
from edge.node.connection.site import ChannelFactory, EdgeSite, RootResource
from edge.node.connection.tracing import Tracing
from edge.node.process.bucket_memory import BucketMemory
from edge.node.process.clocks import date_of
from edge.node.process.control import NotPublishedYet
from edge.node.process.daemon_threads import in_daemon_thread
from edge.node.process.group_news import unpack as unpack_group_news
from edge.node.process.lag import LagMeter
from edge.node.process.life import Life, NodeEvent
from edge.node.process.log_memory import LogMemory
from edge.node.process.lookup import unpack
from edge.node.process.own_resources import CHALLENGES, LOAD, key_authorization
from edge.node.resources.addresses import Addresses
from edge.node.resources.audience import tell_all
from edge.node.resources.edge_resources import EdgeResources
from edge.node.resources.https_only import HTTPSOnly
from edge.node.resources.mounts import Broken, Guarded, Mount, open_mount, parse_mount
from edge.node.resources.origins import FOLLOW_SECONDS, ClusterOrigins
from edge.node.resources.published import NodeStartingError, PublishedResource, Source
from edge.node.resources.pushing import Pushing
from edge.node.worker.applications import Applications, Cache
from edge.node.worker.checked_blobs import CheckedBlobs
from edge.node.worker.secure_listeners import SecureListeners
from edge.sites import Hosts, entry_name
from edge.table.counters import INDEX
from edge.table.reader import Reader
from edge.table.segment import CounterBlock
from edge.table.site_counts import SiteCounts
from edge.trust.challenge_certificate import answer_challenges
from edge.upstream.fields import NOT_OF_VISITORS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from OpenSSL import SSL
    from twisted.internet.interfaces import IProtocolFactory
    from twisted.python.failure import Failure
    from twisted.web.resource import IResource, Resource

    from edge.node.applications.fills import FillControl
    from edge.node.applications.gateway import Gateway
    from edge.node.process.settings import ListenerSettings, WorkerSettings
    from edge.node.process.ticket_keys import TicketKey
    from edge.node.worker.applications import ConnectTo
    from edge.table.reader import Entry
    from edge.table.segment import Segment
    from edge.tls.interface import Credential

#: Seconds between two looks at whether a drain is over.
_DRAIN_LOOK = 0.05


class Serving:
    """What serves the connections of one worker: fast path, channels, resources, certificates, log."""

    _log = Logger()

    def __init__(
        self,
        settings: WorkerSettings,
        segment: Segment,
        reactor: Any,
        look_up: Callable[[bytes], Awaitable[bytes]],
        fetch: Callable[[bytes, bytes], Awaitable[bool]],
        on_failure: Callable[[Failure], None],
        connect: ConnectTo | None = None,
        fills: FillControl | None = None,
    ) -> None:
        """*look_up*: packed entries of a path from the supervisor (see :mod:`edge.node.process.lookup`).

        *fetch*: (path, ETag) -> whether that body is in the blob store, which may take a while.
        *on_failure*: this worker cannot serve any longer.
        *connect*: connections to applications; see :mod:`edge.node.worker.applications`.
        *fills*: the supervisor, which stores answers of applications; None: there is no shared cache.
        Raises an :class:`~edge.errors.EdgeError` for what a user can mend: a fast path that is not built.
        """
        self.life = Life()
        self._settings = settings
        self._reactor = reactor
        self._ask = look_up
        self._ring = LogMemory(settings.log_ring) if settings.logs else None
        self._spans = LogMemory(settings.traces.ring) if settings.traces is not None else None
        self._counters = CounterBlock(segment, settings.index)
        # Leases are times of CLOCK_MONOTONIC, which all processes and the fast path share.
        self._reader = Reader(segment, settings.index, monotonic_ms)
        build = select(settings.fast_path)
        self._secure = SecureListeners(
            [number for number, listener in enumerate(settings.listeners) if listener.secure],
            settings.tls_policy,
            self._answer_challenges,
            wanted=settings.fast_path != "off" and build.kind == "native",
        )
        self._hosts = settings.site_hosts()
        self._guard = self._make_guard(build.kind)
        self._tells = self._guard.tells if self._guard is not None else tell_all
        prefixes = [site.prefix.encode("ascii") for site in settings.sites]
        self._origins = [
            ClusterOrigins(
                [origin.encode("ascii") for origin in site.allow_origins],
                self._reader,
                entry_name(prefix, LOAD),
            )
            for site, prefix in zip(settings.sites, prefixes, strict=True)
        ]
        self._addresses = [Addresses(self._reader, prefix) for prefix in prefixes]
        self._pushing = self._make_pushing()
        is_whole = CheckedBlobs(reactor).is_whole
        source = Source(self._reader, settings.blobs, self._look_up, self._origins, fetch, is_whole)
        published = PublishedResource(source, self._addresses)
        self._edge_site = self._make_site(segment, published)
        self._applications = self._make_applications(connect, fills)
        self._gateway: Gateway | None = None
        if self._applications is not None:
            self._put_beyond(published, self._applications)
        self._factories = [self._factory(number) for number in range(len(settings.listeners))]
        self._adapter = self._make_adapter(build, segment, on_failure)
        self._following = LoopingCall(self._follow_the_cluster)
        self._following.clock = reactor
        self._speculation = Speculation(settings.speculation / 100) if settings.speculation else None
        self._lag = LagMeter(reactor, lambda lag: self._counters.set(INDEX["lag_us"], lag))
        self._accepting = False

    @property
    def fast_path(self) -> str:
        """What answers from the table: native, python or off."""
        return "off" if self._settings.fast_path == "off" else self._adapter.fast_path.kind

    def describe_fast_path(self) -> str:
        """In words, for the log: which, and why."""
        how = f"fast path: {self.fast_path}"
        if self.fast_path == "python" and self._settings.fast_path == "auto":
            how = "no native build here: the Python twin serves"
        return "; ".join(filter(None, (how, self._secure.describe())))

    def take_users(self, packed: bytes) -> None:
        """Let those log in who are in *packed* (:mod:`edge.node.supervisor.user_files`), from now on."""
        if self._guard is not None:
            files: dict[str, bytes] = msgspec.msgpack.decode(packed, type=dict[str, bytes])
            self._guard.take_users({name: parse_users(data, name) for name, data in files.items()})

    def take_ticket_keys(self, keys: Sequence[TicketKey]) -> None:
        """Seal session tickets under the first of *keys* from now on, and open those of all."""
        self._secure.take_ticket_keys(keys)

    def accept(self, ready: bool) -> None:
        """Accept connections from now on; *ready*: the site is published."""
        if ready and self.life.knows(NodeEvent.PUBLISHED):
            self.life.happens(NodeEvent.PUBLISHED)
        if self._accepting:
            return
        self._accepting = True
        for number, listener in enumerate(self._settings.listeners):
            if listener.secure and not self._secure.has_certificates(number):
                continue  # they were refused: the supervisor ends this worker and says why
            self._adapter.listen(
                listener.fd,
                number,
                self._factories[number],
                self._recognises(listener),
                listener.shared,
                ChannelFactory(self._edge_site, secure=True, sealed=True) if listener.secure else None,
            )
        self._secure.begin(self._adapter.fast_path)
        self._adapter.start()
        self._lag.start()
        if self._applications is not None:
            self._applications.start()
        self._following.start(FOLLOW_SECONDS)

    def _recognises(self, listener: ListenerSettings) -> bool:
        """Whether the fast path answers on *listener*: not what only leads to HTTPS."""
        if self._settings.fast_path == "off" or (listener.secure and self._secure.native is None):
            return False
        if listener.secure:
            return True
        return self._settings.https_port is None or listener.url.startswith("unix:")

    def refill(self, application: str, name: bytes, token: int) -> None:
        """Ask *application* the clean question of the key *name*, which the supervisor gave *token* for."""
        if self._applications is not None:
            self._applications.refill(application, name, token)

    def tell_groups(self, news: bytes) -> None:
        """Cache groups have changed (:mod:`edge.node.process.group_news`)."""
        self._pushing.tell_groups(unpack_group_news(news))

    async def drain(self, seconds: float) -> int:
        """Stop accepting and finish what runs; the connections that had to be aborted after *seconds*."""
        if self.life.knows(NodeEvent.TOLD_TO_END):
            self.life.happens(NodeEvent.TOLD_TO_END)
        self._adapter.fast_path.drain()
        self._adapter.doRead()  # connections that its last look at the listeners has handed off
        self._edge_site.drain()
        until = self._reactor.seconds() + seconds
        while self._adapter.fast_path.connections() and self._reactor.seconds() < until:
            await self._wait(_DRAIN_LOOK)
        left = self._adapter.fast_path.connections()
        self._edge_site.abort()
        self.stop()
        return left

    def certify(self, listener: int, credentials: Sequence[Credential]) -> None:
        """Show *credentials* to new connections of TLS listener number *listener*.

        :class:`~edge.errors.ConfigError`: OpenSSL refuses one; then what was shown before stays.
        """
        self._secure.certify(listener, credentials)

    def stop(self) -> None:
        """Close everything at once."""
        if self.life.knows(NodeEvent.ENDED):
            self.life.happens(NodeEvent.ENDED)
        if self._following.running:
            self._following.stop()
        self._lag.stop()
        self._pushing.stop()
        if self._applications is not None:
            self._applications.stop()
        self._adapter.stop()

    def _factory(self, number: int) -> IProtocolFactory:
        """Makes the protocols of the connections of listener *number*."""
        certificates = self._secure.twisted(number)
        if certificates is None:
            return ChannelFactory(self._edge_site)
        inner = ChannelFactory(self._edge_site, secure=True)
        return TLSMemoryBIOFactory(certificates, False, inner, self._reactor)

    def _answer_challenges(self, context: SSL.Context) -> None:
        """Have connections of *context* prove to authorities that names are ours."""
        answer_challenges(context, self._challenge)

    def _challenge(self, name: bytes) -> bytes | None:
        """What an authority wants to see of *name*."""
        entry = self._reader.find_without_body(CHALLENGES + name)
        return key_authorization(entry.lines_200) if entry is not None else None

    def _open(self, mount: Mount) -> IResource:
        """The application at *mount*; a successor whose module was broken since serves everything else."""
        try:
            return open_mount(mount)
        except ConfigError as error:
            if not self._settings.is_successor:
                raise
            self._log.error("{error}; it is answered 503, the rest is served", error=error)
            return Broken()

    async def _look_up(self, path: bytes) -> dict[int, Entry]:
        """What the supervisor knows of *path*; see :data:`edge.node.resources.published.LookUp`."""
        try:
            return unpack(await self._ask(path))
        except NotPublishedYet:
            raise NodeStartingError from None

    def _follow_the_cluster(self) -> None:
        """Pages of all nodes of the cluster may read our answers; what the load is decides what pages say."""
        if self._speculation is not None:
            self._speculate(self._speculation)
        for number, origins in enumerate(self._origins):
            if origins.look():
                self._adapter.fast_path.allow_origins(origins, number)

    # The parts, in the order in which they are made

    def _make_guard(self, kind: str) -> Guard | None:
        """Who may, with the buckets of the node as a fast path of that *kind* has them; None: everybody."""
        rules = self._settings.rules()
        if not rules:
            return None
        self._buckets = BucketMemory(self._settings.buckets)
        return Guard(
            rules,
            Hosts(self._hosts),
            buckets_of(kind, self._buckets.memory, self._buckets.fd),
            lambda: monotonic_ms() * 1000,
            lambda name: self._counters.add(INDEX[name]),
            partial(in_daemon_thread, self._reactor),
            self._settings.https_port is not None,
        )

    def _make_pushing(self) -> Pushing:
        """The WebSockets that are not in the fast path, and what is pushed to all of them."""
        settings = self._settings
        return Pushing(
            self._reader,
            self._origins,
            self._reactor,
            socket_limit(settings.connections),
            self._counters,
            settings.status,
            settings.link_bps,
            self._hosts,
            self._tells,
        )

    def _make_site(self, segment: Segment, published: PublishedResource) -> EdgeSite:
        """What all channels share, and below it the resources."""
        settings = self._settings
        own = EdgeResources(self._reader, published, self.life, self._pushing, settings.status, self._tells)
        root: Resource = RootResource(own, published)
        for mount in map(parse_mount, settings.mounts):
            root.putChild(mount.path.encode(), Guarded(self._open(mount), self._origins[0]))
        if settings.https_port is not None:
            root = HTTPSOnly(root, settings.https_port)
        site = EdgeSite(
            root,
            self._reactor,
            self._counters,
            RequestLog(self._ring.memory, settings.log_wake) if self._ring is not None else None,
            settings.channel_limits(),
            settings.hsts,
            settings.pools(),
            self._hosts,
            networks_of(settings.trusted_proxies),
        )
        site.guard = self._guard
        site.by_site = SiteCounts(segment, settings.index) if segment.counted_sites else None
        site.tracing = self._make_tracing()
        site.resume = self._pushing.resume
        return site

    def _make_applications(self, connect: ConnectTo | None, fills: FillControl | None) -> Applications | None:
        """Those behind this node; None: there is none."""
        settings = self._settings
        if not settings.applications or connect is None:
            return None
        cache = None
        if fills is not None:
            desk = FillDesk(fills, self._reactor, lambda: date_of(self._reactor))
            cache = Cache(desk, self._reader, self._counters, self._origins, monotonic_ms)
        return Applications(
            settings.applications,
            self._reactor,
            connect,
            cache,
            settings.sites,
            lambda site: self._addresses[site].fields,
            self._edge_site.tracing,
        )

    def _put_beyond(self, published: PublishedResource, applications: Applications) -> None:
        """What is not *published*, *applications* are asked for."""
        gateway = applications.gateway(
            self._reader,
            self._origins,
            [mount.path.encode() for mount in map(parse_mount, self._settings.mounts)],
            self._settings.https_port is not None,
            self._edge_site.hosts,
            lambda site, path: self._addresses[site].answers(path),
        )
        self._gateway = self._edge_site.streams = gateway
        published.beyond = gateway.take_whole

    def _make_adapter(self, build: Build, segment: Segment, on_failure: Callable[[Failure], None]) -> Adapter:
        """The fast path in the reactor; it has the WebSockets, and relays to applications if it can."""
        settings = self._settings
        told = replace(
            settings.fast_path_settings(),
            tls=self._secure.native,
            log=self._logging(),
            guarding=self._guarding(),
        )
        fast_path = build(segment, settings.index, told)
        self._pushing.share_with(fast_path)
        for number, of_site in enumerate(self._origins):
            fast_path.allow_origins(of_site, number)
        adapter = Adapter(fast_path, self._reactor, on_failure, settings.head_seconds)
        # What is traced goes through Python, where its spans are.
        if self._applications is not None and self._edge_site.tracing is None:
            relay = fast_path.relay(*NOT_OF_VISITORS)
            if relay is not None:
                adapter.relay = relay
                relaying = self._applications.relay_by(relay)
                adapter.on_news = relaying.hear
                if self._gateway is not None:
                    held = HeldRequests(relay, self._gateway, self._reactor, adapter.turn_soon)
                    adapter.on_held, adapter.waiter_of = held.hear, held.take
                if relaying.sentence and settings.index == 0:  # workers are all alike
                    self._log.warn("{sentence}", sentence=relaying.sentence)
        return adapter

    def _make_tracing(self) -> Tracing | None:
        """What requests are traced by; None: they are not."""
        traces = self._settings.traces
        if traces is None or self._spans is None:
            return None
        return Tracing(self._spans.memory, traces.ratio, networks_of(traces.believed), self._reactor)

    def _guarding(self) -> Guarding | None:
        """What the fast path is told of who may; None: everybody."""
        if self._guard is None:
            return None
        return Guarding(self._guard.patterns, self._buckets.memory, self._buckets.fd)

    def _utilization(self) -> float | None:
        """Of this node, as it was published last; None: nobody knows."""
        entry = self._reader.find(LOAD)
        if entry is None or entry.body is None:
            return None
        try:
            nodes = decode_load(bytes(entry.body)).nodes
        except DecodeError:
            return None
        return next((one.utilization for one in nodes if one.id == self._settings.node), None)

    def _speculate(self, speculation: Speculation) -> None:
        """Pages say what browsers may fetch before they are asked for, or not."""
        is_on = speculation.observe(self._reactor.seconds(), self._utilization())
        line = speculation_line(self._settings.speculation_rules) if is_on else b""
        if line != self._edge_site.speculation:
            self._edge_site.speculation = line
            self._adapter.fast_path.speculate(line)

    def _logging(self) -> Logging | None:
        """Where the fast path writes down what it answers; None: nowhere."""
        settings = self._settings
        if self._ring is None or not settings.log_every:
            return None
        return Logging(self._ring.memory, settings.log_every, settings.log_wake)

    async def _wait(self, seconds: float) -> None:
        await deferLater(self._reactor, seconds)

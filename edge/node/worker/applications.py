"""The applications of a worker: from their configuration to origins, and the gateway before them."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory

from edge.addresses.fields import Fields
from edge.cache.group_changes import Change
from edge.node.applications.app_origin import AppOrigin
from edge.node.applications.caching import DEFAULT_HOST, CachingOrigin
from edge.node.applications.gateway import Gateway, Place
from edge.node.applications.going_away import GoodbyeOrigin
from edge.node.applications.http_origin import HTTPOrigin
from edge.node.applications.pool import MOST_OF_A_MEMBER, OriginPool
from edge.node.applications.probing import Probing
from edge.node.applications.relayed import (
    Relayed,
    RelayedApplication,
    RelayedProcess,
    RelayedServer,
    Relaying,
)
from edge.node.applications.ruled import RuledOrigin
from edge.node.applications.settling import SettlingOrigin
from edge.node.applications.traced import TracedOrigin
from edge.node.process.settings import SiteSettings
from edge.table.counters import INDEX

if TYPE_CHECKING:
    from collections.abc import Collection

    from edge.config.applications import Application
    from edge.fastpath.interface import Relay
    from edge.node.applications.app_origin import TellChanged
    from edge.node.applications.fills import FillDesk
    from edge.node.applications.http_origin import Connect, UpstreamConnection
    from edge.node.applications.origin import Origin
    from edge.node.connection.tracing import Tracing
    from edge.sites import Hosts
    from edge.table.reader import Reader
    from edge.table.segment import CounterBlock
    from edge.traces.span import Value

#: (name of an application, number of one of its targets) -> descriptor of a connected stream socket.
ConnectTo = Callable[[str, int], Awaitable[int]]


_RESTING = INDEX["upstreams_resting"]
#: Of a site that says nothing of fields.
NO_RULES = Fields()


def _speaks_http(application: Application) -> bool:
    """Whether it is reached over HTTP/1.1; else its processes speak edge-app/1."""
    return not application.is_hosted and application.targets[0].kind != "unix"


class Cache(NamedTuple):
    """The shared cache, as layers before applications need it."""

    desk: FillDesk
    reader: Reader
    counters: CounterBlock
    #: Origins whose pages may read what is stored, by number of the site.
    origins: Sequence[Collection[bytes]]
    #: CLOCK_MONOTONIC in milliseconds.
    now_ms: Callable[[], int]


class Applications:
    """What *configured* says, ready to be asked; *cache*: None, there is none."""

    def __init__(
        self,
        configured: Sequence[Application],
        reactor: Any,
        connect: ConnectTo,
        cache: Cache | None = None,
        sites: Sequence[SiteSettings] = (SiteSettings(default=True),),
        rules: Callable[[int], Fields] = lambda site: NO_RULES,
        tracing: Tracing | None = None,
    ) -> None:
        """*rules*: of response fields, of the site of that number; *tracing*: None, nothing is traced."""
        self._tracing = tracing
        self._configured = configured
        self._rules = rules
        self._reactor = reactor
        self._connect = connect
        self._cache = cache
        self._sites = sites
        self._numbers = {site.prefix: number for number, site in enumerate(sites)}
        self._cached: dict[str, CachingOrigin] = {}
        self._http: list[HTTPOrigin] = []
        self._apps: list[AppOrigin] = []
        #: By name.
        self.pools: dict[str, OriginPool] = {}
        self._probing: list[Probing] = []
        self.places = [
            Place(
                one.at.encode("ascii"),
                self._origin(one),
                one.host.encode("ascii"),
                self._numbers[one.site],
            )
            for one in configured
        ]

    def relay_by(self, relay: Relay) -> Relaying:
        """Have the fast path relay what it can: to processes of the node's own, and to HTTP servers."""
        relaying = Relaying(relay)
        for one in self._configured:
            cached = self._cached.get(one.name)
            if cached is None or not (one.is_hosted or _speaks_http(one)):
                continue
            at = "" if one.at == "/" else one.at
            pool, number = self.pools[one.name], self._numbers[one.site]
            try:
                relayed = RelayedApplication(
                    relaying, one.host.encode("ascii"), at.encode("ascii"), one.timeout_seconds, one.queue
                )
                members = [self._relay_to(relayed, one, member.item) for member in pool.dispatch.members]
            except OSError as error:
                relaying.left_out[one.name] = error.strerror or str(error)
                continue
            pool.relay_by(relayed, members)
            cached.relayed = relayed
            cached.is_plain = partial(self._is_plain, number)
        return relaying

    def _relay_to(self, relayed: RelayedApplication, application: Application, member: Origin) -> Relayed:
        """Have *member* of *application* relayed to."""
        heard = partial(self.pools[application.name].heard, member)
        if isinstance(member, HTTPOrigin):
            server = member.relayed = RelayedServer(relayed, MOST_OF_A_MEMBER, heard)
            return server
        assert isinstance(member, AppOrigin), "there are these two"
        process = member.relayed = RelayedProcess(
            relayed,
            MOST_OF_A_MEMBER,
            member.name,
            member.connect,
            self._reactor,
            self._tells(application),
            heard,
        )
        return process

    def _is_plain(self, site: int) -> bool:
        return self._rules(site).is_plain

    def start(self) -> None:
        """The worker accepts connections."""
        for process in self._apps:
            process.start()
        for probing in self._probing:
            probing.start()

    def gateway(
        self,
        reader: Reader,
        allowed: Sequence[Collection[bytes]],
        mounts: Collection[bytes],
        https_only: bool,
        hosts: Hosts | None,
        is_ruled: Callable[[int, bytes], bool],
    ) -> Gateway:
        """What takes requests for them; parameters as of :class:`~edge.node.applications.gateway.Gateway`."""
        return Gateway(self.places, reader, self._reactor, allowed, mounts, https_only, hosts, is_ruled)

    def refill(self, application: str, name: bytes, token: int) -> None:
        """Ask *application* the clean question of the key *name*, under *token*."""
        cached = self._cached.get(application)
        if cached is not None:
            cached.desk.refill(cached, name, token)
        elif self._cache is not None:
            self._cache.desk.not_observed(token)

    def stop(self) -> None:
        """Close what rests, and ask nothing more."""
        for probing in self._probing:
            probing.stop()
        for origin in self._http:
            origin.stop()
        for process in self._apps:
            process.stop()
        for pool in self.pools.values():
            pool.stop()

    def _origin(self, application: Application) -> Origin:
        """The whole way to *application*; layers go around the pool here."""
        member = self._http_member if _speaks_http(application) else self._app_member
        places = application.processes if application.is_hosted else len(application.targets)
        members = [member(application, number) for number in range(places)]
        pool = self.pools[application.name] = OriginPool(
            application.name,
            [self._traced(one, application, number) for number, one in enumerate(members)],
            self._reactor,
            timeout=application.timeout_seconds,
            queue=application.queue,
        )
        if application.probe:
            host = application.host or "localhost"
            self._probing.append(
                Probing(pool, application.probe.encode("ascii"), host.encode("ascii"), self._reactor)
            )
        for one in members:
            if isinstance(one, AppOrigin):
                one.woken = pool.wake
        number = self._numbers[application.site]
        inner = GoodbyeOrigin(pool) if _speaks_http(application) else pool
        ruled = RuledOrigin(inner, lambda: self._rules(number))
        scheme, _, name = self._sites[number].url.partition("://")
        host = application.host or name
        if self._cache is None or (application.site and not host):
            return ruled  # of a site for all names below one, what one visitor gets is not for another's host
        settling = SettlingOrigin(
            ruled,
            application.name,
            self._cache.desk.control.changed,
            lambda target: self._cached[application.name].address(target),
            self._reactor,
        )
        cached = CachingOrigin(
            settling,
            application,
            self._cache.desk,
            self._cache.reader,
            self._cache.counters,
            self._cache.origins[number],
            self._cache.now_ms,
            host.encode("ascii") or DEFAULT_HOST,
            scheme == "https",
        )
        cached.makes_zstd = self._sites[number].zstd
        self._cached[application.name] = cached
        return cached

    def _traced(self, member: Origin, application: Application, number: int) -> Origin:
        """*member*, number *number* of *application*, with spans, if requests are traced."""
        if self._tracing is None:
            return member
        known: dict[str, Value] = {"edge.application": application.name, "edge.origin": member.name}
        if isinstance(member, AppOrigin):
            known |= {"network.protocol.name": "edge-app", "network.protocol.version": "1"}
        else:
            known |= {"network.protocol.name": "http", "network.protocol.version": "1.1"}
        if not application.is_hosted:
            target = application.targets[number]
            known["server.address"] = target.path or target.host
            if not target.path:
                known["server.port"] = target.port
        return TracedOrigin(member, self._tracing, known)

    def _app_member(self, application: Application, number: int) -> Origin:
        """Process or target *number* of *application*, which speaks edge-app/1."""
        which = f"/{number}" if application.processes > 1 else ""
        origin = AppOrigin(
            f"{application.name} ({application.to[number]})" if application.to else application.name + which,
            application.at,
            lambda: self._connect(application.name, number),
            self._reactor,
            changed=self._tells(application),
        )
        self._apps.append(origin)
        return origin

    def _tells(self, application: Application) -> TellChanged | None:
        """How the application itself says what has changed."""
        if self._cache is None:
            return None
        control = self._cache.desk.control
        return lambda groups: control.changed(Change(application.name, groups))

    def _http_member(self, application: Application, number: int) -> Origin:
        """Target *number* of *application*."""
        counted = () if self._cache is None else (partial(self._cache.counters.add, _RESTING),)
        origin = HTTPOrigin(
            f"{application.name} ({application.to[number]})",
            self._connection(application.name, number),
            self._reactor,
            *counted,
        )
        self._http.append(origin)
        return origin

    def _connection(self, name: str, number: int) -> Connect:
        async def connect(protocol: UpstreamConnection) -> None:
            self._adopt(await self._connect(name, number), protocol)

        return lambda protocol: Deferred.fromCoroutine(connect(protocol))

    def _adopt(self, descriptor: int, protocol: UpstreamConnection) -> None:
        """Give *protocol* the connection *descriptor*, which is ours."""
        try:
            with socket.socket(fileno=os.dup(descriptor)) as seen:
                family = seen.family
            self._reactor.adoptStreamConnection(descriptor, family, Factory.forProtocol(lambda: protocol))
        finally:
            os.close(descriptor)

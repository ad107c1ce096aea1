"""The native fast path: C behind cffi, the loop of ``src/edge_loop.c``.

cffi releases the GIL during each call.  Nothing here decides anything: it turns Python values into
the C structures and back.
"""

from __future__ import annotations

import errno
import os
from math import ceil
from typing import TYPE_CHECKING, Any

from edge._native import ffi, lib
from edge.certificates import Certificates, Shown
from edge.errors import SegmentError
from edge.fastpath.answerer import monotonic_ms
from edge.fastpath.interface import Handoff, Met, Next, Settings, SocketState
from edge.fastpath.opening import Audience, Opening
from edge.fastpath.relay import NativeRelay
from edge.sites import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from edge.access.patterns import Pattern
    from edge.fastpath.frames import Counted
    from edge.fastpath.interface import Guarding
    from edge.networks import Networks
    from edge.sites import SiteHosts
    from edge.table.segment import Segment
    from edge.tls.interface import RecordLayer
    from edge.tls.native import NativeContext

_PROBLEMS = {
    lib.EDGE_TABLE_FOREIGN: "it is not an edge table",
    lib.EDGE_TABLE_VERSION: "it has another layout version",
    lib.EDGE_TABLE_INCONSISTENT: "it is truncated or inconsistent",
    lib.EDGE_TABLE_BIG_ENDIAN: "the native build needs a little-endian machine",
}
_NEXT = {
    lib.EDGE_NEXT_RECEIVE: Next.RECEIVE,
    lib.EDGE_NEXT_ANSWER: Next.ANSWER,
    lib.EDGE_NEXT_HAND_OFF: Next.HAND_OFF,
    lib.EDGE_NEXT_PASS: Next.HAND_OFF,  # no answerer alone passes anything on, or has anything wait
    lib.EDGE_NEXT_HOLD: Next.HAND_OFF,
    lib.EDGE_NEXT_CLOSE: Next.CLOSE,
    lib.EDGE_NEXT_OPEN: Next.OPEN,
}
_AUDIENCES = {
    Audience.PUBLIC: lib.EDGE_STATUS_PUBLIC,
    Audience.LOCAL: lib.EDGE_STATUS_LOCAL,
    Audience.OFF: lib.EDGE_STATUS_OFF,
}
_MET = {
    lib.EDGE_MET_NOTHING: None,
    lib.EDGE_MET_NO_ANSWER: Met.NO_ANSWER,
    lib.EDGE_MET_GARBAGE: Met.GARBAGE,
    lib.EDGE_MET_SILENCE: Met.SILENCE,
}
#: Room for the output of one call: EDGE_OUTPUT_BYTES, and a body that exceeds it by far.
_COPY_BYTES = 1 << 20


def open_table(segment: Segment, worker_index: int) -> Any:
    """An ``edge_table *`` over *segment*; :exc:`SegmentError` when its bytes do not make sense."""
    base = ffi.from_buffer(segment.memory)
    block = ffi.from_buffer(segment.block(worker_index).memory, require_writable=True)
    table = ffi.new("edge_table *")
    opening = lib.edge_table_open(table, base, len(base), block)
    if opening != lib.EDGE_TABLE_OPENED:
        raise SegmentError(f"the shared table cannot be used by the native build: {_PROBLEMS[opening]}")
    return table


def _allow_origins(answerer: Any, origins: Collection[bytes], site: int = 0) -> None:
    lib.edge_answerer_allow_none(answerer, site)
    for origin in origins:
        if lib.edge_answerer_allow(answerer, site, origin, len(origin)):
            raise ValueError(f"too many allowed origins (1,024), or one over 256 bytes: {origin!r}")


def make_sites(sites: Sequence[SiteHosts]) -> tuple[Any, ...]:
    """An ``edge_sites *``, and what has to live as long; ``None`` first: there is one site for all hosts."""
    if tuple(sites) == ALONE:
        return (None,)
    hosts = [(number, host) for number, site in enumerate(sites) for host in site.hosts]
    cells = 1 << (2 * len(hosts) + 1).bit_length()
    c_sites, c_hosts = ffi.new("edge_site[]", len(sites)), ffi.new("edge_host[]", cells)
    defaults = [number for number, site in enumerate(sites) if site.default]
    whole = ffi.new(
        "edge_sites *", (c_sites, len(sites), c_hosts, cells - 1, defaults[0] if defaults else -1)
    )
    for number, site in enumerate(sites):
        if len(site.prefix) > len(c_sites[number].bytes):
            raise ValueError(f"a prefix of {len(site.prefix)} bytes: {site.prefix!r}")
        c_sites[number].length = len(site.prefix)
        ffi.memmove(c_sites[number].bytes, site.prefix, len(site.prefix))
    for number, host in hosts:
        if lib.edge_sites_put(whole, number, host, len(host)):
            raise ValueError(f"a host of {len(host)} bytes: {host!r}")
    return whole, c_sites, c_hosts


def _names(names: Collection[bytes], kept: list[Any]) -> tuple[Any, int]:
    """An array of ``edge_span``, sorted, and how many; *kept* gets what has to live as long."""
    texts = [(ffi.new("uint8_t[]", name), len(name)) for name in sorted(names)]
    made = ffi.new("edge_span[]", texts)
    kept += [*texts, made]
    return made, len(texts)


def make_certificates(certificates: Certificates) -> tuple[Any, list[Any]]:
    """An ``edge_certificates *``, and what has to live as long."""
    kept: list[Any] = []
    shown = ffi.new("uint32_t[]", [number for _, number in sorted(certificates.shown.items())])
    own = ffi.new("edge_names[]", [_names(names, kept) for names in certificates.own])
    made = ffi.new("edge_certificates *", (_names(certificates.shown, kept), shown, own, len(own)))
    return made, [*kept, shown, own]


#: What C calls the site of a name that no site has.
_NO_SITE = 0xFFFF


def _networks(networks: Networks) -> Any:
    """An ``edge_networks *``."""
    made = ffi.new("edge_networks *", {"count": len(networks.networks), "local": networks.unix})
    for number, one in enumerate(networks.networks):
        ffi.memmove(made.networks[number].address, one.address, 16)
        made.networks[number].bits = one.bits
    return made


def _tell_sites(answerer: Any, sites: Sequence[SiteHosts]) -> tuple[Any, ...]:
    """Have *answerer* tell *sites* apart; what has to live as long as it."""
    whole = make_sites(sites)
    if whole[0] is not None:
        lib.edge_answerer_sites(answerer, whole[0])
    return whole


def _count_sites(answerer: Any, segment: Segment, worker_index: int) -> Any:
    """Have *answerer* count by site, if *segment* has rows for that; what has to live as long as it."""
    block = segment.block(worker_index)
    # Not of a memoryview: Python's last collection complains of one that is still lent.
    memory = ffi.from_buffer("uint8_t[]", block.memory, require_writable=True)
    lib.edge_answerer_count_sites(answerer, memory + block.site_rows_offset, segment.counted_sites)
    return memory


def _set_guards(answerer: Any, guarding: Guarding | None) -> tuple[Any, ...]:
    """Have *answerer* look who may what; what has to live as long as it."""
    if guarding is None:
        return ()
    kept: list[Any] = []
    guards = ffi.new("edge_guard[]", len(guarding.patterns))
    for guard, patterns in zip(guards, guarding.patterns, strict=True):
        guard.count = len(patterns.all)
        # Kept as it was made: a pointer that is read out of a struct keeps nothing alive.
        made = ffi.new("edge_pattern[]", [_pattern(one, kept) for one in patterns.all])
        guard.patterns = made
        kept.append(made)
    buckets = ffi.from_buffer(guarding.buckets, require_writable=True)
    if lib.edge_answerer_guards(answerer, guards, buckets, len(buckets)):
        raise ValueError("those are no buckets")
    return guards, buckets, kept


def _pattern(one: Pattern, kept: list[Any]) -> dict[str, Any]:
    begin, end = (ffi.new("uint8_t[]", text) for text in (one.begin, one.end))
    kept += [begin, end]
    made = {
        "kind": one.kind, "literal": one.literal, "exact": one.exact, "begin": begin, "end": end,
        "begin_length": len(one.begin), "end_length": len(one.end),
    }  # fmt: skip
    if one.networks is not None:
        ordered = one.networks.ordered
        networks = ffi.new("edge_listed_network[]", [(tuple(network), may) for network, may in ordered])
        kept.append(networks)
        made |= {"networks": networks, "network_count": len(networks), "others": one.networks.others}
    if one.rate is not None:
        number, rule = one.rate
        made |= {"rule": number, "interval": rule.interval, "burst": rule.burst}
    return made


def _set_hsts(answerer: Any, line: bytes) -> None:
    if lib.edge_answerer_hsts(answerer, line, len(line)):
        raise ValueError(f"a line of {len(line)} bytes: {line!r}")


def _speculate(answerer: Any, line: bytes) -> None:
    if lib.edge_answerer_speculate(answerer, line, len(line)):
        raise ValueError(f"a line of {len(line)} bytes: {line!r}")


def _check(error: int) -> None:
    """Raises :exc:`OSError` for what is not 0 (-errno)."""
    if error:
        raise OSError(-error, os.strerror(-error))


class NativeAnswerer:
    """The native fast path without its sockets, for tests and tools.

    Implements :class:`~edge.fastpath.interface.Answerer`.
    """

    def __init__(
        self,
        segment: Segment,
        worker_index: int,
        settings: Settings,
        now_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        self._segment = segment
        self._now_ms = now_ms
        self._table = open_table(segment, worker_index)
        self._answerer = ffi.gc(lib.edge_native_answerer(self._table), lib.edge_native_free)
        self._copy = bytearray(_COPY_BYTES)
        self._sites = _tell_sites(self._answerer, settings.sites)
        self._by_site = _count_sites(self._answerer, segment, worker_index)
        _allow_origins(self._answerer, settings.allow_origins)
        _set_hsts(self._answerer, settings.hsts)
        self._answerer.secure = settings.secure
        self._guards = _set_guards(self._answerer, settings.guarding)
        self._trusted = settings.trusted
        self._answerer.trusted = _networks(settings.trusted)[0]
        if settings.log is not None:
            self._ring = ffi.from_buffer(settings.log.ring, require_writable=True)
            if not lib.edge_log_open(ffi.addressof(self._answerer, "log"), self._ring, len(self._ring)):
                raise ValueError("that is no ring of records")
            self._answerer.log_every = self._answerer.log_countdown = settings.log.every

    def receive_from(self, client: bytes, unix_us: int) -> None:
        ffi.memmove(self._answerer.peer, client, 16)
        self._answerer.is_trusted = self._trusted.holds(client)
        self._answerer.now_us = unix_us

    def show(self, shown: Shown | None) -> None:
        self._shown = None if shown is None else make_certificates(shown.certificates)
        self._answerer.certificates = ffi.NULL if self._shown is None else self._shown[0]
        if shown is not None:
            self._answerer.shown = shown.number
            self._answerer.named = _NO_SITE if shown.site is None else shown.site

    def allow_origins(self, origins: Collection[bytes], site: int = 0) -> None:
        _allow_origins(self._answerer, origins, site)

    def speculate(self, line: bytes) -> None:
        _speculate(self._answerer, line)

    def welcome(self, opens: bool, audience: Audience) -> None:
        self._answerer.opens = opens
        self._answerer.audience = _AUDIENCES[audience]

    @property
    def opened(self) -> Opening | None:
        found = self._answerer.opened
        if not found.topics:
            return None
        return Opening(found.site, found.topics, found.choice, found.is_own)

    def drain(self) -> None:
        self._answerer.draining = True

    def answer_frames(self, state: Counted, now: int, data: bytes) -> tuple[bytes, int, Next]:
        self._answerer.table.now_ms = self._now_ms()
        written, consumed = ffi.new("size_t *"), ffi.new("size_t *")
        frames = ffi.new("edge_frames *", {field: getattr(state, field) for field in state.__slots__})
        copy = ffi.from_buffer(self._copy)
        after = lib.edge_native_frames(self._answerer, frames, now, data, len(data), copy, written, consumed)
        state.second, state.count = frames.second, frames.count
        return bytes(self._copy[: written[0]]), consumed[0], _NEXT[after]

    def answer(self, data: bytes, date: bytes) -> tuple[bytes, int, Next]:
        ffi.memmove(self._answerer.date, date, 29)
        self._answerer.table.now_ms = self._now_ms()
        written, consumed = ffi.new("size_t *"), ffi.new("size_t *")
        after = lib.edge_native_answer(
            self._answerer, data, len(data), ffi.from_buffer(self._copy), _COPY_BYTES, written, consumed
        )
        if written[0] > _COPY_BYTES:
            raise ValueError(f"an output of {written[0]} bytes: there is room for {_COPY_BYTES}")
        return bytes(self._copy[: written[0]]), consumed[0], _NEXT[after]


def _socket_of(state: Any) -> SocketState | None:
    """The WebSocket that *state* tells of."""
    if not state.is_socket:
        return None
    return SocketState(state.site, state.topics, state.choice, tuple(state.seen), state.frames)


def _state_of(socket: SocketState) -> dict[str, Any]:
    """An ``edge_socket_state``."""
    return {"is_socket": True, **socket._asdict()}


class NativeFastPath:
    """The fast path in C.  Implements :class:`~edge.fastpath.interface.FastPath`."""

    kind = "native"

    def __init__(self, segment: Segment, worker_index: int, settings: Settings) -> None:
        self._segment = segment  # keeps the memory mapped
        self._table = open_table(segment, worker_index)
        limits = settings.limits
        c_limits = ffi.new(
            "edge_limits *",
            {
                "connections": limits.connections,
                "connections_per_address": limits.connections_per_address,
                "head_seconds": limits.head_seconds,
                "idle_seconds": limits.idle_seconds,
                "write_seconds": limits.write_seconds,
                "least_rate": limits.least_rate,
                "handshakes": limits.handshakes,
                "pending_bytes": limits.pending_bytes,
                "ipv6_prefix": limits.ipv6_prefix,
            },
        )
        loop = lib.edge_loop_new(self._table, c_limits)
        if loop == ffi.NULL:
            raise OSError(ffi.errno, f"no fast path: {os.strerror(ffi.errno)}")
        self._loop = loop
        self._tls = settings.tls  # outlives the loop
        if self._tls is not None:
            functions = ffi.cast("edge_tls_functions *", self._tls.functions)
            _check(lib.edge_loop_use_tls(loop, functions, ffi.cast("edge_tls *", self._tls.address)))
        self._answerer = lib.edge_loop_answerer(loop)
        lib.edge_loop_proxies(loop, _networks(settings.proxies), _networks(settings.trusted))
        self._sites = _tell_sites(self._answerer, settings.sites)
        self._by_site = _count_sites(self._answerer, segment, worker_index)
        self._site_count = len(settings.sites)
        #: What connections may have been shown, by place; None: nobody needs to know, there is one site.
        self._shown: list[tuple[Certificates, int]] | None = None if self._sites[0] is None else []
        #: What C knows them as, and what has to live as long as connections that have been shown them.
        self._certificates: list[tuple[Certificates, Any]] = []
        _allow_origins(self._answerer, settings.allow_origins)
        _set_hsts(self._answerer, settings.hsts)
        self._guards = _set_guards(self._answerer, settings.guarding)
        if settings.log is not None:
            log = settings.log
            self._ring = ffi.from_buffer(log.ring, require_writable=True)
            _check(lib.edge_loop_log(loop, self._ring, len(self._ring), log.every, log.wake))

    def fileno(self) -> int:
        return int(lib.edge_loop_fileno(self._loop))

    def allow_origins(self, origins: Collection[bytes], site: int = 0) -> None:
        _allow_origins(self._answerer, origins, site)

    def listen(self, fd: int, listener: int, recognise: bool, shared: bool = False) -> None:
        flags = lib.EDGE_LISTENER_RECOGNISES if recognise else 0
        flags |= lib.EDGE_LISTENER_SHARED if shared else 0
        _check(lib.edge_loop_listen(self._loop, fd, listener, flags))

    def secure(self, listener: int, context: NativeContext, certificates: Certificates) -> None:
        address, first = ffi.cast("edge_tls_context *", context.address), ffi.new("uint32_t *")
        if self._shown is None:
            _check(lib.edge_loop_secure(self._loop, listener, address, ffi.NULL, first))
            return
        # Those that say the same keep their places, however often they are loaded again.
        known = next((made for one, made in self._certificates if one == certificates), None)
        made = known or make_certificates(certificates)
        _check(lib.edge_loop_secure(self._loop, listener, address, made[0], first))
        if first[0] and known is None:
            self._certificates.append((certificates, made))
            self._shown += [(certificates, number) for number in range(len(certificates.own))]

    def watch(self, fd: int) -> None:
        _check(lib.edge_loop_watch(self._loop, fd))

    def run(self, timeout: float | None = 0.0) -> list[Handoff]:
        count = lib.edge_loop_wait(self._loop, -1 if timeout is None else ceil(timeout * 1e6))
        if count < 0:
            raise OSError(-count, os.strerror(-count))
        if not count:
            return []
        taken = lib.edge_loop_handoffs(self._loop)
        handoffs = [self._handoff(taken[i]) for i in range(count)]
        lib.edge_loop_taken(self._loop)
        return handoffs

    def _handoff(self, taken: Any) -> Handoff:
        data = bytes(ffi.buffer(taken.data, taken.length))
        client = bytes(taken.client) if taken.proxied else None
        layer = None
        if taken.tls and self._tls is not None:
            partial = bytes(ffi.buffer(taken.data + taken.length, taken.sealed_length))
            layer = self._tls.layer_of(taken.tls, partial)
        socket, shown, met = _socket_of(taken.socket), self._shown_as(taken.certified), _MET[taken.met]
        ticket, waited = taken.ticket, taken.waited / 1e6
        return Handoff(
            taken.fd, taken.listener, data, layer, taken.unnamed, client, socket, shown, met, ticket, waited
        )

    def _shown_as(self, certified: int) -> Shown | None:
        """What was shown on a connection, by what C says of it."""
        if not certified or self._shown is None:
            return None
        site, place = divmod(certified, 1 << 16)
        return Shown(*self._shown[place - 1], None if site == _NO_SITE else site)

    def tick(self) -> None:
        lib.edge_loop_tick(self._loop)

    def adopt(self, fd: int, layer: RecordLayer | None = None, socket: SocketState | None = None) -> None:
        if self._loop is None or (layer is not None and self._tls is None):
            raise OSError(errno.EINVAL, "this fast path does not take it back")
        state = ffi.NULL if socket is None else ffi.new("edge_socket_state *", _state_of(socket))
        if layer is None or self._tls is None:
            _check(lib.edge_loop_adopt(self._loop, fd, 0, ffi.NULL, 0, state))
            return
        owned = self._tls.owned(layer)
        _check(lib.edge_loop_adopt(self._loop, fd, owned.state, owned.partial, len(owned.partial), state))
        owned.surrender()

    def publish(self, topic: int, frames: bytes, edition: int, site: int | None = None) -> None:
        number = -1 if site is None else site
        _check(
            lib.edge_loop_publish(self._loop, topic, self._site_count, number, frames, len(frames), edition)
        )

    def push_round(self, turns: int, topics: int, rare: int, rounds: int) -> None:
        lib.edge_loop_push_round(self._loop, turns, topics, rare, rounds)

    def push_all(self, topics: int, turns: int) -> int:
        return int(lib.edge_loop_push_all(self._loop, topics, turns))

    def welcome(self, most: int, audience: Audience) -> None:
        if self._loop is not None:
            lib.edge_loop_welcome(self._loop, max(0, most), _AUDIENCES[audience])

    def sockets(self) -> int:
        return 0 if self._loop is None else int(lib.edge_loop_sockets(self._loop))

    def introduce(self, fd: int, client: bytes | None) -> None:
        if self._loop is None:
            raise OSError(errno.EINVAL, "this fast path is closed")
        _check(lib.edge_loop_introduce(self._loop, fd, ffi.NULL if client is None else client))

    def release(self, fd: int) -> None:
        if self._loop is not None:  # else it is not counted any more
            lib.edge_loop_release(self._loop, fd)

    def speculate(self, line: bytes) -> None:
        _speculate(self._answerer, line)

    def relay(
        self, names: Collection[bytes], prefixes: Collection[bytes], suffixes: Collection[bytes]
    ) -> NativeRelay:
        return NativeRelay(lambda: self._loop, names, prefixes, suffixes)

    def drain(self) -> None:
        lib.edge_loop_drain(self._loop)

    def connections(self) -> int:
        return int(lib.edge_loop_connections(self._loop))

    def memory(self) -> int:
        """Bytes of user memory held for connections."""
        return int(lib.edge_loop_memory(self._loop))

    def advance(self, seconds: int) -> None:
        """Moves this fast path's clock, for tests."""
        lib.edge_loop_advance(self._loop, seconds)

    def close(self) -> None:
        if self._loop is not None:
            lib.edge_loop_free(self._loop)
            self._loop = None

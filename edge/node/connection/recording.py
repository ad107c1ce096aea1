"""A request and its answer as a record for the access log (:mod:`edge.logs`)."""

from __future__ import annotations

import ipaddress
import os
from typing import TYPE_CHECKING

from edge.cache import status
from edge.logs.record import Record
from edge.logs.ring import Ring
from edge.networks import NO_ADDRESS, mapped

if TYPE_CHECKING:
    from mmap import mmap

    from edge.http.fields import Fields
    from edge.http.parser import RequestHead

_PROTOCOLS = {b"HTTP/1.0": 10}
_CACHE = {
    b"; ".join((status.NAME, *parameters)): name
    for parameters, name in (
        ((b"hit",), "hit"),
        (status.HIT_STALE, "stale"),
        (status.MISS, "miss"),
        ((*status.MISS, status.STORED), "miss"),
        (status.STALE, "expired"),
        ((*status.STALE, status.STORED), "expired"),
        (status.COLLAPSED, "collapsed"),
        (status.BYPASS, "bypass"),
        (status.METHOD, "bypass"),
    )
}


class RequestLog:
    """The writing end of the access log on the Twisted side; never blocks."""

    def __init__(self, memory: mmap, wake: int) -> None:
        """*memory*: a ring (:mod:`edge.logs.ring`); *wake*: an eventfd that wakes its reader."""
        self._ring = Ring(memory)
        self._wake = wake

    def write(self, record: Record) -> None:
        """Write *record* down; what there is no room for is counted there."""
        if self._ring.write(record):
            try:
                os.eventfd_write(self._wake, 1)
            except OSError:
                return  # it is awake, or has gone


def cache_status(fields: Fields) -> str:
    """What the cache made of a request, by the *fields* of its answer: of :data:`edge.logs.record.CACHE`.

    Ours is the last of several: those before it are of caches nearer to the application (RFC 9211).
    """
    for name, value in reversed(fields):
        if name == b"Cache-Status":
            return _CACHE.get(value, "")
    return ""


def address_of(host: str) -> bytes:
    """The numeric address *host* as records have it; "" is none."""
    if not host:
        return NO_ADDRESS
    return mapped(ipaddress.ip_address(host.partition("%")[0]).packed)


def record_of(
    head: RequestHead | None,
    *,
    at: float,
    host: str,
    status: int,
    sent: int,
    seconds: float,
    cache: str = "",
    user: bytes = b"",
    tls: str = "",
    trace: bytes = b"",
) -> Record:
    """The record of a request with that *head*; None: there was none that could be understood.

    *at*: Unix seconds; *host*: numeric address of the client; *seconds*: how long it took.
    """
    fields = head.fields if head is not None else {}
    return Record(
        at=int(at * 1e6),
        status=status,
        sent=sent,
        method=head.method if head is not None else b"-",
        target=head.target if head is not None else b"-",
        duration=max(0, int(seconds * 1e6)),
        address=address_of(host),
        protocol=_PROTOCOLS.get(head.version, 11) if head is not None else 0,
        cache=cache,
        user=user,
        host=(head.host or b"") if head is not None else b"",
        referer=fields.get(b"referer", b""),
        user_agent=fields.get(b"user-agent", b""),
        tls=tls.encode("ascii", "replace"),
        trace=trace,
    )

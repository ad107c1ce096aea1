"""What one connection on the Twisted side may take, in seconds and bytes."""

from __future__ import annotations

from dataclasses import dataclass

from edge.shares import PREFIX_BITS


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """Bounds of one connection on the Twisted side; the same as the fast path's where it has them."""

    #: From the first byte of a head to its last, and for a TLS handshake; further bytes do not extend it.
    head_seconds: float = 10.0
    #: Between two requests.
    idle_seconds: float = 75.0
    #: The periods in which the peer has to send a body, and to take an answer, at :attr:`least_rate`; the
    #: first of them is its grace.
    body_seconds: float = 30.0
    write_seconds: float = 30.0
    #: Bytes a second, on average over such a period, in both directions; 0: a single byte will do.  GPRS,
    #: the slowest that people browse with, has 3 to 5 KiB/s; Apache's mod_reqtimeout asks for 500 B/s.
    least_rate: int = 1024
    #: Bits of an IPv6 address that are one client.
    ipv6_prefix: int = PREFIX_BITS
    #: Longest request body; a longer one is refused before it is read.
    body_bytes: int = 1024 * 1024

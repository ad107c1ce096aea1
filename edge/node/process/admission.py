"""How many connections strangers may open: a rate for each address, and one for all together (sans-IO).

Token buckets: each connection takes a token, tokens come back at a rate, and no more gather than a burst.  An
IPv6 address counts with as many bits as an operator says (``ipv6_prefix``): a /64 is what one customer has.
"""

from __future__ import annotations

from typing import NamedTuple

from edge.shares import PREFIX_BITS, network_of

#: Addresses remembered; more are those of an attack, which the rate of all together bounds.
ADDRESSES = 4096


class Rate(NamedTuple):
    """Connections a second, and how many at once."""

    per_second: float
    burst: float


class _Bucket:
    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._tokens = rate.burst
        self._at = now

    def tokens(self, now: float) -> float:
        """How many there are at *now*."""
        self._tokens = min(self._rate.burst, self._tokens + (now - self._at) * self._rate.per_second)
        self._at = now
        return self._tokens

    def take(self) -> None:
        """One less."""
        self._tokens -= 1


class Admission:
    """Says of each connection whether it is one too many."""

    def __init__(self, address: Rate, total: Rate, prefix: int = PREFIX_BITS) -> None:
        """*prefix*: bits of an IPv6 address that are one client."""
        self._address = address
        self._prefix = prefix
        self._total = _Bucket(total, 0.0)
        self._buckets: dict[bytes, _Bucket] = {}

    def admits(self, host: str, now: float) -> bool:
        """Whether one more from *host* is within the rates; only then does it count."""
        network = network_of(host, self._prefix)
        bucket = self._buckets.pop(network, None) or _Bucket(self._address, now)
        self._buckets[network] = bucket  # the last one used stands last
        if len(self._buckets) > ADDRESSES:
            del self._buckets[next(iter(self._buckets))]
        if bucket.tokens(now) < 1 or self._total.tokens(now) < 1:
            return False
        bucket.take()
        self._total.take()
        return True

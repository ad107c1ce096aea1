"""Leases: until when entries of other nodes may be confirmed, in shared memory (:mod:`edge.table.layout`).

Each origin has a number in this segment; the deadline of its entries is pushed on while there is news of it.
Workers compare it with the clock themselves, so it holds even when this process hangs.

What a node published is confirmed by this node while its lease runs: ``--lease-seconds`` from the last load
figures of that node that arrived, directly or through others, provided that everything it is known to have
published is here.  A node that has left has said that it publishes nothing more: its lease does not end,
though the node is no member any more after a minute.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from edge.gossip.packet import LEFT
from edge.table.site_state import EVERYTHING, NOTHING

if TYPE_CHECKING:
    from edge.gossip.membership import Membership
    from edge.node.cluster.replication_progress import ReplicationProgress
    from edge.table.segment import Segment

#: Origins that have a number of their own; more than that share one that is never confirmed.
ORIGINS = EVERYTHING - 1
#: Seconds between two renewals.
RENEW_SECONDS = 0.25


class Leases:
    """The leases in the segment of the node *node*, whose own entries need none."""

    def __init__(self, segment: Segment, node: str) -> None:
        self._segment = segment
        self._numbers: dict[str, int] = {node: 0}

    def number(self, origin: str) -> int:
        """The number of *origin*, as its entries bear it."""
        number = self._numbers.get(origin)
        if number is None:
            count = len(self._numbers)
            number = self._numbers[origin] = count if count <= ORIGINS else NOTHING
        return number

    def origins(self) -> list[str]:
        """Other nodes that entries are of."""
        return [origin for origin, number in self._numbers.items() if number]

    def without(self) -> list[str]:
        """Origins for which there was no number left: nothing of theirs is ever confirmed."""
        return [origin for origin, number in self._numbers.items() if number == NOTHING]

    def renew(self, origin: str, seconds: float) -> None:
        """What *origin* published may be confirmed for *seconds* from now on; below 0: no longer."""
        number = self.number(origin)
        if 0 < number <= ORIGINS:
            self._segment.set_lease(number, max(int((time.monotonic() + seconds) * 1000), 0))

    def renew_everything(self, seconds: float) -> None:
        """What all have published may be confirmed as long as that of each; *seconds* if there is none."""
        least = int((time.monotonic() + seconds) * 1000)
        for number in self._numbers.values():
            if number:
                least = min(least, self._segment.lease(number))
        self._segment.set_lease(EVERYTHING, least)

    def left(self, origin: str) -> float | None:
        """Seconds left, below 0: it has run out; None: it needs none, or has no entries."""
        number = self._numbers.get(origin)
        if not number:
            return None
        return round(self._segment.lease(number) / 1000 - time.monotonic(), 1)


class LeaseRenewal:
    """Pushes leases on while there is news of their origins."""

    def __init__(
        self, leases: Leases, membership: Membership, progress: ReplicationProgress, seconds: float
    ) -> None:
        """*seconds*: how long a lease lasts after the last news."""
        self._leases = leases
        self._membership = membership
        self._progress = progress
        self._seconds = seconds
        #: Who has left, and has not come back since.
        self._left: set[str] = set()

    def renew(self) -> None:
        """Do so for all origins; to be called every :data:`RENEW_SECONDS`."""
        self._renew_each()
        self._leases.renew_everything(self._seconds)

    def _renew_each(self) -> None:
        behind = self._progress.behind()
        for origin in self._leases.origins():
            has_left = self._has_left(origin)
            if origin in behind:
                continue
            found = None if has_left else self._membership.load_of(origin)
            if has_left:
                self._leases.renew(origin, self._seconds)
            elif found is not None:
                self._leases.renew(origin, self._seconds - found[1])

    def _has_left(self, origin: str) -> bool:
        member = self._membership.members.get(origin)
        if member is not None and member.state == LEFT:
            self._left.add(origin)
        elif member is not None:
            self._left.discard(origin)
        return origin in self._left

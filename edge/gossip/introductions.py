"""Introductions: nodes that others tell of, and that this one has not met in the life that is told of.

What others say of a node is no reason to believe that it exists: names are cheap.  It is a reason to dial the
address that was told; a handshake with a certificate of that name makes it a member
(:meth:`edge.gossip.membership.Membership.connected`).  So a peer that invents nodes costs dials, at most
:data:`RATE` a second, and nothing that is kept: :data:`LIMIT` introductions, of which the oldest go first.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge.gossip.members import Dial
from edge.gossip.packet import NODES, MembershipUpdate

#: Introductions that are remembered, and for how many seconds after they were heard last.
LIMIT, REMEMBERED = NODES, 60.0
#: Dials a second, and at once.
RATE, BURST = 32.0, 128
#: Seconds between two dials of the same node.
REDIAL = 2.0


@dataclass
class _Introduction:
    update: MembershipUpdate
    heard: float
    dialled: float = -1e9


class Introductions:
    """Who is to be dialled because others tell of it.  *now*: seconds of a clock that does not go back."""

    def __init__(self, now: float) -> None:
        self._waiting: dict[str, _Introduction] = {}
        self._tokens = float(BURST)
        self._filled = now

    def __len__(self) -> int:
        return len(self._waiting)

    def hear(self, update: MembershipUpdate, now: float) -> list[Dial]:
        """Somebody tells of a node, at an address: dial it, if that is not too much."""
        known = self._waiting.pop(update.name, None)
        if known is None or known.update.generation < update.generation:
            known = _Introduction(update, now)
        known.heard = now
        self._waiting[update.name] = known
        while len(self._waiting) > LIMIT:
            del self._waiting[next(iter(self._waiting))]
        return self._dial(known, now)

    def met(self, name: str) -> None:
        """*name* has shown its certificate, or has gone."""
        self._waiting.pop(name, None)

    def again(self, now: float) -> list[Dial]:
        """Those who were not reached are dialled again, until nobody has told of them for a while."""
        over = [name for name, one in self._waiting.items() if now - one.heard > REMEMBERED]
        for name in over:
            del self._waiting[name]
        return [dial for one in self._waiting.values() for dial in self._dial(one, now)]

    def _dial(self, one: _Introduction, now: float) -> list[Dial]:
        self._tokens = min(float(BURST), self._tokens + RATE * (now - self._filled))
        self._filled = now
        if self._tokens < 1 or now - one.dialled < REDIAL:
            return []
        self._tokens -= 1
        one.dialled = now
        return [Dial(one.update.name, one.update.host, one.update.port)]

"""The list of members: what claims do to it.  Knows nothing of probes, nor of this node itself."""

from __future__ import annotations

import math

from edge.gossip.lanes import Lanes
from edge.gossip.members import Changed, Counters, Dial, Knobs, Member, rank
from edge.gossip.packet import ALIVE, DEAD, LEFT, SUSPECT, Claim
from edge.gossip.suspicion import Suspicion

#: Seconds between two looks for who is to be forgotten.
FORGETTING = 1.0


class Roster:
    """The other nodes; what is new about them goes into the *lanes*."""

    def __init__(self, knobs: Knobs, lanes: Lanes, counters: Counters) -> None:
        self.members: dict[str, Member] = {}
        self._knobs = knobs
        self._lanes = lanes
        self._counters = counters
        self._suspects: dict[str, Suspicion] = {}
        self._forget_at = 0.0

    def hear(self, claim: Claim, now: float) -> list[Changed | Dial]:
        """Somebody claims this of a node: what follows from it."""
        member = self.members.get(claim.name)
        if member is None:
            return self._admit(claim, now) if claim.state < DEAD else []
        if rank(claim) > rank(member.claim):
            return self._adopt(member, claim, now)
        if (
            claim.state == SUSPECT
            and rank(claim) == rank(member.claim)
            and self._suspects[claim.name].confirm(claim.accuser)
        ):
            self._lanes.news.add(claim)
        return []

    def names(self, worst: int, without: str = "") -> list[str]:
        """Of the members in no worse a state."""
        return [m.name for m in self.members.values() if m.state <= worst and m.name != without]

    @property
    def next_at(self) -> float:
        """When the first suspicion is over."""
        return min((one.deadline for one in self._suspects.values()), default=math.inf)

    def overdue(self, now: float) -> list[Member]:
        """Whoever has been suspected for too long."""
        return [self.members[name] for name, one in self._suspects.items() if now >= one.deadline]

    def postpone(self, seconds: float) -> None:
        """All suspicions last as much longer."""
        for suspicion in self._suspects.values():
            suspicion.at += seconds

    def forget(self, now: float) -> None:
        """Those who are dead, or have left, for long enough."""
        if now < self._forget_at:
            return
        self._forget_at = now + FORGETTING
        kept = {DEAD: self._knobs.forget_dead, LEFT: self._knobs.forget_left}
        for member in list(self.members.values()):
            if now - member.since > kept.get(member.state, math.inf):
                del self.members[member.name]
                self._lanes.forget(member.name)

    def _admit(self, claim: Claim, now: float) -> list[Changed | Dial]:
        member = self.members[claim.name] = Member(claim, now)
        if claim.state == SUSPECT:
            self._suspects[claim.name] = self._suspicion(claim.accuser, now)
        self._lanes.news.add(claim)
        return [Changed(member, None), Dial(claim.name, claim.host, claim.port)]

    def _adopt(self, member: Member, claim: Claim, now: float) -> list[Changed | Dial]:
        before = member.state
        if before == SUSPECT and claim.state == ALIVE:
            self._counters.false_suspicions += 1
        if claim.generation > member.claim.generation:
            self._lanes.forget(member.name)
        member.claim = claim
        self._suspects.pop(claim.name, None)
        if claim.state == SUSPECT:
            self._suspects[claim.name] = self._suspicion(claim.accuser, now)
        self._lanes.news.add(claim)
        if claim.state == before:
            return []
        member.since = now
        return [Changed(member, before)]

    def _suspicion(self, accuser: str, now: float) -> Suspicion:
        knobs = self._knobs
        n = 1 + len(self.names(SUSPECT))
        lowest = knobs.suspicion * knobs.period * max(1.0, math.log10(n))
        expected = min(2, n - 2) if knobs.lifeguard else 0
        return Suspicion(now, accuser, lowest, lowest * knobs.suspicion_highest, expected)

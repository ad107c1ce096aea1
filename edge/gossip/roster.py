"""The member list of SWIM, and what an update does to it: join, suspicion, death, refutation.

Knows nothing of probes, nor of this node itself.
"""

from __future__ import annotations

import math

from edge.gossip.members import Counters, Dial, GossipConfig, Member, MemberChanged, rank
from edge.gossip.packet import ALIVE, DEAD, LEFT, NODES, SUSPECT, MembershipUpdate
from edge.gossip.piggyback import PiggybackQueues
from edge.gossip.suspicion import Suspicion

#: Seconds between two looks for who is to be forgotten.
FORGETTING = 1.0


class Roster:
    """The other nodes; what is new about them goes into *piggyback*."""

    def __init__(self, config: GossipConfig, piggyback: PiggybackQueues, counters: Counters) -> None:
        self.members: dict[str, Member] = {}
        self._config = config
        self._piggyback = piggyback
        self._counters = counters
        self._suspects: dict[str, Suspicion] = {}
        self._forget_at = 0.0

    def hear(self, update: MembershipUpdate, now: float) -> list[MemberChanged | Dial]:
        """Somebody updates this of a node: what follows from it."""
        member = self.members.get(update.name)
        if member is None:
            return self._admit(update, now) if update.state < DEAD else []
        if rank(update) > rank(member.latest):
            return self._adopt(member, update, now)
        if (
            update.state == SUSPECT
            and rank(update) == rank(member.latest)
            and self._suspects[update.name].confirm(update.accuser)
        ):
            self._piggyback.news.add(update)
        return []

    def names(self, worst: int, without: str = "") -> list[str]:
        """The names of the members in a state no worse than *worst*."""
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
        kept = {DEAD: self._config.forget_dead, LEFT: self._config.forget_left}
        for member in list(self.members.values()):
            if now - member.since > kept.get(member.state, math.inf):
                del self.members[member.name]
                self._piggyback.forget(member.name)

    def remove(self, name: str) -> None:
        """Nothing is known of *name* any more."""
        self.members.pop(name, None)
        self._suspects.pop(name, None)
        self._piggyback.forget(name)

    def _admit(self, update: MembershipUpdate, now: float) -> list[MemberChanged | Dial]:
        if len(self.members) >= NODES and not self._make_room():
            return []
        member = self.members[update.name] = Member(update, now)
        if update.state == SUSPECT:
            self._suspects[update.name] = self._suspicion(update.accuser, now)
        self._piggyback.news.add(update)
        return [MemberChanged(member, None), Dial(update.name, update.host, update.port)]

    def _make_room(self) -> bool:
        """Forget whoever has been dead, or has left, for longest; False: all are there."""
        gone = [member for member in self.members.values() if not member.is_live]
        if not gone:
            return False
        self.remove(min(gone, key=lambda member: member.since).name)
        return True

    def _adopt(self, member: Member, update: MembershipUpdate, now: float) -> list[MemberChanged | Dial]:
        before = member.state
        if before == SUSPECT and update.state == ALIVE:
            self._counters.false_suspicions += 1
        if update.generation > member.latest.generation:
            self._piggyback.forget(member.name)
        member.latest = update
        self._suspects.pop(update.name, None)
        if update.state == SUSPECT:
            self._suspects[update.name] = self._suspicion(update.accuser, now)
        self._piggyback.news.add(update)
        if update.state == before:
            return []
        member.since = now
        return [MemberChanged(member, before)]

    def _suspicion(self, accuser: str, now: float) -> Suspicion:
        config = self._config
        n = 1 + len(self.names(SUSPECT))
        lowest = config.suspicion * config.period * max(1.0, math.log10(n))
        expected = min(2, n - 2) if config.lifeguard else 0
        return Suspicion(now, accuser, lowest, lowest * config.suspicion_highest, expected)

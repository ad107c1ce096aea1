"""Who is there: SWIM (Das, Gupta, Motivala 2002) with Lifeguard (2018).  Sans-IO.

Packets and the time go in, :meth:`Membership.outputs` come out.  One period::

    t                 ping the next member of a shuffled ring
    t + timeout       no answer: ask k others to ping it, and ping it over the stream
    t + period        still none: suspect it, and tell everybody, itself first
    ... suspicion     it refutes with a higher incarnation, or is declared dead

Where this goes beyond SWIM: timeouts come from measured round trips; suspicions last as Lifeguard has it; a
node in bad health waits longer (:mod:`edge.gossip.awareness`); a tick that comes late (the process was
stopped, the clock jumped) moves all deadlines by as much; who was declared dead comes back after a trial
(:mod:`edge.gossip.fitness`); the dead are pinged and dialled for ever, so that partitions heal.
"""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from edge.gossip.awareness import LAG_MS, Awareness
from edge.gossip.fitness import PAUSE, WITNESSES, Trial
from edge.gossip.lanes import Lanes
from edge.gossip.members import (
    Counters,
    Dial,
    Identity,
    Knobs,
    MarksSeen,
    Member,
    Send,
    UrgentSeen,
    claim_of,
    rank,
)
from edge.gossip.packet import (
    ALIVE,
    DEAD,
    LEFT,
    SUSPECT,
    Ack,
    Claim,
    Figures,
    Mark,
    Nack,
    Packet,
    Ping,
    PingRequest,
    Probe,
)
from edge.gossip.probes import OwnProbe, Relayed
from edge.gossip.roster import Roster

#: A tick that is later than this many seconds moves the deadlines.
LATE = 0.3
#: New streams in one second that carry everything; news and exchanges tell the others.
TOLD_LIMIT = 8
#: Seconds until a trial is tried again, when there is nobody to try with.
ALONE = 0.5


class Membership:
    """See the module's docstring.  *now*: seconds of a clock that does not go back."""

    def __init__(self, me: Identity, knobs: Knobs, random: Random, now: float) -> None:
        self.me = me
        self.knobs = knobs
        self.incarnation = 0
        self.health = Awareness(knobs.lifeguard)
        self.counters = Counters()
        self._random = random
        self._now = now
        self._out: list[Any] = []
        self.lanes = Lanes(me.name)
        self.roster = Roster(knobs, self.lanes, self.counters)
        self.members = self.roster.members
        self._number = random.getrandbits(32)
        self._ring: list[str] = []
        self._probe: OwnProbe | None = None
        self._period_at = self._spread_at = self._lag_at = now
        self._exchange_at = now + knobs.exchange
        self._relays: dict[int, Relayed] = {}
        self._streams: set[str] = set()
        self._told, self._told_at = 0, now
        self._death: Claim | None = None
        self._trial: Trial | None = None
        self._trial_at = now
        self._trial_pings: dict[int, str] = {}
        self._left = False

    # What comes in

    def receive(self, sender: str, packet: Packet, now: float, *, stream: bool = False) -> None:
        """*packet* from the authenticated *sender*."""
        self._now = max(self._now, now)
        for claim in packet.claims:
            self._hear(claim)
        for age, figures in packet.figures:
            if figures.name in self.members:
                self.lanes.note(figures, now - age / 1000)
        if packet.marks:
            self._out.append(MarksSeen(sender, packet.marks))
        for data in packet.urgent:
            self._out.append(UrgentSeen(sender, data))
        probe = packet.probe
        if isinstance(probe, Ping):
            if probe.target == self.me.name:
                self._send(sender, Ack(probe.number), stream)
        elif isinstance(probe, Ack):
            self._hear_ack(sender, probe.number, stream)
        elif isinstance(probe, PingRequest):
            self._relay(sender, probe)
        elif isinstance(probe, Nack) and self._probe is not None and probe.number == self._probe.number:
            self._probe.nacks += 1

    def connected(self, name: str, generation: int, host: str, port: int, url: str, now: float) -> None:
        """A stream with *name* is open: tell it everything, unless many others were told just now."""
        self._now = max(self._now, now)
        self._streams.add(name)
        member = self.members.get(name)
        if member is None or member.claim.generation < generation:
            self._hear(Claim(name, ALIVE, generation, 0, host, port, url))
        if self._now >= self._told_at + 1.0:
            self._told_at, self._told = self._now, 0
        if self._told < TOLD_LIMIT:
            self._told += 1
            self._tell_everything(name)

    def disconnected(self, name: str, now: float) -> None:
        """The last stream with *name* has ended: a hint to probe it now."""
        self._now = max(self._now, now)
        self._streams.discard(name)
        member = self.members.get(name)
        if member is not None and member.is_there and not self._left:
            self._ring.append(name)
            if self._probe is None:
                self._period_at = min(self._period_at, self._now)

    def set_figures(self, figures: Figures, now: float) -> None:
        """This node's own load, for all."""
        self.lanes.note(figures, now)

    def figures_of(self, name: str) -> tuple[Figures, float] | None:
        """(figures, their age in seconds) of a node; the time is that of the last call with one."""
        found = self.lanes.figures(name)
        return None if found is None else (found[0], max(0.0, self._now - found[1]))

    def note_lag(self, milliseconds: float) -> None:
        """How late the reactor was."""
        if milliseconds > LAG_MS and self._now >= self._lag_at:
            self._lag_at = self._now + 1.0  # one stall is reported more than once
            self.health.note(1)

    def set_marks(self, marks: tuple[Mark, ...]) -> None:
        """How far this node has all change logs."""
        self.lanes.marks = marks

    def urgent(self, data: bytes) -> None:
        """Send *data* to some members now and with the next packets."""
        if self.lanes.add_urgent(data):
            for name in self._some(self.knobs.fanout):
                self._send(name, None)

    def leave(self, now: float) -> None:
        """Tell everybody that this node goes."""
        self._now = max(self._now, now)
        self._left = True
        claim = claim_of(self.me, self.incarnation, LEFT)
        for member in self.members.values():
            if member.is_there:
                ways = {False, member.name in self._streams}
                self._out += [Send(member.name, Packet(claims=(claim,)), way) for way in ways]

    def outputs(self) -> list[Any]:
        """What is to be done since the last call: Send, Dial, Changed, MarksSeen, UrgentSeen."""
        out, self._out = self._out, []
        return out

    # Time

    @property
    def next_at(self) -> float:
        """When :meth:`tick` is wanted."""
        times = [self._period_at]
        if self._probe is not None:
            times.append(self._probe.end if self._probe.indirect else self._probe.timeout)
        if self.lanes.waiting:
            times.append(self._spread_at)
        if self._relays:
            times.append(min(relay.nack_at for relay in self._relays.values()))
        if self._death is not None:
            times.append(self._trial.next_at if self._trial is not None else self._trial_at)
        return min(self.roster.next_at, *times)

    def tick(self, now: float) -> None:
        """Do what is due."""
        late = now - max(self.next_at, self._now)
        self._now = max(self._now, now)
        if self._left:
            self._period_at = self._spread_at = now + self.knobs.period
            return
        if late > LATE and self.knobs.lifeguard:
            self._come_late(late)
        self._watch_probe()
        for number, relay in list(self._relays.items()):
            if now >= relay.nack_at:
                del self._relays[number]
                if self.knobs.lifeguard and now < relay.end:
                    self._send(relay.asker, Nack(relay.number))
        for member in self.roster.overdue(now):
            self.counters.deaths += 1
            self._hear(msgspec.structs.replace(member.claim, state=DEAD, accuser=self.me.name))
        if self._death is not None:
            self._try_to_come_back()
        if now >= self._period_at and self._probe is None:
            self._begin_period()
        if now >= self._spread_at and self.lanes.waiting:
            self._spread_at = now + self.knobs.spread
            for name in self._some(self.knobs.fanout):
                self._send(name, None)
        if now >= self._exchange_at:
            self._exchange_at = now + self.knobs.exchange * (0.5 + self._random.random())
            for name in self._random.sample(sorted(self._streams), min(1, len(self._streams))):
                self._tell_everything(name)

    def _come_late(self, seconds: float) -> None:
        """The process was stopped: what did not happen meanwhile is nobody's fault but ours."""
        self.counters.late_ticks += 1
        self.health.note(1)
        self._probe = None
        self._relays.clear()
        self._trial = None
        self.roster.postpone(seconds)

    def _begin_period(self) -> None:
        now, knobs = self._now, self.knobs
        self._period_at = now + knobs.period * self.health.factor
        self.roster.forget(now)
        dead = [m for m in self.members.values() if m.state == DEAD]
        if dead:
            member = self._random.choice(dead)
            self._ping(member.name)
        apart = [m for m in self.members.values() if m.state != LEFT and m.name not in self._streams]
        if apart:
            member = self._random.choice(apart)
            if now - member.dialled >= knobs.redial:
                member.dialled = now
                self._out.append(Dial(member.name, member.host, member.port))
        self._ring = self._ring or self._some(len(self.members))
        while self._ring:
            member_or_none = self.members.get(self._ring.pop())
            if member_or_none is not None and member_or_none.is_there:
                timeout = member_or_none.roundtrip.timeout * self.health.factor
                number = self._ping(member_or_none.name)
                self._probe = OwnProbe(
                    number, member_or_none.name, now, now + timeout, now + knobs.period * self.health.factor
                )
                self.counters.probes += 1
                return

    # Probes

    def _ping(self, name: str, stream: bool = False) -> int:
        self._number += 1
        self._send(name, Ping(self._number, name), stream)
        return self._number

    def _watch_probe(self) -> None:
        probe, now = self._probe, self._now
        if probe is None:
            return
        member = self.members.get(probe.target)
        if member is None or not member.is_there:
            self._probe = None
        elif not probe.indirect and now >= probe.timeout:
            probe.indirect = True
            helpers = self._some(self.knobs.indirect, without=probe.target, alive=True)
            probe.helpers = len(helpers)
            for helper in helpers:
                self.counters.indirect_probes += 1
                self._send(helper, PingRequest(probe.number, probe.target))
            if probe.target in self._streams:
                self.counters.stream_probes += 1
                self._send(probe.target, Ping(probe.number, probe.target), True)
            else:
                self._out.append(Dial(member.name, member.host, member.port))
        elif now >= probe.end:
            self._probe = None
            self.counters.failed_probes += 1
            # All helpers silent: rather our own link or load than all of theirs (Lifeguard 4.1).
            self.health.note(1 if probe.nacks >= probe.helpers else probe.helpers - probe.nacks)
            self._suspect(member)

    def _hear_ack(self, sender: str, number: int, stream: bool) -> None:
        probe = self._probe
        if number in self._trial_pings:
            if self._trial is not None:
                self._trial.answered(self._trial_pings.pop(number))
        elif probe is not None and number == probe.number:
            self.counters.acks += 1
            if sender == probe.target and not probe.indirect and not stream:
                self.members[sender].roundtrip.note(self._now - probe.sent)
            self.health.note(-1)
            self._probe = None
        elif (relay := self._relays.pop(number, None)) is not None:
            self._send(relay.asker, Ack(relay.number))

    def _relay(self, asker: str, request: PingRequest) -> None:
        member = self.members.get(request.target)
        if member is None or len(self._relays) > 256:
            return
        number = self._ping(request.target)
        period = self.knobs.period
        self._relays[number] = Relayed(asker, request.number, self._now + period / 2, self._now + period * 4)

    def _suspect(self, member: Member) -> None:
        if member.state == ALIVE:
            self.counters.suspicions += 1
        claim = msgspec.structs.replace(member.claim, state=SUSPECT, accuser=self.me.name)
        self._hear(claim)
        if self.knobs.lifeguard:
            self._send(member.name, None)

    # Claims

    def _hear(self, claim: Claim) -> None:
        if claim.name == self.me.name:
            self._hear_of_myself(claim)
        else:
            self._out += self.roster.hear(claim, self._now)

    def _hear_of_myself(self, claim: Claim) -> None:
        if claim.generation > self.me.generation:
            # An earlier life with a later number: the clock went back and the state was lost.
            self.me = self.me._replace(generation=claim.generation + 1)
            self.incarnation = 0
            self.lanes.news.add(claim_of(self.me, 0))
            return
        of_this_life = rank(claim)[:2] >= (self.me.generation, self.incarnation)
        if of_this_life and claim.state != ALIVE and not self._left:
            self.incarnation = rank(claim)[1]  # what is refuted, once we are fit
            if claim.state == DEAD and self.knobs.lifeguard:
                self._death = claim
            else:
                self._refute()

    def _refute(self) -> None:
        self.counters.refutations += 1
        self.health.note(1)
        self.incarnation += 1
        self._death = self._trial = None
        claim = claim_of(self.me, self.incarnation)
        self.lanes.news.add(claim)
        for name in self._some(self.knobs.fanout):
            self._send(name, None)

    def _try_to_come_back(self) -> None:
        """The trial of :mod:`edge.gossip.fitness`, step by step."""
        now = self._now
        if self._trial is None:
            witnesses = [m.name for m in self.members.values() if m.state != LEFT]
            if now < self._trial_at or not witnesses:
                self._trial_at = max(self._trial_at, now + ALONE) if not witnesses else self._trial_at
                return
            self.counters.trials += 1
            self._trial = Trial(now, self._random.sample(witnesses, min(WITNESSES, len(witnesses))))
            self._trial_pings.clear()
        trial = self._trial
        while trial.due(now):
            for name in trial.witnesses:
                self._trial_pings[self._ping(name)] = name
        if trial.passed:
            self._refute()
        elif trial.is_over(now):
            self._trial = None
            self._trial_at = now + PAUSE

    # What goes out

    def _some(self, count: int, without: str = "", alive: bool = False) -> list[str]:
        """Some members at random."""
        names = self.roster.names(ALIVE if alive else SUSPECT, without)
        return self._random.sample(names, min(count, len(names)))

    def _send(self, name: str, probe: Probe, stream: bool = False) -> None:
        self._out.append(Send(name, self._packet(name, probe), stream))

    def _packet(self, name: str, probe: Probe) -> Packet:
        """To whom we talk comes first what is held against it: so it can refute."""
        member = self.members.get(name)
        against = member is not None and member.state != ALIVE and self.knobs.lifeguard
        claim = member.claim if member is not None and against else None
        return self.lanes.fill(probe, claim, len(self.members) + 1, self._now)

    def _tell_everything(self, name: str) -> None:
        others = [] if self._left else [m.claim for m in self.members.values() if m.state != LEFT]
        packet = self.lanes.everything([claim_of(self.me, self.incarnation), *others], self._now)
        self._out.append(Send(name, packet, True))

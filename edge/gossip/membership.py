"""SWIM failure detection and membership (Das, Gupta, Motivala 2002) with Lifeguard (2018).  Sans-IO.

Packets and the time go in, :meth:`Membership.outputs` come out.  One period::

    t                 ping the next member of a shuffled ring
    t + timeout       no answer: ask k others to ping it, and ping it over the stream
    t + period        still none: suspect it, and tell everybody, itself first
    ... suspicion     it refutes with a higher incarnation, or is declared dead

Where this goes beyond SWIM: timeouts come from measured round trips; suspicions last as Lifeguard has it; a
node in bad health waits longer (:mod:`edge.gossip.awareness`); a tick that comes late (the process was
stopped, the clock jumped) moves all deadlines by as much; who was declared dead comes back after a probe
(:mod:`edge.gossip.rejoin`); the dead are pinged and dialled for ever, so that partitions heal.

**A node speaks for itself alone.**  Its generation, its addresses and its load are believed from itself, over
what its certificate protects, or with its signature; so a member is who has shown a certificate of that name.
Others say of a member, in the generation it has, that it is suspect, dead, or well; of anybody else they can
only tell that it is worth a dial (:mod:`edge.gossip.introductions`).  Numbers grow by steps that a cluster in
trouble needs (:data:`STEP`, :data:`GENERATION_STEP`), so nobody can use them up.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from edge.gossip.awareness import LAG_MS, Awareness
from edge.gossip.introductions import Introductions
from edge.gossip.keyring import Keyring
from edge.gossip.members import (
    ROUND,
    Counters,
    DateSeen,
    Dial,
    GossipConfig,
    Identity,
    Member,
    NamesakeSeen,
    Send,
    UrgentSeen,
    VersionVectorSeen,
    rank,
    update_of,
)
from edge.gossip.packet import (
    ALIVE,
    DEAD,
    LEFT,
    SUSPECT,
    Ack,
    LogPosition,
    MembershipUpdate,
    Nack,
    Packet,
    Ping,
    PingRequest,
    Probe,
    load_statement,
)
from edge.gossip.piggyback import PiggybackQueues, SignedLoad
from edge.gossip.probes import OwnProbe, Relayed
from edge.gossip.rejoin import PAUSE, WITNESSES, RejoinProbe
from edge.gossip.roster import Roster
from edge.load.report import LoadReport
from edge.load.wire import LAST_GENERATION

#: A tick that is later than this many seconds moves the deadlines.
LATE = 0.3
#: Incarnations by which what others say of a member may be ahead of what is known here: 64 deaths.
STEP = 64 * ROUND
#: Incarnations after which a node begins a new generation.
LAST_INCARNATION = 1 << 47
#: By how much others may know of a later life of this node, in milliseconds: a clock that was wrong by years.
GENERATION_STEP = 20 * 365 * 86_400_000
#: New streams in one second that carry everything; news and exchanges tell the others.
TOLD_LIMIT = 8
#: Seconds until a rejoin probe is tried again, when there is nobody to ping.
ALONE = 0.5


class Membership:
    """The SWIM protocol of one node.  *now*: seconds of a clock that does not go back.

    *date_ms*: Unix milliseconds, which are told to whoever probes this node; 0: they are not.
    """

    def __init__(
        self,
        me: Identity,
        config: GossipConfig,
        keyring: Keyring,
        random: Random,
        now: float,
        date_ms: Callable[[], int] = lambda: 0,
    ) -> None:
        self.me = me
        self.config = config
        self.incarnation = 0
        self.health = Awareness(config.lifeguard)
        self.counters = Counters()
        self._keyring = keyring
        self._latest_generation = min(me.generation + GENERATION_STEP, LAST_GENERATION)
        self._random = random
        self._date_ms = date_ms
        self._now = now
        self._out: list[Any] = []
        self.piggyback = PiggybackQueues(me.name)
        self.roster = Roster(config, self.piggyback, self.counters)
        self.members = self.roster.members
        self.introductions = Introductions(now)
        self._number = random.getrandbits(32)
        self._ring: list[str] = []
        self._probe: OwnProbe | None = None
        self._period_at = self._spread_at = self._lag_at = now
        self._exchange_at = now + config.exchange
        self._relays: dict[int, Relayed] = {}
        self._streams: set[str] = set()
        self._told, self._told_at = 0, now
        self._death: MembershipUpdate | None = None
        self._rejoin: RejoinProbe | None = None
        self._rejoin_at = now
        self._rejoin_pings: dict[int, str] = {}
        self._left = False

    # What comes in

    def receive(self, sender: str, packet: Packet, now: float, *, stream: bool = False) -> None:
        """*packet* from the authenticated *sender*."""
        self._now = max(self._now, now)
        for update in packet.updates:
            self._hear_from(sender, update)
        for age, report, signer, signature in packet.loads:
            self._hear_load(SignedLoad(report, now - age / 1000, signer, signature))
        if packet.version_vector:
            self._out.append(VersionVectorSeen(sender, packet.version_vector))
        if packet.part:
            self._out.append(VersionVectorSeen(sender, packet.part, whole=False))
        for data in packet.urgent:
            self._out.append(UrgentSeen(sender, data))
        known = (self.me.name, *self.members)
        self._out += [NamesakeSeen(one) for one in packet.namesakes if one.name in known]
        probe = packet.probe
        if isinstance(probe, Ping):
            if probe.target == self.me.name:
                self._send(sender, Ack(probe.number, self._date_ms()), stream)
        elif isinstance(probe, Ack):
            self._hear_ack(sender, probe, stream)
        elif isinstance(probe, PingRequest):
            self._relay(sender, probe)
        elif isinstance(probe, Nack) and self._probe is not None and probe.number == self._probe.number:
            self._probe.nacks += 1

    def connected(self, name: str, generation: int, host: str, port: int, url: str, now: float) -> None:
        """A stream with *name* is open: tell it everything, unless many others were told just now."""
        self._now = max(self._now, now)
        self._streams.add(name)
        self.introductions.met(name)
        member = self.members.get(name)
        if member is None or member.latest.generation < generation:
            self._hear(MembershipUpdate(name, ALIVE, generation, 0, host, port, url))
        elif member.state == LEFT or member.latest.generation > generation:
            # It has lost its state, or a namesake said goodbye: it has to know, to be above that.
            self._out.append(Send(name, Packet(updates=(member.latest,)), True))
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
        if member is not None and member.is_live and not self._left:
            self._ring.append(name)
            if self._probe is None:
                self._period_at = min(self._period_at, self._now)

    def renamed(self, name: str, now: float) -> bool:
        """Where the node *name* was there is another: if it is dead, it has left, for everybody.

        A node that only moved, or that others still reach, is not touched; False then.
        """
        self._now = max(self._now, now)
        member = self.members.get(name)
        if member is None or member.state != DEAD:
            return False
        last = member.latest.incarnation | ROUND - 1
        self._hear(msgspec.structs.replace(member.latest, state=LEFT, incarnation=last))
        return True

    def expel(self, name: str) -> None:
        """The node *name* is none of the cluster any more: its certificate is revoked."""
        self._streams.discard(name)
        self.roster.remove(name)

    def set_load(self, report: LoadReport, now: float) -> None:
        """This node's own load, for all."""
        signature = self._keyring.sign(load_statement(report))
        self.piggyback.note(SignedLoad(report, now, self._keyring.own, signature))

    def load_of(self, name: str) -> tuple[LoadReport, float] | None:
        """(report, its age in seconds) of a node; the time is that of the last call with one."""
        found = self.piggyback.load(name)
        return None if found is None else (found[0], max(0.0, self._now - found[1]))

    def note_lag(self, milliseconds: float) -> None:
        """How late the reactor was."""
        if milliseconds > LAG_MS and self._now >= self._lag_at:
            self._lag_at = self._now + 1.0  # one stall is reported more than once
            self.health.note(1)

    def set_version_vector(self, version_vector: tuple[LogPosition, ...]) -> None:
        """How far this node has all change logs."""
        self.piggyback.version_vector = version_vector

    def urgent(self, data: bytes) -> None:
        """Send *data* to some members now and with the next packets."""
        if self.piggyback.add_urgent(data):
            for name in self._some(self.config.fanout):
                self._send(name, None)

    def leave(self, now: float) -> None:
        """Tell everybody that this node goes."""
        self._now = max(self._now, now)
        self._left = True
        update = update_of(self.me, self.incarnation, LEFT)
        for member in self.members.values():
            if member.is_live:
                ways = {False, member.name in self._streams}
                self._out += [Send(member.name, Packet(updates=(update,)), way) for way in ways]

    def outputs(self) -> list[Any]:
        """What is to be done since the last call: the output records of :mod:`edge.gossip.members`."""
        out, self._out = self._out, []
        return out

    # Time

    @property
    def next_at(self) -> float:
        """When :meth:`tick` is wanted."""
        times = [self._period_at]
        if self._probe is not None:
            times.append(self._probe.end if self._probe.indirect else self._probe.timeout)
        if self.piggyback.waiting:
            times.append(self._spread_at)
        if self._relays:
            times.append(min(relay.nack_at for relay in self._relays.values()))
        if self._death is not None:
            times.append(self._rejoin.next_at if self._rejoin is not None else self._rejoin_at)
        return min(self.roster.next_at, *times)

    def tick(self, now: float) -> None:
        """Do what is due."""
        late = now - max(self.next_at, self._now)
        self._now = max(self._now, now)
        if self._left:
            self._period_at = self._spread_at = now + self.config.period
            return
        if late > LATE and self.config.lifeguard:
            self._come_late(late)
        self._watch_probe()
        for number, relay in list(self._relays.items()):
            if now >= relay.nack_at:
                del self._relays[number]
                if self.config.lifeguard and now < relay.end:
                    self._send(relay.asker, Nack(relay.number))
        for member in self.roster.overdue(now):
            self.counters.deaths += 1
            self._hear(msgspec.structs.replace(member.latest, state=DEAD, accuser=self.me.name))
        if self._death is not None:
            self._try_to_come_back()
        if now >= self._period_at and self._probe is None:
            self._begin_period()
        if now >= self._spread_at and self.piggyback.waiting:
            self._spread_at = now + self.config.spread
            for name in self._some(self.config.fanout):
                self._send(name, None)
        if now >= self._exchange_at:
            self._exchange_at = now + self.config.exchange * (0.5 + self._random.random())
            for name in self._random.sample(sorted(self._streams), min(1, len(self._streams))):
                self._tell_everything(name)

    def _come_late(self, seconds: float) -> None:
        """The process was stopped: what did not happen meanwhile is nobody's fault but ours."""
        self.counters.late_ticks += 1
        self.health.note(1)
        self._probe = None
        self._relays.clear()
        self._rejoin = None
        self.roster.postpone(seconds)

    def _begin_period(self) -> None:
        now, config = self._now, self.config
        self._period_at = now + config.period * self.health.factor
        self.roster.forget(now)
        dead = [m for m in self.members.values() if m.state == DEAD]
        if dead:
            member = self._random.choice(dead)
            self._ping(member.name)
        apart = [m for m in self.members.values() if m.state != LEFT and m.name not in self._streams]
        if apart:
            member = self._random.choice(apart)
            if now - member.dialled >= config.redial:
                member.dialled = now
                self._out.append(Dial(member.name, member.host, member.port))
        self._out += self.introductions.again(now)
        self._ring = self._ring or self._some(len(self.members))
        while self._ring:
            member_or_none = self.members.get(self._ring.pop())
            if member_or_none is not None and member_or_none.is_live:
                timeout = member_or_none.roundtrip.timeout * self.health.factor
                number = self._ping(member_or_none.name)
                self._probe = OwnProbe(
                    number, member_or_none.name, now, now + timeout, now + config.period * self.health.factor
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
        if member is None or not member.is_live:
            self._probe = None
        elif not probe.indirect and now >= probe.timeout:
            probe.indirect = True
            helpers = self._some(self.config.indirect, without=probe.target, alive=True)
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

    def _hear_ack(self, sender: str, ack: Ack, stream: bool) -> None:
        probe, number = self._probe, ack.number
        if number in self._rejoin_pings:
            if self._rejoin is not None:
                self._rejoin.answered(self._rejoin_pings.pop(number))
        elif probe is not None and number == probe.number:
            self.counters.acks += 1
            if sender == probe.target and not probe.indirect and not stream:
                self.members[sender].roundtrip.note(self._now - probe.sent)
            if sender == probe.target and ack.date_ms:
                self._out.append(DateSeen(sender, ack.date_ms, self._now - probe.sent))
            self.health.note(-1)
            self._probe = None
        elif (relay := self._relays.pop(number, None)) is not None:
            self._send(relay.asker, Ack(relay.number))

    def _relay(self, asker: str, request: PingRequest) -> None:
        member = self.members.get(request.target)
        if member is None or len(self._relays) > 256:
            return
        number = self._ping(request.target)
        period = self.config.period
        self._relays[number] = Relayed(asker, request.number, self._now + period / 2, self._now + period * 4)

    def _suspect(self, member: Member) -> None:
        if member.state == ALIVE:
            self.counters.suspicions += 1
        update = msgspec.structs.replace(member.latest, state=SUSPECT, accuser=self.me.name)
        self._hear(update)
        if self.config.lifeguard:
            self._send(member.name, None)

    # Updates

    def _hear(self, update: MembershipUpdate) -> None:
        if update.name == self.me.name:
            self._hear_of_myself(update)
        else:
            self._out += self.roster.hear(update, self._now)

    def _hear_from(self, sender: str, update: MembershipUpdate) -> None:
        """*sender* says this of itself, of this node, or of another one."""
        member = self.members.get(update.name)
        if update.name in (sender, self.me.name):
            self._hear(update)
        elif member is None or update.generation > member.latest.generation:
            if update.state < DEAD:
                self._out += self.introductions.hear(update, self._now)
        elif update.generation == member.latest.generation:
            if update.incarnation > member.latest.incarnation + STEP:
                self.counters.unproved += 1
                return
            self._hear(
                msgspec.structs.replace(
                    member.latest,
                    state=update.state,
                    incarnation=update.incarnation,
                    accuser=update.accuser,
                )
            )

    def _hear_load(self, load: SignedLoad) -> None:
        report = load.report
        is_ours = report.name == self.me.name
        if not (is_ours or report.name in self.members) or not self.piggyback.is_newer(report):
            return
        if self._keyring.is_revoked(load.signer) or not self._keyring.verify(
            load.signer, report.name, load_statement(report), load.signature
        ):
            self.counters.unproved += 1
            return
        if not is_ours:
            self.piggyback.note(load)
        elif report.generation < self._latest_generation and not self._left:
            self._begin_generation(
                report.generation + 1
            )  # of a namesake: ours would be older than it for ever

    def _begin_generation(self, generation: int) -> None:
        self.me = self.me._replace(generation=generation)
        self.incarnation = 0
        self.piggyback.news.add(update_of(self.me, 0))

    def _hear_of_myself(self, update: MembershipUpdate) -> None:
        me = self.me
        if update.generation >= self._latest_generation or update.incarnation > self.incarnation + STEP:
            self.counters.unproved += 1  # no life of ours
            return
        elsewhere = (update.host, update.port) != (me.host, me.port)
        of_another = elsewhere or (update.state == LEFT and not self._left)
        if update.generation > me.generation or (update.generation == me.generation and of_another):
            # An earlier life with a later number: the clock went back and the state was lost.  Or a namesake,
            # whose goodbye, address and load were taken for ours: a generation of our own makes them void.
            self._begin_generation(update.generation + 1)
            return
        of_this_life = rank(update)[:2] >= (self.me.generation, self.incarnation)
        if of_this_life and update.state == ALIVE:
            self.incarnation = update.incarnation  # what all believe of us
        if of_this_life and update.state != ALIVE and not self._left:
            self.incarnation = rank(update)[1]  # what is refuted, once we are fit
            if update.state == DEAD and self.config.lifeguard:
                self._death = update
            else:
                self._refute()

    def _refute(self) -> None:
        self.counters.refutations += 1
        self.health.note(1)
        self.incarnation += 1
        if self.incarnation > LAST_INCARNATION:
            self.me = self.me._replace(generation=self.me.generation + 1)
            self.incarnation = 0
        self._death = self._rejoin = None
        update = update_of(self.me, self.incarnation)
        self.piggyback.news.add(update)
        for name in self._some(self.config.fanout):
            self._send(name, None)

    def _try_to_come_back(self) -> None:
        """The rejoin probe (:mod:`edge.gossip.rejoin`), step by step."""
        now = self._now
        if self._rejoin is None:
            witnesses = [m.name for m in self.members.values() if m.state != LEFT]
            if now < self._rejoin_at or not witnesses:
                self._rejoin_at = max(self._rejoin_at, now + ALONE) if not witnesses else self._rejoin_at
                return
            self.counters.trials += 1
            self._rejoin = RejoinProbe(now, self._random.sample(witnesses, min(WITNESSES, len(witnesses))))
            self._rejoin_pings.clear()
        probe = self._rejoin
        while probe.due(now):
            for name in probe.witnesses:
                self._rejoin_pings[self._ping(name)] = name
        if probe.passed:
            self._refute()
        elif probe.is_over(now):
            self._rejoin = None
            self._rejoin_at = now + PAUSE

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
        against = member is not None and member.state != ALIVE and self.config.lifeguard
        update = member.latest if member is not None and against else None
        return self.piggyback.fill(probe, update, len(self.members) + 1, self._now)

    def _tell_everything(self, name: str) -> None:
        others = [] if self._left else [m.latest for m in self.members.values() if m.state != LEFT]
        packet = self.piggyback.everything([update_of(self.me, self.incarnation), *others], self._now)
        self._out.append(Send(name, packet, True))

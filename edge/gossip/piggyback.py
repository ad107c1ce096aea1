"""Piggybacking by strict priority: updates, then load reports, then the version vector, then urgent changes.

A queue gets what room the one before it left, so that no load on the table delays the news of a death.

The version vector of more than a dozen publishers has no room beside load reports.  Then a part of it rides
on each packet, this node's own position and others in turn: who never hears how far a log is cannot know
that it lacks something, and would confirm what is old.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

from edge.gossip.broadcasts import Broadcasts
from edge.gossip.packet import (
    MAX_PAYLOAD,
    NAMESAKES,
    Load,
    LogPosition,
    MembershipUpdate,
    Namesake,
    Packet,
    Probe,
    size_of,
)
from edge.load.report import LoadReport

#: Times an urgent change is sent, and how many wait at most.
URGENT_SENDS, URGENT_LIMIT = 4, 64
#: Load reports of so many others ride on one packet, signed: room is left for the version vector.
LOADS = 4
#: Bytes of a packet with nothing piggybacked.
_FRAME = 32
#: Bytes around one load report and its signature, and of urgent changes.
_AGE, _LENGTH = 27, 3


class SignedLoad(NamedTuple):
    """The load of a node at a time, as it signed it."""

    report: LoadReport
    at: float
    signer: bytes
    signature: bytes

    def sent(self, now: float) -> Load:
        """What goes into a packet at the time *now*."""
        age = min(max(0, int((now - self.at) * 1000)), (1 << 31) - 1)
        return age, self.report, self.signer, self.signature


class PiggybackQueues:
    """What the node *name* has to piggyback, and packets filled with it."""

    def __init__(self, name: str) -> None:
        self.news = Broadcasts()
        self.version_vector: tuple[LogPosition, ...] = ()
        #: What rides on every packet while there is any.
        self.namesakes: tuple[Namesake, ...] = ()
        #: Bytes sent by queue.
        self.bytes: Counter[str] = Counter()
        self._name = name
        self._loads: dict[str, SignedLoad] = {}
        #: Which of the others' positions comes first in the next part of the version vector.
        self._turn = 0
        self._urgent: deque[tuple[bytes, int]] = deque(maxlen=URGENT_LIMIT)

    @property
    def waiting(self) -> bool:
        """Whether there is something that should not wait for the next probe."""
        return bool(self.news) or bool(self._urgent)

    @property
    def queue(self) -> int:
        """News and urgent changes that wait."""
        return len(self.news) + len(self._urgent)

    def is_newer(self, report: LoadReport) -> bool:
        """Whether *report* is newer than what is known of its node."""
        known = self._loads.get(report.name)
        newest = (report.generation, report.sequence)
        return known is None or newest > (known.report.generation, known.report.sequence)

    def note(self, load: SignedLoad) -> None:
        """The load of some node; a report older than the known one is ignored."""
        if self.is_newer(load.report):
            self._loads[load.report.name] = load

    def load(self, name: str) -> tuple[LoadReport, float] | None:
        """(report, when it was true)."""
        known = self._loads.get(name)
        return None if known is None else (known.report, known.at)

    def forget(self, name: str) -> None:
        """Its load means nothing any more."""
        self._loads.pop(name, None)

    def add_urgent(self, data: bytes) -> bool:
        """Send *data* with the next packets; False: too large for one."""
        if size_of(data) > MAX_PAYLOAD - _FRAME:
            return False
        self._urgent.append((data, URGENT_SENDS))
        return True

    def fill(self, probe: Probe, held_against: MembershipUpdate | None, nodes: int, now: float) -> Packet:
        """A packet with *probe*; *held_against*: what its receiver should hear of itself first."""
        namesakes = self.namesakes[:NAMESAKES]
        room = MAX_PAYLOAD - _FRAME - size_of(probe) - (size_of(namesakes) if namesakes else 0)
        updates: list[MembershipUpdate] = []
        if held_against is not None:
            updates.append(held_against)
            room -= size_of(held_against)
        news, used = self.news.take(room, nodes)
        updates += news
        room -= used
        self.bytes["membership"] += MAX_PAYLOAD - room
        begin = room
        loads: list[Load] = []
        for one in self.newest_loads(LOADS):
            size = size_of(one.report) + len(one.signature) + _AGE
            if size > room:
                break
            loads.append(one.sent(now))
            room -= size
        self.bytes["load"] += begin - room
        begin = room
        version_vector: tuple[LogPosition, ...] = ()
        part: tuple[LogPosition, ...] = ()
        if self.version_vector and (size := size_of(self.version_vector)) <= room:
            version_vector = self.version_vector
            room -= size
        elif self.version_vector:
            part = self._part(room)
            room -= size_of(part) if part else 0
        urgent = []
        for _ in range(len(self._urgent)):
            data, left = self._urgent.popleft()
            if len(data) + _LENGTH <= room:
                urgent.append(data)
                room -= len(data) + _LENGTH
                left -= 1
            if left:
                self._urgent.append((data, left))
        self.bytes["table"] += begin - room
        return Packet(probe, tuple(updates), tuple(loads), version_vector, tuple(urgent), namesakes, part)

    def _part(self, room: int) -> tuple[LogPosition, ...]:
        """This node's own position and as many of the others as *room* is for, in turn."""
        own = [one for one in self.version_vector if one.origin == self._name]
        others = [one for one in self.version_vector if one.origin != self._name]
        begin = self._turn % max(len(others), 1)
        part: list[LogPosition] = []
        room -= _LENGTH
        for one in (*own, *others[begin:], *others[:begin]):
            room -= size_of(one)
            if room < 0:
                break
            part.append(one)
        self._turn = begin + max(len(part) - len(own), 0)
        return tuple(part)

    def everything(self, updates: list[MembershipUpdate], now: float) -> Packet:
        """For a stream, which has room for all."""
        loads = (one.sent(now) for one in self.newest_loads(64))
        return Packet(None, tuple(updates), tuple(loads), self.version_vector)

    def newest_loads(self, limit: int) -> list[SignedLoad]:
        """Own report, then the newest of the others."""
        own = self._loads.get(self._name)
        others = [found for name, found in self._loads.items() if name != self._name]
        others.sort(key=lambda found: -found.at)
        return ([own] if own is not None else []) + others[:limit]

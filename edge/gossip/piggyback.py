"""Piggybacking by strict priority: updates, then load reports, then the version vector, then urgent changes.

A queue gets what room the one before it left, so that no load on the table delays the news of a death.
"""

from __future__ import annotations

from collections import Counter, deque

from edge.gossip.broadcasts import Broadcasts
from edge.gossip.packet import (
    MAX_PAYLOAD,
    NAMESAKES,
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
#: Figures of so many nodes ride on one packet.
LOADS = 8
#: Bytes of a packet with nothing piggybacked.
_FRAME = 32
#: Bytes around one load report, and of urgent changes.
_AGE, _LENGTH = 6, 3


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
        self._loads: dict[str, tuple[LoadReport, float]] = {}
        self._urgent: deque[tuple[bytes, int]] = deque(maxlen=URGENT_LIMIT)

    @property
    def waiting(self) -> bool:
        """Whether there is something that should not wait for the next probe."""
        return bool(self.news) or bool(self._urgent)

    @property
    def queue(self) -> int:
        """News and urgent changes that wait."""
        return len(self.news) + len(self._urgent)

    def note(self, report: LoadReport, at: float) -> None:
        """The load of some node at the time *at*; a report older than the known one is ignored."""
        known = self._loads.get(report.name)
        newest = (report.generation, report.sequence)
        if known is None or newest > (known[0].generation, known[0].sequence):
            self._loads[report.name] = (report, at)

    def load(self, name: str) -> tuple[LoadReport, float] | None:
        """(report, when it was true)."""
        return self._loads.get(name)

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
        loads: list[tuple[int, LoadReport]] = []
        for one, at in self.newest_loads(LOADS):
            size = size_of(one) + _AGE
            if size > room:
                break
            loads.append((max(0, int((now - at) * 1000)), one))
            room -= size
        self.bytes["load"] += begin - room
        begin = room
        version_vector: tuple[LogPosition, ...] = ()
        if self.version_vector and (size := size_of(self.version_vector)) <= room:
            version_vector = self.version_vector
            room -= size
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
        return Packet(probe, tuple(updates), tuple(loads), version_vector, tuple(urgent), namesakes)

    def everything(self, updates: list[MembershipUpdate], now: float) -> Packet:
        """For a stream, which has room for all."""
        loads = ((max(0, int((now - at) * 1000)), one) for one, at in self.newest_loads(64))
        return Packet(None, tuple(updates), tuple(loads), self.version_vector)

    def newest_loads(self, limit: int) -> list[tuple[LoadReport, float]]:
        """Own report, then the newest of the others."""
        own = self._loads.get(self._name)
        others = [found for name, found in self._loads.items() if name != self._name]
        others.sort(key=lambda found: -found[1])
        return ([own] if own is not None else []) + others[:limit]

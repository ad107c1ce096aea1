"""SWIM's member records, the precedence of updates about a member, configuration and outputs.

Updates are ordered by (generation, incarnation, state): a generation is one life of a process and grows with
each start, an incarnation grows when a node refutes what is said of it, and of two updates with both equal
the worse state counts.  So a node can always be believed about itself, and old news never win.

A death counts against all incarnations of the same :data:`ROUND`: a refutation of an earlier suspicion that
arrives late does not revive a node which has not noticed that it was declared dead.  It comes back with the
first incarnation of the next round, after its rejoin probe (:mod:`edge.gossip.rejoin`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from edge.gossip.packet import ALIVE, DEAD, SUSPECT, LogPosition, MembershipUpdate, Namesake, Packet
from edge.gossip.roundtrip import RoundTrip


class Identity(NamedTuple):
    """Who this node is: its name, its present life, its addresses."""

    name: str
    #: Grows with each start.
    generation: int
    #: Where the others reach its gossip port.
    host: str
    port: int
    #: Where browsers reach it.
    url: str


@dataclass(frozen=True)
class GossipConfig:
    """Parameters of failure detection and dissemination; docs/explanation/gossip.md says what they cost."""

    #: Seconds between two probes.
    period: float = 0.5
    #: Members asked to probe for us.
    indirect: int = 2
    #: The lowest suspicion time is this many periods, times log10(n) if that is more than 1.
    suspicion: float = 3.0
    #: The highest is this many times the lowest.
    suspicion_highest: float = 6.0
    #: Seconds between two messages of news to some members, while there are any.
    spread: float = 0.1
    fanout: int = 3
    #: Seconds between two exchanges of everything with some member.
    exchange: float = 10.0
    #: Seconds between two dials to a member, dead or alive, to which there is no stream.
    redial: float = 2.0
    #: Seconds until the dead and those who left are forgotten.
    forget_dead: float = 86_400.0
    forget_left: float = 60.0
    #: False: plain SWIM, for comparison.
    lifeguard: bool = True


@dataclass
class Member:
    """Another node: its state (ALIVE, SUSPECT, DEAD, LEFT) and its round-trip time."""

    #: The update about it that counts.
    latest: MembershipUpdate
    #: When it came into its present state.
    since: float
    roundtrip: RoundTrip = field(default_factory=RoundTrip)
    dialled: float = -1e9

    @property
    def name(self) -> str:
        """The node's name."""
        return self.latest.name

    @property
    def state(self) -> int:
        """ALIVE, SUSPECT, DEAD or LEFT."""
        return self.latest.state

    @property
    def host(self) -> str:
        """The address of its gossip port."""
        return self.latest.host

    @property
    def port(self) -> int:
        """Its gossip port."""
        return self.latest.port

    @property
    def is_live(self) -> bool:
        """Whether it is counted among the living."""
        return self.latest.state <= SUSPECT


#: Incarnations that one death ends.
ROUND = 1 << 16


def rank(update: MembershipUpdate) -> tuple[int, int, int]:
    """The precedence of an update: of two about a node the one with the higher rank counts."""
    incarnation = update.incarnation | ROUND - 1 if update.state == DEAD else update.incarnation
    return update.generation, incarnation, update.state


# What Membership.outputs() gives.


class Send(NamedTuple):
    """Send *packet* to the member *to*: over a *stream*, or as a datagram."""

    to: str
    packet: Packet
    stream: bool


class Dial(NamedTuple):
    """A stream to the member *name* is wanted."""

    name: str
    host: str
    port: int


class MemberChanged(NamedTuple):
    """*member* is new (*before* None), or in another state than *before*."""

    member: Member
    before: int | None


class DateSeen(NamedTuple):
    """*sender* had the date *date_ms* (Unix milliseconds) within the last *elapsed* seconds."""

    sender: str
    date_ms: int
    elapsed: float


class VersionVectorSeen(NamedTuple):
    """*sender* has told how far it has all change logs; some of them, if it is not *whole*."""

    sender: str
    version_vector: tuple[LogPosition, ...]
    whole: bool = True


class NamesakeSeen(NamedTuple):
    """Somebody says that two processes bear one name; it may be this node's own."""

    namesake: Namesake


class UrgentSeen(NamedTuple):
    """A change of the table that could not wait."""

    sender: str
    data: bytes


@dataclass
class Counters:
    """Counts of what has happened since the start; metrics of the same names."""

    probes: int = 0
    acks: int = 0
    indirect_probes: int = 0
    stream_probes: int = 0
    failed_probes: int = 0
    suspicions: int = 0
    false_suspicions: int = 0
    deaths: int = 0
    refutations: int = 0
    trials: int = 0
    late_ticks: int = 0
    #: Updates of others that go beyond what is known of their node, and load reports that it did not sign.
    unproved: int = 0


def update_of(me: Identity, incarnation: int, state: int = ALIVE) -> MembershipUpdate:
    """The update in which a node states its own state."""
    return MembershipUpdate(me.name, state, me.generation, incarnation, me.host, me.port, me.url)

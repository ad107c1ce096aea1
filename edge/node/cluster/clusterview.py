"""The cluster as one of its nodes sees it: for the load document, ``edgectl`` and the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.gossip.packet import STATES
from edge.load.document import TTL_MS, NodeLoad, node_load
from edge.load.report import unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.gossip.differences import ClockDifferences
    from edge.gossip.members import Member
    from edge.gossip.membership import Membership
    from edge.gossip.replica import Replica
    from edge.load.report import LoadReport
    from edge.node.bodies.fetcher import BodyFetcher
    from edge.node.cluster.entry_lane import EntryLane
    from edge.node.cluster.group_lane import GroupLane
    from edge.node.cluster.peers import Peers
    from edge.node.cluster.replicated_table import ReplicatedTable
    from edge.node.cluster.replication_progress import ReplicationProgress
    from edge.node.cluster.revoking import Revoking
    from edge.node.cluster.troubles import Troubles
    from edge.node.process.lag import LagMeter


#: Own health from which this node doubts itself rather than others: one failed probe is 1 or 2.
UNWELL = 2


class ClusterView:
    """What this node knows of its cluster, told to whoever asks.

    For the load document (:class:`edge.node.telemetry.load_publisher.OtherNodes`), the status document, the
    admin API and the metrics.  *clock*: the seconds by which *membership* goes.
    """

    def __init__(
        self,
        *,
        membership: Membership,
        peers: Peers,
        replica: Replica,
        table: ReplicatedTable,
        progress: ReplicationProgress,
        fetcher: BodyFetcher,
        lag: LagMeter,
        differences: ClockDifferences,
        troubles: Troubles,
        revoking: Revoking,
        groups: GroupLane,
        entries: EntryLane,
        clock: Callable[[], float],
    ) -> None:
        self._membership = membership
        self._peers = peers
        self._replica = replica
        self._table = table
        self._progress = progress
        self._fetcher = fetcher
        self._lag = lag
        self._differences = differences
        self._troubles = troubles
        self._revoking = revoking
        self._groups = groups
        self._entries = entries
        self._clock = clock

    @property
    def generation(self) -> int:
        """The generation of this node, new in each of its lives."""
        return self._membership.me.generation

    def tell(self, report: LoadReport) -> None:
        """Send this node's load to all."""
        self._membership.set_load(report, self._clock())

    def live(self) -> list[str]:
        """Names of the nodes that live, as far as this one knows; it is one of them."""
        members = self._membership.members.values()
        return [self._membership.me.name, *(member.name for member in members if member.is_live)]

    def is_replicated(self) -> bool:
        """Whether all other nodes that live have all changes of this one."""
        live = (member.name for member in self._membership.members.values() if member.is_live)
        return all(self._progress.peer_behind(name) == 0 for name in live)

    def loads(self) -> list[NodeLoad]:
        """The other nodes in the load document."""
        return [self._load(member) for member in self._membership.members.values()]

    def _load(self, member: Member) -> NodeLoad:
        """One of them; this node doubts itself rather than others while it is :data:`UNWELL`."""
        known = self._membership.load_of(member.name)
        report, age = known if known is not None else (unknown(member.name), TTL_MS / 1000)
        doubtful = self._membership.health.score > UNWELL
        return node_load(report, member.latest.url, STATES[member.state], age, doubtful)

    def status(self) -> dict[str, Any]:
        """The other nodes and how far replication is, as ``gossip`` of ``/.edge/status``."""
        members = sorted(self._membership.members.values(), key=lambda one: one.name)
        return {
            "members": [
                {
                    "id": member.name,
                    "state": STATES[member.state],
                    "rtt_ms": _milliseconds(member.roundtrip.smoothed),
                    "behind": self._progress.peer_behind(member.name),
                }
                for member in members
            ],
            "lag_p50_ms": self._lag_ms(0.5),
            "lag_p99_ms": self._lag_ms(0.99),
            "missing_bodies": self._table.missing,
        }

    def checks(self) -> list[tuple[str, bool, str]]:
        """What ``GET /check`` says of the cluster: (name, whether it is well, detail)."""
        return self._troubles.checks()

    def troubles(self) -> list[str]:
        """What only an operator can mend, a sentence each."""
        return self._troubles.sentences()

    def members(self) -> dict[str, Any]:
        """``GET /members``: this node and the others."""
        me = self._membership.me
        own = {
            "name": me.name,
            "state": "alive",
            "address": f"{me.host}:{me.port}",
            "url": me.url,
            "this": True,
            "generation": me.generation,
            "incarnation": self._membership.incarnation,
            "rtt_ms": None,
            "clock_ms": 0,
            "utilization": None,
            "age_ms": 0,
            "behind": sum(self._progress.behind().values()),
            "bytes_in": None,
            "bytes_out": None,
            "since_s": None,
        }
        others = [self._member(m) for m in self._membership.members.values()]
        return {
            "node": me.name,
            "health": self._membership.health.score,
            "members": sorted([own, *others], key=lambda one: str(one["name"])),
        }

    def _member(self, member: Member) -> dict[str, Any]:
        known = self._membership.load_of(member.name) is not None
        load = self._load(member)
        rtt = member.roundtrip.smoothed
        streams = self._peers.streams.get(member.name, [])
        return {
            "name": member.name,
            "state": STATES[member.state],
            "address": f"{member.host}:{member.port}",
            "url": member.latest.url,
            "this": False,
            "generation": member.latest.generation,
            "incarnation": member.latest.incarnation,
            "rtt_ms": _milliseconds(rtt),
            "clock_ms": self._differences.of(member.name),
            "utilization": load.utilization if known else None,
            "age_ms": load.age_ms if known else None,
            "behind": self._progress.peer_behind(member.name),
            "bytes_in": sum(one.bytes_in for one in streams),
            "bytes_out": sum(one.bytes_out for one in streams),
            "since_s": round(self._clock() - member.since, 1),
        }

    def log(self) -> dict[str, Any]:
        """``GET /log``: each node's change log, as far as it is here."""
        behind = self._progress.behind()
        return {
            "logs": [
                {
                    "origin": position.origin,
                    "generation": position.generation,
                    "sequence": position.sequence,
                    "behind": behind.get(position.origin, 0),
                    "lease_s": self._table.leases.left(position.origin),
                    "own": position.origin == self._membership.me.name,
                }
                for position in sorted(self._replica.version_vector(), key=lambda one: one.origin)
            ],
            "lag_p50_ms": self._lag_ms(0.5),
            "lag_p99_ms": self._lag_ms(0.99),
            "stall_ms": round(self._lag.worst_us / 1000, 1),
            "queue": self._table.queue,
            "missing_bodies": self._table.missing,
            "kept": self._table.kept,
            "counters": dict(self._replica.counters),
        }

    def revocations(self) -> dict[str, Any]:
        """``GET /revocations``: certificates that count no longer."""
        return self._revoking.listed()

    def announce(self, text: bytes) -> dict[str, Any]:
        """``POST /revocations``: take lists of revoked certificates, and pass them on."""
        return self._revoking.announce(text)

    def metrics(self) -> dict[str, float]:
        """For Prometheus: by what follows ``edge_gossip_`` in the names of the metrics."""
        membership, peers = self._membership, self._peers
        counters = {f"{name}_total": float(value) for name, value in vars(membership.counters).items()}
        refused = {
            f"refused_{name}_total": float(value) for name, value in vars(peers.sessions.refused).items()
        }
        piggybacked = {
            f"{name}_bytes_total": float(value) for name, value in membership.piggyback.bytes.items()
        }
        table = {f"table_{name}_total": float(value) for name, value in self._replica.counters.items()}
        names = ("fetched", "bytes", "resumed", "wrong_hash", "failures")
        bodies = {f"bodies_{name}_total": float(getattr(self._fetcher, name)) for name in names}
        states = [member.state for member in membership.members.values()]
        return {
            **counters,
            **refused,
            **piggybacked,
            **table,
            **bodies,
            **self._groups.metrics(),
            **self._entries.metrics(),
            "refused_streams_total": float(peers.refusals),
            "unreached_total": float(peers.unreached),
            "datagram_bytes_in_total": float(peers.datagram_bytes_in),
            "datagram_bytes_out_total": float(peers.datagram_bytes_out),
            **{f"members_{name}": float(states.count(number)) for number, name in enumerate(STATES)},
            "health": float(membership.health.score),
            "troubles": float(len(self._troubles.sentences())),
            "news_queue": float(membership.piggyback.queue),
            "apply_queue": float(self._table.queue),
            "missing_bodies": float(self._table.missing),
            "behind": float(sum(self._progress.behind().values())),
            "reactor_lag_seconds": self._lag.worst_us / 1e6,
            "lag_p50_seconds": (self._lag_ms(0.5) or 0) / 1000,
            "lag_p99_seconds": (self._lag_ms(0.99) or 0) / 1000,
        }

    def _lag_ms(self, quantile: float) -> int | None:
        """Of the latest changes of other nodes: from when they were made until they were here."""
        lags = sorted(self._table.lags)
        return lags[int(len(lags) * quantile)] if lags else None


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)

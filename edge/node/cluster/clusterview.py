"""What a cluster looks like from one node: for the load document, ``edgectl`` and the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.gossip.packet import STATES
from edge.load.document import TTL_MS, NodeLoad, node_load
from edge.load.report import unknown

if TYPE_CHECKING:
    from edge.gossip.members import Member
    from edge.node.cluster.cluster import Cluster


#: Own health from which this node doubts itself rather than others: one failed probe is 1 or 2.
UNWELL = 2


def loads(cluster: Cluster) -> list[NodeLoad]:
    """The other nodes in the load document."""
    return [_load(cluster, member) for member in cluster.membership.members.values()]


def _load(cluster: Cluster, member: Member) -> NodeLoad:
    """One of them; this node doubts itself rather than others while it is :data:`UNWELL`."""
    known = cluster.membership.figures_of(member.name)
    report, age = known if known is not None else (unknown(member.name), TTL_MS / 1000)
    doubtful = cluster.membership.health.score > UNWELL
    return node_load(report, member.latest.url, STATES[member.state], age, doubtful)


def members(cluster: Cluster) -> dict[str, Any]:
    """``GET /members``: this node and the others."""
    me = cluster.membership.me
    own = {
        "name": me.name, "state": "alive", "address": f"{me.host}:{me.port}", "url": me.url, "this": True,
        "generation": me.generation, "incarnation": cluster.membership.incarnation, "rtt_ms": None,
        "utilization": None, "age_ms": 0, "behind": sum(cluster.progress.behind().values()), "bytes_in": None,
        "bytes_out": None, "since_s": None,
    }  # fmt: skip
    others = [_member(cluster, m) for m in cluster.membership.members.values()]
    return {
        "node": me.name,
        "health": cluster.membership.health.score,
        "members": sorted([own, *others], key=lambda one: str(one["name"])),
    }


def _member(cluster: Cluster, member: Member) -> dict[str, Any]:
    known = cluster.membership.figures_of(member.name)
    rtt = member.roundtrip.smoothed
    streams = cluster.peers.streams.get(member.name, [])
    return {
        "name": member.name, "state": STATES[member.state], "address": f"{member.host}:{member.port}",
        "url": member.latest.url, "this": False, "generation": member.latest.generation,
        "incarnation": member.latest.incarnation, "rtt_ms": None if rtt is None else round(rtt * 1000, 2),
        "utilization": None if known is None else round(known[0].utilization, 3),
        "age_ms": None if known is None else int(known[1] * 1000),
        "behind": cluster.progress.peer_behind(member.name),
        "bytes_in": sum(one.bytes_in for one in streams), "bytes_out": sum(one.bytes_out for one in streams),
        "since_s": round(cluster.now() - member.since, 1),
    }  # fmt: skip


def log(cluster: Cluster) -> dict[str, Any]:
    """``GET /log``: each node's change log, as far as it is here."""
    behind = cluster.progress.behind()
    lags = sorted(cluster.table.lags)
    return {
        "logs": [
            {
                "origin": position.origin, "generation": position.generation, "sequence": position.sequence,
                "behind": behind.get(position.origin, 0),
                "lease_s": cluster.table.leases.left(position.origin),
                "own": position.origin == cluster.membership.me.name,
            }
            for position in sorted(cluster.replica.version_vector(), key=lambda one: one.origin)
        ],
        "lag_p50_ms": lags[len(lags) // 2] if lags else None,
        "lag_p99_ms": lags[len(lags) * 99 // 100] if lags else None,
        "stall_ms": round(cluster.lag.worst_us / 1000, 1),
        "queue": cluster.table.queue,
        "missing_bodies": cluster.table.missing,
        "kept": cluster.table.kept,
        "counters": dict(cluster.replica.counters),
    }  # fmt: skip


def figures(cluster: Cluster) -> dict[str, float]:
    """Numbers for Prometheus, by the names of :mod:`edge.node.telemetry.metrics` after ``edge_gossip_``."""
    membership, peers = cluster.membership, cluster.peers
    counters = {f"{name}_total": float(value) for name, value in vars(membership.counters).items()}
    refused = {f"refused_{name}_total": float(value) for name, value in vars(peers.sessions.refused).items()}
    piggybacked = {f"{name}_bytes_total": float(value) for name, value in membership.piggyback.bytes.items()}
    table = {f"table_{name}_total": float(value) for name, value in cluster.replica.counters.items()}
    names = ("fetched", "bytes", "resumed", "wrong_hash", "failures")
    bodies = {f"bodies_{name}_total": float(getattr(cluster.fetcher, name)) for name in names}
    states = [member.state for member in membership.members.values()]
    lags = sorted(cluster.table.lags)
    return {
        **counters, **refused, **piggybacked, **table, **bodies,
        "refused_streams_total": float(peers.refusals),
        "unreached_total": float(peers.unreached),
        "datagram_bytes_in_total": float(peers.datagram_bytes_in),
        "datagram_bytes_out_total": float(peers.datagram_bytes_out),
        **{f"members_{name}": float(states.count(number)) for number, name in enumerate(STATES)},
        "health": float(membership.health.score),
        "news_queue": float(membership.piggyback.queue),
        "apply_queue": float(cluster.table.queue),
        "missing_bodies": float(cluster.table.missing),
        "behind": float(sum(cluster.progress.behind().values())),
        "reactor_lag_seconds": cluster.lag.worst_us / 1e6,
        "lag_p50_seconds": lags[len(lags) // 2] / 1000 if lags else 0.0,
        "lag_p99_seconds": lags[len(lags) * 99 // 100] / 1000 if lags else 0.0,
    }  # fmt: skip

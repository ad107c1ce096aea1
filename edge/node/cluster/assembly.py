"""A node of a cluster, put together: each part is given finished parts, none is told of others later.

In this order: what has to be opened (certificates, the port, the change log), the membership, the body store,
the replicated table, and then its users: the cluster and the view of it, made here, and the publisher, which
the supervisor makes with :attr:`ClusterParts.bodies` and :attr:`ClusterParts.table`.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from random import SystemRandom
from time import monotonic
from typing import TYPE_CHECKING, Any

from edge.cache.keys import Key
from edge.config.applications import answering
from edge.config.values import split_address
from edge.fastpath.answerer import monotonic_ms
from edge.gossip.clock import AHEAD_MS
from edge.gossip.coalescing import Coalescing
from edge.gossip.differences import ClockDifferences, told
from edge.gossip.invalidation import Invalidation
from edge.gossip.members import GossipConfig, Identity
from edge.gossip.membership import Membership
from edge.gossip.packet import ALIVE
from edge.node.bodies.fetcher import BodyFetcher
from edge.node.bodies.store import BodyStore
from edge.node.cluster.anti_entropy import AntiEntropy
from edge.node.cluster.bodyserver import make_peer_site
from edge.node.cluster.change_log import ChangeLog
from edge.node.cluster.cluster import Cluster
from edge.node.cluster.clusterview import ClusterView
from edge.node.cluster.entry_lane import EntryLane, Puller
from edge.node.cluster.gossip_port import GossipPort
from edge.node.cluster.group_lane import GroupLane, changes_to
from edge.node.cluster.known_peers import KnownPeers
from edge.node.cluster.leases import ORIGINS, LeaseRenewal, Leases
from edge.node.cluster.missing_bodies import MissingBodies
from edge.node.cluster.peer_directory import PeerDirectory
from edge.node.cluster.peer_endpoints import BodyClient, PeerEndpoints
from edge.node.cluster.peers import Peers
from edge.node.cluster.replicated_table import ReplicatedTable
from edge.node.cluster.replication_progress import ReplicationProgress
from edge.node.cluster.revoking import Revoking
from edge.node.cluster.shared_secrets import SecretsResource, SharedSecrets
from edge.node.cluster.troubles import Troubles
from edge.node.cluster.turn_loop import TurnLoop
from edge.node.connection.site import ChannelFactory
from edge.node.process.clocks import date_of
from edge.node.process.lag import LagMeter
from edge.trust.contexts import PeerCertificates
from edge.trust.keyring import NodeKeyring

if TYPE_CHECKING:
    from edge.cache.groups import Groups
    from edge.config import Config
    from edge.gossip.invalidation import Apply
    from edge.node.cluster.entry_lane import ClusterAnswers
    from edge.node.cluster.group_lane import StoredAnswers
    from edge.node.process.slices import Slices
    from edge.publish.blobs import Blobs
    from edge.table.site_state import StateEntry
    from edge.table.writer import Writer


@dataclass(frozen=True)
class ClusterParts:
    """What the rest of a node needs of its cluster."""

    cluster: Cluster
    view: ClusterView
    #: Where the publisher publishes to.
    table: ReplicatedTable
    bodies: BodyStore
    missing: MissingBodies
    #: What all nodes agree on and nobody else may see.
    secrets: SharedSecrets
    #: Changes of cache groups.
    groups: GroupLane


def make_cluster(
    config: Config,
    url: str,
    blobs: Blobs,
    writer: Writer,
    state: StateEntry,
    answers: ClusterAnswers,
    groups: Groups,
    slices: Slices,
    reactor: Any,
    note: Apply | None = None,
) -> ClusterParts:
    """The cluster's part of a node, its port open; *url*: how browsers reach this node.

    *note* is called with each change of cache groups that is in force.

    Raises :class:`~edge.errors.EdgeError` for what a user can mend: certificates, a port, a damaged file.
    """
    assert config.gossip is not None
    node, random = config.node, SystemRandom()
    revoked = config.state_dir / "revoked.pem"
    certificates = PeerCertificates(node, config.cluster_cert, config.cluster_key, config.cluster_ca, revoked)
    certificates.load()
    keyring = NodeKeyring(certificates, config.cluster)
    known = KnownPeers(config.state_dir / "gossip.json")
    generation = max(known.generation + 1, int(date_of(reactor) * 1000))
    log = ChangeLog(config.state_dir / "replica.sqlite", node, keyring, reactor)
    port = GossipPort(*split_address(config.gossip))

    me = Identity(node, generation, port.host, port.number, url)
    membership = Membership(
        me, GossipConfig(), keyring, random, monotonic(), lambda: int(date_of(reactor) * 1000)
    )
    directory = PeerDirectory(membership, random)

    client = BodyClient(PeerEndpoints(certificates, directory.address_of, reactor), reactor)
    fetcher = BodyFetcher(blobs, client, directory.holders, reactor)
    bodies = BodyStore(blobs, fetcher)

    body_limit = config.body_limit_kib * 1024
    missing = MissingBodies(log.replica, bodies, writer, body_limit, slices, reactor)
    leases = Leases(writer.segment, node)
    table = ReplicatedTable(
        log.replica,
        writer,
        bodies,
        missing,
        leases,
        body_limit,
        slices,
        reactor,
        state,
        lambda: repr(sorted(certificates.revocations.entries.items())).encode(),
    )

    def peers_alive() -> list[str]:
        return [member.name for member in membership.members.values() if member.is_live]

    secrets = SharedSecrets(client, peers_alive, random, reactor)
    body_site = make_peer_site(bodies, SecretsResource(secrets.merge), reactor)
    http = ChannelFactory(body_site, secure=True)
    peers = Peers(port, certificates, http, reactor, config.ipv6_prefix)
    progress = ReplicationProgress(node, log.replica)
    anti_entropy = AntiEntropy(log, table, membership, progress, peers, random, reactor)
    lag = LagMeter(reactor, lambda lag_us: membership.note_lag(lag_us / 1000))
    differences = ClockDifferences()
    revoking = Revoking(certificates, keyring, log.replica, table, membership, peers)
    core = Invalidation(
        node,
        generation,
        known.generation,
        changes_to(groups, answers, note),
        config.lease_seconds,
        monotonic(),
    )
    core.expects = bool(config.peer or known.addresses)
    lane = GroupLane(core, groups, answers, config.lease_seconds, peers.send_groups, monotonic, reactor)
    coalescing = Coalescing(node, lambda name: entries.offer(name))
    coalescing.set_applications(one.name for one in config.applications)
    entries = EntryLane(
        coalescing,
        groups,
        core,
        answers,
        Puller(client, reactor),
        lambda application, name: _owns(config, application, name),
        peers.send_entries,
        peers.is_full,
        monotonic,
        monotonic_ms,
        reactor,
    )
    answers.cluster = entries
    bodies.lend(answers.body_of)
    turns = TurnLoop(
        config.cluster,
        config.peer,
        membership,
        peers,
        known,
        anti_entropy,
        progress,
        differences,
        revoking,
        lane,
        entries,
        secrets.meet,
        monotonic,
        reactor,
        _digest(config),
    )
    troubles = Troubles(
        {
            "sites": turns.other_sites,
            "leases": lambda: _unconfirmed(leases.without()),
            "names": lambda: peers.namesakes.sentences(reactor.seconds()),
            "clock": lambda: {name: told(name, ms) for name, ms in differences.wrong().items()},
            "changes": lambda: _refused(log.replica.refused(int(date_of(reactor) * 1000))),
            "certificate": revoking.troubles,
            "peers": lambda: _distrusted(log.replica.requests.distrusted),
            "deploys": lambda: _unended(table.open_steps()),
            "answers": lambda: lane.troubles() if config.applications else {},
        },
        reactor,
    )
    cluster = Cluster(
        publishes=any(site.webroot is not None for site in config.sites),
        others_publish=lambda unknown: _others_publish(membership, unknown),
        turns=turns,
        log=log,
        table=table,
        anti_entropy=anti_entropy,
        progress=progress,
        renewal=LeaseRenewal(leases, membership, progress, config.lease_seconds),
        fetcher=fetcher,
        body_site=body_site,
        secrets=secrets,
        lag=lag,
        troubles=troubles,
        certificates=certificates,
        keyring=keyring,
        reactor=reactor,
    )
    view = ClusterView(
        membership=membership,
        peers=peers,
        replica=log.replica,
        table=table,
        progress=progress,
        fetcher=fetcher,
        lag=lag,
        differences=differences,
        troubles=troubles,
        revoking=revoking,
        groups=lane,
        entries=entries,
        clock=monotonic,
    )
    return ClusterParts(cluster, view, table, bodies, missing, secrets, lane)


def _digest(config: Config) -> str:
    """A digest of which hosts are of which site; "" for one site for all hosts."""
    if not config.site:
        return ""
    told = sorted((site.prefix, site.default, sorted(site.hosts)) for site in config.sites)
    return blake2b(repr(told).encode(), digest_size=12).hexdigest()


def _owns(config: Config, application: str, name: bytes) -> bool:
    """Whether this node answers the key *name* by that application."""
    key = Key.of_name(name)
    found = answering(config.applications, key.path, key.prefix)
    return found is not None and found.name == application


def make_lone_lane(
    node: str, answers: StoredAnswers, groups: Groups, reactor: Any, note: Apply | None = None
) -> GroupLane:
    """The cache groups of the node *node*, which is in no cluster: what changes is settled at once."""
    generation = int(date_of(reactor) * 1000)  # another one in each life: readers compare
    core = Invalidation(node, generation, 0, changes_to(groups, answers, note), 1.0, monotonic())
    return GroupLane(core, groups, answers, 1.0, lambda name, payload: False, monotonic, reactor)


def _distrusted(peers: list[str]) -> dict[str, str]:
    """Peers that could not prove what they say of logs -> a sentence."""
    return {
        peer: f"{peer} says things of logs of other nodes that it does not prove: it is slow, its state is "
        "damaged, or its key is in wrong hands (edgectl cluster revoke)"
        for peer in peers
    }


def _others_publish(membership: Membership, unknown: bool) -> bool:
    """Whether another node reads its webroot for the first time; *unknown*: what holds of who has not told.

    Nobody may be known yet, though what they have comes already.
    """
    alive = [member for member in membership.members.values() if member.state == ALIVE]
    loads = [membership.load_of(member.name) for member in alive]
    return any(unknown if load is None else load[0].publishing for load in loads or [None])


def _unended(seconds: dict[str, int]) -> dict[str, str]:
    """Publishers of which a deploy has not ended -> a sentence."""
    return {
        origin: f"a deploy of {origin} has begun {time} s ago, and its end has not come: clients ask for each"
        f" copy meanwhile, and get no new version whole; edgectl publish on {origin} ends it"
        for origin, time in seconds.items()
    }


def _unconfirmed(origins: list[str]) -> dict[str, str]:
    """One sentence for all *origins* that have no lease."""
    if not origins:
        return {}
    return {
        "": f"{len(origins)} publishers are more than there are leases ({origins[-1]} is the last): what they"
        f" publish is served and never confirmed; have at most {ORIGINS} nodes publish"
    }


def _refused(excess_ms: dict[str, int]) -> dict[str, str]:
    """Origins of which changes are not taken -> a sentence."""
    return {
        origin: f"changes of {origin} are dated {(ms + AHEAD_MS) / 86_400_000:,.0f} days ahead of the clock "
        f"here and not taken: set both clocks; {origin} dates them anew when its own is right"
        for origin, ms in excess_ms.items()
    }

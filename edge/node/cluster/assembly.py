"""A node of a cluster, put together: each part is given finished parts, none is told of others later.

In this order: what has to be opened (certificates, the port, the change log), the membership, the body store,
the replicated table, and then its users: the cluster, made here, and the publisher, which the supervisor
makes with :attr:`Cluster.bodies` and :attr:`Cluster.table`.
"""

from __future__ import annotations

from random import SystemRandom
from time import monotonic
from typing import TYPE_CHECKING, Any

from edge.config.values import split_address
from edge.gossip.members import GossipConfig, Identity
from edge.gossip.membership import Membership
from edge.node.bodies.fetcher import BodyFetcher
from edge.node.bodies.store import BodyStore
from edge.node.cluster.change_log import ChangeLog
from edge.node.cluster.cluster import Cluster
from edge.node.cluster.gossip_port import GossipPort
from edge.node.cluster.known_peers import KnownPeers
from edge.node.cluster.leases import Leases
from edge.node.cluster.missing_bodies import MissingBodies
from edge.node.cluster.peer_directory import PeerDirectory
from edge.node.cluster.peer_endpoints import BodyClient, PeerEndpoints
from edge.node.cluster.replicated_table import ReplicatedTable
from edge.trust.contexts import PeerCertificates

if TYPE_CHECKING:
    from edge.config import Config
    from edge.node.process.slices import Slices
    from edge.publish.blobs import Blobs
    from edge.table.writer import Writer


def make_cluster(
    config: Config, url: str, blobs: Blobs, writer: Writer, slices: Slices, reactor: Any
) -> Cluster:
    """The cluster's part of a node, its port open; *url*: how browsers reach this node.

    Raises :class:`~edge.errors.EdgeError` for what a user can mend: certificates, a port, a damaged file.
    """
    assert config.gossip is not None
    node, random = config.node, SystemRandom()
    certificates = PeerCertificates(node, config.cluster_cert, config.cluster_key, config.cluster_ca)
    certificates.load()
    known = KnownPeers(config.state_dir / "gossip.json")
    generation = max(known.generation + 1, int(reactor.seconds() * 1000))
    log = ChangeLog(config.state_dir / "replica.sqlite", node, reactor)
    port = GossipPort(*split_address(config.gossip))

    me = Identity(node, generation, port.host, port.number, url)
    membership = Membership(me, GossipConfig(), random, monotonic())
    directory = PeerDirectory(membership, random)

    client = BodyClient(PeerEndpoints(certificates, directory.address_of, reactor), reactor)
    fetcher = BodyFetcher(blobs, client, directory.holders, reactor)
    bodies = BodyStore(blobs, fetcher)

    body_limit = config.body_limit_kib * 1024
    missing = MissingBodies(log.replica, bodies, writer, body_limit, slices, reactor)
    leases = Leases(writer.segment, node)
    table = ReplicatedTable(node, log.replica, writer, bodies, missing, leases, body_limit, slices, reactor)
    return Cluster(
        config, certificates, port, known, membership, log, table, bodies, missing, fetcher, random, reactor
    )

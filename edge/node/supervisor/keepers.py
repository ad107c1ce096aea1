"""Makes the keepers of a node, of its session tickets' keys and of its automatic certificate.

Each is told how this node sees the others, if there are any.
"""

from __future__ import annotations

from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING, Any, NamedTuple

from edge.errors import ConfigError, in_words
from edge.node.certificates.challenges import Challenges
from edge.node.certificates.keeper import Keeper
from edge.node.certificates.ticket_keeper import TicketKeeper
from edge.node.process.daemon_threads import in_daemon_thread
from edge.node.supervisor.inspection import package_version
from edge.node.supervisor.plan import automatic_files, challenge_kinds
from edge.trust.sealed_file import SealedFile, own_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from edge.config import Config
    from edge.node.bodies.store import BodyStore
    from edge.node.cluster.assembly import ClusterParts
    from edge.node.process.life import Life
    from edge.node.publishing.table import Table
    from edge.node.supervisor.opening import Opened


class Others(NamedTuple):
    """The cluster as a keeper sees it."""

    #: Names of the nodes that live, this one too.
    live: Callable[[], Collection[str]]
    #: Whether they have all that this node has put into the table.
    have_all: Callable[[], bool]
    #: Tells them what this node knows.
    share: Callable[[], None]


def others_of(config: Config, cluster: ClusterParts | None) -> Others:
    """The others of a node; None: it is alone."""
    if cluster is None:
        return Others(lambda: (config.node,), lambda: True, lambda: None)
    return Others(cluster.view.live, cluster.view.is_replicated, cluster.secrets.share)


def make_ticket_keeper(
    config: Config, cluster: ClusterParts | None, deliver: Callable[[], None], reactor: Any
) -> TicketKeeper:
    """Keeps the keys of session tickets, sealed under a secret of this node; *deliver*: to the workers."""
    secret = config.cluster_key.read_bytes
    if cluster is None:
        secret = partial(own_secret, config.state_dir / "secret")
    try:
        secret()
    except OSError as error:
        raise ConfigError(in_words(error)) from None
    others = others_of(config, cluster)
    keeper = TicketKeeper(
        node=config.node,
        file=SealedFile(config.state_dir / "tickets", "session tickets", secret),
        live=others.live,
        share=others.share,
        deliver=deliver,
        clock=reactor.seconds,
        reactor=reactor,
    )
    if cluster is not None:
        cluster.secrets.add("tickets", keeper)
    return keeper


def make_keeper(
    config: Config,
    cluster: ClusterParts | None,
    opened: Opened,
    life: Life,
    table: Table,
    bodies: BodyStore,
    renewed: Callable[[], None],
    reactor: Any,
) -> Keeper | None:
    """Keeps the certificate of ``--tls-auto``, and says when it was *renewed*; None: there is none."""
    files = automatic_files(config)
    if files is None:
        return None
    others = others_of(config, cluster)
    keeper = Keeper(
        node=config.node,
        files=files,
        email=config.acme_email,
        kinds=challenge_kinds(opened.listeners),
        challenges=Challenges(table, bodies.spill, others.have_all, reactor),
        live=others.live,
        is_ready=lambda: life.is_ready,
        renewed=renewed,
        user_agent=f"twistd-edge/{package_version()}",
        random=SystemRandom(),
        share=others.share,
        in_thread=partial(in_daemon_thread, reactor),
        reactor=reactor,
    )
    if cluster is not None:
        cluster.secrets.add("certificate", keeper)
    return keeper

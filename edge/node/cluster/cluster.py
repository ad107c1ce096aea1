"""A node among others: its life from the start to the goodbye.

``gossip.json`` in the state directory keeps the generation and the addresses met; ``replica.sqlite`` the
change log.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from edge.node.cluster.anti_entropy import REPAIR_SECONDS, SIGN_SECONDS
from edge.node.cluster.change_log import CHECKPOINT_SECONDS, COMMIT_SECONDS
from edge.node.cluster.leases import RENEW_SECONDS
from edge.node.process.clocks import date_of
from edge.node.process.periodic import Periodic

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.node.bodies.fetcher import BodyFetcher
    from edge.node.cluster.anti_entropy import AntiEntropy
    from edge.node.cluster.change_log import ChangeLog
    from edge.node.cluster.leases import LeaseRenewal
    from edge.node.cluster.replicated_table import ReplicatedTable
    from edge.node.cluster.replication_progress import ReplicationProgress
    from edge.node.cluster.shared_secrets import SharedSecrets
    from edge.node.cluster.troubles import Troubles
    from edge.node.cluster.turn_loop import TurnLoop
    from edge.node.connection.site import EdgeSite
    from edge.node.process.lag import LagMeter
    from edge.trust.contexts import PeerCertificates
    from edge.trust.keyring import NodeKeyring

#: Seconds between two dials of seeds and of addresses once met.
SEED_SECONDS = 2.0
#: Seconds between two looks for who is no member any more.
FORGET_SECONDS = 1.0
#: Seconds for which a starting node waits for others to tell it what it missed.
JOIN_PATIENCE = 3.0
#: Seconds between two looks whether others still publish for the first time.
JOIN_LOOK = 0.25
#: Seconds between two looks for changes that no step holds.
STEP_LOOK_SECONDS = 5.0
#: Seconds in which the others hear that nothing more changes here, before they hear that this node leaves.
GOODBYE_SECONDS = 0.1
#: Seconds for the last words of a node that leaves.
LEAVE_SECONDS = 0.3


class Cluster:
    """This node as a member of its cluster; :func:`edge.node.cluster.assembly.make_cluster` makes it.

    *publishes*: whether this node has a site of its own; one without waits for what others publish.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        publishes: bool,
        others_publish: Callable[[bool], bool],
        turns: TurnLoop,
        log: ChangeLog,
        table: ReplicatedTable,
        anti_entropy: AntiEntropy,
        progress: ReplicationProgress,
        renewal: LeaseRenewal,
        fetcher: BodyFetcher,
        body_site: EdgeSite,
        secrets: SharedSecrets,
        lag: LagMeter,
        troubles: Troubles,
        certificates: PeerCertificates,
        keyring: NodeKeyring,
        reactor: Any,
    ) -> None:
        self._publishes = publishes
        self._others_publish = others_publish
        self._turns = turns
        self._change_log = log
        self._table = table
        self._anti_entropy = anti_entropy
        self._progress = progress
        self._fetcher = fetcher
        self._body_site = body_site
        self._secrets = secrets
        self._lag = lag
        self._troubles = troubles
        self._certificates = certificates
        self._keyring = keyring
        self._reactor = reactor
        self._periodic = (
            (turns.dial_seeds, SEED_SECONDS),
            (turns.forget, FORGET_SECONDS),
            (log.commit, COMMIT_SECONDS),
            (log.checkpoint, CHECKPOINT_SECONDS),
            (renewal.renew, RENEW_SECONDS),
            (anti_entropy.repair, REPAIR_SECONDS),
            (anti_entropy.sign_anew, SIGN_SECONDS),
            (lambda: table.look_after_steps(progress.behind()), STEP_LOOK_SECONDS),
        )
        self._calls: list[Periodic] = []
        self._pushing: Deferred[None] | None = None

    def start(self) -> None:
        """Take what comes, and look for the others."""
        self._turns.start()
        for work, seconds in self._periodic:
            call = Periodic(work, seconds, self._reactor)
            call.start(now=work == self._turns.dial_seeds)
            self._calls.append(call)
        self._lag.start()
        self._secrets.start()
        self._troubles.start()
        self._anti_entropy.tell()
        self._pushing = Deferred.fromCoroutine(self._push_own_changes())
        self._turns.turn()

    async def join(self) -> None:
        """Return when what the cluster has is here, or nobody answers; loads the table first."""
        count = await self._table.load()
        if count:
            self._log.info("{n} paths from the change log of the last run", n=count)
        until = self._reactor.seconds() + JOIN_PATIENCE
        patience = self._reactor.callLater(JOIN_PATIENCE, self._progress.stepped)
        is_empty = not self._publishes and not count
        while self._turns.has_addresses:
            late = self._reactor.seconds() >= until
            if self._is_caught_up(is_empty, late):
                break
            if late and not self._turns.is_connected and not is_empty:
                break
            looking = self._reactor.callLater(JOIN_LOOK, self._progress.stepped)
            await self._progress.step()
            if looking.active():
                looking.cancel()
        if patience.active():
            patience.cancel()
        self._table.joined()

    def _is_caught_up(self, was_empty: bool, late: bool) -> bool:
        """Whether somebody told us what there is, and what of it may be taken is here.

        *was_empty*: there was nothing to serve, so that there must be something now; all of it: while others
        read their webroots for the first time, a path that is not here may come in a moment.  Until it is
        *late* who has not told of itself may be one of them.
        """
        replica = self._change_log.replica
        refused = replica.refused(int(date_of(self._reactor) * 1000))
        lacks = self._progress.behind().keys() - refused.keys()
        if not self._progress.has_heard or lacks or self._table.queue:
            return False
        if not was_empty or refused:
            return True
        return bool(replica.paths(b"", 1)) and not self._others_publish(not late)

    async def leave(self) -> None:
        """Say goodbye: first that nothing more changes here, so that nobody has to doubt what is cached."""
        self._turns.change_nothing_more()
        await deferLater(self._reactor, GOODBYE_SECONDS)
        self._turns.leave()
        await deferLater(self._reactor, LEAVE_SECONDS)

    def stop(self) -> None:
        """Close everything."""
        for call in self._calls:
            call.stop()
        if self._pushing is not None:
            self._pushing.cancel()
        self._lag.stop()
        self._troubles.stop()
        self._anti_entropy.stop()
        self._table.stop()
        self._fetcher.stop()
        self._secrets.stop()
        self._body_site.abort()
        self._turns.stop()
        self._change_log.close()

    def reload(self) -> list[str]:
        """SIGHUP: the certificates; sentences about what stayed as it was."""
        if problem := self._certificates.reload():
            return [problem]
        self._keyring.refresh()
        return []

    async def _push_own_changes(self) -> None:
        """Tell everybody of own changes, as long as this node runs."""
        try:
            while True:
                await self._table.own_changes()
                try:
                    self._anti_entropy.push()
                    self._turns.turn()
                except Exception:  # the next change is pushed all the same, and this one with it
                    self._log.failure("own changes could not be pushed")
        except CancelledError:
            return  # stop() was called

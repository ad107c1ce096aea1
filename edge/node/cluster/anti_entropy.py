"""Anti-entropy: change logs exchanged with the peers, so that all replicas become equal.

Three ways, each mending what the one before it lost:

* *push*: own changes go to every peer with a stream, in the turn after they happened; a few small ones ride
  on datagrams as well;
* *version vectors*: each packet says how far its sender has every log; who has less asks for the rest, in
  chunks, and asks for the next chunk while the last one is applied, as long as fewer than :data:`AHEAD`
  changes wait;
* *repair*: every :data:`REPAIR_SECONDS`, and soon after two nodes have met, the hashes of both tables are
  compared, and what differs is sent.

Next on the way of a change, at the peer: :meth:`edge.node.cluster.replicated_table.ReplicatedTable.apply`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.gossip.changes import decode_message, encode_message
from edge.node.process.clocks import date_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IDelayedCall

    from edge.gossip.changes import Change, Message
    from edge.gossip.membership import Membership
    from edge.gossip.packet import LogPosition
    from edge.gossip.replica import Received
    from edge.node.cluster.change_log import ChangeLog
    from edge.node.cluster.peers import Peers
    from edge.node.cluster.replicated_table import ReplicatedTable
    from edge.node.cluster.replication_progress import ReplicationProgress

#: Seconds between two repairs with some node.
REPAIR_SECONDS = 30.0
#: Seconds after which two nodes that have met compare their tables: one may have lost its state.
REPAIR_AFTER = 3.0
#: Seconds until own changes are pushed that could not be written down.
PUSH_AGAIN = 1.0
#: Seconds between two looks for changes that a former certificate signed, and how many are signed then.
SIGN_SECONDS, SIGNED_AT_ONCE = 0.5, 250
#: Changes that may wait to be applied while more are asked for.
AHEAD = 500


class AntiEntropy:
    """The exchange of changes between this node's replica and those of its peers."""

    def __init__(
        self,
        log: ChangeLog,
        table: ReplicatedTable,
        membership: Membership,
        progress: ReplicationProgress,
        peers: Peers,
        random: Random,
        reactor: Any,
    ) -> None:
        self._log = log
        self._replica = log.replica
        self._table = table
        self._membership = membership
        self._progress = progress
        self._peers = peers
        self._random = random
        self._reactor = reactor
        self._first_repairs: list[IDelayedCall] = []
        self._later: IDelayedCall | None = None

    def stop(self) -> None:
        """Compare and push nothing any more."""
        if self._later is not None and self._later.active():
            self._later.cancel()
        for call in self._first_repairs:
            if call.active():
                call.cancel()

    # To the peers

    def tell(self) -> None:
        """Say with the next packets how far this node has all logs."""
        self._membership.set_version_vector(self._replica.version_vector())

    def push(self) -> None:
        """Send own changes to everybody."""
        if not self._log.commit():  # first: nobody may know more of our log than we do
            if self._later is None or not self._later.active():
                self._later = self._reactor.callLater(PUSH_AGAIN, self.push)
            return
        self.tell()
        for name in list(self._peers.streams):
            message = None if self._peers.is_full(name) else self._replica.push(name)
            if message is not None:
                self._send(name, [message])
        for data in self._replica.urgent():
            self._membership.urgent(data)

    def sign_anew(self) -> None:
        """After a new certificate of this node: own changes are signed with it, some at a time."""
        if self._replica.sign_anew(SIGNED_AT_ONCE, self._now_ms()):
            self.push()

    def repair(self) -> None:
        """Compare tables with some peer."""
        names = list(self._peers.streams)
        if names:
            self._repair_with(self._random.choice(names))

    def _repair_with(self, name: str) -> None:
        """Only who has all logs can tell a difference from what is still on its way."""
        if name in self._peers.streams and not self._progress.behind(self._peers.streams):
            self._send(name, [self._replica.repair_round()])

    def _send(self, name: str, messages: Iterable[Message]) -> None:
        for message in messages:
            self._peers.send_table(name, encode_message(message))

    # From the peers

    def up(self, name: str) -> None:
        """A stream to *name* is open."""
        self._replica.contact(self._now_ms())
        self._first_repairs = [call for call in self._first_repairs if call.active()]
        self._first_repairs.append(self._reactor.callLater(REPAIR_AFTER, self._repair_with, name))

    def down(self, name: str) -> None:
        """The last stream to *name* has ended: what it was asked for will not come."""
        self._replica.peer_gone(name)
        self._progress.stepped()

    def receive(self, name: str, payload: bytes) -> None:
        """A table message came over a stream; :class:`~edge.gossip.schema.GossipError` if it is none."""
        received = self._receive(name, payload)
        if self._table.queue < AHEAD:
            self._send(name, received.replies)  # the next chunk comes while this one is applied
            self._apply(received.applied)
        else:
            self._replica.requests.hold(received.replies)
            self._apply(received.applied).addCallback(lambda _: self._send_held(name, received.replies))
        self.tell()

    def _send_held(self, name: str, replies: Sequence[Message]) -> None:
        """Go on reading: what waited is applied."""
        self._replica.requests.release(replies, self._now_ms())
        self._send(name, replies)

    def _apply(self, changes: Sequence[Change]) -> Deferred[None]:
        """Into the table; whoever waits for progress looks when they are there."""
        return self._table.apply(changes).addCallback(lambda _: self._progress.stepped())

    def see_version_vector(self, sender: str, vector: Sequence[LogPosition], whole: bool = True) -> None:
        """*sender* has told how far it has all logs, or some of them: ask for what is missing here."""
        self._progress.note(sender, vector, whole)
        if sender in self._peers.streams:  # otherwise there is nothing to ask over; membership dials
            self._send(sender, self._replica.notice(sender, vector, self._now_ms()))
        self._progress.stepped()

    def see_urgent(self, sender: str, data: bytes) -> None:
        """A change came with a datagram; :class:`~edge.gossip.schema.GossipError` if it is none."""
        received = self._receive(sender, data)
        if received.applied:
            self._apply(received.applied)
            self.tell()
        self._send(sender, received.replies)

    def _receive(self, name: str, data: bytes) -> Received:
        received = self._replica.receive(name, decode_message(data), self._now_ms())
        if received.refused:
            self._peers.warn(
                f"changes of {name}", f"{name} sent changes that are not taken: {received.refused}"
            )
        return received

    def _now_ms(self) -> int:
        return int(date_of(self._reactor) * 1000)

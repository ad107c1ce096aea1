"""Certificates of the other nodes: learned from their streams, and revoked.

A list of revoked certificates comes from ``edgectl cluster announce``, or from another node.  What is new
in it is written down, and then:

* it is passed on to everybody with a stream, those whom it revokes included: a node that is revoked says so
itself;
* their streams end, HTTP is served to them no more, and their keys for datagrams are forgotten; no
handshake with such a certificate succeeds
  (:meth:`edge.trust.contexts.PeerCertificates.context`);
* what they published counts as far as it is dated before the revocation; the rest is taken away
  (:meth:`edge.gossip.replica.Replica.revoke`).

Two nodes that meet tell each other all lists they have, so a node that was away learns of them first.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from edge.gossip.trust import Revoked, decode_trust, encode_trust
from edge.trust.revocations import RevocationError, split_lists

if TYPE_CHECKING:
    from edge.gossip.membership import Membership
    from edge.gossip.replica import Replica
    from edge.node.cluster.peers import Peers
    from edge.node.cluster.replicated_table import ReplicatedTable
    from edge.trust.contexts import PeerCertificates
    from edge.trust.keyring import NodeKeyring


class Revoking:
    """What this node does with lists of revoked certificates."""

    _log = Logger()

    def __init__(
        self,
        certificates: PeerCertificates,
        keyring: NodeKeyring,
        replica: Replica,
        table: ReplicatedTable,
        membership: Membership,
        peers: Peers,
    ) -> None:
        self._certificates = certificates
        self._keyring = keyring
        self._replica = replica
        self._table = table
        self._membership = membership
        self._peers = peers

    def start(self) -> None:
        """Take the lists of the last run into account."""
        problem = self._certificates.revocations.load()
        if problem:
            self._log.error("{problem}: edgectl cluster announce brings the list anew", problem=problem)
        self._apply()

    @property
    def is_own_revoked(self) -> bool:
        """Whether this node's certificate is revoked."""
        return self._certificates.revocations.since(self._certificates.certificate) is not None

    def troubles(self) -> dict[str, str]:
        """What is wrong with this node's own certificate."""
        if not self.is_own_revoked:
            return {}
        sentence = (
            "the certificate of this node is revoked: no other node speaks with it; "
            "edgectl cluster cert makes a new one, where the authority is"
        )
        return {"revoked": sentence}

    def up(self, name: str) -> None:
        """A stream to *name* is open."""
        for stream in self._peers.streams.get(name, ()):
            self._keyring.learn(stream.chain)
        if self._certificates.revocations.lists:
            self._peers.send_trust(name, self._message())

    def receive(self, name: str, payload: bytes) -> None:
        """A message about certificates; :class:`~edge.gossip.schema.GossipError` if it is none."""
        for one in decode_trust(payload).lists:
            try:
                self._take(one)
            except RevocationError as error:
                self._peers.warn(
                    f"list of {name}", f"{name} sent a list of revoked certificates that {error}"
                )

    def announce(self, text: bytes) -> dict[str, Any]:
        """Take the lists in *text* (PEM or DER) and spread them; :class:`RevocationError`."""
        try:
            changed = [self._take(one) for one in split_lists(text)]
        except RevocationError as error:
            raise RevocationError(f"the list {error}") from None
        return {"new": any(changed), **self.listed()}

    def listed(self) -> dict[str, Any]:
        """``GET /revocations``: what is revoked, as this node knows it."""
        names = self._keyring.names()
        entries = sorted(self._certificates.revocations.entries.items(), key=lambda one: one[1])
        return {
            "revoked": [
                {"serial": f"{serial:x}", "name": names.get(serial), "since": _date(since)}
                for serial, since in entries
            ],
            "own": self.is_own_revoked,
        }

    def _take(self, one: bytes) -> bool:
        try:
            if not self._certificates.revocations.add(one):
                return False
        except OSError as error:
            self._log.error("revoked certificates cannot be written down: {why}", why=str(error))
        self._log.warn("{n} certificates of nodes are revoked", n=len(self._certificates.revocations.entries))
        for name in list(self._peers.streams):
            self._peers.send_trust(name, self._message())
        self._apply()
        return True

    def _apply(self) -> None:
        """Let nobody in whose certificate is revoked, nor count what it said later."""
        for name in self._peers.revoked():
            self._log.warn("the certificate of {name} is revoked: it is shut out", name=name)
            self._peers.expel(name)
            self._membership.expel(name)
        self._peers.hang_up()
        gone = self._replica.revoke(self._keyring.revoked())
        if gone:
            self._log.warn("{n} paths were published after the revocation: taken away", n=len(gone))
            self._table.forget(gone)

    def _message(self) -> bytes:
        return encode_trust(Revoked(self._certificates.revocations.lists))


def _date(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")

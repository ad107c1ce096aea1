"""Whose signature counts: what the cores ask of the certificates of a cluster.

:class:`edge.trust.keyring.NodeKeyring` answers with real certificates and keys; ``simulation/keyring.py``
with keyed hashes, which cost less.  A *signer* is named by the fingerprint of its certificate, so that a
statement is never taken for one of another key of the same node.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

#: Bytes of a fingerprint: the first half of the SHA-256 of a certificate.
FINGERPRINT_BYTES = 16


class Keyring(Protocol):
    """The certificates that are known here, and this node's own key."""

    @property
    def own(self) -> bytes:
        """The fingerprint of this node's certificate."""

    def sign(self, statement: bytes) -> bytes:
        """This node's signature of *statement*, which begins with what it is."""

    def verify(self, signer: bytes, node: str, statement: bytes, signature: bytes) -> bool:
        """Whether the certificate *signer* is *node*'s and of the cluster, and signed *statement*."""

    def until(self, signer: bytes) -> int:
        """Until when (Unix ms) what *signer* dates counts: until its revocation, if it is revoked."""

    def is_revoked(self, signer: bytes) -> bool:
        """Whether *signer* may say nothing new any more."""

    def learn(self, chain: Sequence[bytes]) -> None:
        """A node's certificate (DER), and those between it and the authority; wrong ones are ignored."""

    def chain(self, signer: bytes) -> tuple[bytes, ...]:
        """What :meth:`learn` takes, for somebody else; empty: unknown."""

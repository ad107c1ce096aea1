"""Signatures of simulated nodes: keyed hashes, since thousands of clusters are simulated in a minute.

They cannot be forged by a simulated node that goes by the rules of :class:`edge.gossip.keyring.Keyring`: it
signs with its own name only.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

#: When all certificates end.
NEVER_MS = 1 << 52


class HashKeyring:
    """The keyring of the simulated node *node*; implements :class:`edge.gossip.keyring.Keyring`."""

    def __init__(self, node: str) -> None:
        self.own = fingerprint(node)
        #: Signer -> Unix milliseconds.
        self.revoked: dict[bytes, int] = {}
        self._node = node
        self._chains: dict[bytes, tuple[bytes, ...]] = {self.own: (node.encode(),)}

    def sign(self, statement: bytes) -> bytes:
        return _signature(self._node, statement)

    def verify(self, signer: bytes, node: str, statement: bytes, signature: bytes) -> bool:
        return fingerprint(node) == signer and signature == _signature(node, statement)

    def until(self, signer: bytes) -> int:
        return self.revoked.get(signer, NEVER_MS)

    def is_revoked(self, signer: bytes) -> bool:
        return signer in self.revoked

    def learn(self, chain: Sequence[bytes]) -> None:
        if len(chain) == 1:
            self._chains[blake2b(chain[0], digest_size=16).digest()] = tuple(chain)

    def chain(self, signer: bytes) -> tuple[bytes, ...]:
        return self._chains.get(signer, ())


def fingerprint(node: str) -> bytes:
    """The fingerprint of the certificate of *node*."""
    return blake2b(node.encode(), digest_size=16).digest()


def _signature(node: str, statement: bytes) -> bytes:
    return blake2b(statement, digest_size=32, key=b"the key of " + node.encode()[:50]).digest()

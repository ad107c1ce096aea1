"""Which changes are proved by whom, and how far a log is: signatures of batches, and certificates for them.

A batch comes with many changes, so a good signature is remembered, for as many as are under way at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from edge.gossip.batches import Batch, is_signed
from edge.gossip.changes import CHAINS, Change, is_one_of

if TYPE_CHECKING:
    from edge.gossip.keyring import Keyring

#: Batches whose signature is known to be good.
_VERIFIED = 1024


class Proving:
    """What certificates of *keyring* prove."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._verified: dict[Batch, None] = {}

    def learn(self, chains: Iterable[Sequence[bytes]]) -> None:
        """Certificates that came with changes."""
        for chain in chains:
            self._keyring.learn(chain)

    def clear(self) -> None:
        """Forget which signatures are good."""
        self._verified.clear()

    def of_origin(self, pairs: list[tuple[Change, Batch]]) -> list[tuple[Change, Batch]]:
        """Those of *pairs* that are of their origin."""
        return [pair for pair in pairs if is_one_of(*pair) and self._is_signed(pair[1])]

    def is_head(self, batch: Batch, origin: str, generation: int, head: int) -> bool:
        """Whether *batch* proves that the log of *origin* is that long."""
        return (
            (batch.origin, batch.generation, batch.head) == (origin, generation, head)
            and not self._keyring.is_revoked(batch.signer)
            and self._is_signed(batch)
        )

    def chains_of(self, batches: Iterable[Batch]) -> tuple[tuple[bytes, ...], ...]:
        """The certificates of others that signed *batches*: ours is known to every peer."""
        signers = dict.fromkeys(batch.signer for batch in batches)
        signers.pop(self._keyring.own, None)
        return tuple(chain for signer in list(signers)[:CHAINS] if (chain := self._keyring.chain(signer)))

    def _is_signed(self, batch: Batch) -> bool:
        if batch in self._verified:
            return True
        if not is_signed(batch, self._keyring):
            return False
        if len(self._verified) >= _VERIFIED:
            self._verified.clear()
        self._verified[batch] = None
        return True

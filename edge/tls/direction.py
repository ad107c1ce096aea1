"""One direction of a TLS 1.3 connection: a traffic secret, the keys made from it, and a sequence number."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag

from edge.tls.suites import IV_BYTES, Suite, expand_label


class Direction:
    """Seals, or opens, one record after the other (RFC 8446 sections 5.3, 7.2, 7.3)."""

    def __init__(self, suite: Suite, secret: bytes, sequence: int = 0) -> None:
        """*sequence*: the number of records that were sealed, or opened, under *secret* so far."""
        self._suite = suite
        self._begin(secret, sequence)

    def _begin(self, secret: bytes, sequence: int) -> None:
        self.secret = secret
        self.sequence = sequence
        self.key = expand_label(self._suite, secret, b"key", self._suite.key_bytes)
        self.iv = expand_label(self._suite, secret, b"iv", IV_BYTES)
        self._aead = self._suite.aead(self.key)

    def update(self) -> None:
        """On to the next generation of keys: what a KeyUpdate does (section 7.2)."""
        self._begin(expand_label(self._suite, self.secret, b"traffic upd", self._suite.secret_bytes), 0)

    def seal(self, plain: bytes, header: bytes) -> bytes:
        """The next record's *plain* text, sealed together with its *header*."""
        return self._aead.encrypt(self._nonce(), plain, header)

    def open(self, sealed: bytes, header: bytes) -> bytes | None:
        """The plain text of the next record; None: it is not authentic."""
        try:
            return self._aead.decrypt(self._nonce(), sealed, header)
        except InvalidTag:
            return None

    def _nonce(self) -> bytes:
        """The nonce of the next record, which is used up by it."""
        nonce = int.from_bytes(self.iv, "big") ^ self.sequence
        self.sequence += 1
        return nonce.to_bytes(IV_BYTES, "big")

"""The cipher suites of TLS 1.3 that are spoken, and the derivation of their keys (RFC 8446 section 7)."""

from __future__ import annotations

from typing import NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

#: Bytes of the nonce, and of what the AEAD adds to its plaintext, in all three suites.
IV_BYTES = 12
TAG_BYTES = 16


class Suite(NamedTuple):
    """One cipher suite: an AEAD and a hash."""

    #: As registered (RFC 8446 section B.4).
    number: int
    name: str
    aead: type[AESGCM] | type[ChaCha20Poly1305]
    key_bytes: int
    hash: hashes.HashAlgorithm

    @property
    def secret_bytes(self) -> int:
        """Bytes of a traffic secret."""
        return self.hash.digest_size


AES_128_GCM = Suite(0x1301, "TLS_AES_128_GCM_SHA256", AESGCM, 16, hashes.SHA256())
AES_256_GCM = Suite(0x1302, "TLS_AES_256_GCM_SHA384", AESGCM, 32, hashes.SHA384())
CHACHA20_POLY1305 = Suite(0x1303, "TLS_CHACHA20_POLY1305_SHA256", ChaCha20Poly1305, 32, hashes.SHA256())

SUITES = {suite.number: suite for suite in (AES_128_GCM, AES_256_GCM, CHACHA20_POLY1305)}


def expand_label(suite: Suite, secret: bytes, label: bytes, length: int, context: bytes = b"") -> bytes:
    """HKDF-Expand-Label (RFC 8446 section 7.1): *length* bytes; *label* without its ``tls13 ``."""
    label = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes((len(label),)) + label + bytes((len(context),)) + context
    return HKDFExpand(suite.hash, length, info).derive(secret)

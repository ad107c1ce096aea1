"""The keyring of a node: signatures by the keys of its cluster's certificates.

A node signs with the key of its certificate: ECDSA with SHA-256 (RFC 6979 allows for any source of the
nonce; OpenSSL's is used), Ed25519, or RSA where somebody brought such a key.  A statement is bound to the
cluster's name and begins with what it is, so a signature is good for one purpose only.

A certificate of another node is believed if an authority of the bundle signed it, also when it has ended
since: what it signed still counts, and nobody can connect with it.  (Dates of changes are no measure for
that: they are those of a hybrid clock, which any node may have moved ahead.)  What a revoked one dates
counts up to its revocation (:mod:`edge.trust.revocations`).
"""

from __future__ import annotations

from datetime import datetime, timezone
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import crypto

from edge.gossip.keyring import FINGERPRINT_BYTES
from edge.trust.contexts import names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.trust.contexts import PeerCertificates

#: Certificates of others that are remembered: four for each node of a large cluster.
CERTIFICATES = 4096
#: Later than any date that a change can have.
ALWAYS_MS = 1 << 48


class _Known(NamedTuple):
    """A certificate of the cluster."""

    name: str
    certificate: x509.Certificate
    chain: tuple[bytes, ...]


class NodeKeyring:
    """Signs and verifies for one node; implements :class:`edge.gossip.keyring.Keyring`."""

    def __init__(self, certificates: PeerCertificates, cluster: str) -> None:
        """*certificates* are loaded."""
        self._certificates = certificates
        self._prefix = b"twistd-edge\0" + cluster.encode() + b"\0"
        self._known: dict[bytes, _Known] = {}
        self._own = b""
        self.refresh()

    def refresh(self) -> None:
        """The files have been loaded anew: what no authority stands for any more is forgotten."""
        chains = [known.chain for known in self._known.values()]
        self._known = {}
        for chain in (self._certificates.own_chain, *chains):
            self.learn(chain)
        self._own = fingerprint_of(self._certificates.own_chain[0])

    @property
    def own(self) -> bytes:
        return self._own

    def sign(self, statement: bytes) -> bytes:
        key, said = self._certificates.key, self._prefix + statement
        if isinstance(key, ec.EllipticCurvePrivateKey):
            return key.sign(said, ec.ECDSA(SHA256()))
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(said, padding.PKCS1v15(), SHA256())
        assert isinstance(key, ed25519.Ed25519PrivateKey)
        return key.sign(said)

    def verify(self, signer: bytes, node: str, statement: bytes, signature: bytes) -> bool:
        known = self._known.get(signer)
        if known is None or known.name != node:
            return False
        key, said = known.certificate.public_key(), self._prefix + statement
        try:
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, said, ec.ECDSA(SHA256()))
            elif isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, said, padding.PKCS1v15(), SHA256())
            elif isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, said)
            else:
                return False
        except InvalidSignature:
            return False
        return True

    def until(self, signer: bytes) -> int:
        known = self._known.get(signer)
        if known is None:
            return -1
        revoked = self._certificates.revocations.since(known.certificate)
        return ALWAYS_MS if revoked is None else revoked

    def is_revoked(self, signer: bytes) -> bool:
        known = self._known.get(signer)
        return known is None or self._certificates.revocations.since(known.certificate) is not None

    def learn(self, chain: Sequence[bytes]) -> None:
        signer = fingerprint_of(chain[0])
        if signer in self._known:
            return
        try:
            certificate, *others = (x509.load_der_x509_certificate(one) for one in chain)
        except ValueError:
            return
        names = names_of(certificate)
        if len(names) != 1 or not _is_of_the_cluster(certificate, others, self._certificates):
            return
        if len(self._known) >= CERTIFICATES:
            self._known.pop(next(one for one in self._known if one != self._own))
        self._known[signer] = _Known(names[0], certificate, tuple(chain))

    def chain(self, signer: bytes) -> tuple[bytes, ...]:
        known = self._known.get(signer)
        return () if known is None else known.chain

    def names(self) -> dict[int, str]:
        """Serial number -> node, of the certificates that are known here."""
        return {known.certificate.serial_number: known.name for known in self._known.values()}

    def revoked(self) -> dict[bytes, int]:
        """Signers that are revoked, and since when (Unix milliseconds)."""
        found = {
            one: self._certificates.revocations.since(known.certificate) for one, known in self._known.items()
        }
        return {signer: since for signer, since in found.items() if since is not None}


def fingerprint_of(certificate: bytes) -> bytes:
    """The first half of the SHA-256 of a certificate (DER)."""
    return sha256(certificate).digest()[:FINGERPRINT_BYTES]


def _is_of_the_cluster(
    certificate: x509.Certificate, others: list[x509.Certificate], certificates: PeerCertificates
) -> bool:
    """Whether an authority of the bundle stands for *certificate*, now or at its end."""
    store = crypto.X509Store()
    for authority in certificates.authorities:
        store.add_cert(authority)
    store.set_time(min(datetime.now(timezone.utc), certificate.not_valid_after_utc))
    leaf, *above = (crypto.X509.from_cryptography(one) for one in (certificate, *others))
    try:
        crypto.X509StoreContext(store, leaf, above).verify_certificate()
    except crypto.X509StoreContextError:
        return False
    return True

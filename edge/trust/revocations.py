"""Certificates of nodes that count no longer: lists of revoked certificates (CRL, RFC 5280 section 5).

A list is signed by an authority of the cluster, and by nobody else: a node that could revoke others would
be the one that a thief wants.  It spreads over the streams between nodes (:mod:`edge.gossip.trust`), and
each keeps it in ``revoked.pem`` in its state directory.  Of two lists of one authority the one with the
higher number counts, so an old one that somebody kept takes nothing back.  There is no way back: who is to
return gets a new certificate.

An entry names the serial number of a certificate, whichever authority of the cluster issued it: they are
random (RFC 5280 section 4.1.2.2), and the key of a former authority may be gone.  Its *invalidity date*
(section 5.3.2) says since when the key was not its owner's: what was signed as of later counts for nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from edge import durable
from edge.errors import EdgeError, named
from edge.gossip.trust import LIST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


class RevocationError(EdgeError):
    """A list of revoked certificates that does not count; says why."""


class Revocations:
    """The lists of this node's cluster; *authorities*: whose lists count."""

    def __init__(self, path: Path | None, authorities: Callable[[], Sequence[x509.Certificate]]) -> None:
        """*path*: the file that keeps them; None: nothing does."""
        self._path = path
        self._authorities = authorities
        #: By issuer.
        self._lists: dict[bytes, x509.CertificateRevocationList] = {}
        #: Serial number -> since when, Unix milliseconds.
        self._since: dict[int, int] = {}

    def load(self) -> str:
        """Take the kept ones; a sentence about what cannot be used."""
        if self._path is None:
            return ""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise named(error, self._path) from None
        try:
            for one in split_lists(text):
                self._take(one)
        except RevocationError as error:
            return f"{self._path}: {error}"
        return ""

    def add(self, text: bytes) -> bool:
        """Take a list (DER); whether it says anything new.  :class:`RevocationError`."""
        if not self._take(text):
            return False
        if self._path is not None:
            self._save(self._path)
        return True

    def _save(self, path: Path) -> None:
        new = path.with_name(path.name + ".new")
        try:
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "wb") as file:
                file.write(b"".join(one.public_bytes(Encoding.PEM) for one in self._lists.values()))
                file.flush()
                durable.replace(file.fileno(), new, path)
        except OSError as error:
            raise named(error, new) from None

    def since(self, certificate: x509.Certificate) -> int | None:
        """Since when *certificate* is revoked, Unix milliseconds; None: it is not."""
        return self._since.get(certificate.serial_number)

    @property
    def lists(self) -> tuple[bytes, ...]:
        """The lists that count (DER), to be passed on."""
        return tuple(one.public_bytes(Encoding.DER) for one in self._lists.values())

    @property
    def crls(self) -> list[x509.CertificateRevocationList]:
        """The lists that count."""
        return list(self._lists.values())

    @property
    def entries(self) -> dict[int, int]:
        """Serial number -> since when, Unix milliseconds."""
        return dict(self._since)

    def _take(self, text: bytes) -> bool:
        if len(text) > LIST_BYTES:
            raise RevocationError(f"has {len(text)} bytes, more than {LIST_BYTES}")
        try:
            found = x509.load_der_x509_crl(text)
            number = number_of(found)
            since = {one.serial_number: invalid_since(one) for one in found}
        except (ValueError, x509.ExtensionNotFound):
            raise RevocationError("is no list of revoked certificates (CRL)") from None
        if not any(_is_signed(found, authority) for authority in self._authorities()):
            raise RevocationError(
                "is signed by no authority of this cluster; copy its ca.pem to the nodes, and SIGHUP them"
            )
        issuer = found.issuer.public_bytes()
        known = self._lists.get(issuer)
        if known is not None and number <= number_of(known):
            return False
        self._lists[issuer] = found
        for serial, when in since.items():
            self._since[serial] = min(when, self._since.get(serial, when))
        return True


def split_lists(text: bytes) -> list[bytes]:
    """The lists in *text*, which is one in DER, or any number in PEM form; each in DER."""
    begin, end = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"
    if begin not in text:
        return [text]
    try:
        return [
            x509.load_pem_x509_crl(begin + part.partition(end)[0] + end + b"\n").public_bytes(Encoding.DER)
            for part in text.split(begin)[1:]
        ]
    except ValueError:
        raise RevocationError("is no list of revoked certificates (CRL)") from None


def number_of(found: x509.CertificateRevocationList) -> int:
    """Its number, which grows: RFC 5280 section 5.2.3."""
    return found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def invalid_since(entry: x509.RevokedCertificate) -> int:
    """Since when an entry's certificate counts no longer, Unix milliseconds."""
    try:
        when = entry.extensions.get_extension_for_class(x509.InvalidityDate).value.invalidity_date_utc
    except x509.ExtensionNotFound:
        when = entry.revocation_date_utc
    return int(when.timestamp() * 1000)


def _is_signed(found: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    key = authority.public_key()
    if found.issuer != authority.subject:
        return False
    if not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey):
        return False
    return found.is_signature_valid(key)

"""Certificates for browsers that are made here: self-signed, or by an authority on this machine.

Keys are P-256 (RFC 5480).  The names are DNS names or addresses, all as subjectAltName (RFC 5280 section
4.2.1.6); browsers look nowhere else.  A file holds certificate, chain and key as PEM, mode 0600.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from cryptography.x509 import ExtensionType

#: Clocks of browsers may be behind by this much.
_BEFORE = timedelta(hours=1)


class Identity(NamedTuple):
    """A certificate and the key that it certifies."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        """Certificate and key, one after the other."""
        return self.certificate.public_bytes(serialization.Encoding.PEM) + key_pem(self.key)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """*key* as PEM (PKCS #8), unencrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def alternative_names(names: Sequence[str]) -> x509.SubjectAlternativeName:
    """*names*, DNS names and addresses, as an extension."""
    return x509.SubjectAlternativeName([_general(name) for name in names])


def server_certificate(
    names: Sequence[str], days: int, issuer: Identity | None = None, *more: tuple[ExtensionType, bool]
) -> Identity:
    """A certificate for a server with these *names*, from *issuer*; None: self-signed.

    *more*: further extensions, and whether each is critical.
    """
    return _issue(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])]),
        days,
        issuer,
        (alternative_names(names), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        *more,
    )


def authority(title: str, names: Sequence[str], days: int) -> Identity:
    """A new authority called *title*, which can certify *names* and what is below them, and nothing else."""
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    return _issue(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)]),
        days,
        None,
        (x509.BasicConstraints(ca=True, path_length=0), True),
        (usage, True),
        (x509.NameConstraints([_permitted(name) for name in names], None), True),
    )


def _issue(
    subject: x509.Name, days: int, issuer: Identity | None, *extensions: tuple[ExtensionType, bool]
) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(timezone.utc)
    signer = issuer.key if issuer is not None else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return Identity(builder.sign(signer, hashes.SHA256()), key)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _permitted(name: str) -> x509.GeneralName:
    """*name* as a name constraint: of an address, the network that holds nothing else."""
    general = _general(name)
    if isinstance(general, x509.IPAddress):
        return x509.IPAddress(ip_network(name))
    return general

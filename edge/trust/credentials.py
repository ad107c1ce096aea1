"""Certificates of listeners, read from files and found good, or refused in a sentence.

Only the supervisor reads them, so that workers need no right to read keys; what it has read are
:class:`~edge.tls.interface.Credential`.  Refused is what browsers or libssl would refuse::

    a file that is none (a pipe), cannot be read, or is too long
    a file that has no PEM of its kind, or a damaged one (half-written)
    a key with a passphrase, or one that does not belong to the certificate
    RSA keys under 2,048 bits or for PSS alone, curves but P-256, P-384 and P-521
    signatures with MD5 or SHA-1
    a chain in which a certificate is not followed by the one that signed it

A certificate that is not valid *now* is refused only where there is a better one: see
:func:`validity_problem`.
"""

from __future__ import annotations

import os
import stat
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import PublicKeyAlgorithmOID

from edge.errors import ConfigError
from edge.tls.interface import Credential

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from edge.endpoint import CertificateFiles

#: Bytes of a PEM file; a chain of ten with RSA-4096 keys takes 30 kB.
FILE_BYTES = 64 * 1024 - 1
#: Bits of an RSA key (CA/Browser Forum, Baseline Requirements, section 6.1.5).
RSA_BITS = 2048

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_EDWARDS = (ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)
_WEAK_HASHES = (hashes.MD5, hashes.SHA1)


def read_credential(files: CertificateFiles) -> Credential:
    """The certificate, chain and key in *files*; :class:`ConfigError` names the file that cannot be used."""
    text = _read(files.certificate)
    certificates = _certificates(files.certificate, text)
    chain = _pem(certificates)
    if files.chain:
        above = _certificates(files.chain, _read(files.chain))
        certificates += above
        chain += _pem(above)
    if len(chain) > FILE_BYTES:
        raise ConfigError(f"{files.certificate}: with its chain it has more than {FILE_BYTES:,} bytes")
    key = _key(files.key, _read(files.key))
    _check_key(files, certificates, key)
    for problem in _weaknesses(certificates):
        raise ConfigError(f"{files.certificate}: {problem}")
    _check_order(files, certificates)
    return Credential(
        chain,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        files.certificate,
    )


def validity_problem(credential: Credential, now: float) -> str | None:
    """Why browsers refuse the certificate at *now*, Unix seconds; None: they do not."""
    certificate = _leaf(credential)
    if now >= certificate.not_valid_after_utc.timestamp():
        return f"{credential.where} expired on {_day(certificate.not_valid_after_utc)}; renew it"
    if now < certificate.not_valid_before_utc.timestamp():
        return (
            f"{credential.where} is not valid before {_day(certificate.not_valid_before_utc)}; "
            "see whether the clock of this machine is right (timedatectl)"
        )
    return None


def names_of(credential: Credential) -> tuple[str, ...]:
    """The DNS names and addresses that the certificate is for, in its order; DNS names in lower case."""
    return alternative_names(_leaf(credential))


def alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The same of a *certificate*."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    names = (name.lower() for name in found.get_values_for_type(x509.DNSName))
    return (*names, *(str(address) for address in found.get_values_for_type(x509.IPAddress)))


def is_for(names: tuple[str, ...], host: str) -> bool:
    """Whether a certificate for *names* is one for *host*; ``*`` stands for one label (RFC 6125)."""
    return host in names or f"*.{host.partition('.')[2]}" in names


def name_problem(credentials: Iterable[Credential], url: str) -> str | None:
    """Why browsers refuse these certificates at *url*; None: one is for its host, or it is not HTTPS."""
    parts = urlsplit(url)
    names = tuple(name for one in credentials for name in names_of(one))
    if parts.scheme != "https" or parts.hostname is None or is_for(names, parts.hostname):
        return None
    some = ", ".join(names[:5]) or "nobody"
    return (
        f"--public-url {url}: no certificate is for {parts.hostname} (but for {some}); "
        "browsers will refuse it"
    )


def key_kind(credential: Credential) -> str:
    """The kind of its key, of which libssl has one certificate in each context: RSA, EC, ..."""
    key = _leaf(credential).public_key()
    return "EC" if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__


def _leaf(credential: Credential) -> x509.Certificate:
    return x509.load_pem_x509_certificate(credential.chain)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(f"{path} is neither a certificate nor a key, but no regular file at all")
            text = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"cannot read {path}: {error.strerror}; name a PEM file that one may read"
        ) from None
    if len(text) > FILE_BYTES:
        raise ConfigError(f"{path} has more than {FILE_BYTES:,} bytes: it is neither a certificate nor a key")
    return text


def _open_without_waiting(path: str, flags: int) -> int:
    """A pipe would have us wait for who writes into it."""
    return os.open(path, flags | os.O_NONBLOCK)


def _certificates(path: str, text: bytes) -> list[x509.Certificate]:
    """All certificates in *text*; at least one."""
    if b"-----BEGIN CERTIFICATE-----" not in text:
        raise ConfigError(f"{path} holds no certificate in PEM form")
    try:
        found = x509.load_pem_x509_certificates(text)
    except ValueError as error:
        raise ConfigError(f"{path} holds a damaged certificate ({_why(error)})") from None
    if len(found) != text.count(b"-----BEGIN CERTIFICATE-----"):
        raise ConfigError(f"{path} holds a damaged certificate (its end is missing)")
    return found


def _key(path: str, text: bytes) -> serialization.PrivateKeyTypes:  # type: ignore[name-defined]
    try:
        return serialization.load_pem_private_key(text, None)
    except TypeError:
        raise ConfigError(
            f"{path} is protected by a passphrase, which nobody would enter at a restart; "
            f"take it away: openssl pkey -in {path} -out ..."
        ) from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path} holds no private key in PEM form ({_why(error)})") from None


def _check_key(files: CertificateFiles, certificates: list[x509.Certificate], key: object) -> None:
    """The key has to be that of the first certificate."""
    ours = key.public_key()  # type: ignore[attr-defined]
    owners = [number for number, one in enumerate(certificates, 1) if one.public_key() == ours]
    if not owners:
        raise ConfigError(
            f"the private key in {files.key} does not belong to the certificate in {files.certificate}"
        )
    if owners[0] != 1:
        raise ConfigError(
            f"{files.certificate}: the certificate of the key in {files.key} stands there as number "
            f"{owners[0]}; it has to be the first, followed by its chain"
        )


def _check_order(files: CertificateFiles, certificates: list[x509.Certificate]) -> None:
    """Each certificate has to be followed by the one that signed it (RFC 5246 section 7.4.2)."""
    where = files.chain or files.certificate
    for number, (one, above) in enumerate(pairwise(certificates), 1):
        try:
            one.verify_directly_issued_by(above)
        except Exception:  # ValueError, TypeError or InvalidSignature: it is not
            raise ConfigError(
                f"{where}: the chain is in wrong order or has a gap: certificate {number} "
                f"({_called(one.subject)}) was signed by {_called(one.issuer)}, and what follows it is "
                f"{_called(above.subject)}"
            ) from None


def _weaknesses(certificates: list[x509.Certificate]) -> Iterator[str]:
    """What browsers, or libssl at its usual security level, refuse."""
    for number, one in enumerate(certificates, 1):
        key = one.public_key()
        if one.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
            yield f"certificate {number} has an RSA key for PSS alone, which browsers refuse; make a new key"
        elif isinstance(key, rsa.RSAPublicKey):
            if key.key_size < RSA_BITS:
                yield (
                    f"certificate {number} has an RSA key of {key.key_size} bits; browsers refuse less than "
                    f"{RSA_BITS}; make a new key"
                )
        elif isinstance(key, ec.EllipticCurvePublicKey):
            if not isinstance(key.curve, _CURVES):
                yield f"certificate {number} has a key on the curve {key.curve.name}; browsers know P-256"
        elif not isinstance(key, _EDWARDS):
            yield f"certificate {number} has a key that is neither RSA nor ECDSA; browsers refuse it"
        is_root = one.issuer == one.subject
        if isinstance(one.signature_hash_algorithm, _WEAK_HASHES) and not (is_root and number > 1):
            yield (
                f"certificate {number} is signed with {one.signature_hash_algorithm.name.upper()}, "
                "which browsers refuse; get a new one"
            )


def _pem(certificates: list[x509.Certificate]) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def _called(name: x509.Name) -> str:
    return name.rfc4514_string() or "nobody"


def _day(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M} UTC"


def _why(error: Exception) -> str:
    """The library's own words, the first line of them."""
    return str(error).partition("\n")[0].partition(". See ")[0] or type(error).__name__

"""The certificate authority of a cluster, and the certificates of its nodes.

Files of an authority, in a folder that no node needs::

    ca.pem   certificates of the authority, the newest first: all of them are accepted
    ca.key   private key of the newest, mode 0600
    chain.pem  after a rotation: each new authority certified by the one before it, the newest first
    issued.pem  certificates of nodes, the oldest first: what :func:`revoke` finds a name in
    crl.pem  the list of revoked certificates, after the first revocation

A node gets three files: ``NODE.pem`` (its certificate, then ``chain.pem``), ``NODE.key`` (mode 0600) and a
copy of ``ca.pem``.

*Rotation*: :func:`rotate` puts a new authority before the old one.  Copy ``ca.pem`` to all nodes and let
them reload it (SIGHUP); then give them new certificates; then remove the old certificate from ``ca.pem``.
A node that was away meanwhile rejoins by itself as long as its authority is still in the bundle of the
others: they accept its certificate by the bundle, and it accepts theirs by the chain that they show.

*Revocation*: :func:`revoke` makes the list of revoked certificates anew (:mod:`edge.trust.revocations`).
Only who has the authority's key can: a node that could revoke others would be what a thief wants.

Keys are P-256 (RFC 5480), the name of a node is the DNS name in its certificate (RFC 5280 section 4.2.1.6).
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge import durable
from edge.errors import EdgeError
from edge.trust.contexts import names_of
from edge.trust.revocations import invalid_since, number_of

#: Days: an authority is replaced by hand, a node's certificate with each new installation.
CA_DAYS = 3650
NODE_DAYS = 825
#: A node may have missed so many rotations.
ROTATIONS = 8
#: Clocks of nodes may be behind by this much.
_BEFORE = timedelta(hours=1)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")


class AuthorityError(EdgeError):
    """A certificate cannot be made; says why."""


def create(folder: Path, cluster: str, days: int = CA_DAYS) -> None:
    """A new authority in *folder*."""
    _check(cluster, days)
    for name in ("ca.pem", "ca.key", "chain.pem"):
        if (folder / name).exists():
            raise AuthorityError(
                f"{folder / name} exists: this folder has an authority already; "
                "edgectl cluster rotate makes a new one beside it"
            )
    certificate, key = _authority(cluster, days)
    _write(folder / "ca.key", _pem(key), 0o600)
    _write(folder / "ca.pem", _pem_of(certificate), 0o644)


def rotate(folder: Path, days: int = CA_DAYS) -> None:
    """A new authority in *folder*; the former ones are still accepted."""
    bundle, newest, newest_key = _load(folder)
    _check("", days)
    cluster = str(newest.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value)
    certificate, key = _authority(cluster, days)
    cross = _authority_certificate(
        certificate.subject, key, newest.subject, newest_key, newest.not_valid_after_utc
    )
    revoked = _revoked(folder)
    if revoked is not None:  # those whom the former authority certified are still accepted
        _write(folder / "crl.pem", _list(certificate, key, revoked, list(revoked)), 0o644)
    _write(folder / "chain.pem", _pem_of(cross) + _chain(folder), 0o644)
    _write(folder / "ca.pem", _pem_of(certificate) + bundle, 0o644)
    _write(folder / "ca.key", _pem(key), 0o600)


def certify(folder: Path, node: str, out: Path, days: int = NODE_DAYS) -> list[Path]:
    """A certificate for *node* from the authority in *folder*: the three files written to *out*."""
    _check(node, days)
    bundle, authority, key = _load(folder)
    own = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(timezone.utc)
    names = x509.SubjectAlternativeName([x509.DNSName(node)])
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node)]))
        .issuer_name(authority.subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(min(now + timedelta(days=days), authority.not_valid_after_utc))
        .add_extension(names, critical=False)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    written = [out / f"{node}.key", out / f"{node}.pem", out / "ca.pem"]
    _write(written[0], _pem(own), 0o600)
    _write(written[1], _pem_of(certificate) + _chain(folder), 0o644)
    _write(written[2], bundle, 0o644)
    _write(folder / "issued.pem", _optional(folder / "issued.pem") + _pem_of(certificate), 0o644)
    return written


def revoke(folder: Path, who: str, since: datetime | None = None) -> list[x509.Certificate]:
    """Revoke certificates as of *since* (now): those that *who* names; makes ``crl.pem`` anew.

    *who*: the name of a node, for all of its certificates; the SHA-256 fingerprint of one, or its
    beginning; or a file with certificates in PEM form.  :class:`AuthorityError` if there is none.
    """
    bundle, authority, key = _load(folder)
    now = datetime.now(timezone.utc)
    since = now if since is None else since
    if since > now:
        raise AuthorityError(f"{since:%Y-%m-%d %H:%M:%S} UTC has yet to come: give a time that is past")
    found = _named(folder, who)
    if not found:
        raise AuthorityError(
            f"{who}: neither a node with a certificate in {folder}/issued.pem, nor a fingerprint, nor a "
            "file with certificates; give the file, like STATE-DIR/cluster/NODE.pem of that node"
        )
    trusted = x509.load_pem_x509_certificates(bundle)
    for one in found:
        if one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            raise AuthorityError(f"{who} is an authority: edgectl cluster rotate replaces it")
        if one.issuer not in [known.subject for known in trusted]:
            raise AuthorityError(f"{who}: that certificate is of another cluster's authority")
    known = _revoked(folder)
    kept = [] if known is None else list(known)
    added = [_entry(one.serial_number, now, since) for one in found]
    serials = {one.serial_number: one for one in kept}
    for entry in added:  # revoked again as of an earlier time: that counts
        before = serials.get(entry.serial_number)
        if before is None or invalid_since(entry) < invalid_since(before):
            serials[entry.serial_number] = entry
    _write(folder / "crl.pem", _list(authority, key, known, list(serials.values())), 0o644)
    return found


def _named(folder: Path, who: str) -> list[x509.Certificate]:
    """The certificates that *who* names; see :func:`revoke`."""
    issued = [folder / "issued.pem", *sorted(folder.glob("*/*.pem"))]
    files = [Path(who)] if os.path.isfile(who) else issued
    found: dict[int, x509.Certificate] = {}
    for path in files:
        try:
            certificates = x509.load_pem_x509_certificates(_optional(path))
        except ValueError:
            continue
        for one in certificates:
            if path == Path(who) or _is_meant(one, who):
                found[one.serial_number] = one
            if path != folder / "issued.pem":
                break  # what follows are those above it
    return list(found.values())


def _is_meant(certificate: x509.Certificate, who: str) -> bool:
    digits = who.replace(":", "").lower()
    fingerprint = certificate.fingerprint(hashes.SHA256()).hex()
    return who in names_of(certificate) or (len(digits) >= 16 and fingerprint.startswith(digits))


def _revoked(folder: Path) -> x509.CertificateRevocationList | None:
    """The list so far."""
    text = _optional(folder / "crl.pem")
    try:
        return x509.load_pem_x509_crl(text) if text else None
    except ValueError:
        raise AuthorityError(
            f"{folder}/crl.pem is damaged; take it from a backup, or a node's STATE-DIR/revoked.pem"
        ) from None


def _entry(serial: int, now: datetime, since: datetime) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now)
    return builder.add_extension(x509.InvalidityDate(since.replace(tzinfo=None)), critical=False).build()


def _list(
    authority: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    before: x509.CertificateRevocationList | None,
    entries: list[x509.RevokedCertificate],
) -> bytes:
    """The list with *entries*, PEM; numbered above the one *before*, and never below the time."""
    now = datetime.now(timezone.utc)
    number = max(int(now.timestamp()), 0 if before is None else number_of(before) + 1)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.subject)
        .last_update(now)
        .next_update(authority.not_valid_after_utc)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for one in entries:
        builder = builder.add_revoked_certificate(one)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _authority(cluster: str, days: int) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A new authority: a key and its self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, cluster),
            # Different for each, so that a bundle of several can be told apart.
            x509.NameAttribute(NameOID.COMMON_NAME, f"{cluster} CA {os.urandom(4).hex()}"),
        ]
    )
    until = datetime.now(timezone.utc) + timedelta(days=days)
    return _authority_certificate(name, key, name, key, until), key


def _authority_certificate(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey, until: datetime,
) -> x509.Certificate:  # fmt: skip
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(timezone.utc) - _BEFORE)
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=ROTATIONS), critical=True)
        .add_extension(usage, critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def _chain(folder: Path) -> bytes:
    return _optional(folder / "chain.pem")


def _optional(path: Path) -> bytes:
    """What a file holds that may not be there."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise AuthorityError(f"cannot read {error.filename}: {error.strerror}") from None


def _load(folder: Path) -> tuple[bytes, x509.Certificate, ec.EllipticCurvePrivateKey]:
    """(bundle, newest certificate, its key)."""
    try:
        bundle, key_pem = (folder / "ca.pem").read_bytes(), (folder / "ca.key").read_bytes()
    except FileNotFoundError as error:
        raise AuthorityError(
            f"{error.filename}: there is no such file; edgectl cluster init --dir {folder} makes an authority"
        ) from None
    except OSError as error:
        raise AuthorityError(f"cannot read {error.filename}: {error.strerror}") from None
    try:
        certificate = x509.load_pem_x509_certificates(bundle)[0]
        key = serialization.load_pem_private_key(key_pem, None)
    except (ValueError, TypeError):
        raise AuthorityError(
            f"{folder}/ca.pem or ca.key is damaged; take them from a backup, or make a new authority"
        ) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise AuthorityError(f"{folder}/ca.key is not the key of the first certificate in ca.pem")
    return bundle, certificate, key


def _check(name: str, days: int) -> None:
    if name and not _NAME.fullmatch(name):
        raise AuthorityError(
            f"{name}: no name; give 1 to 63 letters, digits, dots and dashes, "
            "the first and the last a letter or digit"
        )
    if not 1 <= days <= 36_500:
        raise AuthorityError(f"{days} days: give 1 to 36500")


def _pem_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    """Atomic replace: the file appears whole, and never with a wider mode."""
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
            file.flush()
            durable.replace(file.fileno(), new, path)
    except OSError as error:
        raise AuthorityError(f"cannot write {path}: {error.strerror}") from None

"""Certificates of all kinds, good and bad, made for tests."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from edge.endpoint import CertificateFiles
from tests import processes

#: When all of them are made.
NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


class Made(NamedTuple):
    """A certificate, and the key of it."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self, passphrase: bytes | None = None) -> bytes:
        """The key, protected if there is a *passphrase*."""
        protection: Any = (
            serialization.NoEncryption()
            if passphrase is None
            else serialization.BestAvailableEncryption(passphrase)
        )
        return self.key.private_bytes(  # type: ignore[no-any-return]
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
        )

    def write(self, folder: Path, *chain: Made, name: str = "cert") -> CertificateFiles:
        """The files NAME.pem, with *chain* behind it, and NAME.key."""
        files = CertificateFiles(str(folder / f"{name}.pem"), str(folder / f"{name}.key"))
        Path(files.certificate).write_bytes(self.pem + b"".join(one.pem for one in chain))
        Path(files.key).write_bytes(self.key_pem())
        return files


@cache
def _key(kind: str, number: int) -> Any:
    """Keys are dear to make: one of each kind and *number* will do."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:] or 2048))
    curves = {"ec": ec.SECP256R1, "secp256k1": ec.SECP256K1, "secp384r1": ec.SECP384R1}
    return (
        ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(curves[kind]())
    )


def make(
    *names: str,
    kind: str = "ec",
    number: int = 0,
    issuer: Made | None = None,
    days: tuple[int, int] = (-1, 30),
    title: str | None = None,
) -> Made:
    """A certificate for *names* from *issuer*, None: self-signed; valid between these *days* after NOW."""
    key = _key(kind, number)
    title = title or (names[0] if names else "nobody")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])
    signer = issuer.key if issuer is not None else key
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer is not None else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + datetime.timedelta(days=days[0]))
        .not_valid_after(NOW + datetime.timedelta(days=days[1]))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(_general(names)), False)
    return Made(builder.sign(signer, algorithm), key)


def signed_with_sha1(folder: Path, title: str) -> Made:
    """A self-signed certificate as they were ten years ago; what we sign with otherwise refuses to."""
    key, certificate = folder / "sha1.key", folder / "sha1.pem"
    key.write_bytes(make(title=title, kind="rsa", number=9).key_pem())
    command = ["openssl", "req", "-x509", "-sha1", "-new", "-key", str(key), "-subj", f"/CN={title}"]
    processes.run([*command, "-days", "1000", "-out", str(certificate)], check=True, capture_output=True)
    return Made(x509.load_pem_x509_certificate(certificate.read_bytes()), _key("rsa", 9))


def _general(names: Sequence[str]) -> list[x509.GeneralName]:
    return [
        x509.IPAddress(ipaddress.ip_address(name)) if name[-1].isdigit() else x509.DNSName(name)
        for name in names
    ]


def of_a_pss_key(folder: Path, name: str) -> CertificateFiles:
    """A certificate that OpenSSL has made of an RSA key for PSS alone (RFC 4055); cryptography makes none."""
    files = CertificateFiles(str(folder / "pss.pem"), str(folder / "pss.key"))
    for command in (
        ["genpkey", "-quiet", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048", "-out", files.key],
        ["req", "-x509", "-key", files.key, "-out", files.certificate, "-subj", f"/CN={name}"],
    ):
        processes.run(["openssl", *command], check=True, capture_output=True)
    return files

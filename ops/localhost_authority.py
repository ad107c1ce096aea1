"""A certificate authority for this machine alone: HTTPS on ``localhost`` that browsers can be told to trust.

It can certify ``localhost``, 127.0.0.1 and ::1 and nothing else (RFC 5280 section 4.2.1.10), so that trusting
it gives nobody power over other names, whoever reads its key::

    FOLDER/ca.pem      what to trust
    FOLDER/ca.key      its key, mode 0600
    FOLDER/server.pem  the certificate of localhost and its key, mode 0600

``python -m ops.localhost_authority FOLDER`` makes it.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from shlex import quote

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from edge.trust.web_certificate import authority, key_pem, server_certificate

NAMES = ("localhost", "127.0.0.1", "::1")
#: Days: the longest that browsers accept of a server (CA/Browser Forum, until 2026).
DAYS = 398
#: Days before the end at which a new one is made.
SPARE_DAYS = 30


def make_localhost_certificate(folder: Path) -> Path:
    """The file with a certificate of localhost and its key, made if it is not there or ends soon."""
    server = folder / "server.pem"
    if not _is_good(server):
        folder.mkdir(parents=True, exist_ok=True)
        issuer = authority("twistd edge: this machine only", NAMES, DAYS)
        _write(folder / "ca.key", key_pem(issuer.key))
        (folder / "ca.pem").write_bytes(issuer.certificate.public_bytes(serialization.Encoding.PEM))
        _write(server, server_certificate(NAMES, DAYS, issuer).pem())  # last: it says that all is there
    return server


def how_to_trust(folder: Path) -> str:
    """What to type so that programs and browsers here trust it, and no longer do."""
    ca = folder / "ca.pem"
    return (
        f"curl:                 curl --cacert {quote(str(ca))} ...\n"
        f"Chromium:             {trust_command(ca)}\n"
        f"  and no longer:      certutil -d {_DATABASE} -D -n edge-localhost\n"
        f"Firefox:              Settings, Certificates, Authorities, Import: {ca}"
    )


_DATABASE = "sql:$HOME/.pki/nssdb"


def trust_command(ca: Path) -> str:
    """The shell command that has Chromium on Linux trust *ca*; certutil is in libnss3-tools."""
    add = f"certutil -d {_DATABASE} -A -t C,, -n edge-localhost -i {quote(str(ca))}"
    return f"mkdir -p $HOME/.pki/nssdb && {add}"


def _is_good(server: Path) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(server.read_bytes())
    except (OSError, ValueError):
        return False
    return certificate.not_valid_after_utc > datetime.now(timezone.utc) + timedelta(days=SPARE_DAYS)


def _write(path: Path, content: bytes) -> None:
    """Only this user may read it."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


if __name__ == "__main__":
    made = make_localhost_certificate(Path(sys.argv[1]))
    print(how_to_trust(made.parent))

"""The files of a certificate that takes care of itself.

They are in the folder ``acme`` of the state directory (0700)::

    certificate.pem   what listeners serve: certificate, chain and private key, mode 0600
    record            all that is known of it, with the account's key (edge.trust.automatic), mode 0600

As long as no authority has given one, the certificate is self-signed: listeners can be opened, and browsers
say what is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509

from edge import durable
from edge.trust.automatic import Record, decode, encode
from edge.trust.credentials import alternative_names
from edge.trust.web_certificate import server_certificate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: Days for which a self-signed certificate is valid: by then there is a true one, or the node was restarted.
SELF_SIGNED_DAYS = 365


def certificate_file(state_dir: Path) -> Path:
    """Where listeners find the certificate."""
    return state_dir / "acme" / "certificate.pem"


class AutomaticFiles:
    """The folder in *state_dir*, for the certificate of *names* from *directory*."""

    def __init__(self, state_dir: Path, directory: str, names: Sequence[str]) -> None:
        self.certificate = certificate_file(state_dir)
        self._record = self.certificate.with_name("record")
        self._directory = directory
        self._names = tuple(names)

    def prepare(self) -> None:
        """Have a certificate for the listeners; :class:`OSError`."""
        self.certificate.parent.mkdir(mode=0o700, exist_ok=True)
        issued = self.load().issued
        if issued is not None:
            self._write(issued.pem)
        elif not self._serves():
            self._write(server_certificate(self._names, SELF_SIGNED_DAYS).pem())

    def load(self) -> Record:
        """What is known; nothing, if there is no file or a damaged one, or one for other names."""
        fresh = Record(self._directory, self._names)
        try:
            found = decode(self._record.read_bytes())
        except (OSError, ValueError):
            return fresh
        if (found.directory, found.names) == (self._directory, self._names):
            return found
        if found.directory == self._directory:  # other names: the same account orders them
            return Record(self._directory, self._names, account=found.account)
        return fresh

    def save(self, record: Record) -> bool:
        """Write *record* down, and its certificate for the listeners if it is another one; whether it was.

        :class:`OSError` if the disk does not take it.
        """
        durable.write_private(self._record, encode(record))
        if record.issued is None:
            return False
        return self._write(record.issued.pem)

    def _write(self, pem: bytes) -> bool:
        try:
            if self.certificate.read_bytes() == pem:
                return False
        except OSError:
            pass
        durable.write_private(self.certificate, pem)
        return True

    def _serves(self) -> bool:
        """Whether the file holds a certificate that is as good as a new self-signed one."""
        try:
            found = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        except (OSError, ValueError):
            return False
        if found.issuer != found.subject:
            return (
                True  # of names or a directory that were configured before: it serves until there is another
            )
        return set(alternative_names(found)) == set(self._names)

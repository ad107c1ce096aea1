"""The certificates of a TLS listener in the supervisor: read, and read again when their files change.

Files are replaced while a node runs, now and then by something that cannot be used: half-written, expired,
of another key.  Then the last good certificate stays, for workers that run and for those that start later,
and what is wrong is logged, once for each change.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from twisted.logger import Logger

from edge.errors import ConfigError
from edge.trust.credentials import read_credential, validity_problem
from edge.trust.listener_certificate import ListenerCertificates

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.endpoint import CertificateFiles
    from edge.tls.interface import Credential

#: Seconds between two looks at the files: a stat each.
LOOK_SECONDS = 5.0


class KeptCertificate:
    """One certificate of one listener, the newest good one."""

    _log = Logger()

    def __init__(self, files: CertificateFiles, clock: Callable[[], float] = time.time) -> None:
        """Raises :class:`ConfigError` when there is no good certificate to begin with.

        One that is not valid now is better than none, and is told.
        """
        self.files = files
        self._clock = clock
        self._seen: object = file_signature(files)
        self.credential = _usable(files)
        problem = validity_problem(self.credential, clock())
        if problem is not None:
            self._log.error("browsers will refuse this: {problem}", problem=problem)

    def look(self) -> bool:
        """Read the files if they changed since the last look; whether there is another certificate now."""
        signature = file_signature(self.files)
        if signature == self._seen:
            return False
        before = self.credential
        problem = self.reload()
        if problem is not None:
            self._log.error("{problem}", problem=problem)
        return self.credential != before

    def reload(self) -> str | None:
        """Read the files again; a sentence if the former certificate stays."""
        signature = file_signature(self.files)
        self._seen = signature
        try:
            read = _usable(self.files)
            self._compare(read)
        except ConfigError as error:
            return f"the certificate stays as it was: {error}"
        if file_signature(self.files) != signature:
            self._seen = ()  # changed meanwhile: there is more to come
        if read != self.credential:
            self.credential = read
            self._log.info("loaded the certificate in {path} anew", path=self.files.certificate)
        return None

    def _compare(self, read: Credential) -> None:
        """:class:`ConfigError` if *read* is not valid now, and the present one is."""
        problem = validity_problem(read, self._clock())
        if problem is not None and validity_problem(self.credential, self._clock()) is None:
            raise ConfigError(problem)


def _usable(files: CertificateFiles) -> Credential:
    """What is in *files*, which OpenSSL takes, too; :class:`ConfigError` why not."""
    credential = read_credential(files)
    ListenerCertificates("intermediate").take([credential])
    return credential


def file_signature(files: CertificateFiles) -> tuple[tuple[int, int, int] | None, ...]:
    """Changes whenever one of *files* does."""
    return tuple(_stat(path) for path in files if path)


def _stat(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

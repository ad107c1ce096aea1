"""The newest certificate of a listener that could be loaded, kept in memory for workers that start later.

Certificate files are replaced while a node runs, now and then by something that cannot be used.  A worker
that runs keeps what it has; one that starts then takes what is kept here.  It is a memfd, which the worker
inherits: the key is neither written to a disk a second time, nor sent.
"""

from __future__ import annotations

import os

from edge.errors import ConfigError
from edge.trust.listener_certificate import CertificateFiles, file_signature, load_context


class KeptCertificate:
    """What the supervisor keeps of one TLS listener."""

    def __init__(self, files: CertificateFiles) -> None:
        """Raises :class:`ConfigError` when there is no good certificate to begin with."""
        self._files = files
        self._seen = file_signature(files)
        load_context(files)
        #: Of the memfd: certificate, chain and key as PEM, one after the other.
        self.fd = _in_memory(files)

    def look(self) -> None:
        """Keep what is in the files, if they changed since the last look and can be loaded."""
        signature = file_signature(self._files)
        if signature == self._seen:
            return
        self._seen = signature
        try:
            load_context(self._files)
            fd = _in_memory(self._files)
        except (ConfigError, OSError):
            return  # the workers, who look as well, say so
        if file_signature(self._files) != signature:
            os.close(fd)  # changed meanwhile: what was read is perhaps not what was loaded
            self._seen = ()
            return
        os.close(self.fd)
        self.fd = fd

    def close(self) -> None:
        """Forget it."""
        os.close(self.fd)


def inherited_files(fd: int) -> CertificateFiles:
    """The files of what a process inherited as *fd*."""
    path = f"/proc/self/fd/{fd}"
    return CertificateFiles(path, path)


def _in_memory(files: CertificateFiles) -> int:
    fd = os.memfd_create("edge-certificate", os.MFD_CLOEXEC)
    with open(fd, "wb", closefd=False) as kept:
        for path in (files.certificate, files.chain, files.key):
            if path:
                with open(path, "rb") as file:
                    kept.write(file.read() + b"\n")
    return fd

"""The certificate of a TLS listener, replaced while connections are open.

New connections get the newest certificate that could be loaded; open ones keep theirs.  The files
are looked at every :data:`LOOK_SECONDS` and on SIGHUP.  A certificate that cannot be loaded (half
written, or not matching its key) leaves the former one in place and is reported.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import CertificateOptions
from twisted.logger import Logger
from zope.interface import implementer

from edge.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.protocols.tls import TLSMemoryBIOProtocol

#: Seconds between two looks at the files: a stat each.
LOOK_SECONDS = 5.0

_BEGIN = b"-----BEGIN CERTIFICATE-----"


class CertificateFiles(NamedTuple):
    """PEM files; *certificate* may hold the chain after the certificate, or *chain* does."""

    certificate: str
    key: str
    chain: str | None = None


def load_context(files: CertificateFiles) -> SSL.Context:
    """The TLS context with the certificate of *files*: TLS 1.2 and later, ALPN ``http/1.1``.

    Raises :class:`ConfigError` naming the file that cannot be used.
    """
    certificates = _certificates(files.certificate)
    chain = certificates[1:] + (_certificates(files.chain) if files.chain else [])
    try:
        key = crypto.load_privatekey(crypto.FILETYPE_PEM, _read(files.key))
    except (crypto.Error, ValueError, TypeError) as error:
        raise ConfigError(f"{files.key} holds no private key in PEM form ({_why(error)})") from None
    try:
        options = CertificateOptions(
            privateKey=key,
            certificate=certificates[0],
            extraCertChain=chain,
            acceptableProtocols=[b"http/1.1"],
        )
        return options.getContext()
    except (SSL.Error, crypto.Error, ValueError) as error:
        raise ConfigError(
            f"the private key in {files.key} does not belong to the certificate in {files.certificate} "
            f"({_why(error)})"
        ) from None


def _certificates(path: str) -> list[crypto.X509]:
    """All certificates in the PEM file *path*; at least one."""
    blocks = [_BEGIN + block for block in _read(path).split(_BEGIN)[1:]]
    if not blocks:
        raise ConfigError(f"{path} holds no certificate in PEM form")
    try:
        return [crypto.load_certificate(crypto.FILETYPE_PEM, block) for block in blocks]
    except (crypto.Error, ValueError) as error:
        raise ConfigError(f"{path} holds a damaged certificate ({_why(error)})") from None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def _why(error: Exception) -> str:
    """OpenSSL's own words, without its nesting."""
    text = str(error)
    return text.strip("[]()") or type(error).__name__


@implementer(IOpenSSLServerConnectionCreator)
class ReloadingCertificate:
    """Makes the TLS connections of one listener, from the newest good certificate in its files."""

    _log = Logger()

    def __init__(
        self,
        files: CertificateFiles,
        kept: CertificateFiles | None = None,
        prepare: Callable[[SSL.Context], None] = lambda context: None,
    ) -> None:
        """Loads *files*, or else what is *kept* of them (:mod:`edge.trust.kept_certificate`).

        *prepare* changes contexts before they are used.  Raises :class:`ConfigError` when there is no good
        certificate to begin with.
        """
        self._files = files
        self._prepare = prepare
        self._seen = file_signature(files)
        try:
            self._context = self._load(files)
        except ConfigError as error:
            if kept is None:
                raise
            self._context = self._load(kept)
            self._log.error("the certificate stays as it was: {error}", error=error)

    def _load(self, files: CertificateFiles) -> SSL.Context:
        context = load_context(files)
        self._prepare(context)
        return context

    def look(self) -> str | None:
        """Load the files again if they changed since the last look; a sentence if that failed."""
        signature = file_signature(self._files)
        if signature == self._seen:
            return None
        self._seen = signature
        return self.reload()

    def reload(self) -> str | None:
        """Load the files again; a sentence if that failed, and the former certificate stays."""
        try:
            self._context = self._load(self._files)
        except ConfigError as error:
            problem = f"the certificate stays as it was: {error}"
            self._log.error("{problem}", problem=problem)
            return problem
        self._log.info("loaded the certificate in {path} anew", path=self._files.certificate)
        return None

    # Twisted's overrides

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return SSL.Connection(self._context, None)


def file_signature(files: CertificateFiles) -> tuple[tuple[int, int, int] | None, ...]:
    """Changes whenever one of *files* does."""
    return tuple(_stat(path) for path in files if path)


def _stat(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

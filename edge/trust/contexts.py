"""Mutual TLS between nodes: version 1.3 only, certificates signed by the cluster's authority on both sides.

The authorities in the bundle are all accepted, so that one can take over from another.  Whose certificate
it is stands in its one DNS name; who dials a node by name checks it (service-identity, RFC 6125).  A
revoked certificate (:mod:`edge.trust.revocations`) is refused in the handshake, by both sides.
"""

# Much of Twisted and pyOpenSSL has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL, crypto
from service_identity import VerificationError
from service_identity.pyopenssl import verify_hostname
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.python.failure import Failure
from zope.interface import implementer

from edge.errors import ConfigError, EdgeError
from edge.trust.revocations import Revocations

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


#: Certificates of one node that are remembered: its own, and eight rotations of the authority.
CHAIN = 9


class TrustError(EdgeError):
    """Another node is not who it should be."""


#: How OpenSSL calls the alert that says so to the other side (RFC 8446 section 6.2).
REVOKED_ALERT = "alert certificate revoked"
#: An authority without a list of its own has revoked nothing (X509_V_ERR_UNABLE_TO_GET_CRL).
_NO_LIST = 3


class _Loaded(NamedTuple):
    """What the files hold: certificate, key, authorities."""

    certificate: crypto.X509
    #: From its authority up to the one before all rotations.
    chain: list[crypto.X509]
    key: crypto.PKey
    authorities: list[crypto.X509]


class PeerCertificates:
    """The certificate of this node and the authorities of the others, loaded from files."""

    def __init__(
        self, node: str, certificate: Path, key: Path, authorities: Path, revoked: Path | None = None
    ) -> None:
        """*revoked*: the file in which lists of revoked certificates are kept; None: nowhere."""
        self._node = node
        self._paths = (certificate, key, authorities)
        self._loaded: _Loaded | None = None
        self.revocations = Revocations(revoked, self._authority_certificates)

    @property
    def own_chain(self) -> tuple[bytes, ...]:
        """This node's certificate and those above it, DER."""
        return tuple(
            crypto.dump_certificate(crypto.FILETYPE_ASN1, one)
            for one in (self._files.certificate, *self._files.chain)
        )

    @property
    def certificate(self) -> x509.Certificate:
        """This node's."""
        return self._files.certificate.to_cryptography()

    @property
    def key(self) -> object:
        """This node's private key."""
        return self._files.key.to_cryptography_key()

    @property
    def authorities(self) -> list[crypto.X509]:
        """Those of the bundle."""
        return self._files.authorities

    def _authority_certificates(self) -> list[x509.Certificate]:
        return [one.to_cryptography() for one in self.authorities]

    @property
    def _files(self) -> _Loaded:
        assert self._loaded is not None, "load() comes first"
        return self._loaded

    def load(self) -> None:
        """Load the files; :class:`ConfigError` names the one that cannot be used."""
        certificate_path, key_path, ca_path = self._paths
        certificate, *chain = _certificates(certificate_path, "--cluster-cert")
        authorities = _certificates(ca_path, "--cluster-ca")
        text = _read(key_path, "--cluster-key")
        try:
            key = serialization.load_pem_private_key(text, None)
        except (ValueError, TypeError):
            raise ConfigError(f"--cluster-key {key_path} holds no private key in PEM form") from None
        if key.public_key() != certificate.public_key():
            raise ConfigError(
                f"--cluster-key {key_path} is not the key of the certificate {certificate_path}"
            )
        if certificate.not_valid_after_utc < datetime.now(timezone.utc):
            raise ConfigError(
                f"--cluster-cert {certificate_path} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; "
                f"make a new one: edgectl cluster cert {self._node}"
            )
        names = names_of(certificate)
        if names != [self._node]:
            raise ConfigError(
                f"--cluster-cert {certificate_path} is for {', '.join(names) or 'nobody'}, "
                f"this node is {self._node}; make one: edgectl cluster cert {self._node}"
            )
        self._loaded = _Loaded(
            crypto.X509.from_cryptography(certificate),
            [crypto.X509.from_cryptography(one) for one in chain],
            crypto.PKey.from_cryptography_key(key),  # type: ignore[arg-type]
            [crypto.X509.from_cryptography(one) for one in authorities],
        )

    def reload(self) -> str | None:
        """Load again; a sentence if that failed, and the former ones stay."""
        try:
            self.load()
        except ConfigError as error:
            return f"the cluster's certificates stay as they were: {error}"
        return None

    def server(self, protocols: Sequence[bytes]) -> _Server:
        """The TLS of a listener; *protocols*: ALPN, the first that the client speaks."""
        return _Server(self, protocols)

    def client(self, protocols: Sequence[bytes], name: str | None = None) -> _Client:
        """The TLS of a dial; *name*: of the node that must answer, None if that is not known."""
        return _Client(self, protocols, name)

    def context(self) -> SSL.Context:
        """A context with the newest files."""
        loaded = self._files
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.use_certificate(loaded.certificate)
        for one in loaded.chain:
            context.add_extra_chain_cert(one)
        context.use_privatekey(loaded.key)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET)
        store = context.get_cert_store()
        assert store is not None
        for authority in loaded.authorities:
            store.add_cert(authority)
        if lists := self.revocations.crls:
            store.set_flags(crypto.X509StoreFlags.CRL_CHECK)
            for one_list in lists:
                store.add_crl(one_list)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._verify)
        return context

    def _verify(
        self, connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int
    ) -> bool:
        """What OpenSSL has found; it looks only into the list of a certificate's own authority."""
        if not ok:
            return error == _NO_LIST
        return depth > 0 or self.revocations.since(certificate.to_cryptography()) is None


@implementer(IOpenSSLServerConnectionCreator)
class _Server:
    def __init__(self, certificates: PeerCertificates, protocols: Sequence[bytes]) -> None:
        self._certificates = certificates
        self._protocols = protocols

    # Twisted's overrides

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        context = self._certificates.context()
        context.set_alpn_select_callback(self._select)
        return SSL.Connection(context, None)

    def _select(self, connection: SSL.Connection, offered: list[bytes]) -> Any:
        return next((one for one in self._protocols if one in offered), SSL.NO_OVERLAPPING_PROTOCOLS)


@implementer(IOpenSSLClientConnectionCreator)
class _Client:
    def __init__(self, certificates: PeerCertificates, protocols: Sequence[bytes], name: str | None) -> None:
        self._certificates = certificates
        self._protocols = protocols
        self._name = name

    # Twisted's overrides

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        context = self._certificates.context()
        context.set_alpn_protos(list(self._protocols))
        if self._name is not None:
            context.set_info_callback(self._check_name)
        connection = SSL.Connection(context, None)
        connection.set_app_data(protocol)
        return connection

    def _check_name(self, connection: SSL.Connection, where: int, ret: int) -> None:
        if where & SSL.SSL_CB_HANDSHAKE_DONE:
            assert self._name is not None
            try:
                verify_name(connection, self._name)
            except TrustError:
                connection.get_app_data().failVerification(Failure())


def peer_name(connection: SSL.Connection) -> str:
    """Whose certificate the other side showed; :class:`TrustError` if it names not exactly one node."""
    certificate = connection.get_peer_certificate()
    names = names_of(certificate.to_cryptography()) if certificate is not None else []
    if len(names) != 1:
        raise TrustError(f"its certificate names {', '.join(names) or 'nobody'}, not one node")
    return names[0]


def peer_chain(connection: SSL.Connection) -> tuple[bytes, ...]:
    """The other side's certificate, and those above it that it showed; DER."""
    certificate = connection.get_peer_certificate()
    assert certificate is not None
    shown = [certificate, *(connection.get_peer_cert_chain() or ())]
    made = dict.fromkeys(crypto.dump_certificate(crypto.FILETYPE_ASN1, one) for one in shown)
    return tuple(made)[:CHAIN]


def verify_name(connection: SSL.Connection, name: str) -> None:
    """The other side is *name*, or :class:`TrustError`."""
    if peer_name(connection) != name:
        raise TrustError(f"it is {peer_name(connection)}, not {name}")
    if "." in name:  # service-identity, as browsers, knows no names of one label
        try:
            verify_hostname(connection, name)
        except VerificationError:
            raise TrustError(f"its certificate is not for {name}") from None


def names_of(certificate: x509.Certificate) -> list[str]:
    """The DNS names in *certificate*."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return found.value.get_values_for_type(x509.DNSName)


def _certificates(path: Path, option: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_read(path, option))
    except ValueError:
        raise ConfigError(f"{option} {path} holds no certificate in PEM form") from None


def _read(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{option} {path}: cannot be read ({error.strerror}); "
            "edgectl cluster init and edgectl cluster cert make what a node needs"
        ) from None

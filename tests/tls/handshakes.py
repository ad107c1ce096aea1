"""Both ends of TLS handshakes in memory: ours, without a loop, and clients that are not ours."""

from __future__ import annotations

import contextlib
import datetime
import ssl
from collections.abc import Sequence
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from edge._tls import ffi, lib
from OpenSSL import SSL

from edge.tls.interface import Credential
from edge.tls.native import NativeContext, NativeRecordLayer, NativeTls

_FUNCTIONS = lib.edge_tls_native


@cache
def credential(*names: str, kind: str = "ecdsa") -> Credential:
    """A self-signed certificate for *names*; the first is its subject, with the *kind* of key before it."""
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    key = (
        ec.generate_private_key(ec.SECP256R1()) if kind == "ecdsa" else rsa.generate_private_key(65537, 2048)
    )
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"{kind} {names[0]}")])
    begin = datetime.datetime(2020, 1, 1)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Credential(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        f"{kind}-{names[0]}.pem",
    )


class Server:
    """Our end of one connection: a handshake, and what it leaves."""

    def __init__(self, tls: NativeTls, context: NativeContext) -> None:
        self._tls, self._context = tls, context
        self._handshake = ffi.NULL
        self._received = b""
        self.outcome = ffi.new("edge_tls_outcome *")
        #: How it ended, EDGE_TLS_*; EDGE_TLS_RECEIVE: it has not.
        self.progress = lib.EDGE_TLS_RECEIVE
        self.layer: NativeRecordLayer | None = None
        #: Bytes that libssl must not see.
        self.rest = b""
        self.failed = False

    def receive(self, data: bytes) -> bytes:
        """What is to be sent."""
        if self.layer is not None:
            self.rest += data
            return b""
        self._received += data
        received = self._received
        if self._handshake == ffi.NULL:
            if _FUNCTIONS.recognise(self._tls.tls, received, len(received)) != lib.EDGE_TLS_RECOGNISED:
                return b""
            self._handshake = _FUNCTIONS.begin(self._tls.tls, self._context.context, received, len(received))
        self.progress = _FUNCTIONS.step(self._handshake, received, len(received), self.outcome)
        self._received = received[self.outcome.consumed :]
        output = bytes(ffi.buffer(self.outcome.output, self.outcome.length)) if self.outcome.length else b""
        if self.progress != lib.EDGE_TLS_RECEIVE:
            _FUNCTIONS.end(self._handshake)
            self._handshake = ffi.NULL
        if self.progress == lib.EDGE_TLS_DONE:
            self.rest = self._received
            self.layer = NativeRecordLayer(self._tls, self.outcome.state)
        return output

    def close(self) -> None:
        """Ends a handshake that is under way."""
        if self._handshake != ffi.NULL:
            _FUNCTIONS.end(self._handshake)
            self._handshake = ffi.NULL


class PyClient:
    """A client of pyOpenSSL, whose OpenSSL is another one than ours."""

    def __init__(
        self,
        name: str | None = None,
        suites: str | None = None,
        protocols: Sequence[bytes] = (b"h2", b"http/1.1"),
        resumes: PyClient | None = None,
    ) -> None:
        """*resumes*: offer the session of that connection."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD) if resumes is None else resumes.connection.get_context()
        if protocols and resumes is None:
            context.set_alpn_protos(list(protocols))
        if suites is not None:
            context.set_tls13_ciphersuites(suites.encode())
        self.connection = SSL.Connection(context, None)
        if name is not None:
            self.connection.set_tlsext_host_name(name.encode())
        if resumes is not None:
            self.connection.set_session(resumes.connection.get_session())
        self.connection.set_connect_state()

    def output(self) -> bytes:
        """What it sends now."""
        with contextlib.suppress(SSL.WantReadError):
            return bytes(self.connection.bio_read(1 << 20))
        return b""

    def receive(self, data: bytes) -> bytes:
        """What it reads in *data*, once its handshake is over."""
        if data:
            self.connection.bio_write(data)
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            return b""
        read = b""
        with contextlib.suppress(SSL.WantReadError, SSL.ZeroReturnError):
            while True:
                read += self.connection.recv(1 << 16)
        return read

    def say(self, data: bytes) -> bytes:
        """*data* as it is sent."""
        self.connection.sendall(data)
        return self.output()

    @property
    def certificate(self) -> str:
        """The subject of what it was shown."""
        found = self.connection.get_peer_certificate()
        return "" if found is None else str(found.get_subject().CN)


class StdClient:
    """A client of Python's ssl."""

    def __init__(self, curve: str | None = None, version: ssl.TLSVersion | None = None) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if curve is not None:
            context.set_ecdh_curve(curve)
        if version is not None:
            context.maximum_version = version
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.connection = context.wrap_bio(self._in, self._out)

    def output(self) -> bytes:
        """What it sends now."""
        return self._out.read()

    def receive(self, data: bytes) -> bytes:
        """What it reads in *data*, once its handshake is over."""
        self._in.write(data)
        read = b""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.connection.do_handshake()
            while more := self.connection.read(1 << 16):
                read += more
        return read

    def say(self, data: bytes) -> bytes:
        """*data* as it is sent."""
        self.connection.write(data)
        return self.output()


def shake_hands(server: Server, client: PyClient | StdClient, piece: int = 1 << 20) -> None:
    """Both ends talk until neither says any more; what the client sends comes in pieces of that size."""
    told = b""
    for _ in range(6):
        client.receive(told)
        said, told = client.output(), b""
        for start in range(0, len(said), piece):
            told += server.receive(said[start : start + piece])
        if not said and not told:
            return

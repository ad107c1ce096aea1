"""A server's side of TLS in the test's own thread: what it says, and when, is the test's."""

from __future__ import annotations

import contextlib
import datetime
import functools
import socket
import ssl
import tempfile
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from loadgen.trust import Trust

NAME = "site.example"
_ISSUER = "an authority of tests"


@functools.cache
def _key(title: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _certificate(title: str, names: Sequence[str], days: tuple[float, float]) -> bytes:
    """PEM of a certificate for *names*, signed by the authority; without names the authority's own."""
    now = datetime.datetime.now(datetime.timezone.utc)
    subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (title, _ISSUER))
    general = [x509.IPAddress(ip_address(one)) if one[-1].isdigit() else x509.DNSName(one) for one in names]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(_key(title).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(not names, None), True)
    )
    if names:
        made = made.add_extension(x509.SubjectAlternativeName(general), False)
    return made.sign(_key(_ISSUER), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@functools.cache
def trust() -> Trust:
    """In the authority of the tests alone."""
    return Trust(_certificate(_ISSUER, (), (-10, 3650)).decode("ascii"))


def write(folder: Path, *names: str, days: tuple[float, float] = (-1, 30)) -> tuple[str, str]:
    """The files of a certificate for *names*, and of its key."""
    certificate, key = folder / "cert.pem", folder / "key.pem"
    names = names or (NAME, "127.0.0.1")
    certificate.write_bytes(_certificate("a server", names, days))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key.write_bytes(_key("a server").private_bytes(serialization.Encoding.PEM, *private))
    return str(certificate), str(key)


def new_context(*names: str, days: tuple[float, float] = (-1, 30)) -> ssl.SSLContext:
    """The settings of a server that has a certificate for *names*."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        settings.load_cert_chain(*write(Path(folder), *names, days=days))
    return settings


context = functools.cache(new_context)


class Peer:
    """A connection that the server has accepted, over which it speaks TLS."""

    def __init__(
        self, connection: socket.socket, settings: ssl.SSLContext, turn: Callable[[], object]
    ) -> None:
        """*turn*: has the other side do something."""
        self.connection, self._turn = connection, turn
        connection.setblocking(False)
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = settings.wrap_bio(self._in, self._out, server_side=True)
        #: All that came.
        self.seen = b""

    def pump(self) -> None:
        """Send what is to be sent, receive what is there."""
        if self._out.pending:
            self.connection.sendall(self._out.read())
        with contextlib.suppress(BlockingIOError):
            data = self.connection.recv(1 << 16)
            self.seen += data
            if data:
                self._in.write(data)
            else:
                self._in.write_eof()

    def _until(self, action: Callable[[], bytes | None]) -> bytes | None:
        for _ in range(2000):
            try:
                done = action()
            except ssl.SSLWantReadError:
                self._turn()
                self.pump()
                continue
            finally:
                if self._out.pending:
                    with contextlib.suppress(OSError):
                        self.connection.sendall(self._out.read())
            return done
        raise AssertionError("the other side says nothing")

    def shake(self) -> None:
        """The handshake, to its end."""
        self._until(lambda: self.tls.do_handshake())

    def read(self) -> bytes:
        """What comes next; b"": the other side's goodbye."""
        data = self._until(lambda: self.tls.read(1 << 16))
        assert data is not None
        return data

    def write(self, data: bytes) -> None:
        """*data* goes out, as it is."""
        self.tls.write(data)
        self.pump()

    def take(self) -> bytes:
        """The records that were made and not sent."""
        return self._out.read()

    def goodbye(self) -> None:
        """close_notify, without waiting for the other's."""
        with contextlib.suppress(ssl.SSLError):
            self.tls.unwrap()
        self.pump()

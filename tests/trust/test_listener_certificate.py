"""The certificate of a TLS listener: loaded, refused with a word, replaced while connections are open."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from edge.errors import ConfigError
from edge.trust.listener_certificate import CertificateFiles, ReloadingCertificate, load_context
from tests.end_to_end.certificates import write_certificate


def shake_hands(listener: ReloadingCertificate, version: int | None = None) -> SSL.Connection:
    """A client's end of a TLS session in memory; :class:`SSL.Error` when the listener refuses."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_alpn_protos([b"h2", b"http/1.1"])
    if version is not None:
        context.set_max_proto_version(version)
    client = SSL.Connection(context, None)
    client.set_connect_state()
    factory = TLSMemoryBIOFactory(listener, False, Factory.forProtocol(Protocol), Clock())
    server, transport = factory.buildProtocol(None), StringTransport()
    server.makeConnection(transport)
    for _ in range(4):
        with contextlib.suppress(SSL.WantReadError):
            client.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            server.dataReceived(client.bio_read(65536))
        if transport.value():
            client.bio_write(transport.value())
            transport.clear()
    return client


def name_of(client: SSL.Connection) -> str:
    """To whom the certificate that the client was shown is issued."""
    certificate = client.get_peer_certificate()
    assert certificate is not None
    return str(certificate.get_subject().CN)


class Base(SynchronousTestCase):
    """A folder with the certificate and key of ``first``."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        write_certificate(self.folder, "first")
        self.certificate, self.key = self.folder / "cert.pem", self.folder / "key.pem"

    def files(self, chain: str | None = None) -> CertificateFiles:
        return CertificateFiles(str(self.certificate), str(self.key), chain)

    def another(self, name: str) -> Path:
        """A folder with another certificate and key."""
        folder = self.folder / name
        folder.mkdir()
        write_certificate(folder, name)
        return folder


class LoadTests(Base):
    """:func:`edge.trust.listener_certificate.load_context`."""

    def test_the_certificate_is_shown_with_http_1_1_and_modern_tls(self) -> None:
        client = shake_hands(ReloadingCertificate(self.files()))
        self.assertEqual(name_of(client), "first")
        self.assertEqual(client.get_alpn_proto_negotiated(), b"http/1.1")
        self.assertIn(client.get_protocol_version_name(), ("TLSv1.2", "TLSv1.3"))

    def test_versions_before_1_2_are_refused(self) -> None:
        listener = ReloadingCertificate(self.files())
        self.assertRaises(SSL.Error, shake_hands, listener, SSL.TLS1_1_VERSION)

    def test_the_chain_comes_after_the_certificate_or_from_a_file_of_its_own(self) -> None:
        above = self.another("above") / "cert.pem"
        apart = shake_hands(ReloadingCertificate(self.files(str(above))))
        self.certificate.write_bytes(self.certificate.read_bytes() + above.read_bytes())
        together = shake_hands(ReloadingCertificate(self.files()))
        for client in (apart, together):
            chain = client.get_peer_cert_chain() or []
            self.assertEqual([one.get_subject().CN for one in chain], ["first", "above"])

    def test_each_mistake_names_the_file(self) -> None:
        other = self.another("other")
        good_certificate, good_key = self.certificate.read_bytes(), self.key.read_bytes()
        begin, missing = good_certificate[:60], self.folder / "missing.pem"
        for certificate, key, chain, words in (
            (b"", good_key, None, f"{self.certificate} holds no certificate in PEM form"),
            (begin, good_key, None, f"{self.certificate} holds a damaged certificate"),
            (good_certificate, b"", None, f"{self.key} holds no private key in PEM form"),
            (good_certificate, good_key[:100], None, f"{self.key} holds no private key in PEM form"),
            (
                good_certificate,
                (other / "key.pem").read_bytes(),
                None,
                f"the private key in {self.key} does not belong to the certificate in {self.certificate}",
            ),
            (good_certificate, good_key, str(missing), f"cannot read {missing}: No such file"),
        ):
            self.certificate.write_bytes(certificate)
            self.key.write_bytes(key)
            error = self.assertRaises(ConfigError, load_context, self.files(chain))
            self.assertIn(words, str(error))


class ReloadingTests(Base):
    """:class:`edge.trust.listener_certificate.ReloadingCertificate`."""

    def setUp(self) -> None:
        super().setUp()
        self.listener = ReloadingCertificate(self.files())

    def connect(self) -> SSL.Connection:
        return shake_hands(self.listener)

    def replace(self, name: str) -> None:
        """Another certificate in the same places, each file whole at once."""
        folder = self.another(name)
        os.replace(folder / "key.pem", self.key)
        os.replace(folder / "cert.pem", self.certificate)

    def test_new_connections_get_the_new_certificate_and_open_ones_keep_theirs(self) -> None:
        before = self.connect()
        self.assertIsNone(self.listener.look())  # nothing has changed
        self.replace("second")
        self.assertEqual(name_of(self.connect()), "first")  # nobody has looked yet
        self.assertIsNone(self.listener.look())
        self.assertEqual((name_of(self.connect()), name_of(before)), ("second", "first"))

    def test_what_cannot_be_loaded_is_said_once_and_the_former_stays(self) -> None:
        self.certificate.write_bytes(b"half")
        problem = self.listener.look()
        self.assertIn("the certificate stays as it was", problem or "")
        self.assertIn(str(self.certificate), problem or "")
        self.assertIsNone(self.listener.look())  # it has not changed since
        self.assertIn("stays as it was", self.listener.reload() or "")  # who asks gets an answer
        self.assertEqual(name_of(self.connect()), "first")
        self.replace("third")
        self.assertIsNone(self.listener.look())
        self.assertEqual(name_of(self.connect()), "third")

    def test_a_file_that_is_missing_for_a_moment_does_no_harm(self) -> None:
        self.key.unlink()
        self.assertIn("cannot read", self.listener.look() or "")
        self.assertEqual(name_of(self.connect()), "first")

    def test_without_a_good_certificate_nothing_begins(self) -> None:
        self.key.write_bytes(b"")
        self.assertRaises(ConfigError, ReloadingCertificate, self.files())

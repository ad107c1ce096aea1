"""The certificates of a TLS listener as Twisted's TLS shows them."""

from __future__ import annotations

import contextlib
from pathlib import Path

from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from edge.errors import ConfigError
from edge.tls.interface import Credential
from edge.trust.credentials import read_credential
from edge.trust.listener_certificate import ListenerCertificates
from tests.trust.made import Made, make


class ListenerCertificatesTests(SynchronousTestCase):
    """:class:`edge.trust.listener_certificate.ListenerCertificates`, by handshakes in memory."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.listener = ListenerCertificates("intermediate")

    def credential(self, made: Made, *chain: Made) -> Credential:
        return read_credential(made.write(self.folder, *chain))

    def shake_hands(
        self,
        name: bytes | None = None,
        version: int | None = None,
        ciphers: bytes | None = None,
        signatures: bytes | None = None,
        protocols: tuple[bytes, ...] = (b"h2", b"http/1.1"),
    ) -> SSL.Connection:
        """A client's end of a TLS session; :class:`SSL.Error` when one side refuses."""
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        if protocols:
            context.set_alpn_protos(list(protocols))
        if version is not None:
            context.set_max_proto_version(version)
        if ciphers is not None:
            context.set_cipher_list(ciphers)
        client = SSL.Connection(context, None)
        if name is not None:
            client.set_tlsext_host_name(name)
        client.set_connect_state()
        factory = TLSMemoryBIOFactory(self.listener, False, Factory.forProtocol(Protocol), Clock())
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

    def shown(self, name: bytes | None = None, **wishes: bytes) -> str:
        """To whom the certificate that the client was shown is issued."""
        certificate = self.shake_hands(name, **wishes).get_peer_certificate()  # type: ignore[arg-type]
        assert certificate is not None
        return str(certificate.get_subject().CN)

    def test_the_chain_and_http_1_1_are_shown_by_modern_tls(self) -> None:
        middle = make(title="middle", number=1, issuer=make(title="root", number=2))
        self.listener.take([self.credential(make("a.example", issuer=middle), middle)])
        client = self.shake_hands()
        self.assertEqual(
            [one.get_subject().CN for one in client.get_peer_cert_chain() or ()], ["a.example", "middle"]
        )
        self.assertEqual(client.get_protocol_version_name(), "TLSv1.3")
        self.assertEqual(client.get_alpn_proto_negotiated(), b"http/1.1")

    def test_who_speaks_nothing_that_is_spoken_here_is_told_so_and_who_says_nothing_is_served(self) -> None:
        """RFC 7301 section 3.2; in every version of TLS."""
        self.listener.take([self.credential(make("a.example"))])
        for version in (SSL.TLS1_3_VERSION, SSL.TLS1_2_VERSION):
            for protocols in ((b"h2",), (b"acme-tls/1",), (b"HTTP/1.1",), (b"imap", b"smtp")):
                refused = self.assertRaises(SSL.Error, self.shake_hands, version=version, protocols=protocols)
                self.assertIn("alert no application protocol", str(refused))
            served = self.shake_hands(version=version, protocols=(b"http/1.0",))
            self.assertEqual(served.get_alpn_proto_negotiated(), b"http/1.0")
            silent = self.shake_hands(version=version, protocols=())
            self.assertEqual(silent.get_alpn_proto_negotiated(), b"")
            self.assertIsNotNone(silent.get_peer_certificate())

    def test_the_policy_says_which_versions_are_spoken(self) -> None:
        credential = self.credential(make("a.example"))
        self.listener.take([credential])
        self.assertEqual(self.shake_hands(version=SSL.TLS1_2_VERSION).get_protocol_version_name(), "TLSv1.2")
        self.assertRaises(SSL.Error, self.shake_hands, version=SSL.TLS1_1_VERSION)
        self.listener = ListenerCertificates("modern")
        self.listener.take([credential])
        self.assertEqual(self.shake_hands().get_protocol_version_name(), "TLSv1.3")
        self.assertRaises(SSL.Error, self.shake_hands, version=SSL.TLS1_2_VERSION)

    def test_tls_1_2_has_neither_cbc_nor_keys_without_forward_secrecy(self) -> None:
        self.listener.take([self.credential(make("a.example", kind="rsa"))])
        for good in (b"ECDHE-RSA-AES128-GCM-SHA256", b"ECDHE-RSA-CHACHA20-POLY1305"):
            client = self.shake_hands(version=SSL.TLS1_2_VERSION, ciphers=good)
            self.assertEqual(client.get_cipher_name(), good.decode())
        for bad in (
            b"ECDHE-RSA-AES128-SHA256",
            b"ECDHE-RSA-AES256-SHA",
            b"AES128-GCM-SHA256",
            b"DHE-RSA-AES128-GCM-SHA256",
        ):
            self.assertRaises(SSL.Error, self.shake_hands, version=SSL.TLS1_2_VERSION, ciphers=bad)

    def test_nothing_is_negotiated_anew(self) -> None:
        self.listener.take([self.credential(make("a.example"))])
        client = self.shake_hands(version=SSL.TLS1_2_VERSION)
        self.assertTrue(client.get_state_string().startswith(b"SSL negotiation finished"))
        options: list[int] = []
        self.listener = ListenerCertificates("modern", lambda context: options.append(context.set_options(0)))
        self.listener.take([self.credential(make("a.example"))])
        self.assertEqual(options[0] & SSL.OP_NO_RENEGOTIATION, SSL.OP_NO_RENEGOTIATION)

    def test_the_certificate_is_chosen_by_name(self) -> None:
        self.listener.take(
            [
                self.credential(make("a.example", "also-a.example")),
                self.credential(make("b.example", number=1)),
                self.credential(make("*.c.example", number=2)),
            ]
        )
        for name, wanted in (
            (b"a.example", "a.example"),
            (b"also-a.example", "a.example"),
            (b"B.EXAMPLE", "b.example"),
            (b"x.c.example", "*.c.example"),
            (b"x.y.c.example", "a.example"),
            (b"unknown.example", "a.example"),
            (None, "a.example"),
        ):
            self.assertEqual(self.shown(name), wanted, name)

    def test_the_first_of_two_for_one_name_is_shown(self) -> None:
        self.listener.take(
            [
                self.credential(make("first.example", "both.example")),
                self.credential(make("second.example", "both.example", number=1)),
            ]
        )
        self.assertEqual(self.shown(b"both.example"), "first.example")

    def test_ecdsa_and_rsa_stand_side_by_side_each_with_its_chain(self) -> None:
        """In TLS 1.2 the cipher says which of them the client can verify."""
        above = make(title="above rsa", kind="rsa", number=1)
        ecdsa, with_rsa = (
            make("a.example", title="ecdsa"),
            make("a.example", title="rsa", kind="rsa", issuer=above),
        )
        for pair in (
            [self.credential(ecdsa), self.credential(with_rsa, above)],
            [self.credential(with_rsa, above), self.credential(ecdsa)],
        ):
            self.listener.take(pair)
            for name in (b"a.example", b"unknown.example", None):
                for ciphers, chain in (
                    (b"ECDHE-ECDSA-AES128-GCM-SHA256", ["ecdsa"]),
                    (b"ECDHE-RSA-AES128-GCM-SHA256", ["rsa", "above rsa"]),
                ):
                    client = self.shake_hands(name, SSL.TLS1_2_VERSION, ciphers)
                    shown = [one.get_subject().CN for one in client.get_peer_cert_chain() or ()]
                    self.assertEqual(shown, chain)

    def test_new_connections_get_new_certificates_and_open_ones_keep_theirs(self) -> None:
        self.listener.take([self.credential(make("a.example"))])
        before = self.shake_hands()
        self.listener.take([self.credential(make("b.example", number=1))])
        self.assertEqual(self.shown(), "b.example")
        certificate = before.get_peer_certificate()
        assert certificate is not None
        self.assertEqual(certificate.get_subject().CN, "a.example")

    def test_what_openssl_refuses_is_said_and_the_former_stay(self) -> None:
        good = self.credential(make("a.example"))
        self.listener.take([good])
        wrong = good._replace(key=make("a.example", number=9).key_pem())
        error = self.assertRaises(
            ConfigError, self.listener.take, [good, wrong._replace(chain=make("x.example").pem)]
        )
        self.assertIn(
            f"OpenSSL does not take the certificate in {good.where}: key values mismatch", str(error)
        )
        self.assertEqual(self.shown(), "a.example")

    def test_each_context_is_prepared(self) -> None:
        """So that another protocol can be answered, too."""
        prepared: list[SSL.Context] = []
        self.listener = ListenerCertificates("intermediate", prepared.append)
        self.listener.take([self.credential(make("a.example")), self.credential(make("b.example", number=1))])
        self.assertEqual(len(prepared), 2)

"""Certificates that are made here, and the files of automatic ones."""

from __future__ import annotations

import contextlib
import ssl
import stat
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from edge.endpoint import CertificateFiles
from edge.trust.automatic import Record, encode, read_issued
from edge.trust.automatic_files import AutomaticFiles
from edge.trust.challenge_certificate import ALPN_ACME, answer_challenges
from edge.trust.credentials import alternative_names, read_credential
from edge.trust.listener_certificate import ListenerCertificates, NoProtocol
from edge.trust.web_certificate import authority, key_pem, server_certificate

NAMES = ("a.example", "b.example")
DIRECTORY = "https://ca.example/dir"


def shake_hands(context: SSL.Context, name: str, protocols: list[str]) -> tuple[str | None, x509.Certificate]:
    """What a client that asks for *name* with *protocols* is given: the protocol, and the certificate."""
    ours = ssl.create_default_context()
    ours.check_hostname, ours.verify_mode = False, ssl.CERT_NONE
    ours.set_alpn_protocols(protocols)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(to_client, to_server, server_hostname=name)
    server = SSL.Connection(context, None)
    server.set_accept_state()
    for _ in range(4):
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        if data := to_server.read():
            server.bio_write(data)
        with contextlib.suppress(SSL.WantReadError, NoProtocol):
            server.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            to_client.write(server.bio_read(65536))
    shown = x509.load_der_x509_certificate(client.getpeercert(True) or b"")
    return client.selected_alpn_protocol(), shown


class ChallengeTests(SynchronousTestCase):
    """TLS-ALPN-01."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        pem = folder / "pem"
        pem.write_bytes(server_certificate(NAMES, 3).pem())
        asked = {b"a.example": b"token.thumbprint"}
        listener = ListenerCertificates("modern", lambda context: answer_challenges(context, asked.get))
        listener.take([read_credential(CertificateFiles(str(pem), str(pem)))])
        self.context = listener.serverConnectionForTLS(None).get_context()  # type: ignore[arg-type]

    def test_who_asks_for_a_challenge_is_shown_it_and_nobody_else(self) -> None:
        protocol, shown = shake_hands(self.context, "A.example", ["acme-tls/1"])
        self.assertEqual((protocol, alternative_names(shown)), ("acme-tls/1", ("a.example",)))
        identifier = shown.extensions.get_extension_for_oid(x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31"))
        self.assertTrue(identifier.critical)
        value = identifier.value
        assert isinstance(value, x509.UnrecognizedExtension)
        self.assertEqual(value.value, b"\x04\x20" + sha256(b"token.thumbprint").digest())
        for protocols in (["http/1.1"], ["h2", "http/1.1"], ["acme-tls/1", "http/1.1"]):
            protocol, shown = shake_hands(self.context, "a.example", protocols)
            self.assertEqual((protocol, alternative_names(shown)), ("http/1.1", NAMES))

    def test_a_challenge_that_nobody_asked_for_is_none(self) -> None:
        """Then there is no connection: RFC 8737 section 4 has the protocol for nothing else."""
        for name in ("b.example", "c.example"):
            refused = self.assertRaises(ssl.SSLError, shake_hands, self.context, name, [ALPN_ACME.decode()])
            self.assertIn("alert no application protocol", str(refused))


class FilesTests(SynchronousTestCase):
    """:class:`edge.trust.automatic_files.AutomaticFiles`."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp())
        self.state.mkdir()
        self.files = self.made(*NAMES)

    def made(self, *names: str, directory: str = DIRECTORY) -> AutomaticFiles:
        return AutomaticFiles(self.state, directory, names)

    def served(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.files.certificate.read_bytes())

    def given(self) -> Record:
        """A record with a certificate."""
        issuer = authority("ca", NAMES, 3)
        made = server_certificate(NAMES, 3, issuer)
        pem = made.pem().decode()
        chain = pem[: pem.index("-----BEGIN PRIVATE")]
        return Record(DIRECTORY, NAMES).given("n", read_issued(chain, key_pem(made.key).decode()), 0.0)

    def test_at_first_it_is_self_signed_and_stays_so(self) -> None:
        self.files.prepare()
        first = self.served()
        self.assertEqual((alternative_names(first), first.issuer), (NAMES, first.subject))
        self.files.prepare()
        self.assertEqual(self.served(), first)
        self.made("c.example").prepare()
        self.assertEqual(alternative_names(self.served()), ("c.example",))
        self.files.certificate.write_bytes(b"half a certif")
        self.files.prepare()
        self.assertEqual(alternative_names(self.served()), NAMES)

    def test_what_was_given_is_served_also_after_a_restart(self) -> None:
        self.files.prepare()
        record = self.given()
        self.assertTrue(self.files.save(record))
        self.assertFalse(self.files.save(record), "it is served already")
        read_credential(CertificateFiles(str(self.files.certificate), str(self.files.certificate)))
        self.files.certificate.unlink()
        self.files.prepare()
        self.assertEqual(self.files.load(), record)
        assert record.issued is not None
        self.assertEqual(self.files.certificate.read_bytes(), record.issued.pem)

    def test_only_the_owner_can_read_them(self) -> None:
        self.files.prepare()
        self.files.save(self.given())
        for file in (self.files.certificate, self.files.certificate.with_name("record")):
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.files.certificate.parent.stat().st_mode), 0o700)

    def test_with_other_names_what_was_given_serves_until_there_is_another(self) -> None:
        self.files.prepare()
        self.files.save(self.given())
        before = self.served()
        other = self.made("c.example")
        other.prepare()
        self.assertEqual(self.served(), before)
        self.assertEqual(other.load(), Record(DIRECTORY, ("c.example",)))

    def test_a_damaged_record_is_none(self) -> None:
        self.files.prepare()
        self.files.save(self.given())
        record = self.files.certificate.with_name("record")
        for content in (b"", b"\xff" * 10, encode(self.given())[:50]):
            record.write_bytes(content)
            self.assertEqual(self.files.load(), Record(DIRECTORY, NAMES))

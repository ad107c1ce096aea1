"""Revoked certificates: who makes the list, who believes it, and what such a certificate can do no more."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from edge.trust.authority import AuthorityError, certify, create, revoke, rotate
from edge.trust.contexts import REVOKED_ALERT, PeerCertificates
from edge.trust.keyring import ALWAYS_MS, NodeKeyring, fingerprint_of
from edge.trust.revocations import RevocationError, split_lists
from tests.trust.test_authority import shake_hands

STATEMENT = b"edge changes\0something"


class Base(SynchronousTestCase):
    """The authority ca, a node a, and a node b whose certificate is stolen."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.ca = self.folder / "ca"
        create(self.ca, "test")
        self.a, self.b = self.node("a"), self.node("b")

    def node(self, name: str, keep: str = "") -> PeerCertificates:
        """A node with a new certificate; *keep*: the name of the file with its lists."""
        certify(self.ca, name, self.ca / name)
        return self.again(name, keep)

    def again(self, name: str, keep: str = "") -> PeerCertificates:
        """The node *name* after a restart."""
        out = self.ca / name
        kept = self.folder / keep if keep else None
        made = PeerCertificates(name, out / f"{name}.pem", out / f"{name}.key", out / "ca.pem", kept)
        made.load()
        made.revocations.load()
        return made

    def list_of(self, who: str, since: datetime | None = None) -> bytes:
        """The list of the authority after *who* was revoked, DER."""
        revoke(self.ca, who, since)
        return split_lists((self.ca / "crl.pem").read_bytes())[0]

    def refused(self, server: PeerCertificates, client: PeerCertificates) -> str:
        """Why the two ends do not come to an understanding."""
        try:
            shake_hands(server, client)
        except SSL.Error as error:
            return str(error)
        return ""


class RevocationTests(Base):
    """Lists, and who believes them."""

    def test_no_handshake_with_a_revoked_certificate_succeeds_on_either_side(self) -> None:
        self.assertEqual(self.refused(self.a, self.b), "")
        self.assertTrue(self.a.revocations.add(self.list_of("b")))
        self.assertIn("certificate verify failed", self.refused(self.a, self.b))
        self.assertIn("certificate verify failed", self.refused(self.b, self.a))

    def test_the_other_side_hears_that_it_is_revoked(self) -> None:
        """By an alert of its own."""
        self.a.revocations.add(self.list_of("b"))
        server, client = SSL.Connection(self.a.context(), None), SSL.Connection(self.b.context(), None)
        server.set_accept_state()
        client.set_connect_state()
        self.assertRaises(SSL.WantReadError, client.do_handshake)
        server.bio_write(client.bio_read(65536))
        self.assertRaises(SSL.WantReadError, server.do_handshake)
        client.bio_write(server.bio_read(65536))
        client.do_handshake()
        server.bio_write(client.bio_read(65536))
        self.assertRaises(SSL.Error, server.do_handshake)
        client.bio_write(server.bio_read(65536))
        error = self.assertRaises(SSL.Error, client.recv, 1)
        self.assertIn(REVOKED_ALERT, str(error))

    def test_a_new_certificate_is_the_way_back(self) -> None:
        self.a.revocations.add(self.list_of("b"))
        self.assertEqual(self.refused(self.a, self.node("b")), "")
        self.assertEqual(len(self.a.revocations.entries), 1)

    def test_a_name_stands_for_all_its_certificates_a_fingerprint_or_a_file_for_one(self) -> None:
        self.node("b")
        self.node("b")
        self.assertEqual(len(revoke(self.ca, "b")), 3)
        self.node("c")
        text = (self.ca / "c" / "c.pem").read_bytes()
        certificate = x509.load_pem_x509_certificate(text)
        fingerprint = certificate.fingerprint(SHA256()).hex(":").upper()
        (self.folder / "found.pem").write_bytes(text)
        for who in (fingerprint, fingerprint[:23], str(self.folder / "found.pem"), "c"):
            self.assertEqual([one.serial_number for one in revoke(self.ca, who)], [certificate.serial_number])
        self.assertEqual(len(x509.load_pem_x509_crl((self.ca / "crl.pem").read_bytes())), 4)

    def test_what_cannot_be_revoked_is_said(self) -> None:
        create(self.folder / "other", "test")
        certify(self.folder / "other", "z", self.folder / "other" / "z")
        future = datetime.now(timezone.utc) + timedelta(hours=1)
        for who, since, why in (
            ("nobody", None, "neither a node"), ("abcdef", None, "neither a node"), 
            ("b", future, "yet to come"),
            (str(self.ca / "ca.pem"), None, "is an authority"),
            (str(self.folder / "other/z/z.pem"), None, "another cluster"),
        ):  # fmt: skip
            self.assertIn(why, str(self.assertRaises(AuthorityError, revoke, self.ca, who, since)))
        self.assertFalse((self.ca / "crl.pem").exists())

    def test_only_an_authority_of_the_cluster_revokes(self) -> None:
        """Neither a node, with its own key, nor another cluster, nor a damaged list."""
        create(self.folder / "other", "test")
        certify(self.folder / "other", "b", self.folder / "other" / "b")
        revoke(self.folder / "other", "b")
        foreign = split_lists((self.folder / "other" / "crl.pem").read_bytes())[0]
        good = self.list_of("b")
        issuer = x509.load_der_x509_crl(good).issuer
        key = self.b.key
        forged = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer)
            .last_update(datetime.now(timezone.utc))
            .next_update(datetime.now(timezone.utc) + timedelta(days=1))
            .add_extension(x509.CRLNumber(1 << 60), critical=False)
            .sign(key, SHA256())  # type: ignore[arg-type]
        )
        for one in (
            foreign,
            forged.public_bytes(Encoding.DER),
            good[:-1],
            b"",
            b"\xff" * 100,
            good + bytes(1),
        ):
            self.assertRaises(RevocationError, self.a.revocations.add, one)
        self.assertEqual(self.a.revocations.entries, {})

    def test_an_old_list_takes_nothing_back(self) -> None:
        first = self.list_of("b")
        self.node("c")
        second = self.list_of("c")
        self.assertTrue(self.a.revocations.add(second))
        self.assertFalse(self.a.revocations.add(first))
        self.assertFalse(self.a.revocations.add(second))
        self.assertEqual(len(self.a.revocations.entries), 2)

    def test_the_list_survives_restarts_and_rotations_of_the_authority(self) -> None:
        a = self.again("a", "kept.pem")
        a.revocations.add(self.list_of("b"))
        self.assertEqual(len(self.again("a", "kept.pem").revocations.entries), 1)
        rotate(self.ca)
        listed = split_lists((self.ca / "crl.pem").read_bytes())[0]
        self.node("a")
        a = self.again("a", "kept.pem")
        self.assertTrue(a.revocations.add(listed))
        self.assertEqual(len(a.revocations.lists), 2)
        self.assertEqual(len(a.revocations.entries), 1)
        self.assertIn("certificate verify failed", self.refused(a, self.b))

    def test_a_damaged_file_is_said(self) -> None:
        (self.folder / "kept.pem").write_bytes(
            b"-----BEGIN X509 CRL-----\nnonsense\n-----END X509 CRL-----\n"
        )
        made = PeerCertificates("a", *(self.ca / "a" / one for one in ("a.pem", "a.key", "ca.pem")),
                                self.folder / "kept.pem")  # fmt: skip
        made.load()
        self.assertIn("kept.pem", made.revocations.load())


class KeyringTests(Base):
    """Signatures with real keys."""

    def setUp(self) -> None:
        super().setUp()
        self.ours, self.theirs = NodeKeyring(self.a, "test"), NodeKeyring(self.b, "test")
        self.ours.learn(self.b.own_chain)

    def test_a_signature_is_of_one_node_one_cluster_and_one_statement(self) -> None:
        signer, signature = self.theirs.own, self.theirs.sign(STATEMENT)
        self.assertTrue(self.ours.verify(signer, "b", STATEMENT, signature))
        for wrong in (
            (signer, "a", STATEMENT, signature), (self.ours.own, "a", STATEMENT, signature),
            (signer, "b", STATEMENT + b"x", signature), (signer, "b", STATEMENT, signature[:-1]),
            (bytes(16), "b", STATEMENT, signature), (signer, "b", STATEMENT, b""),
            (signer, "b", STATEMENT, NodeKeyring(self.b, "other").sign(STATEMENT)),
        ):  # fmt: skip
            self.assertFalse(self.ours.verify(*wrong), wrong)

    def test_only_certificates_of_the_cluster_are_learned(self) -> None:
        create(self.folder / "other", "test")
        certify(self.folder / "other", "b", self.folder / "other" / "b")
        text = (self.folder / "other" / "b" / "b.pem").read_bytes()
        foreign = x509.load_pem_x509_certificate(text)
        for chain in (
            [foreign.public_bytes(Encoding.DER)],
            [b"nonsense"],
            [self.b.own_chain[0], b"nonsense"],
        ):
            keyring = NodeKeyring(self.a, "test")
            keyring.learn(chain)
            self.assertEqual(keyring.chain(fingerprint_of(chain[0])), ())

    def test_a_certificate_is_passed_on_over_a_rotation(self) -> None:
        """c has only the old authority; b was certified by the new one, which the old one stands for."""
        certify(self.ca, "c", self.ca / "c")
        old = NodeKeyring(self.again("c"), "test")
        rotate(self.ca)
        b = self.node("b")
        theirs = NodeKeyring(b, "test")
        old.learn(b.own_chain)
        self.assertTrue(old.verify(theirs.own, "b", STATEMENT, theirs.sign(STATEMENT)))
        self.assertEqual(old.chain(theirs.own), b.own_chain)
        alone = NodeKeyring(self.again("c"), "test")
        alone.learn(b.own_chain[:1])
        self.assertEqual(alone.chain(theirs.own), ())

    def test_what_a_revoked_node_signed_counts_up_to_when_its_key_was_its_own(self) -> None:
        self.assertEqual(self.ours.until(self.theirs.own), ALWAYS_MS)
        since = datetime.now(timezone.utc).replace(microsecond=0) - timedelta(days=3)
        self.a.revocations.add(self.list_of("b", since))
        self.assertEqual(self.ours.until(self.theirs.own), int(since.timestamp() * 1000))
        self.assertTrue(self.ours.is_revoked(self.theirs.own))
        self.assertEqual(self.ours.revoked(), {self.theirs.own: int(since.timestamp() * 1000)})
        self.assertFalse(self.ours.is_revoked(self.ours.own))
        earlier = since - timedelta(days=1)
        self.a.revocations.add(self.list_of("b", earlier))
        self.assertEqual(self.ours.until(self.theirs.own), int(earlier.timestamp() * 1000))
        self.a.revocations.add(self.list_of("b"))  # a later time takes nothing back
        self.assertEqual(self.ours.until(self.theirs.own), int(earlier.timestamp() * 1000))

"""`edgectl cluster`: authorities and certificates, and what is refused."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from edge.edgectl.main import main
from edge.errors import ConfigError
from edge.gossip.sealing import EXPORTER_BYTES, EXPORTER_LABEL
from edge.trust.authority import AuthorityError, certify, create, rotate
from edge.trust.contexts import PeerCertificates, TrustError, peer_name, verify_name
from tests.commands import run_command


class Base(SynchronousTestCase):
    """A folder with the authority `ca`."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="edge-"))
        self.addCleanup(shutil.rmtree, self.folder)
        create(self.folder / "ca", "test")

    def node(self, name: str, ca: str = "ca") -> PeerCertificates:
        out = self.folder / f"{ca}-{name}"
        certify(self.folder / ca, name, out)
        made = PeerCertificates(name, out / f"{name}.pem", out / f"{name}.key", out / "ca.pem")
        made.load()
        return made


def shake_hands(server: PeerCertificates, client: PeerCertificates) -> tuple[SSL.Connection, SSL.Connection]:
    """The two ends of a TLS session in memory; :class:`SSL.Error` when one refuses the other."""
    ends = SSL.Connection(server.context(), None), SSL.Connection(client.context(), None)
    ends[0].set_accept_state()
    ends[1].set_connect_state()
    for _ in range(6):
        for one, other in (ends, ends[::-1]):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))
    for one in ends:
        with contextlib.suppress(SSL.WantReadError):
            one.recv(1)
    return ends


class AuthorityTests(Base):
    """Files, and who trusts whom."""

    def test_two_nodes_of_one_cluster_know_each_other_and_share_a_secret(self) -> None:
        server, client = shake_hands(self.node("n1"), self.node("n2"))
        self.assertEqual((peer_name(server), peer_name(client)), ("n2", "n1"))
        self.assertEqual(server.get_protocol_version_name(), "TLSv1.3")
        secrets = {
            one.export_keying_material(EXPORTER_LABEL, EXPORTER_BYTES, b"test") for one in (server, client)
        }
        self.assertEqual(len(secrets), 1)
        verify_name(client, "n1")
        self.assertRaises(TrustError, verify_name, client, "n3")

    def test_a_node_of_another_authority_is_refused(self) -> None:
        create(self.folder / "other", "test")
        ours, theirs = self.node("n1"), self.node("n2", "other")
        self.assertRaises(SSL.Error, shake_hands, ours, theirs)
        self.assertRaises(SSL.Error, shake_hands, theirs, ours)

    def test_during_a_rotation_old_and_new_certificates_are_accepted(self) -> None:
        old = self.node("n1")
        away = self.node("n3")
        rotate(self.folder / "ca")
        new = self.node("n2")
        (self.folder / "ca-n1" / "ca.pem").write_bytes((self.folder / "ca" / "ca.pem").read_bytes())
        self.assertIsNone(old.reload())
        shake_hands(old, new)
        shake_hands(old, away)

    def test_a_node_that_missed_two_rotations_is_let_in_and_lets_the_others_in(self) -> None:
        away = self.node("n3")
        for _ in range(2):
            rotate(self.folder / "ca")
        new = self.node("n2")
        for ends in (shake_hands(new, away), shake_hands(away, new)):
            self.assertEqual({peer_name(one) for one in ends}, {"n2", "n3"})
        create(self.folder / "other", "test")
        rotate(self.folder / "other")
        self.assertRaises(SSL.Error, shake_hands, away, self.node("n4", "other"))

    def test_keys_are_for_their_owner_alone(self) -> None:
        self.node("n1")
        for key in (self.folder / "ca" / "ca.key", self.folder / "ca-n1" / "n1.key"):
            self.assertEqual(key.stat().st_mode & 0o777, 0o600)

    def test_nothing_is_overwritten_and_mistakes_are_named(self) -> None:
        for wrong, words in (
            (lambda: create(self.folder / "ca", "test"), "exists"),
            (lambda: certify(self.folder / "nowhere", "n1", self.folder), "edgectl cluster init"),
            (lambda: certify(self.folder / "ca", "n/1", self.folder), "no name"),
            (lambda: certify(self.folder / "ca", "n1", self.folder, 0), "0 days"),
        ):
            self.assertIn(words, str(self.assertRaises(AuthorityError, wrong)))
        (self.folder / "ca" / "ca.key").write_text("damaged")
        self.assertIn(
            "damaged", str(self.assertRaises(AuthorityError, certify, self.folder / "ca", "n1", self.folder))
        )

    def test_a_certificate_for_another_node_is_refused_at_the_start(self) -> None:
        self.node("n1")
        out = self.folder / "ca-n1"
        wrong = PeerCertificates("n2", out / "n1.pem", out / "n1.key", out / "ca.pem")
        self.assertIn("this node is n2", str(self.assertRaises(ConfigError, wrong.load)))
        missing = PeerCertificates("n2", out / "n2.pem", out / "n1.key", out / "ca.pem")
        self.assertIn("edgectl cluster", str(self.assertRaises(ConfigError, missing.load)))

    def test_what_cannot_be_reloaded_leaves_the_old_ones(self) -> None:
        certificates = self.node("n1")
        (self.folder / "ca-n1" / "n1.pem").write_text("half")
        problem = certificates.reload()
        self.assertIn("stay as they were", problem or "")
        shake_hands(certificates, self.node("n2"))


class CommandTests(Base):
    """As users call it."""

    def test_init_cert_and_rotate(self) -> None:
        folder = self.folder / "c"
        for words in (("init",), ("cert", "n1"), ("rotate",)):
            code, _, errors = run_command(main, "cluster", *words, "--dir", str(folder))
            self.assertEqual((code, errors), (0, ""))
        self.assertTrue((folder / "n1" / "n1.key").exists())
        self.assertEqual((folder / "ca.pem").read_text().count("BEGIN CERTIFICATE"), 2)

    def test_revoking_is_said_and_shown(self) -> None:
        folder = str(self.folder / "ca")
        self.node("n1")
        code, out, errors = run_command(main, "cluster", "revoke", "n1", "--dir", folder)
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("n1: ", out)
        self.assertIn(f"edgectl cluster announce {folder}/crl.pem", out)
        since = ("--since", "2026-01-01T08:00")
        self.assertEqual(run_command(main, "cluster", "revoke", "n1", "--dir", folder, *since)[0], 0)
        for words, why in (
            (("revoke", "n1", "--dir", folder, "--since", "yesterday"), "give a date and time"),
            (("revoke", "nobody", "--dir", folder), "neither a node"),
            (("announce", str(self.folder / "missing")), "cannot be read"),
        ):
            code, _, errors = run_command(main, "cluster", *words)
            self.assertEqual((code, errors.count("\n")), (1, 1))
            self.assertIn(why, errors)

    def test_what_is_no_list_is_refused_by_the_name_of_its_file(self) -> None:
        """Before a node is asked; endless files as well."""
        begin = b"-----BEGIN X509 CRL-----\n"
        for text, why in (
            (b"", "is no list"),
            ((self.folder / "ca" / "ca.pem").read_bytes(), "is no list"),
            (begin + b"AAAA", "is no list"),
            (begin + b"\0" * (1 << 20), "more than"),
            (None, "more than"),
        ):
            file = Path("/dev/zero") if text is None else self.folder / "list"
            if text is not None:
                file.write_bytes(text)
            code, _, errors = run_command(main, "cluster", "announce", str(file))
            self.assertEqual((code, errors.count("\n")), (1, 1))
            self.assertIn(f"{file}: ", errors)
            self.assertIn(why, errors)
            self.assertIn("crl.pem", errors)

    def test_mistakes_are_one_line(self) -> None:
        code, _, errors = run_command(main, "cluster", "init", "--dir", str(self.folder / "ca"))
        self.assertEqual((code, errors.count("\n")), (1, 1))
        self.assertEqual(run_command(main, "cluster")[0], 2)

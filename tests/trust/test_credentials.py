"""Certificates of listeners, read from files: found good, or refused in a sentence."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from edge.endpoint import CertificateFiles
from edge.errors import ConfigError
from edge.trust.credentials import (
    FILE_BYTES,
    is_for,
    key_kind,
    name_problem,
    names_of,
    read_credential,
    validity_problem,
)
from tests.trust.made import NOW, make, of_a_pss_key, signed_with_sha1

DAY = 86_400


class ReadingTests(SynchronousTestCase):
    """:func:`edge.trust.credentials.read_credential`."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def refused(self, files: CertificateFiles, words: str) -> None:
        self.assertIn(words, str(self.assertRaises(ConfigError, read_credential, files)))

    def test_a_certificate_its_chain_and_its_key_are_read(self) -> None:
        root = make(title="root", number=1)
        middle = make(title="middle", number=2, issuer=root)
        leaf = make("example.org", issuer=middle)
        read = read_credential(leaf.write(self.folder, middle))
        self.assertEqual(read.chain, leaf.pem + middle.pem)
        self.assertEqual((read.key, read.where), (leaf.key_pem(), str(self.folder / "cert.pem")))
        files = leaf.write(self.folder)
        apart = self.folder / "chain.pem"
        apart.write_bytes(b"What stands between is not read.\n" + middle.pem + root.pem)
        self.assertEqual(
            read_credential(files._replace(chain=str(apart))).chain, leaf.pem + middle.pem + root.pem
        )

    def test_all_may_be_in_one_file(self) -> None:
        leaf, file = make("example.org"), self.folder / "all.pem"
        file.write_bytes(leaf.pem + leaf.key_pem())
        self.assertEqual(read_credential(CertificateFiles(str(file), str(file))).chain, leaf.pem)

    def test_each_kind_of_key_that_browsers_know_is_taken(self) -> None:
        kinds = {"ec": "EC", "secp384r1": "EC", "rsa": "RSAPublicKey", "ed25519": "Ed25519PublicKey"}
        for kind, name in kinds.items():
            read = read_credential(make("example.org", kind=kind).write(self.folder))
            self.assertEqual(key_kind(read), name)

    def test_files_that_cannot_be_read_are_named(self) -> None:
        files = make("example.org").write(self.folder)
        missing = str(self.folder / "missing.pem")
        self.refused(files._replace(certificate=missing), f"cannot read {missing}: No such file")
        self.refused(files._replace(key=missing), f"cannot read {missing}: No such file")
        self.refused(files._replace(chain=missing), f"cannot read {missing}: No such file")
        self.refused(files._replace(key=str(self.folder)), f"cannot read {self.folder}: Is a directory")

    def test_a_pipe_is_not_waited_for(self) -> None:
        files = make("example.org").write(self.folder)
        pipe = str(self.folder / "pipe")
        os.mkfifo(pipe)
        self.refused(files._replace(certificate=pipe), f"{pipe} is neither a certificate nor a key")
        self.refused(files._replace(key="/dev/zero"), "/dev/zero is neither a certificate nor a key")

    def test_a_file_that_this_user_may_not_read_is_named(self) -> None:
        files = make("example.org").write(self.folder)
        for path in (files.certificate, files.key):
            os.chmod(path, 0)
        if not os.geteuid():  # root may read everything
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        self.refused(files, f"cannot read {files.certificate}: Permission denied")

    def test_what_is_no_pem_of_its_kind_is_named(self) -> None:
        leaf = make("example.org")
        files = leaf.write(self.folder)
        swapped = CertificateFiles(files.key, files.certificate)
        self.refused(swapped, f"{files.key} holds no certificate in PEM form")
        self.refused(
            files._replace(key=files.certificate), f"{files.certificate} holds no private key in PEM"
        )
        self.refused(files._replace(chain=files.key), f"{files.key} holds no certificate in PEM form")
        Path(files.key).write_bytes(b"")
        self.refused(files, f"{files.key} holds no private key in PEM form")

    def test_half_written_files_are_named_wherever_they_end(self) -> None:
        leaf, above = make("example.org", issuer=make(title="above", number=1)), make(title="above", number=1)
        files = leaf.write(self.folder, above)
        certificate, key = Path(files.certificate).read_bytes(), Path(files.key).read_bytes()
        for share in (0.1, 0.3, 0.49, 0.6, 0.9):
            Path(files.certificate).write_bytes(certificate[: int(len(certificate) * share)])
            self.refused(files, f"{files.certificate} holds a damaged certificate")
        Path(files.certificate).write_bytes(certificate)
        for share in (0.1, 0.5, 0.9):
            Path(files.key).write_bytes(key[: int(len(key) * share)])
            self.refused(files, f"{files.key} holds no private key in PEM form")

    def test_what_is_too_long_is_not_read(self) -> None:
        files = make("example.org").write(self.folder)
        with open(files.key, "ab") as file:
            file.write(bytes(FILE_BYTES))
        self.refused(files, f"{files.key} has more than 65,535 bytes")
        os.truncate(files.key, 1 << 40)  # a file with nothing but a hole
        self.refused(files, "it is neither a certificate nor a key")

    def test_a_key_with_a_passphrase_is_refused_with_the_way_out(self) -> None:
        leaf = make("example.org")
        files = leaf.write(self.folder)
        Path(files.key).write_bytes(leaf.key_pem(b"secret"))
        self.refused(files, f"openssl pkey -in {files.key}")

    def test_a_key_of_another_certificate_is_refused(self) -> None:
        files = make("example.org").write(self.folder)
        other = make("example.org", number=5).write(self.folder, name="other")
        self.refused(
            files._replace(key=other.key),
            f"the private key in {other.key} does not belong to the certificate in {files.certificate}",
        )

    def test_weak_keys_and_signatures_are_refused(self) -> None:
        self.refused(make("a.example", kind="rsa1024").write(self.folder), "has an RSA key of 1024 bits")
        self.refused(make("a.example", kind="secp256k1").write(self.folder), "on the curve secp256k1")
        self.refused(signed_with_sha1(self.folder, "a.example").write(self.folder), "is signed with SHA1")
        weak = make(title="above", kind="rsa1024", number=1)
        self.refused(make("a.example", issuer=weak).write(self.folder, weak), "certificate 2 has an RSA key")

    def test_a_key_for_pss_alone_is_refused(self) -> None:
        """libssl would take it, Twisted's TLS and browsers do not."""
        self.refused(of_a_pss_key(self.folder, "a.example"), "certificate 1 has an RSA key for PSS alone")

    def test_the_signature_of_a_root_says_nothing(self) -> None:
        root = signed_with_sha1(self.folder, "root")
        leaf = make("a.example", issuer=root)
        self.assertEqual(read_credential(leaf.write(self.folder, root)).chain, leaf.pem + root.pem)

    def test_a_chain_in_wrong_order_is_refused_and_explained(self) -> None:
        root = make(title="root", number=1)
        middle = make(title="middle", number=2, issuer=root)
        leaf = make("a.example", issuer=middle)
        self.refused(
            leaf.write(self.folder, root, middle),
            "(CN=a.example) was signed by CN=middle, and what follows it is CN=root",
        )
        self.refused(leaf.write(self.folder, root), "the chain is in wrong order or has a gap: certificate 1")
        self.refused(leaf.write(self.folder, middle, leaf), "certificate 2 (CN=middle) was signed by CN=root")
        files = leaf.write(self.folder)
        Path(files.certificate).write_bytes(middle.pem + leaf.pem)
        self.refused(files, "stands there as number 2; it has to be the first")

    def test_who_claims_a_name_without_the_signature_is_not_the_issuer(self) -> None:
        true, false = make(title="middle", number=1), make(title="middle", number=2)
        self.refused(make("a.example", issuer=true).write(self.folder, false), "wrong order or has a gap")


class JudgingTests(SynchronousTestCase):
    """What a credential says of itself."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def test_when_it_is_valid(self) -> None:
        now = NOW.timestamp()
        read = read_credential(make("a.example", days=(-1, 30)).write(self.folder))
        self.assertIsNone(validity_problem(read, now))
        self.assertIn(
            "cert.pem expired on 2026-01-31 00:00 UTC; renew it", validity_problem(read, now + 30 * DAY) or ""
        )
        self.assertIsNone(validity_problem(read, now + 30 * DAY - 1))
        self.assertIn("is not valid before 2025-12-31 00:00 UTC", validity_problem(read, now - DAY - 1) or "")

    def test_a_public_name_that_no_certificate_has(self) -> None:
        made = (make("a.example"), make("*.b.example", number=1))
        kept = [read_credential(one.write(self.folder, name=str(at))) for at, one in enumerate(made)]
        for url in ("https://a.example", "https://x.b.example:8443", "http://c.example", ""):
            self.assertIsNone(name_problem(kept, url), url)
        self.assertEqual(
            name_problem(kept, "https://c.example"),
            "--public-url https://c.example: no certificate is for c.example "
            "(but for a.example, *.b.example); browsers will refuse it",
        )

    def test_whom_it_is_for(self) -> None:
        read = read_credential(make("A.Example", "*.b.example", "192.0.2.1").write(self.folder))
        self.assertEqual(names_of(read), ("a.example", "*.b.example", "192.0.2.1"))
        for host, wanted in (
            ("a.example", True),
            ("x.a.example", False),
            ("x.b.example", True),
            ("b.example", False),
            ("x.y.b.example", False),
            ("192.0.2.1", True),
        ):
            self.assertIs(is_for(names_of(read), host), wanted, host)
        self.assertEqual(names_of(read_credential(make(title="nobody").write(self.folder))), ())

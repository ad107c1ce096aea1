"""The last good certificate of a listener, for workers that start later."""

from __future__ import annotations

import os

from edge.errors import ConfigError
from edge.trust.kept_certificate import KeptCertificate, inherited_files
from edge.trust.listener_certificate import CertificateFiles, ReloadingCertificate
from tests.trust.test_listener_certificate import Base, name_of, shake_hands


class KeptCertificateTests(Base):
    """:class:`edge.trust.kept_certificate.KeptCertificate`."""

    def setUp(self) -> None:
        super().setUp()
        self.kept = KeptCertificate(self.files())
        self.addCleanup(self.kept.close)

    def shown(self, files: CertificateFiles | None = None) -> str:
        """Whose certificate a worker shows that starts now."""
        listener = ReloadingCertificate(files or self.files(), inherited_files(self.kept.fd))
        return name_of(shake_hands(listener))

    def replace(self, name: str) -> None:
        """Another certificate in the same places."""
        folder = self.another(name)
        os.replace(folder / "key.pem", self.key)
        os.replace(folder / "cert.pem", self.certificate)
        self.kept.look()

    def test_a_worker_that_starts_with_files_that_cannot_be_used_takes_it(self) -> None:
        """Damaged, of somebody else, or gone."""
        for damaged in (b"", b"half", (self.another("other") / "cert.pem").read_bytes()):
            self.certificate.write_bytes(damaged)
            self.kept.look()
            self.assertEqual(self.shown(), "first")
        self.certificate.unlink()
        self.key.unlink()
        self.kept.look()
        self.assertEqual(self.shown(), "first")
        self.assertEqual(len(self.flushLoggedErrors()), 0)

    def test_it_is_the_newest_that_was_good(self) -> None:
        """And the files come first."""
        self.replace("second")
        self.certificate.write_bytes(b"half")
        self.kept.look()
        self.assertEqual(self.shown(), "second")
        self.replace("third")
        self.assertEqual(self.shown(), "third")

    def test_the_chain_is_kept_with_it(self) -> None:
        """From its own file."""
        above = self.another("above") / "cert.pem"
        files = self.files(str(above))
        kept = KeptCertificate(files)
        self.addCleanup(kept.close)
        self.certificate.write_bytes(b"half")
        client = shake_hands(ReloadingCertificate(files, inherited_files(kept.fd)))
        chain = client.get_peer_cert_chain() or []
        self.assertEqual([one.get_subject().CN for one in chain], ["first", "above"])

    def test_without_a_good_one_to_begin_with_there_is_none(self) -> None:
        """The message names the file."""
        self.certificate.write_bytes(b"half")
        with self.assertRaisesRegex(ConfigError, str(self.certificate)):
            KeptCertificate(self.files())

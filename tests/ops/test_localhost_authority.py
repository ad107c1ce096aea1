"""The authority of ``make run TLS=1``: whom it can certify, and what is made anew."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from twisted.trial.unittest import SynchronousTestCase

from edge.trust.web_certificate import Identity, server_certificate
from ops import localhost_authority
from ops.localhost_authority import how_to_trust, make_localhost_certificate


def handshake(authority: Path, server: Path, name: str) -> None:
    """A client that trusts *authority* alone meets *server* as *name*; :class:`ssl.SSLError`."""
    ours, theirs = ssl.create_default_context(cafile=str(authority)), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(str(server))
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ours.wrap_bio(to_client, to_server, server_hostname=name)
    served = theirs.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, served):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


class LocalhostAuthorityTests(SynchronousTestCase):
    """:mod:`ops.localhost_authority`."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.server = make_localhost_certificate(self.folder)

    def test_who_trusts_it_trusts_localhost_by_all_its_names(self) -> None:
        for name in ("localhost", "127.0.0.1", "::1"):
            handshake(self.folder / "ca.pem", self.server, name)
        with self.assertRaises(ssl.SSLCertVerificationError):
            handshake(self.folder / "ca.pem", self.server, "example.org")

    def test_whoever_has_its_key_can_certify_nothing_else(self) -> None:
        key = serialization.load_pem_private_key((self.folder / "ca.key").read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((self.folder / "ca.pem").read_bytes())
        forged = self.folder / "forged.pem"
        for name in ("bank.example", "127.0.0.2"):
            forged.write_bytes(server_certificate([name], 1, Identity(certificate, key)).pem())  # type: ignore[arg-type]
            with self.assertRaises(ssl.SSLCertVerificationError) as caught:
                handshake(self.folder / "ca.pem", forged, name)
            self.assertIn("permitted subtree violation", str(caught.exception))

    def test_keys_are_for_their_owner_alone(self) -> None:
        for name in ("ca.key", "server.pem"):
            self.assertEqual(stat.S_IMODE((self.folder / name).stat().st_mode), 0o600)

    def test_it_stays_until_it_ends_soon_or_is_damaged(self) -> None:
        before = self.server.read_bytes()
        make_localhost_certificate(self.folder)
        self.assertEqual(self.server.read_bytes(), before)
        self.patch(localhost_authority, "SPARE_DAYS", 400)
        make_localhost_certificate(self.folder)
        self.assertNotEqual(self.server.read_bytes(), before)
        handshake(self.folder / "ca.pem", self.server, "localhost")
        self.patch(localhost_authority, "SPARE_DAYS", 30)
        self.server.write_bytes(b"damaged")
        make_localhost_certificate(self.folder)
        handshake(self.folder / "ca.pem", self.server, "localhost")

    def test_what_is_to_be_typed_names_the_file(self) -> None:
        self.assertEqual(how_to_trust(self.folder).count(f"{self.folder}/ca.pem"), 3)

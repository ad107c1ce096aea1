"""Certificates that take care of themselves, from a real ACME directory with bad habits."""

from __future__ import annotations

import os
import socket
import ssl
import stat
from typing import Any

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from edge.trust.automatic_files import names_of
from tests.end_to_end.cluster import free_port
from tests.end_to_end.node import PATIENCE, RunningNode
from tests.end_to_end.pebble import Pebble

NAMES = ("www.example.org", "example.org")


def certificate_at(address: str, port: int, name: str = NAMES[0]) -> x509.Certificate:
    """The certificate that is shown there to who asks for *name*."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((address, port), timeout=PATIENCE) as raw,
        context.wrap_socket(raw, server_hostname=name) as secure,
    ):
        return x509.load_der_x509_certificate(secure.getpeercert(True) or b"")


def issued_by(certificate: x509.Certificate) -> str:
    """Who issued it: "Pebble", or what its issuer is called."""
    name = certificate.issuer.rfc4514_string()
    return "Pebble" if "Pebble Intermediate CA" in name else name


class LoneTests(SynchronousTestCase):
    """A node alone."""

    def node(self, pebble: Pebble, *listen: str, names: tuple[str, ...] = NAMES) -> RunningNode:
        """A node that has its certificate from *pebble*; not started."""
        node = RunningNode(
            *(f"--tls-auto={name}" for name in names),
            f"--acme-directory={pebble.url}",
            "--acme-email=admin@example.org",
            workers=1,
            listen=listen
            or (f"tcp:{pebble.http_port}:interface=127.0.0.1", f"tls:{pebble.tls_port}:interface=127.0.0.1"),
        )
        node.environment["REQUESTS_CA_BUNDLE"] = str(pebble.ca)
        self.addCleanup(node.clean_up)
        node.write("index.html", b"hello")
        return node

    def pebble(self, **habits: Any) -> Pebble:
        pebble = Pebble(free_port(), free_port(), **habits)
        self.addCleanup(pebble.clean_up)
        return pebble.start()

    def told(self, node: RunningNode) -> dict[str, Any]:
        [one] = node.admin("GET", "/certificates")[1]["certificates"]
        return one  # type: ignore[no-any-return]

    def test_it_is_got_kept_over_a_restart_and_renewed(self) -> None:
        """By HTTP-01, with every second nonce refused."""
        pebble = self.pebble()
        node = self.node(pebble)
        node.start()
        shown = certificate_at("127.0.0.1", pebble.tls_port)
        self.assertIn(issued_by(shown), ("CN=www.example.org", "Pebble"))
        node.wait_for(
            lambda: issued_by(certificate_at("127.0.0.1", pebble.tls_port)) == "Pebble", "it is there"
        )
        first = certificate_at("127.0.0.1", pebble.tls_port)
        self.assertEqual(set(names_of(first)), set(NAMES))
        told = self.told(node)
        self.assertTrue(told["automatic"])
        self.assertEqual((set(told["names"]), told["last_error"], told["ordering"]), (set(NAMES), None, None))
        lifetime = told["expires_at"] - told["begins_at"]
        self.assertAlmostEqual(told["renewal_at"], told["begins_at"] + lifetime * 2 / 3, delta=1)
        for name in ("certificate.pem", "record"):
            self.assertEqual(stat.S_IMODE(os.stat(node.state / "acme" / name).st_mode), 0o600)
        self.assertNotIn("PRIVATE KEY", node.log.read_text())
        status, _, _ = node.ask("/.well-known/acme-challenge/www.example.org")
        self.assertEqual(status, 404, "challenges are taken away")

        self.assertEqual(node.stop(), 0)
        pebble.stop()
        node.start()
        self.assertEqual(certificate_at("127.0.0.1", pebble.tls_port), first)
        pebble.start()
        self.assertEqual(node.admin("POST", "/renew")[0], 200)
        node.wait_for(lambda: certificate_at("127.0.0.1", pebble.tls_port) != first, "it is renewed")

    def test_what_fails_is_said_and_what_serves_goes_on_until_it_is_mended(self) -> None:
        """By TLS-ALPN-01: a directory that is away, then a name that leads elsewhere."""
        pebble = Pebble(free_port(), free_port())
        self.addCleanup(pebble.clean_up)
        node = self.node(pebble, f"tls:{pebble.tls_port}:interface=127.0.0.1", names=NAMES[:1])
        node.start()

        def error() -> str:
            return str(self.told(node)["last_error"])

        node.wait_for(lambda: "cannot be reached: Connection refused" in error(), "it is said")
        told = self.told(node)
        self.assertTrue(told["self_signed"])
        self.assertGreater(told["retry_at"] - told["failed_at"], 50)
        pebble.start()
        pebble.lead(NAMES[0], "127.0.0.9")
        node.admin("POST", "/renew")
        node.wait_for(lambda: "was not validated by tls-alpn-01" in error(), "it is said")
        told = self.told(node)
        self.assertGreater(told["retry_at"] - told["failed_at"], 240)
        self.assertIn("does the name lead to these nodes, and are they at port 443", error())
        self.assertEqual(issued_by(certificate_at("127.0.0.1", pebble.tls_port)), f"CN={NAMES[0]}")
        self.assertIn(error(), node.log.read_text())
        pebble.lead(NAMES[0], "127.0.0.1")
        node.admin("POST", "/renew")
        node.wait_for(
            lambda: issued_by(certificate_at("127.0.0.1", pebble.tls_port)) == "Pebble", "it is there"
        )
        self.assertIsNone(self.told(node)["last_error"])

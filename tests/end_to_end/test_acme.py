"""Certificates that take care of themselves, from a real ACME directory with bad habits."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import stat
import threading
import time
import unittest
from typing import Any

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from edge.trust.credentials import alternative_names
from tests.end_to_end.cluster import RunningCluster, free_port
from tests.end_to_end.node import PATIENCE, RunningNode
from tests.end_to_end.pebble import Pebble

FOUR = tuple(f"n{number}.example.org" for number in range(1, 5))
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


@unittest.skipUnless(shutil.which("pebble"), "Pebble is not installed: apt-get install pebble")
class LoneTests(SynchronousTestCase):
    """A node alone."""

    def node(
        self, pebble: Pebble, *listen: str, names: tuple[str, ...] = NAMES, workers: int = 1
    ) -> RunningNode:
        """A node that has its certificate from *pebble*; not started."""
        node = RunningNode(
            *(f"--tls-auto={name}" for name in names),
            f"--acme-directory={pebble.url}",
            "--acme-email=admin@example.org",
            "--redirect-https",
            workers=workers,
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
        self.assertEqual(set(alternative_names(first)), set(NAMES))
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
        self.assertEqual(node.ask("/")[0], 308)

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
        node = self.node(pebble, f"tls:{pebble.tls_port}:interface=127.0.0.1", names=NAMES[:1], workers=0)
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


class AutomaticCluster(RunningCluster):
    """Four nodes at 127.0.0.1 .. 127.0.0.4 that have their certificate from *pebble*; n1 has the site."""

    def __init__(self, pebble: Pebble) -> None:
        self._pebble = pebble
        super().__init__(4)
        for number, name in enumerate(FOUR):
            pebble.lead(name, address(number))

    def make(self, number: int, *options: str) -> RunningNode:
        """The node at *number*, from 0."""
        pebble, here = self._pebble, address(number)
        node = RunningNode(
            *options, *(f"--tls-auto={name}" for name in FOUR), f"--acme-directory={pebble.url}", workers=1,
            listen=(f"tcp:{pebble.http_port}:interface={here}", f"tls:{pebble.tls_port}:interface={here}"),
        )  # fmt: skip
        node.environment["REQUESTS_CA_BUNDLE"] = str(pebble.ca)
        if number == 0:
            node.write("index.html", b"hello")
        return node

    def shown(self) -> list[x509.Certificate]:
        """The certificates that the nodes that run show."""
        running = [
            n for n, node in enumerate(self.nodes) if node.process is not None and node.process.poll() is None
        ]
        return [certificate_at(address(n), self._pebble.tls_port, FOUR[n]) for n in running]

    def agree(self, before: x509.Certificate | None = None) -> bool:
        """Whether all show the same certificate, which is Pebble's and not the one from *before*."""
        shown = set(self.shown())
        return len(shown) == 1 and not {before} & shown and {issued_by(one) for one in shown} == {"Pebble"}


def address(number: int) -> str:
    """Where the node at *number* is."""
    return f"127.0.0.{number + 1}"


class Load:
    """Requests over HTTPS to all nodes, on kept and on new connections, until it is told to stop."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._over = threading.Event()
        self.done = 0
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._ask, args=(number,), daemon=True) for number in range(4)
        ]
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        kept = http.client.HTTPSConnection(address(number), self._port, timeout=PATIENCE, context=context)
        while not self._over.is_set():
            fresh = http.client.HTTPSConnection(
                address(number), self._port, timeout=PATIENCE, context=context
            )
            for connection in (kept, fresh):
                try:
                    connection.request("GET", "/")
                    answer = connection.getresponse()
                    if (answer.status, answer.read()) != (200, b"hello"):
                        self.failures.append(f"{address(number)}: {answer.status}")
                    self.done += 1
                except OSError as error:
                    self.failures.append(f"{address(number)}: {error!r}")
            fresh.close()
            self._over.wait(0.02)

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)


@unittest.skipUnless(shutil.which("pebble"), "Pebble is not installed: apt-get install pebble")
class ClusterTests(SynchronousTestCase):
    """Four nodes, each of which one of the names leads to."""

    def test_all_get_it_renew_it_under_load_and_one_goes_on_when_the_orderer_is_killed(self) -> None:
        pebble = Pebble(free_port(), free_port(), nonces=30, sleep=1)
        self.addCleanup(pebble.clean_up)
        pebble.start()
        cluster = AutomaticCluster(pebble)
        self.addCleanup(cluster.clean_up)
        cluster.start()
        first, *others = cluster.nodes
        first.wait_for(cluster.agree, "all have the first certificate")
        [before] = set(cluster.shown())
        self.assertEqual(set(alternative_names(before)), set(FOUR))
        for node in cluster.nodes:
            [told] = node.admin("GET", "/certificates")[1]["certificates"]
            self.assertEqual((set(told["names"]), told["last_error"]), (set(FOUR), None))
            for file in ("certificate.pem", "record"):
                self.assertEqual(stat.S_IMODE(os.stat(node.state / "acme" / file).st_mode), 0o600)
            self.assertNotIn("PRIVATE KEY", node.log.read_text())

        def orders() -> list[int]:
            """How often each node has ordered."""
            return [node.log.read_text().count("ordering a certificate") for node in cluster.nodes]

        ordered = orders()
        load = Load(pebble.tls_port)
        self.assertEqual(others[2].admin("POST", "/renew")[0], 200)
        first.wait_for(lambda: cluster.agree(before), "all have the next one")
        load.stop()
        self.assertEqual(load.failures, [])
        self.assertEqual(orders(), [ordered[0] + 1, *ordered[1:]], "one node orders, whichever was asked")
        self.assertGreater(load.done, 20)

        [before] = set(cluster.shown())
        challenge = "/.well-known/acme-challenge/" + FOUR[0]

        def is_half_way() -> bool:
            """Whether the challenges are out; the authority does a little more if they are not."""
            if first.ask(challenge)[0] == 200:
                return True
            pebble.resume()
            time.sleep(0.03)
            pebble.pause()
            return False

        pebble.pause()
        first.admin("POST", "/renew")
        first.wait_for(is_half_way, "it is half-way through")
        assert first.process is not None
        first.process.kill()
        first.process.wait(20)
        pebble.resume()
        pebble.lead(FOUR[0], address(1))
        others[0].wait_for(lambda: cluster.agree(before), "another one has gone on")
        others[0].wait_for(
            lambda: {node.ask(challenge)[0] for node in others} == {404},
            "challenges are taken away",
        )

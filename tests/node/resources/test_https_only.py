"""Plain HTTP that only leads to HTTPS, and what answers over HTTPS say of that."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import UNIXAddress
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from edge.http.answer import head_304, head_plain, with_hsts
from edge.node.resources.https_only import HTTPSOnly
from tests.node.serving import Answer, Connection

HSTS = "max-age=600"


class Site(Resource):
    """Answers everything."""

    isLeaf = True

    def render(self, request: Any) -> bytes:
        return b"served"


class Root(Resource):
    """Has one child for all names."""

    def getChild(self, path: bytes, request: Any) -> Resource:
        return Site()


class RedirectTests(SynchronousTestCase):
    """Requests to a node whose HTTPS is at a port."""

    def ask(
        self,
        target: str,
        host: str | None = "example.org",
        *,
        port: int = 443,
        method: str = "GET",
        secure: bool = False,
        unix: bool = False,
    ) -> Answer:
        connection = Connection(HTTPSOnly(Root(), port), secure=secure)
        if unix:
            self.patch(connection.transport, "getPeer", lambda: UNIXAddress(None))
        version, lines = ("1.0", "") if host is None else ("1.1", f"Host: {host}\r\n")
        body = "Content-Length: 3\r\n\r\nabc" if method == "POST" else "\r\n"
        connection.send(f"{method} {target} HTTP/{version}\r\n{lines}{body}".encode())
        connection.turn()
        [answer] = connection.answers()
        return answer

    def location(self, *arguments: Any, **options: Any) -> str:
        answer = self.ask(*arguments, **options)
        self.assertEqual(answer.status, 308)
        return answer.fields["location"]

    def test_path_and_query_stay_and_the_port_is_that_of_https(self) -> None:
        self.assertEqual(self.location("/a%20b?x=1&y"), "https://example.org/a%20b?x=1&y")
        self.assertEqual(self.location("/", "example.org:80"), "https://example.org/")
        self.assertEqual(self.location("/", "localhost:8080", port=8443), "https://localhost:8443/")
        self.assertEqual(self.location("/?", "[::1]:8080", port=8443), "https://[::1]:8443/?")
        self.assertEqual(self.location("/", "[::1]"), "https://[::1]/")

    def test_method_and_body_may_stay_and_the_connection_goes_on(self) -> None:
        answer = self.ask("/form", method="POST")
        self.assertEqual((answer.status, answer.fields.get("connection")), (308, None))

    def test_a_host_in_the_target_counts_and_nothing_else_in_it_does(self) -> None:
        self.assertEqual(self.location("http://example.net/a", "example.org"), "https://example.net/a")
        self.assertEqual(self.location("//evil.example/a"), "https://example.org//evil.example/a")
        self.assertEqual(self.location("/.edge/load"), "https://example.org/.edge/load")

    def test_without_a_host_there_is_nowhere_to_lead_to(self) -> None:
        self.assertEqual(self.ask("/", None).status, 400)

    def test_challenges_of_an_authority_are_answered(self) -> None:
        self.assertEqual(self.ask("/.well-known/acme-challenge/token").body, b"served")
        for target in (
            "/.well-known/other",
            "/.well-known",
            "/acme-challenge/token",
            "/.well-known/x/acme-challenge",
        ):
            self.assertEqual(self.ask(target).status, 308, target)

    def test_what_came_over_tls_or_from_a_proxy_on_this_machine_is_served(self) -> None:
        self.assertEqual(self.ask("/", secure=True).body, b"served")
        self.assertEqual(self.ask("/", unix=True).body, b"served")


class StrictTransportSecurityTests(SynchronousTestCase):
    """``--hsts``."""

    def ask(self, secure: bool, hsts: str = HSTS) -> Answer:
        connection = Connection(Root(), secure=secure, hsts=hsts)
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.turn()
        [answer] = connection.answers()
        return answer

    def test_it_is_said_over_tls_alone_and_once(self) -> None:
        self.assertEqual(self.ask(True).fields["strict-transport-security"], HSTS)
        self.assertNotIn("strict-transport-security", self.ask(False).fields)
        self.assertNotIn("strict-transport-security", self.ask(True, "").fields)

    def test_a_304_stays_small_and_a_switch_of_protocols_bare(self) -> None:
        line = b"Strict-Transport-Security: max-age=1\r\n"
        small = head_304(b"D" * 29, b"tag", b"")
        self.assertEqual(with_hsts(small, line), small)
        for head in (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"):
            self.assertEqual(with_hsts(head, line), head)
        for status in (200, 206, 301, 404, 503):
            head = head_plain(status, b"D" * 29, 0, b"")
            self.assertEqual(with_hsts(head, line), head[:-2] + line + b"\r\n")

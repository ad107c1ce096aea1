"""Conversations with directories that are none, do not end, refuse, or want to be left alone."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from twisted.trial.unittest import SynchronousTestCase

from edge.trust import acme_session
from edge.trust.acme_session import Session, ari_name, certificate_request
from edge.trust.automatic import AWAY, LIMITED, REFUSED, Trouble
from edge.trust.web_certificate import authority, key_pem, server_certificate


class Answers(BaseHTTPRequestHandler):
    """Answers what the test has put into ``server.answers``: path -> (status, fields, body)."""

    def do_GET(self) -> None:
        status, fields, body = self.server.answers.get(self.path, (404, {}, b"nothing here"))  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in {"Replay-Nonce": "bm9uY2U", **fields}.items():
            self.send_header(name, value)
        endless = body is None
        if not endless:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            while endless:
                self.wfile.write(b"x" * 65_536)
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Replay-Nonce", "bm9uY2U")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class SessionTests(SynchronousTestCase):
    """A directory on loopback that answers as the test says."""

    def setUp(self) -> None:
        server = self.server = HTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{server.server_port}"
        server.asked = []  # type: ignore[attr-defined]
        server.answers = {}  # type: ignore[attr-defined]
        self.answers: dict[str, Any] = server.answers  # type: ignore[attr-defined]
        self.say(
            "/dir",
            {name: f"{self.url}/{name}" for name in ("newNonce", "newAccount", "newOrder", "renewalInfo")},
        )
        self.say("/newAccount", {"status": "valid"}, 201, Location=f"{self.url}/me")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        key = key_pem(ec.generate_private_key(ec.SECP256R1())).decode()
        self.session = Session(f"{self.url}/dir", key, "test")
        self.addCleanup(self.session.close)

    def say(self, path: str, content: Any, status: int = 200, **fields: str) -> None:
        body = json.dumps(content).encode()
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        self.answers[path] = (status, {"Content-Type": "application/json", **named}, body)

    def trouble(self, work: Any, *arguments: Any) -> Trouble:
        trouble = self.assertRaises(Trouble, work, *arguments)
        self.assertIn(f"{self.url}/dir", str(trouble))
        self.assertNotIn("\n", str(trouble))
        return trouble

    def test_what_is_no_directory_is_said_to_be_none(self) -> None:
        for content in ({}, [], "text", {"newNonce": 1, "newAccount": None}):
            self.say("/dir", content)
            trouble = self.trouble(self.session.open, None)
            self.assertEqual(trouble.kind, AWAY)
            self.assertIn("is no ACME directory", str(trouble))
        self.answers["/dir"] = (200, {}, b"[" * 100_000)
        self.assertIn("RecursionError", str(self.trouble(self.session.open, None)))
        self.answers["/dir"] = (200, {}, b"<html>")
        self.assertEqual(self.trouble(self.session.open, None).kind, AWAY)
        self.answers["/dir"] = (503, {"Retry-After": "120"}, b"down")
        trouble = self.trouble(self.session.open, None)
        self.assertEqual((trouble.kind, trouble.rest), (AWAY, 120.0))
        self.assertIn("503 Service Unavailable", str(trouble))

    def test_an_answer_without_end_ends(self) -> None:
        self.answers["/dir"] = (200, {}, None)
        self.assertIn("does not end", str(self.trouble(self.session.open, None)))

    def test_an_answer_that_comes_too_slowly_ends(self) -> None:
        self.patch(acme_session, "SECONDS", -1.0)
        self.assertIn("does not end", str(self.trouble(self.session.open, None)))

    def test_nobody_there(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        trouble = self.trouble(self.session.open, None)
        self.assertEqual((trouble.kind, trouble.rest), (AWAY, 0.0))
        self.assertIn("cannot be reached: Connection refused", str(trouble))

    def refused(self, code: str, status: int, **fields: str) -> Trouble:
        self.session.open("admin@example.org")
        problem = {"type": f"urn:ietf:params:acme:error:{code}", "detail": "no\x1b[2J\nmore"}
        self.say("/newOrder", problem, status, **fields)
        return self.trouble(self.session.order, ["a.example"])

    def test_a_refusal_says_what_the_authority_says_in_one_harmless_line(self) -> None:
        trouble = self.refused("rejectedIdentifier", 400)
        self.assertEqual(trouble.kind, REFUSED)
        self.assertIn("no [2J more (rejectedIdentifier)", str(trouble))

    def test_asked_too_often_it_is_left_alone_as_long_as_it_says(self) -> None:
        trouble = self.refused("rateLimited", 429, Retry_After="7200")
        self.assertEqual((trouble.kind, trouble.rest), (LIMITED, 7200.0))

    def test_nonces_are_tried_again_but_not_for_ever(self) -> None:
        trouble = self.refused("badNonce", 400)
        self.assertEqual(trouble.kind, AWAY)
        self.assertIn("20 nonces", str(trouble))
        self.assertEqual(self.server.asked.count("/newOrder"), 20)  # type: ignore[attr-defined]

    def test_who_asks_for_an_external_account_cannot_be_served(self) -> None:
        directory = json.loads(self.answers["/dir"][2])
        self.say("/dir", {**directory, "meta": {"externalAccountRequired": True}})
        self.assertEqual(self.trouble(self.session.open, None).kind, REFUSED)

    def test_a_token_that_could_be_something_else_is_none(self) -> None:
        self.session.open(None)
        for token in ("../../etc/passwd", "short", "x" * 300, "a\0b" * 10, ""):
            challenges = [{"type": "http-01", "url": f"{self.url}/c", "token": token}]
            told = {
                "status": "pending",
                "identifier": {"type": "dns", "value": "a.example"},
                "challenges": challenges,
            }
            self.say("/authz", told)
            self.assertEqual(self.session.authorization(f"{self.url}/authz").challenges, {})

    def certificate(self) -> str:
        pem = server_certificate(["a.example"], 3, authority("ca", ["a.example"], 3)).pem().decode()
        return pem[: pem.index("-----BEGIN PRIVATE")]

    def test_when_to_renew_is_asked_by_the_name_of_the_certificate(self) -> None:
        self.session.open(None)
        certificate = self.certificate()
        window = {"start": "2030-01-01T00:00:00Z", "end": "2030-01-02T00:00:00.5Z"}
        path = f"/renewalInfo/{ari_name(certificate)}"
        for said, seconds in (("100", 100), ("1", 60), ("999999", 86_400), ("soon", 21_600)):
            self.say(path, {"suggestedWindow": window}, Retry_After=said)
            found = self.session.renewal_window(certificate, 1000.0)
            assert found is not None
            self.assertEqual((found.start, found.end), (1893456000.0, 1893542400.0))
            self.assertEqual(found.ask_at, 1000.0 + seconds)

    def test_a_window_that_is_none_is_a_trouble(self) -> None:
        self.session.open(None)
        certificate = self.certificate()
        for window in (
            {},
            {"start": "2030-01-02T00:00:00Z", "end": "2030-01-01T00:00:00Z"},
            {"start": "x", "end": "y"},
        ):
            self.say(f"/renewalInfo/{ari_name(certificate)}", {"suggestedWindow": window})
            self.assertEqual(self.trouble(self.session.renewal_window, certificate, 0.0).kind, AWAY)

    def test_without_renewal_information_there_is_no_window(self) -> None:
        directory = json.loads(self.answers["/dir"][2])
        del directory["renewalInfo"]
        self.say("/dir", directory)
        self.session.open(None)
        self.assertIsNone(self.session.renewal_window(self.certificate(), 0.0))

    def test_a_replacement_is_ordered_as_one_and_without_if_that_is_refused(self) -> None:
        self.session.open(None)
        problem = {"type": "urn:ietf:params:acme:error:alreadyReplaced", "detail": "no"}
        self.say("/newOrder", problem, 409)
        self.trouble(self.session.order, ["a.example"], self.certificate())
        self.assertEqual(self.server.asked.count("/newOrder"), 2)  # type: ignore[attr-defined]
        problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "no"}
        self.say("/newOrder", problem, 429)
        self.trouble(self.session.order, ["a.example"], self.certificate())
        self.assertEqual(self.server.asked.count("/newOrder"), 3)  # type: ignore[attr-defined]


class RequestTests(SynchronousTestCase):
    """Requests for certificates."""

    def test_all_names_are_alternative_names(self) -> None:
        from cryptography import x509

        made = certificate_request(["a.example", "b.example"], ec.generate_private_key(ec.SECP256R1()))
        found = x509.load_der_x509_csr(made)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        self.assertEqual(names.get_values_for_type(x509.DNSName), ["a.example", "b.example"])
        self.assertTrue(found.is_signature_valid)

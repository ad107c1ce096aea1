"""The admin API as HTTP."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from edge.errors import PublishError
from edge.node.supervisor.admin_api import AdminResource
from tests.node.serving import Answer, Connection


class Inspection:
    """Knows little."""

    def status(self) -> dict[str, Any]:
        """See :class:`edge.node.supervisor.inspection.Inspection`."""
        return {"node": "n1"}

    async def check(self) -> dict[str, Any]:
        """See :class:`edge.node.supervisor.inspection.Inspection`."""
        raise RuntimeError("a mistake of ours")

    def tickets(self) -> dict[str, Any]:
        """See :class:`edge.node.supervisor.inspection.Inspection`."""
        return {"keys": ["00"], "age_s": 1.5}

    def certificates(self) -> dict[str, Any]:
        """See :class:`edge.node.supervisor.inspection.Inspection`."""
        return {"certificates": []}

    def applications(self) -> dict[str, Any]:
        """See :class:`edge.node.supervisor.inspection.Inspection`."""
        return {"applications": []}

    def security(self) -> dict[str, Any]:
        """See :class:`edge.node.supervisor.inspection.Inspection`."""
        return {"ok": True, "checks": []}

    def metrics(self) -> tuple[bytes, bytes]:
        """See :class:`edge.node.supervisor.inspection.Inspection`."""
        return b"text/plain; version=0.0.4", b"edge_weight 1\n"


class Administration:
    """Repeats what it was told."""

    forgot: ClassVar[list[bool]] = []

    async def publish(self, webroot: str | None, site: str | None) -> dict[str, Any]:
        """See :class:`edge.node.supervisor.administration.Administration`."""
        if webroot == "/none":
            raise PublishError("/none: no such folder")
        return {"webroot": webroot}

    async def purge(self, paths: list[str]) -> dict[str, Any]:
        """See :class:`edge.node.supervisor.administration.Administration`."""
        return {"paths": paths}

    def change_ticket_keys(self, forget: bool) -> None:
        """See :class:`edge.node.supervisor.administration.Administration`."""
        self.forgot.append(forget)

    async def reload_application(self, name: str) -> dict[str, Any]:
        """See :class:`edge.node.supervisor.administration.Administration`."""
        return {"replaced": 1, "problems": [name]}

    def renew(self) -> dict[str, Any]:
        """See :class:`edge.node.supervisor.administration.Administration`."""
        return {"state": "ordering"}

    def drain(self) -> dict[str, Any]:
        """See :class:`edge.node.supervisor.administration.Administration`."""
        return {"state": "draining"}


class Reports:
    """Of a cluster."""

    def members(self) -> dict[str, Any]:
        """See :class:`edge.node.cluster.clusterview.ClusterView`."""
        return {"members": []}

    def log(self) -> dict[str, Any]:
        """See :class:`edge.node.cluster.clusterview.ClusterView`."""
        return {"logs": []}


class AdminTests(SynchronousTestCase):
    """Requests and answers."""

    def ask(
        self, line: str, body: bytes = b"", *lines: str, token: str | None = None, alone: bool = False
    ) -> Answer:
        """The answer to one request, on a connection of its own."""
        cluster = None if alone else Reports()
        connection = Connection(AdminResource(Inspection(), Administration(), cluster, token))
        head = [f"{line} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *lines, "", ""]
        connection.send("\r\n".join(head).encode() + body)
        connection.turn()
        return connection.answers()[0]

    def test_each_part_is_asked_and_its_answer_is_json(self) -> None:
        """That nobody may store."""
        for line, body, expected in (
            ("GET /status", b"", {"node": "n1"}),
            ("GET /certificates", b"", {"certificates": []}),
            ("POST /renew", b"", {"state": "ordering"}),
            ("GET /tickets", b"", {"keys": ["00"], "age_s": 1.5}),
            ("POST /tickets", b"", {"keys": ["00"], "age_s": 1.5}),
            ("POST /tickets", b'{"forget": true}', {"keys": ["00"], "age_s": 1.5}),
            ("GET /members", b"", {"members": []}),
            ("GET /log", b"", {"logs": []}),
            ("GET /applications", b"", {"applications": []}),
            ("POST /applications/reload", b'{"name": "shop"}', {"replaced": 1, "problems": ["shop"]}),
            ("POST /drain", b"", {"state": "draining"}),
            ("POST /publish", b"", {"webroot": None}),
            ("POST /publish", b'{"webroot": "/srv"}', {"webroot": "/srv"}),
            ("POST /purge", b'{"paths": ["/a", "/b"]}', {"paths": ["/a", "/b"]}),
        ):
            answer = self.ask(line, body)
            self.assertEqual((answer.status, json.loads(answer.body)), (200, expected), line)
            self.assertEqual(answer.fields["content-type"], "application/json")
            self.assertEqual(answer.fields["cache-control"], "no-store")

    def test_metrics_are_text(self) -> None:
        """As Prometheus reads them."""
        answer = self.ask("GET /.edge/metrics")
        self.assertEqual((answer.status, answer.body), (200, b"edge_weight 1\n"))
        self.assertEqual(answer.fields["content-type"], "text/plain; version=0.0.4")

    def test_a_wrong_body_is_refused_with_a_sentence(self) -> None:
        """Before anything is done."""
        for line, body in (
            ("POST /purge", b"/a.html"),
            ("POST /purge", b"[]"),
            ("POST /purge", b"[" * 50_000),
            ("POST /purge", b"{}"),
            ("POST /purge", b'{"paths": [1]}'),
            ("POST /publish", b'{"webroot": 1}'),
            ("POST /publish", b'{"site": 1}'),
            ("POST /applications/reload", b'{"name": 1}'),
            ("POST /applications/reload", b""),
        ):
            answer = self.ask(line, body)
            self.assertEqual(answer.status, 400, body)
            self.assertTrue(json.loads(answer.body)["error"], body)

    def test_what_cannot_be_done_is_said_in_the_nodes_own_words(self) -> None:
        """A mistake of the user's is none of the node's."""
        answer = self.ask("POST /publish", b'{"webroot": "/none"}')
        self.assertEqual((answer.status, json.loads(answer.body)), (409, {"error": "/none: no such folder"}))

    def test_a_node_alone_has_no_members(self) -> None:
        """And says how it would."""
        for line in ("GET /members", "GET /log"):
            answer = self.ask(line, alone=True)
            self.assertEqual(answer.status, 409)
            self.assertIn("--gossip and --peer", json.loads(answer.body)["error"])

    def test_a_mistake_of_ours_is_logged_and_not_told(self) -> None:
        """But that there is one."""
        answer = self.ask("GET /check")
        self.assertEqual(answer.status, 500)
        self.assertIn("its log says more", json.loads(answer.body)["error"])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_with_a_token_only_who_shows_it_is_answered(self) -> None:
        """Also where there is nothing."""
        for lines in ((), ("Authorization: Bearer wrong",), ("Authorization: secret",)):
            for line in ("GET /status", "GET /none", "POST /drain"):
                answer = self.ask(line, b"", *lines, token="secret")
                self.assertEqual((answer.status, answer.fields["www-authenticate"]), (401, "Bearer"))
        self.assertEqual(
            self.ask("GET /status", b"", "Authorization: Bearer secret", token="secret").status, 200
        )

    def test_what_there_is_not_is_not_found_and_wrong_methods_are_named(self) -> None:
        """Reading changes nothing."""
        self.assertEqual(self.ask("GET /none").status, 404)
        self.assertEqual(self.ask("GET /drain").status, 405)

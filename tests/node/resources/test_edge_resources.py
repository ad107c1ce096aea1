"""What is under ``/.edge/``."""

from __future__ import annotations

import json
import os

from twisted.trial.unittest import SynchronousTestCase

from edge.node.process.life import NodeState
from edge.node.process.own_resources import LOAD
from edge.node.telemetry.documents import put_batch_lines, put_document
from tests.node.serving import NOW, Answer
from tests.node.tables import BODIES, Site, tag

ORCA = b"endpoint-load-metrics: TEXT application_utilization=0.18\r\n"


class EdgeResourceTests(SynchronousTestCase):
    """:mod:`edge.node.resources.edge_resources`."""

    def setUp(self) -> None:
        self.site = Site(self.mktemp_directory())
        self.addCleanup(self.site.close)
        put_document(self.site.writer, LOAD, b'{"v":1}', ORCA, NOW)
        put_batch_lines(self.site.writer, ORCA)

    def mktemp_directory(self) -> str:
        directory = self.mktemp()
        os.mkdir(directory)
        return directory

    def ask(self, target: str, *lines: str, method: str = "GET", body: bytes = b"") -> Answer:
        connection = self.site.connect()
        head = [f"{method} {target} HTTP/1.1", "Host: x", *lines]
        if body:
            head.append(f"Content-Length: {len(body)}")
        connection.send("\r\n".join([*head, "", ""]).encode() + body)
        connection.turn()
        [answer] = connection.answers("H" if method == "HEAD" else "")
        return answer

    def revalidate(self, *lines: str, **more: bytes) -> Answer:
        body = more.get("body", "\n".join(lines).encode())
        return self.ask("/.edge/revalidate", "Content-Type: text/plain", method="POST", body=body)

    def test_the_load_document_is_served_from_the_table(self) -> None:
        answer = self.ask("/.edge/load", "Origin: https://a.example")
        self.assertEqual((answer.status, answer.body), (200, b'{"v":1}'))
        self.assertEqual(answer.fields["access-control-allow-origin"], "*")
        self.assertEqual(answer.fields["cache-control"], "no-store")

    def test_revalidate_lists_what_is_no_longer_current(self) -> None:
        current = tag(BODIES[0]).strip('"')
        answer = self.revalidate(
            f"{current} /a.txt", "old /a.txt", f'W/"{current}" /a.txt?x', f"{current} /none"
        )
        self.assertEqual(answer.status, 200)
        self.assertEqual(json.loads(answer.body), {"v": 1, "seq": self.site.writer.sequence, "stale": [1, 3]})

    def test_a_wrong_revalidation_is_refused(self) -> None:
        self.assertEqual(self.revalidate("nonsense").status, 400)
        self.assertEqual(self.revalidate(*["x /a.txt"] * 1001).status, 413)
        answer = self.ask("/.edge/revalidate", "Content-Type: application/json", method="POST", body=b"{}")
        self.assertEqual(answer.status, 415)
        answer = self.ask("/.edge/revalidate")
        self.assertEqual((answer.status, answer.fields["allow"]), (405, "OPTIONS, POST"))

    def test_ready_follows_the_state_and_health_does_not(self) -> None:
        for state, status in [("starting", 503), ("ready", 200), ("draining", 503)]:
            self.site.life.state = NodeState(state)
            answer = self.ask("/.edge/ready")
            self.assertEqual((answer.status, json.loads(answer.body)["output"]), (status, state))
            self.assertEqual(answer.fields["content-type"], "application/health+json")
            self.assertEqual(self.ask("/.edge/health").status, 200)

    def test_every_answer_carries_the_load(self) -> None:
        for target in ("/.edge/load", "/.edge/health", "/.edge/ready", "/.edge/none", "/.edge"):
            answer = self.ask(target)
            self.assertEqual(
                answer.fields["endpoint-load-metrics"], "TEXT application_utilization=0.18", target
            )

    def test_what_is_not_there_is_404(self) -> None:
        for target in ("/.edge/none", "/.edge/health/x", "/.edge/metrics"):
            self.assertEqual(self.ask(target).status, 404)

"""The buttons of the demonstration: who may press them, and what they do to nodes."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ops.controls import BODY_MOST, CONNECTIONS_MOST, Controls, Refused, controls_factory, token_of
from ops.demonstration import COLOURS, HUES, Demonstration
from ops.staged_cluster import BACK_PATIENCE, LOOK_SECONDS, Cluster
from ops.staged_node import RESTART_SECONDS, Node
from tests.ops.test_staging import FakeProcess, FakeReactor

TOKEN = "t" * 43
HOST = "localhost:8010"
HOME = "http://localhost:8001"


class FakeOperator:
    """An operator that remembers its orders, and refuses some."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, str]] = []
        self.waiting: Deferred[None] | None = None

    def nodes(self) -> Sequence[dict[str, str]]:
        return [{"name": "n<1>", "url": HOME, "is": "up"}]

    async def carry_out(self, order: str, node: str) -> str:
        self.orders.append((order, node))
        if order == "refused":
            raise Refused("Not <now>.")
        if order == "broken":
            raise ValueError("a bug")
        if self.waiting is not None:
            await self.waiting
        return f"{order} & {node}"


class ControlsTests(SynchronousTestCase):
    """Requests byte by byte, against the server as it listens."""

    def setUp(self) -> None:
        self.operator = FakeOperator()
        controls = Controls(self.operator, TOKEN, [HOME, "http://localhost:8002"], [HOST, "127.0.0.1:8010"])
        self.factory = controls_factory(controls)
        self.clock = Clock()
        self.factory.wrappedFactory.reactor = self.clock
        self.connect()

    def connect(self) -> None:
        self.transport = StringTransport()
        self.transport.abortConnection = self.transport.loseConnection  # type: ignore[method-assign]
        self.protocol = self.factory.buildProtocol(None)
        if self.protocol is not None:
            self.protocol.makeConnection(self.transport)
            self.addCleanup(self.protocol.setTimeout, None) if hasattr(self.protocol, "setTimeout") else None

    def ask(self, method: str, body: Any = "", **fields: str | None) -> tuple[int, dict[str, str], Any]:
        """Status, fields and JSON (or text) of the answer to a request; a field that is None is left out."""
        text = body if isinstance(body, str) else json.dumps(body)
        common: dict[str, str | None] = {
            "Host": HOST,
            "Origin": HOME,
            "Authorization": f"Bearer {TOKEN}",
            "Content-Type": "application/json",
            "Content-Length": str(len(text)),
        }
        common |= {name.replace("_", "-"): value for name, value in fields.items()}
        lines = [f"{method} / HTTP/1.1", *(f"{name}: {value}" for name, value in common.items() if value)]
        self.connect()
        self.protocol.dataReceived("\r\n".join([*lines, "", text]).encode())
        return self.answer()

    def answer(self) -> tuple[int, dict[str, str], Any]:
        head, _, rest = self.transport.value().decode().partition("\r\n\r\n")
        status, *lines = head.split("\r\n")
        got = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        if got.get("transfer-encoding") == "chunked":
            rest = "".join(rest.split("\r\n")[1::2])
        is_json = got.get("content-type") == "application/json"
        return int(status.split()[1]), got, json.loads(rest) if is_json else rest

    def test_an_order_is_carried_out_and_said_and_the_nodes_are_told(self) -> None:
        status, fields, content = self.ask("POST", {"do": "kill", "node": "n3"})
        self.assertEqual((status, content["said"]), (200, "kill & n3"))
        self.assertEqual(content["nodes"], self.operator.nodes())
        self.assertEqual(fields["access-control-allow-origin"], HOME)
        self.assertEqual(fields["cache-control"], "no-store")
        self.assertEqual(self.operator.orders, [("kill", "n3")])

    def test_how_the_nodes_are_may_be_asked_without_an_order(self) -> None:
        self.assertEqual(self.ask("GET")[::2], (200, {"nodes": self.operator.nodes()}))
        self.assertEqual(self.operator.orders, [])

    def test_a_preflight_allows_pages_of_nodes_what_they_send(self) -> None:
        status, fields, _ = self.ask("OPTIONS", Authorization=None, Content_Type=None)
        self.assertEqual((status, fields["access-control-allow-origin"]), (204, HOME))
        self.assertEqual(fields["access-control-allow-headers"], "authorization, content-type")

    def test_pages_of_others_are_refused_whatever_they_know(self) -> None:
        for origin in (
            "http://evil.example", "null", "http://localhost:8003", "https://localhost:8001",
            "http://localhost:80011", "http://localhost", "HTTP://LOCALHOST:8001",
        ):  # fmt: skip
            for method in ("GET", "POST", "OPTIONS"):
                status, fields, content = self.ask(method, {"do": "kill", "node": "n1"}, Origin=origin)
                self.assertEqual((status, content["nodes"]), (403, []), origin)
                self.assertNotIn("access-control-allow-origin", fields)
        self.assertEqual(self.ask("POST", {"do": "kill"}, Origin=None, Sec_Fetch_Site="cross-site")[0], 403)
        self.assertEqual(self.operator.orders, [])

    def test_a_name_that_leads_here_leads_nowhere(self) -> None:
        for host in ("evil.example:8010", "localhost", "localhost:8011", "localhost:8010.evil.example", None):
            status, _, content = self.ask("POST", {"do": "kill", "node": "n1"}, Host=host)
            self.assertIn(status, (400, 421), host)
            self.assertNotIn("n<1>", str(content))
        self.assertEqual(self.operator.orders, [])

    def test_without_the_token_nothing_is_done_or_told(self) -> None:
        for given in (
            None,
            "Bearer",
            f"Bearer {TOKEN[:-1]}",
            f"Bearer {TOKEN}x",
            f"Basic {TOKEN}",
            "Bearer \xfc",
        ):
            for method in ("GET", "POST"):
                status, _, content = self.ask(method, {"do": "kill"}, Authorization=given)
                self.assertEqual((status, content["nodes"]), (403, []), given)
        self.assertEqual(self.operator.orders, [])

    def test_a_form_without_scripts_is_answered_by_a_page(self) -> None:
        form = "application/x-www-form-urlencoded"
        sent: dict[str, str | None] = {"Content_Type": form, "Authorization": None}
        status, fields, text = self.ask("POST", f"token={TOKEN}&do=kill+n3", **sent)
        self.assertEqual((status, fields["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("<h1>kill &amp; n3</h1>", text)
        self.assertIn(f'<a href="{HOME}/">n&lt;1&gt;</a> up', text)
        self.assertEqual(self.operator.orders, [("kill", "n3")])
        status, _, text = self.ask("POST", f"token={TOKEN}&do=refused", **sent)
        self.assertEqual(status, 409)
        self.assertIn("Not &lt;now&gt;.", text)
        # A text browser says neither where it comes from nor what it fetches for.
        self.assertEqual(self.ask("POST", f"token={TOKEN}&do=kill+n1", Origin=None, **sent)[0], 200)
        self.assertEqual(self.ask("POST", "do=kill+n1", Origin=None, **sent)[0], 403)

    def test_what_is_no_order_is_answered_by_a_sentence(self) -> None:
        for body in (
            "",
            "[",
            "[]",
            "7",
            '{"do": 1}',
            '{"do": ["kill"]}',
            "[" * 1000,
            '{"do": "x", "node": null}',
        ):
            status, _, content = self.ask("POST", body)
            self.assertEqual(
                (status, content["said"]), (400, 'An order is {"do": "kill", "node": "n3"}.'), body
            )
        self.assertEqual(self.ask("POST", "x", Content_Type="text/plain")[0], 415)
        self.assertEqual(self.ask("DELETE")[0], 405)
        self.assertEqual(self.operator.orders, [])

    def test_what_is_refused_or_goes_wrong_is_said(self) -> None:
        status, _, content = self.ask("POST", {"do": "refused"})
        self.assertEqual((status, content["said"], len(content["nodes"])), (409, "Not <now>.", 1))
        status, _, content = self.ask("POST", {"do": "broken"})
        self.assertEqual((status, content["said"]), (500, "That went wrong: a bug"))

    def test_a_page_that_has_gone_meanwhile_is_not_answered(self) -> None:
        self.operator.waiting = Deferred()
        with self.assertRaises(IndexError):  # there is no answer yet
            self.ask("POST", {"do": "bring-back"})
        self.protocol.connectionLost(Exception("gone"))
        self.operator.waiting.callback(None)
        self.assertEqual(self.transport.value(), b"")

    def test_a_large_or_endless_body_is_refused_before_it_is_read(self) -> None:
        for head in (
            f"Content-Length: {BODY_MOST + 1}",
            "Content-Length: 99999999999",
            "Transfer-Encoding: chunked",
        ):
            self.connect()
            fields = (
                f"Host: {HOST}\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n{head}"
            )
            self.protocol.dataReceived(f"POST / HTTP/1.1\r\n{fields}\r\n\r\n".encode() + b"2\r\n{}\r\n" * 5)
            self.assertEqual(self.transport.value().count(b"HTTP/1.1"), 1)
            self.assertTrue(self.transport.value().startswith(b"HTTP/1.1 413 "), head)
            self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.operator.orders, [])

    def test_connections_are_few_and_may_not_be_silent(self) -> None:
        first = self.transport
        for _ in range(CONNECTIONS_MOST - 1):
            self.connect()
        self.connect()
        self.assertIsNone(self.protocol)
        self.clock.advance(60)
        self.clock.advance(60)
        self.assertTrue(first.disconnecting)

    def test_the_token_is_made_once_and_is_for_its_owner_alone(self) -> None:
        file = Path(self.mktemp())
        token = token_of(file)
        self.assertEqual(len(token), 43)
        self.assertEqual(token_of(file), token)
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)


class OrdersTests(SynchronousTestCase):
    """What orders do to a cluster of two nodes that are not real."""

    def setUp(self) -> None:
        self.patch(sys, "stdout", io.StringIO())
        self.reactor = FakeReactor()
        self.ready: set[int] = set()
        nodes = [Node(f"n{n}", n, ["twistd"], self.reactor) for n in (1, 2)]
        self.cluster = Cluster(nodes, self.is_ready, self.reactor, publish=lambda: "Published.")
        self.running = Deferred.fromCoroutine(self.cluster.run())
        self.addCleanup(self.end)
        self.ready = {1, 2}
        self.reactor.pump([LOOK_SECONDS] * 2)

    def end(self) -> None:
        self.cluster.ask_to_stop()
        for process in self.reactor.processes:
            if process.protocol._process is process:
                process.end()
        self.successResultOf(self.running)

    async def is_ready(self, port: int) -> bool:
        return port in self.ready

    def order(self, order: str, node: str = "") -> str:
        return self.successResultOf(Deferred.fromCoroutine(self.cluster.carry_out(order, node)))

    def refusal(self, order: str, node: str = "") -> str:
        failed = self.failureResultOf(Deferred.fromCoroutine(self.cluster.carry_out(order, node)), Refused)
        return str(failed.value)

    def conditions(self) -> list[str]:
        return [one["is"] for one in self.cluster.nodes()]

    def last(self) -> FakeProcess:
        return self.reactor.processes[-1]

    def test_who_is_killed_stays_away_until_it_is_brought_back(self) -> None:
        self.assertEqual(self.conditions(), ["up", "up"])
        self.order("kill", "n2")
        self.assertEqual(self.last().signals, [9])
        self.last().end(9)
        self.reactor.advance(10 * RESTART_SECONDS)
        self.assertEqual((self.conditions(), len(self.reactor.processes)), (["up", "killed"], 2))
        self.ready = {1}
        back = Deferred.fromCoroutine(self.cluster.carry_out("bring-back", "n2"))
        self.reactor.pump([LOOK_SECONDS] * 3)
        self.assertNoResult(back)
        self.ready = {1, 2}
        self.reactor.advance(LOOK_SECONDS)
        self.assertEqual(self.successResultOf(back), "n2 is back, after 0.4 s.")
        self.assertEqual((self.conditions(), len(self.reactor.processes)), (["up", "up"], 3))

    def test_all_are_killed_and_all_come_back(self) -> None:
        self.order("kill-all")
        self.order("kill-all")
        for process in list(self.reactor.processes):
            process.end(9)
        self.assertEqual(self.conditions(), ["killed", "killed"])
        self.assertIn("n1 has the files", self.refusal("publish"))
        self.assertEqual(self.order("bring-back"), "n1 and n2 are back, after 0.0 s.")
        self.assertEqual(self.order("bring-back"), "All nodes are up, and as fast as ever.")

    def test_who_is_brought_back_before_it_has_ended_is_started_once(self) -> None:
        self.order("kill", "n1")
        self.order("bring-back")
        first = self.reactor.processes[0]
        first.end(9)
        self.reactor.advance(RESTART_SECONDS)
        self.assertEqual((self.conditions(), len(self.reactor.processes)), (["up", "up"], 3))

    def test_who_dies_and_is_killed_while_it_waits_to_start_again_stays_away(self) -> None:
        self.reactor.processes[0].end(9)
        self.order("kill", "n1")
        self.reactor.advance(RESTART_SECONDS)
        self.assertEqual(self.conditions(), ["killed", "up"])
        self.order("bring-back", "n1")
        self.reactor.advance(RESTART_SECONDS)
        self.assertEqual((self.conditions(), len(self.reactor.processes)), (["up", "up"], 3))

    def test_who_does_not_come_back_is_not_waited_for_without_end(self) -> None:
        self.order("kill", "n1")
        self.reactor.processes[0].end(9)
        self.ready = set()
        back = Deferred.fromCoroutine(self.cluster.carry_out("bring-back", ""))
        self.reactor.pump([LOOK_SECONDS] * int(BACK_PATIENCE / LOOK_SECONDS + 2))
        self.assertIn("not ready yet", str(self.failureResultOf(back, Refused).value))

    def test_what_works_for_a_slow_node_runs_a_tenth_of_the_time_until_it_is_brought_back(self) -> None:
        sent: list[tuple[int, int]] = []
        self.patch(os, "kill", lambda pid, number: sent.append((pid, number)))
        worker = type("Child", (), {"pid": 7})()
        self.patch(
            sys.modules["psutil"],
            "Process",
            lambda pid: type("P", (), {"children": lambda s, recursive: [worker]})(),
        )
        self.order("slow", "n2")
        self.assertEqual(self.conditions(), ["up", "slow"])
        self.assertIn("only a node that is up", self.refusal("slow", "n2"))
        self.reactor.pump([0.045, 0.005])
        self.assertEqual(sent, [(7, 19), (7, 18), (7, 19)])
        self.order("bring-back", "n2")
        self.reactor.pump([0.05] * 5)
        self.assertEqual(sent[3:], [(7, 18)])
        self.assertEqual(self.conditions(), ["up", "up"])
        self.order("slow", "n2")
        self.order("kill", "n2")
        self.assertEqual(sent[-1], (7, 18))

    def test_what_there_is_no_button_for_is_refused(self) -> None:
        self.assertIn("There is no button for 'dance'", self.refusal("dance"))
        self.assertIn("There is no node 'n9'; there are n1, n2.", self.refusal("kill", "n9"))
        self.assertEqual(self.order("publish"), "Published.")


class DemonstrationTests(SynchronousTestCase):
    """Files of the demonstration, and the change that is published."""

    def test_each_change_takes_the_next_colour_and_touches_no_checkout(self) -> None:
        webroot, folder = Path(self.mktemp()), Path(self.mktemp())
        (webroot / "site").mkdir(parents=True)
        (webroot / COLOURS).write_text(":root { --hue: 195; }")
        folder.mkdir()
        one = Demonstration(folder, "http://localhost:8010", webroot)
        self.assertEqual(one.environment["DEMONSTRATION_DEV"], "")
        one.development = True
        self.assertEqual(one.environment["DEMONSTRATION_DEV"], "1")
        one.prepare()
        found = []
        for _ in range(len(HUES)):
            self.assertIn("bytes", one.publish())
            found.append((one.site / COLOURS).read_text())
        self.assertEqual(found, [f":root {{ --hue: {hue}; }}" for hue in (*HUES[1:], HUES[0])])
        self.assertEqual((webroot / COLOURS).read_text(), ":root { --hue: 195; }")
        self.assertEqual(json.loads(one.environment["EDGE_STAGING"])["token"], token_of(folder / "token"))
        one.prepare()
        self.assertEqual(sorted(path.name for path in one.site.iterdir()), ["site"])

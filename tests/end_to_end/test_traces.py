"""Traces of real nodes: requests through workers to applications, as a collector gets them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from edge.traces.context import read_context
from tests import processes
from tests.end_to_end.collector import Collector
from tests.end_to_end.hosting import HostingNode

STRANGE = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
ASKS = {"traceparent": STRANGE.decode(), "tracestate": "x=1", "User-Agent": "me", "Cookie": "secret"}
APPLICATIONS = (
    {"name": "shop", "at": "/wsgi", "run": "traced:wsgi"},
    {"name": "news", "at": "/asgi", "run": "traced:asgi"},
)


class TracesTests(SynchronousTestCase):
    """A node whose requests are traced."""

    def setUp(self) -> None:
        self.spans = Path(tempfile.mkdtemp(prefix="edge-")) / "spans"
        self.addCleanup(shutil.rmtree, self.spans.parent)

    def collect(self, port: int = 0, manner: str = "takes") -> Collector:
        collector = Collector(self.spans, port, manner)
        self.addCleanup(collector.stop)
        return collector

    def trace(
        self, url: str, *options: str, applications: Any = APPLICATIONS, workers: int = 1
    ) -> HostingNode:
        node = HostingNode(*applications, options=("--traces", url, *options), workers=workers)
        node.options += ["--access-log", str(node.directory / "access.log")]
        node.environment["NO_PROXY"] = "127.0.0.1"
        node.environment["OTEL_EXPORTER_OTLP_HEADERS"] = "x-key=from the environment"
        self.addCleanup(node.clean_up)
        return node.start_all()

    def wait(self, node: HostingNode, collector: Collector, count: int) -> list[dict[str, Any]]:
        node.wait_for(lambda: len(collector.spans()) >= count, f"the collector has {count} spans")
        return collector.spans()

    def test_a_request_is_a_span_and_below_it_is_who_was_asked(self) -> None:
        collector = self.collect()
        node = self.trace(collector.url)
        _, _, wsgi = node.ask("/wsgi/a?password=1", ASKS)
        _, _, shared = node.ask("/asgi/shared", ASKS)
        node.ask("/wsgi/fails", ASKS)
        node.ask("/nothing", ASKS)
        spans = self.wait(node, collector, 7)
        by_id = {span["span"]: span for span in spans}
        for said, at, name in ((wsgi, "/wsgi/a", "shop"), (shared, "/asgi/shared", "news")):
            parent, _, value = said.strip().partition(b"=")
            self.assertEqual(parent, b"traceparent", "and no tracestate: a stranger sent it")
            context = read_context(value, None)
            assert context is not None
            asked = by_id[context.span_id.hex()]
            request = by_id[asked["parent"]]
            self.assertEqual({request["trace"], asked["trace"]}, {context.trace_id.hex()})
            self.assertEqual((request["kind"], asked["kind"], request["parent"]), ("server", "client", ""))
            self.assertEqual(asked["attributes"]["edge.application"], name)
            self.assertEqual(request["attributes"]["url.path"], at)
            self.assertGreaterEqual(request["nanoseconds"], asked["nanoseconds"])
            self.assertFalse(request["error"] or asked["error"])
        request = next(one for one in spans if one["attributes"].get("url.path") == "/wsgi/a")
        self.assertEqual(request["name"], "GET /wsgi/*")
        expected = {
            "http.request.method": "GET",
            "http.route": "/wsgi/*",
            "http.response.status_code": 200,
            "server.address": "127.0.0.1",
            "server.port": node.port,
            "client.address": "127.0.0.1",
            "user_agent.original": "me",
            "edge.cache.status": "miss",
            "edge.worker": 0,
        }
        self.assertEqual({key: request["attributes"].get(key) for key in expected}, expected)
        failed = [one for one in spans if one["error"]]
        self.assertEqual({one["attributes"]["error.type"] for one in failed}, {"500"})
        self.assertEqual(len(failed), 2)
        self.assertEqual({one["path"] for one in spans}, {"/v1/traces"})
        self.assertEqual({one["key"] for one in spans}, {"from the environment"})
        resource = spans[0]["resource"]
        self.assertEqual(
            (resource["service.name"], resource["service.instance.id"], resource["service.namespace"]),
            ("twistd-edge", "n1", "edge"),
        )
        assert node.process is not None
        maps = {pid: Path(f"/proc/{pid}/maps").read_text() for pid in (node.process.pid, *children_of(node))}
        exporters = [pid for pid, command in children_of(node).items() if "edge.node.exporter" in command]
        self.assertEqual([pid for pid, mapped in maps.items() if "google/_upb" in mapped], exporters)
        text = self.spans.read_text()
        for secret in ("password", "secret", "a" * 32):
            self.assertNotIn(secret, text)
        lines = (node.directory / "access.log").read_text().splitlines()
        logged = {one["trace_id"]: one["target"] for one in map(json.loads, lines) if "trace_id" in one}
        self.assertEqual(logged[request["trace"]], "/wsgi/a?password=1")
        node.wait_for(lambda: node.metric("edge_trace_spans_total", "exported") >= 7, "they are counted")
        self.assertEqual(node.metric("edge_trace_spans_total", "dropped"), 0)
        checks = {one["name"]: one for one in node.admin("GET", "/check")[1]["checks"]}
        self.assertEqual((checks["traces"]["ok"], checks["traces"]["detail"]), (True, "7 spans sent, 0 lost"))

    def test_who_is_believed_decides_and_a_share_of_none_records_nothing_else(self) -> None:
        collector = self.collect()
        node = self.trace(collector.url, "--traces-sample", "0", "--traces-from", "127.0.0.1")
        said = node.ask("/wsgi/a", ASKS)[2].decode()
        self.assertRegex(said, rf"^traceparent=00-{'a' * 32}-[0-9a-f]{{16}}-01\ntracestate=x=1\n$")
        self.assertNotIn("b" * 16, said)
        unsampled = node.ask("/wsgi/b", {"traceparent": STRANGE.decode()[:-1] + "0"})[2].decode()
        self.assertRegex(unsampled, rf"^traceparent=00-{'a' * 32}-[0-9a-f]{{16}}-00\n$")
        alone = node.ask("/wsgi/c")[2].decode()
        self.assertRegex(alone, r"^traceparent=00-(?!a{32})[0-9a-f]{32}-[0-9a-f]{16}-02\n$")
        self.assertEqual(node.stop(), 0)
        spans = collector.spans()
        self.assertEqual({one["trace"] for one in spans}, {"a" * 32})
        self.assertEqual(sorted(one["parent"] == "b" * 16 for one in spans), [False, True])
        self.assertEqual({one["state"] for one in spans}, {"x=1"})

    def test_a_collector_that_comes_late_gets_what_was_kept_and_is_said_once(self) -> None:
        before = self.collect()
        before.stop()
        node = self.trace(before.url)
        for _ in range(5):
            self.assertEqual(node.ask("/wsgi/a")[0], 200)
        node.says("the collector does not take spans: no connection (Connection refused)")
        self.assertEqual(node.ask("/wsgi/a")[0], 200)
        self.assertFalse(node.admin("GET", "/check")[1]["ok"])
        self.assertGreater(node.metric("edge_trace_spans_total", "lost"), 0)
        after = self.collect(before.port)
        node.wait_for(lambda: node.ask("/wsgi/b")[0] == 200 and after.spans(), "spans arrive again")
        node.says("the collector takes spans again")
        self.assertEqual(node.said().count("does not take spans"), 1)

    def test_an_exporter_and_a_worker_that_are_killed_take_no_requests_along_and_the_last_spans_arrive(
        self,
    ) -> None:
        collector = self.collect()
        node = self.trace(collector.url)
        node.ask("/wsgi/a")
        self.wait(node, collector, 2)
        children = children_of(node)
        (exporter,) = [pid for pid, command in children.items() if "edge.node.exporter" in command]
        os.kill(exporter, signal.SIGKILL)
        for _ in range(5):
            self.assertEqual(node.ask("/wsgi/b")[0], 200)
        os.kill(node.worker_pids()[0], signal.SIGKILL)
        node.says("traces: the exporter was killed by SIGKILL")
        self.wait(node, collector, 12)
        node.wait_for(lambda: node.workers_ready() and node.ask("/wsgi/last")[0] == 200, "it serves again")
        self.assertEqual(node.stop(), 0)
        paths = [one["attributes"].get("url.path") for one in collector.spans()]
        self.assertEqual((paths.count("/wsgi/b"), paths.count("/wsgi/last")), (5, 1))


def children_of(node: HostingNode) -> dict[int, str]:
    """Processes that *node* has started, and their command lines."""
    assert node.process is not None
    found = {}
    for pid in Path(f"/proc/{node.process.pid}/task/{node.process.pid}/children").read_text().split():
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
        found[int(pid)] = command
    return found


class CheckTests(SynchronousTestCase):
    """``--check`` and wrong options."""

    def check(self, *options: str) -> tuple[int, str]:
        node = HostingNode(options=options)
        self.addCleanup(node.clean_up)
        node.options += ["--check"]
        code = node.spawn().wait(processes.PATIENCE)
        return code, node.said()

    def test_a_collector_that_is_there_and_one_that_is_not(self) -> None:
        spans = Path(tempfile.mkdtemp(prefix="edge-"))
        self.addCleanup(shutil.rmtree, spans)
        collector = Collector(spans / "spans")
        self.addCleanup(collector.stop)
        code, said = self.check("--traces", collector.url, "--traces-from", "10.0.0.0/8")
        self.assertEqual(code, 0, said)
        self.assertNotIn("warning", said)
        self.assertIn(f"traces     to {collector.url}/v1/traces, share 1, believing 10.0.0.0/8", said)
        collector.stop()
        code, said = self.check("--traces", collector.url)
        self.assertEqual(code, 0)
        self.assertIn(
            f"warning: --traces {collector.url}/v1/traces: no connection (Connection refused); is a", said
        )

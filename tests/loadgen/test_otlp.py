"""Figures by OpenTelemetry: to a collector that is there, that is not, and without the library."""

from __future__ import annotations

import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest.mock import patch

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import UsageError
from loadgen.live import Totals, otlp
from loadgen.live.otlp import OtlpView
from loadgen.results import Second
from tests.commands import run_command
from tests.loadgen.trickling import Trickling


class Collector(ThreadingHTTPServer):
    """Keeps what it is sent."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.asked.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join(20)


SECOND = Second(
    at=0, planned=12, sent=11, answered=10, statuses={"200": 9, "304": 1}, errors={"timeout": 1},
    nodes={"n1": 11}, bytes_in=5000, active=7, connections=8, latency_ms=[1.0, 2.0, 3.0, 4.0, 5.0, 2.5],
)  # fmt: skip


class OtlpTests(SynchronousTestCase):
    """One view."""

    def test_a_collector_gets_the_figures_with_their_attributes(self) -> None:
        collector = Collector()
        self.addCleanup(collector.stop)
        view = OtlpView(collector.url, "a test")
        view.update(SECOND, Totals(lag_p99_ms=0.5))
        view.update(SECOND, Totals(lag_p99_ms=0.5))
        view.close()
        path, data = collector.asked[-1]
        self.assertEqual(path, "/v1/metrics")
        message = ExportMetricsServiceRequest.FromString(data)
        (resource,) = message.resource_metrics
        self.assertIn(
            ("loadgen.title", "a test"),
            [(one.key, one.value.string_value) for one in resource.resource.attributes],
        )
        found = {}
        for metric in resource.scope_metrics[0].metrics:
            for point in (*metric.sum.data_points, *metric.gauge.data_points):
                labels = "".join(one.value.string_value for one in point.attributes)
                found[metric.name, labels] = point.as_int or point.as_double
        expected = {
            ("loadgen.planned", ""): 24, ("loadgen.responses", "304"): 2, ("loadgen.errors", "timeout"): 2,
            ("loadgen.node.requests", "n1"): 22, ("loadgen.users.active", ""): 7,
            ("loadgen.latency", "99"): 3.0, ("loadgen.latency", "95"): 2.5, ("loadgen.lag", ""): 0.5,
            ("loadgen.received", ""): 10_000,
        }  # fmt: skip
        self.assertEqual({name: found.get(name) for name in expected}, expected)

    def test_a_collector_that_is_not_there_is_said_once_and_ends(self) -> None:
        collector = Collector()
        url = collector.url
        collector.stop()
        self.patch(otlp, "PATIENCE_S", 1)

        def go(arguments: list[str]) -> int:
            view = OtlpView(url, "a test")
            view.update(SECOND, Totals())
            view.close()
            return 0

        _, _, err = run_command(go)
        self.assertEqual(err.count("the run goes on without"), 1, err)
        self.assertIn(url, err)

    def test_a_collector_that_never_ends_its_answers_is_said_too(self) -> None:
        """Each byte of them comes in time."""
        trickling = Trickling(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        self.addCleanup(trickling.close)
        self.patch(otlp, "PATIENCE_S", 1)

        def go(arguments: list[str]) -> int:
            view = OtlpView(f"http://127.0.0.1:{trickling.address[1]}", "a test")
            view.update(SECOND, Totals())
            view.close()
            return 0

        _, _, err = run_command(go)
        self.assertEqual(err.count("it has not answered; the run goes on without"), 1, err)

    def test_without_the_library_a_sentence_says_what_to_install(self) -> None:
        gone = dict.fromkeys(("opentelemetry.sdk.metrics", "opentelemetry.exporter"))
        with patch.dict(sys.modules, gone), self.assertRaises(UsageError) as caught:
            otlp.check("http://127.0.0.1:4318")
        self.assertIn("pip install 'twistd-edge[otlp]'", str(caught.exception))

"""Figures of a running test by OpenTelemetry: OTLP over HTTP, once a second, to whoever collects.

By the extra ``otlp`` (opentelemetry-sdk and its exporter).  Sums are counters, what is at a moment gauges;
the percentiles of a second are gauges with the attribute ``percentile``.
A collector that does not answer is said once, and never stops a run.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from loadgen.errors import UsageError
from loadgen.live.state import Totals
from loadgen.results import Result, Second

#: Of one export, and of the last one; seconds.
PATIENCE_S = 5
#: In the order of ``Second.latency_ms``.
_PERCENTILES = ("50", "90", "99", "99.9", "100", "95")
_PATH = "/v1/metrics"
#: Where the library says what goes wrong.
_LOGGERS = ("opentelemetry.sdk.metrics", "opentelemetry.exporter.otlp")


def check(url: str) -> None:
    """:exc:`UsageError` if *url* is no collector's address, or the library is not installed."""
    try:
        for name in ("opentelemetry.sdk.metrics", "opentelemetry.exporter.otlp.proto.http"):
            import_module(name)
    except ImportError as error:
        raise UsageError(
            f"--otlp: {error.name} is not installed; it comes with pip install 'twistd-edge[otlp]'"
        ) from None
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise UsageError(f"--otlp {url}: give a collector's address, like http://localhost:4318")


class OtlpView:
    """Sends each second to the collector at an address; implements :class:`loadgen.live.View`."""

    def __init__(self, url: str, title: str) -> None:
        """*url*: as :func:`check` takes it."""
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import MetricExportResult, PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource

        self._url = url
        whole = url if urlsplit(url).path.rstrip("/") else url.rstrip("/") + _PATH
        self._told = self._answered = False
        exporter = OTLPMetricExporter(endpoint=whole, timeout=PATIENCE_S)
        export = exporter.export

        def noted(*arguments: Any, **named: Any) -> Any:
            result = export(*arguments, **named)
            self._answered |= result is MetricExportResult.SUCCESS
            return result

        exporter.export = noted  # type: ignore[method-assign]
        self._reader = PeriodicExportingMetricReader(
            exporter,
            export_interval_millis=1000,
            export_timeout_millis=PATIENCE_S * 1000,
        )
        resource = Resource.create({"service.name": "loadgen", "loadgen.title": title})
        self._provider = MeterProvider([self._reader], resource=resource, shutdown_on_exit=False)
        meter = self._provider.get_meter("loadgen")
        self._counters = {
            name: meter.create_counter(f"loadgen.{name}", unit, about)
            for name, unit, about in (
                ("planned", "{request}", "Requests whose time came"),
                ("sent", "{request}", "Requests that were sent"),
                ("responses", "{response}", "Answers by status"),
                ("errors", "{request}", "Failed requests by reason"),
                ("received", "By", "Bytes received"),
                ("transmitted", "By", "Bytes sent"),
                ("node.requests", "{request}", "Requests to a node"),
            )
        }
        self._gauges = {
            name: meter.create_gauge(f"loadgen.{name}", unit, about)
            for name, unit, about in (
                ("users.active", "{user}", "Users within a session"),
                ("connections", "{connection}", "Open connections"),
                ("latency", "ms", "Corrected latency of the last second"),
                ("lag", "ms", "p99 of what the generator itself was late, of the run so far"),
            )
        }
        self._logging = _Once(self._complain)
        for name in _LOGGERS:
            logging.getLogger(name).addHandler(self._logging)
            logging.getLogger(name).propagate = False

    def update(self, second: Second, totals: Totals) -> None:
        count, show = self._counters, self._gauges
        count["planned"].add(second.planned)
        count["sent"].add(second.sent)
        count["received"].add(second.bytes_in)
        count["transmitted"].add(second.bytes_out)
        for name, attribute, numbers in (
            ("responses", "http.response.status_code", second.statuses),
            ("errors", "error.type", second.errors),
            ("node.requests", "loadgen.node", second.nodes),
        ):
            for label, number in numbers.items():
                count[name].add(number, {attribute: label})
        show["users.active"].set(second.active)
        show["connections"].set(second.connections)
        show["lag"].set(totals.lag_p99_ms)
        for percent, value in zip(_PERCENTILES, second.latency_ms, strict=False):
            show["latency"].set(value, {"percentile": percent})

    def close(self, result: Result | None = None) -> None:
        try:
            self._provider.shutdown(timeout_millis=PATIENCE_S * 1000)
        except Exception as error:  # whatever the library has to say of the collector
            self._complain(str(error))
        if not self._answered:
            self._complain("it has not answered")
        for name in _LOGGERS:
            logging.getLogger(name).removeHandler(self._logging)

    def _complain(self, why: str) -> None:
        if not self._told:
            self._told = True
            print(f"loadgen: --otlp {self._url}: {why}; the run goes on without", file=sys.stderr)


class _Once(logging.Handler):
    """What the library logs, told by somebody else."""

    def __init__(self, tell: Any) -> None:
        super().__init__(logging.WARNING)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(" ".join(record.getMessage().split())[:200])

"""A node's load in the standard header of ORCA (Open Request Cost Aggregation, xDS), text format."""

from __future__ import annotations

from edge.load.meters import Measurement

FIELD = "endpoint-load-metrics"


def _number(value: float) -> str:
    """At most three decimals, never an exponent, within 0 .. 10^9."""
    return f"{min(max(value, 0.0), 1e9):.3f}".rstrip("0").rstrip(".")


def orca_line(measured: Measurement) -> bytes:
    """The header line, ended by CRLF."""
    metrics = {
        "application_utilization": measured.shares.utilization,
        "cpu_utilization": measured.shares.cpu,
        "rps_fractional": measured.rps,
        "eps": measured.eps,
    }
    text = ",".join(f"{name}={_number(value)}" for name, value in metrics.items())
    return f"{FIELD}: TEXT {text}\r\n".encode("ascii")

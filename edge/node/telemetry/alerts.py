"""Alerts for Prometheus: when an operator has to act, and what to do then.

:data:`ALERTS` is the one list; :func:`rules` writes it as a file of rules.  A test holds each expression
against the registry of metrics, has promtool read the file, and makes each alert fire from series.
"""

from __future__ import annotations

import json
from typing import NamedTuple


class Alert(NamedTuple):
    """One alert: it fires when *expression* has held for *lasts* (as Prometheus writes times)."""

    name: str
    expression: str
    lasts: str
    #: "critical": visitors notice or soon will; "warning": there is time until tomorrow.
    severity: str
    #: What is the matter; and what to do about it.
    summary: str
    remedy: str


def _rate(metric: str) -> str:
    return f"sum by (job, instance) (rate({metric}[5m]))"


ALERTS = (
    Alert(
        "EdgeNodeGone", 'up{job="JOB"} == 0', "1m", "critical",
        "node {{ $labels.instance }} does not answer Prometheus",
        "edgectl status on the machine; journalctl -u twistd-edge",
    ),
    Alert(
        "EdgeNodeFull", "edge_utilization > 0.8", "5m", "warning",
        "{{ $labels.instance }} is at {{ $value | humanizePercentage }} of what it can do",
        "edge_share says of what; add a node, or see the tuning guide",
    ),
    Alert(
        "EdgeConnectionsRefused", _rate("edge_connections_refused_total") + " > 1", "5m", "critical",
        "{{ $labels.instance }} refuses {{ $value | humanize }} connections a second",
        "raise --max-connections and LimitNOFILE; the label limit says which limit it was",
    ),
    Alert(
        "EdgeTableIncomplete", "edge_table_complete == 0", "5m", "critical",
        "the table of {{ $labels.instance }} has no room for all of the site",
        "raise --table-mib, then restart",
    ),
    Alert(
        "EdgeErrors", _rate('edge_twisted_responses_total{status="5xx"}') + " > 1", "5m", "critical",
        "{{ $labels.instance }} answers {{ $value | humanize }} requests a second with 5xx",
        "the node's log names what failed; edgectl app list says how applications are",
    ),
    Alert(
        "EdgeWorkerRestarts", "sum by (job, instance) (increase(edge_worker_restarts_total[10m])) > 2", "0m",
        "warning",
        "workers of {{ $labels.instance }} die",
        "the node's log has the last words of each",
    ),
    Alert(
        "EdgeReactorLate", "max by (job, instance) (edge_reactor_lag_seconds) > 0.2", "5m", "warning",
        "a worker of {{ $labels.instance }} comes {{ $value | humanizeDuration }} late to its work",
        "the machine is overloaded, or an application mounted in the worker blocks",
    ),
    Alert(
        "EdgeApplicationDown",
        "edge_application_processes_ready < edge_application_processes", "2m", "critical",
        "processes of the application {{ $labels.application }} on {{ $labels.instance }} are not ready",
        "edgectl app list says why",
    ),
    Alert(
        "EdgeMembersMissing", "edge_gossip_members_suspect + edge_gossip_members_dead > 0", "1m", "critical",
        "{{ $labels.instance }} misses {{ $value }} nodes of its cluster",
        "edgectl members; a node that is gone for good leaves by edgectl drain",
    ),
    Alert(
        "EdgeBehind", "edge_gossip_behind > 0", "1m", "warning",
        "{{ $labels.instance }} lacks {{ $value }} changes that others have",
        "edgectl log; is the gossip port open in both directions, for TCP and UDP?",
    ),
    Alert(
        "EdgeTroubles", "edge_gossip_troubles > 0", "5m", "critical",
        "{{ $labels.instance }} has troubles that only an operator can mend",
        "edgectl status names them",
    ),
    Alert(
        "EdgeCertificateEnds",
        "edge_tls_certificate_expiry_timestamp_seconds - time() < 14 * 86400", "1h", "warning",
        "the certificate {{ $labels.file }} of {{ $labels.instance }} ends in "
        "{{ $value | humanizeDuration }}",
        "edgectl certificates says why it is not renewed",
    ),
    Alert(
        "EdgeCertificateProblem", "edge_tls_certificate_problem > 0", "1h", "warning",
        "the certificate {{ $labels.file }} of {{ $labels.instance }} cannot be used or not be renewed",
        "edgectl certificates has the last error",
    ),
    Alert(
        "EdgeTicketKeyOld", "edge_tls_ticket_key_age_seconds > 13 * 3600", "0m", "warning",
        "{{ $labels.instance }} has got no new key of session tickets for {{ $value | humanizeDuration }}",
        "edgectl tickets; edgectl members",
    ),
    Alert(
        "EdgeLogIncomplete", "increase(edge_access_log_dropped_total[10m]) > 0", "0m", "warning",
        "the access log of {{ $labels.instance }} lacks {{ $value | humanize }} requests",
        "is its disk full or slow?  The node's log says what was dropped and why",
    ),
)  # fmt: skip


def rules(job: str) -> str:
    """The alerts as a file of rules (YAML) for nodes that are scraped as *job*."""
    lines = ["groups:", "  - name: edge", "    rules:"]
    for alert in ALERTS:
        expression = alert.expression.replace('job="JOB"', f"job={json.dumps(job)}")
        lines += [
            f"      - alert: {alert.name}",
            f"        expr: {json.dumps(expression)}",
            f"        for: {alert.lasts}",
            f"        labels: {{severity: {alert.severity}}}",
            "        annotations:",
            f"          summary: {json.dumps(alert.summary)}",
            f"          description: {json.dumps(alert.remedy)}",
        ]
    return "\n".join(lines) + "\n"

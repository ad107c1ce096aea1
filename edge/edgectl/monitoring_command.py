"""``edgectl monitoring``: files for Prometheus and Grafana, made from what nodes expose; asks no node."""

from __future__ import annotations

import argparse
import json
from typing import Any


def add_commands(subparsers: Any) -> None:
    """Add ``monitoring`` with its own commands to those of ``edgectl``."""
    monitoring = subparsers.add_parser(
        "monitoring", help="files for Prometheus and Grafana: rules, dashboard"
    )
    commands = monitoring.add_subparsers(dest="monitoring_command", required=True, metavar="COMMAND")
    rules = commands.add_parser("rules", help="alerts for Prometheus: a file for its rule_files")
    rules.add_argument("--job", default="edge", metavar="NAME", help="job_name of the nodes (default edge)")
    commands.add_parser("dashboard", help="a dashboard for Grafana, to import as JSON")


def run(options: argparse.Namespace) -> int:
    """Print what *options* say; the exit code."""
    if options.monitoring_command == "rules":
        from edge.node.telemetry.alerts import ALERTS, rules

        if options.json:
            print(json.dumps([alert._asdict() for alert in ALERTS]))
        else:
            print(rules(options.job), end="")
    else:
        from edge.node.telemetry.dashboard import dashboard

        print(json.dumps(dashboard(), indent=None if options.json else 1))
    return 0

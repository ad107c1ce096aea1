"""``edgectl app``: the applications behind a node."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edge.edgectl.tables import applications_table, escape, facts_table

if TYPE_CHECKING:
    from rich.console import Console

    from edge.edgectl.admin_client import AdminClient


def add_commands(subparsers: Any) -> None:
    """Add ``app`` with its own commands to those of ``edgectl``."""
    app = subparsers.add_parser("app", help="applications behind the node: list, reload NAME, explain URL")
    commands = app.add_subparsers(dest="app_command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="the applications, and the processes of those that the node runs")
    reload = commands.add_parser(
        "reload", help="start new processes of an application; the old ones go on until these are ready"
    )
    reload.add_argument("name", metavar="NAME", help="the application's name, as edgectl app list has it")

    explain = commands.add_parser("explain", help="why is an address answered from the table, or not?")
    explain.add_argument("url", metavar="URL", help="or its path and query, like /ranking?page=2")


def run(options: argparse.Namespace, client: AdminClient, console: Console) -> int:
    """Do what *options* say; the exit code."""
    return _COMMANDS[options.app_command](options, client, console)


def _list(options: argparse.Namespace, client: AdminClient, console: Console) -> int:
    found = client.ask("GET", "/applications")
    if options.json:
        print(json.dumps(found))
        return 0
    console.print(applications_table(found["applications"]))
    for one in found["applications"]:
        if one["problem"]:
            console.print(f"[bold red]{escape(one['name'])}: {escape(one['problem'])}")
    return 0


def _reload(options: argparse.Namespace, client: AdminClient, console: Console) -> int:
    found = client.ask("POST", "/applications/reload", {"name": options.name})
    if options.json:
        print(json.dumps(found))
    elif found["problems"]:
        for problem in found["problems"]:
            console.print(f"[bold red]{escape(problem)}")
    else:
        console.print(f"{escape(options.name)}: {found['replaced']} process(es) replaced")
    return 1 if found["problems"] else 0


def _explain(options: argparse.Namespace, client: AdminClient, console: Console) -> int:
    found = client.ask("POST", "/applications/explain", {"url": options.url})
    if options.json:
        print(json.dumps(found))
        return 0
    if found["sentence"]:
        console.print(escape(found["sentence"]))
    for key in found["keys"]:
        fields = ", ".join(f"{name} = {value or '(any other)'}" for name, value in key["fields"].items())
        facts = {
            "application": found["application"],
            "fields": fields or None,
            "why": key["sentence"],
            "age": f"{key['age']:g} s" if key["stored"] else None,
            "groups": ", ".join(key["groups"]) or None,
            "bytes": ", ".join(f"{_VARIANTS.get(one, one)} {size}" for one, size in key["variants"].items())
            or None,
        }
        console.print(facts_table(key["target"], {name: value for name, value in facts.items() if value}))
    return 0


_VARIANTS = {"0": "plain", "1": "gzip", "2": "brotli"}
_COMMANDS: dict[str, Callable[[argparse.Namespace, AdminClient, Console], int]] = {
    "list": _list,
    "reload": _reload,
    "explain": _explain,
}

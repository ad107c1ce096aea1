"""``edgectl app``: the applications behind a node."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edge.edgectl.tables import applications_table, escape

if TYPE_CHECKING:
    from rich.console import Console

    from edge.edgectl.admin_client import AdminClient


def add_commands(subparsers: Any) -> None:
    """Add ``app`` with its own commands to those of ``edgectl``."""
    app = subparsers.add_parser("app", help="applications behind the node: list, reload NAME")
    commands = app.add_subparsers(dest="app_command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="the applications, and the processes of those that the node runs")
    reload = commands.add_parser(
        "reload", help="start new processes of an application; the old ones go on until these are ready"
    )
    reload.add_argument("name", metavar="NAME", help="the application's name, as edgectl app list has it")


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


_COMMANDS: dict[str, Callable[[argparse.Namespace, AdminClient, Console], int]] = {
    "list": _list,
    "reload": _reload,
}

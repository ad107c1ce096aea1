"""``edgectl``: look at a running node, and tell it things, over its admin socket."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edge.adminclient import AdminClient, AdminError, default_endpoint


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgectl",
        description="Looks at a running node of twistd edge, and tells it things.",
        epilog="Exit codes: 0 done, 1 it failed or is not as it should be, 2 wrong usage.",
    )
    parser.add_argument(
        "--admin",
        metavar="ENDPOINT",
        default=os.environ.get("EDGE_ADMIN"),
        help="admin endpoint of the node (default: $EDGE_ADMIN, or the socket in the state directory)",
    )
    parser.add_argument("--state-dir", metavar="DIR", help="the node's state directory")
    parser.add_argument(
        "--node", default="n1", help="the node's name, if that decides its state directory (default n1)"
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help="admin token, for a TCP endpoint (default: the state directory's)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("status", help="the node, its workers, table, site and load")
    publish = commands.add_parser("publish", help="publish the webroot again now, or another folder")
    publish.add_argument("directory", nargs="?", metavar="DIR", help="folder to serve from now on")
    purge = commands.add_parser("purge", help="take paths away, until their files change")
    purge.add_argument("paths", nargs="+", metavar="PATH", help="like /news/today.html")
    commands.add_parser("drain", help="finish what runs, then stop")
    commands.add_parser("check", help="is everything as it should be?")
    commands.add_parser("metrics", help="Prometheus text")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 failure, 2 wrong usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command == "purge":
        for path in options.paths:
            if not path.startswith("/"):
                parser.error(f"purge {path}: a path begins with /, as in the URL")
    try:
        client = _client(options)
        return _COMMANDS[options.command](client, options, Console(soft_wrap=not sys.stdout.isatty()))
    except AdminError as error:
        print(f"edgectl: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _client(options: argparse.Namespace) -> AdminClient:
    endpoint, token = default_endpoint(options.state_dir, options.node)
    return AdminClient(options.admin or endpoint, Path(options.token_file) if options.token_file else token)


def _status(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    status = client.ask("GET", "/status")
    if options.json:
        print(json.dumps(status))
        return 0
    console.print(_facts(f"node {status['node']} of cluster {status['cluster']}", {
        "state": status["state"], "version": status["version"], "pid": status["pid"],
        "up for": _duration(status["uptime_s"]), "fast path": status["fast_path"],
        "listens on": "\n".join(status["listeners"]),
    }))  # fmt: skip
    workers = Table(
        "worker", "pid", "state", "restarts", "connections", "requests", "lag ms", title="workers"
    )
    for one in status["workers"]:
        workers.add_row(*(_shown(one.get(name)) for name in _WORKER))
    console.print(workers)
    for title in ("load", "table"):
        console.print(_facts(title, status[title]))
    site = dict(status["site"])
    problems = site.pop("problems", [])
    if site.get("published_at"):
        site["published_at"] = datetime.fromtimestamp(site["published_at"], timezone.utc).isoformat(
            " ", "seconds"
        )
    console.print(_facts("site", site))
    _print_problems(problems, console)
    return 0


def _publish(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    directory = None if options.directory is None else str(Path(options.directory).absolute())
    done = client.ask("POST", "/publish", {"webroot": directory})
    if options.json:
        print(json.dumps(done))
        return 0
    console.print(_facts("published", {name: value for name, value in done.items() if name != "problems"}))
    _print_problems(done["problems"], console)
    return 0


def _purge(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    done = client.ask("POST", "/purge", {"paths": options.paths})
    if options.json:
        print(json.dumps(done))
    else:
        for path in done["purged"]:
            console.print(f"purged  {escape(path)}")
        for path in done["unknown"]:
            console.print(f"unknown {escape(path)}")
    return 1 if done["unknown"] else 0


def _drain(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    done = client.ask("POST", "/drain")
    print(json.dumps(done)) if options.json else console.print(f"the node is {done['state']}")
    return 0


def _check(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    found = client.ask("GET", "/check")
    if options.json:
        print(json.dumps(found))
    else:
        table = Table("check", "", "detail", title="checks")
        for one in found["checks"]:
            table.add_row(
                escape(one["name"]), "ok" if one["ok"] else "[bold red]FAILED", escape(str(one["detail"]))
            )
        console.print(table)
    return 0 if found["ok"] else 1


def _metrics(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    sys.stdout.write(client.ask_text("GET", "/.edge/metrics").decode())
    return 0


_WORKER = ("index", "pid", "state", "restarts", "connections", "requests", "lag_ms")
_COMMANDS = {
    "status": _status,
    "publish": _publish,
    "purge": _purge,
    "drain": _drain,
    "check": _check,
    "metrics": _metrics,
}


def _facts(title: str, facts: dict[str, Any]) -> Table:
    table = Table(title=title, show_header=False)
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), _shown(value))
    return table


def _shown(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    return escape(str(value))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _print_problems(problems: list[dict[str, str]], console: Console) -> None:
    if problems:
        table = Table("path", "problem", title="not published, or not as it is")
        for one in problems:
            table.add_row(escape(one["path"]), escape(one["problem"]))
        console.print(table)


if __name__ == "__main__":
    sys.exit(main())

"""``edgectl``: look at a running node, and tell it things, over its admin socket."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

import shtab
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from edge.edgectl import (
    app_command,
    cluster_command,
    convert_command,
    monitoring_command,
    try_command,
)
from edge.edgectl.admin_client import AdminClient, default_endpoint
from edge.edgectl.tables import (
    certificate_tables,
    duration,
    escape,
    facts_table,
    log_tables,
    members_table,
    shown,
    sites_table,
    tls_table,
)
from edge.errors import EdgeError, plain


def make_parser() -> argparse.ArgumentParser:
    """The command line; the reference in ``docs/`` is made from it, too."""
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
    publish.add_argument(
        "--site", metavar="NAME", help="of several sites this one: its name, or else its first host"
    )
    purge = commands.add_parser(
        "purge", help="take paths away, until their files change; or stored answers, on all nodes"
    )
    purge.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        help="like /news/today.html; of several sites, blog.example.org/today.html",
    )
    purge.add_argument(
        "--group",
        action="append",
        default=[],
        metavar="GROUP",
        help="what applications have said to be in this cache group; may be repeated",
    )
    purge.add_argument("--app", metavar="NAME", help="of this application alone")
    commands.add_parser("drain", help="finish what runs, then stop")
    check = commands.add_parser("check", help="is everything as it should be?")
    check.add_argument(
        "--security",
        action="store_true",
        help="what protects the node from its own workers, as it is in force",
    )
    commands.add_parser("metrics", help="Prometheus text")
    certificates = commands.add_parser(
        "certificates", help="the certificates of listeners, and their renewal"
    )
    certificates.add_argument(
        "--renew", action="store_true", help="order a new automatic one now, whatever has failed before"
    )
    tickets = commands.add_parser("tickets", help="the keys of session tickets that all nodes share")
    how = tickets.add_mutually_exclusive_group()
    how.add_argument("--next", action="store_true", help="seal under a new key from now on")
    how.add_argument(
        "--forget", action="store_true", help="and take no ticket of before: somebody may have read the keys"
    )
    commands.add_parser("members", help="the nodes of the cluster, as this one sees them")
    commands.add_parser("log", help="the change logs of all nodes, as far as they are here")
    app_command.add_commands(commands)
    convert_command.add_commands(commands)
    try_command.add_commands(commands)
    cluster_command.add_commands(commands)
    monitoring_command.add_commands(commands)
    completion = commands.add_parser("completion", help="completion for a shell, to be sourced by it")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), help="which")
    return parser


def _parse(parser: argparse.ArgumentParser, arguments: list[str] | None) -> argparse.Namespace:
    """The options; ``--json`` may stand anywhere, as people write it."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    given = words[: words.index("--")] if "--" in words else words
    if "--json" in given:
        words.remove("--json")
        words.insert(0, "--json")
    return parser.parse_args(words)


def main(arguments: list[str] | None = None) -> int:
    """The command ``edgectl``; its exit code: 0 done, 1 failure, 2 wrong usage."""
    parser = make_parser()
    options = _parse(parser, arguments)
    if options.command == "purge":
        if bool(options.paths) == bool(options.group) or (options.app and not options.group):
            parser.error("purge: give paths, or groups by --group, which --app narrows to one application")
        for path in options.paths:
            if "/" not in path:
                parser.error(f"purge {path}: a path begins with /, as in the URL, maybe behind the host")
    try:
        console = Console(soft_wrap=not sys.stdout.isatty())
        if options.command == "cluster":
            return cluster_command.run(options, lambda: _client(options), console)
        if options.command == "monitoring":
            return monitoring_command.run(options)
        if options.command == "completion":
            print(shtab.complete(parser, shell=options.shell), flush=True)
            return 0
        if options.command == "convert":
            return convert_command.run(options)
        if options.command == "try":
            return try_command.run(options, lambda: _client(options), console)
        if options.command == "app":
            return app_command.run(options, _client(options), console)
        return _COMMANDS[options.command](_client(options), options, console)
    except EdgeError as error:
        print(f"edgectl: {plain(str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read has seen enough, like head
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1


def _client(options: argparse.Namespace) -> AdminClient:
    endpoint, token = default_endpoint(options.state_dir, options.node)
    return AdminClient(options.admin or endpoint, Path(options.token_file) if options.token_file else token)


def _status(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    status = client.ask("GET", "/status")
    if options.json:
        print(json.dumps(status))
        return 0
    console.print(facts_table(f"node {status['node']} of cluster {status['cluster']}", {
        "state": status["state"], "version": status["version"], "pid": status["pid"],
        "up for": duration(status["uptime_s"]), "fast path": status["fast_path"],
        "listens on": "\n".join(status["listeners"]),
    }))  # fmt: skip
    for sentence in status.get("troubles", ()):
        console.print(f"[bold red]{escape(sentence)}")
    workers = Table(
        "worker", "pid", "state", "restarts", "connections", "requests", "lag ms", title="workers"
    )
    for one in status["workers"]:
        workers.add_row(*(shown(one.get(name)) for name in _WORKER))
    console.print(workers)
    for title in ("load", "table"):
        console.print(facts_table(title, status[title]))
    if status.get("tls") is not None:
        console.print(tls_table(status["tls"]))
    site = dict(status["site"])
    problems = site.pop("problems", [])
    if site.get("published_at"):
        site["published_at"] = datetime.fromtimestamp(site["published_at"], timezone.utc).isoformat(
            " ", "seconds"
        )
    sites = status.get("sites")
    console.print(facts_table("site", site) if not sites else sites_table(sites))
    for one in sites or [{"problems": problems}]:
        _print_problems(one["problems"], console)
    return 0


def _publish(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    directory = None if options.directory is None else str(Path(options.directory).absolute())
    done = client.ask("POST", "/publish", {"webroot": directory, "site": options.site})
    if options.json:
        print(json.dumps(done))
        return 0
    console.print(
        facts_table("published", {name: value for name, value in done.items() if name != "problems"})
    )
    _print_problems(done["problems"], console)
    return 0


def _purge(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    if options.group:
        return _purge_groups(client, options, console)
    done = client.ask("POST", "/purge", {"paths": options.paths})
    if options.json:
        print(json.dumps(done))
    else:
        for path in done["purged"]:
            console.print(f"purged  {escape(path)}")
        for path in done["unknown"]:
            console.print(f"unknown {escape(path)}")
    return 1 if done["unknown"] else 0


def _purge_groups(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    done = client.ask("POST", "/purge", {"groups": options.group, "application": options.app})
    if options.json:
        print(json.dumps(done))
    else:
        names, applications = ", ".join(done["groups"]), ", ".join(done["applications"])
        console.print(f"purged {escape(names)} of {escape(applications)} on this node and all connected ones")
    if done["unsettled"]:
        sentence = f"{done['unsettled']} nodes have not confirmed it yet; they may answer what was before"
        console.print(f"[bold red]{sentence}", highlight=False)
    return 1 if done["unsettled"] else 0


def _drain(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    done = client.ask("POST", "/drain")
    print(json.dumps(done)) if options.json else console.print(f"the node is {done['state']}")
    return 0


def _check(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    found = client.ask("GET", "/security" if options.security else "/check")
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
    text = client.ask_text("GET", "/.edge/metrics").decode()
    print(json.dumps(_series(text)) if options.json else text, end="\n" if options.json else "")
    return 0


def _series(text: str) -> dict[str, list[dict[str, object]]]:
    """The metrics in *text* as ``{series: [{"labels": {...}, "value": ...}, ...]}``."""
    found: dict[str, list[dict[str, object]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append({"labels": sample.labels, "value": sample.value})
    return found


def _certificates(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    if options.renew:
        client.ask("POST", "/renew")
    found = client.ask("GET", "/certificates")
    if options.json:
        print(json.dumps(found))
    else:
        for table in certificate_tables(found):
            console.print(table)
    return 0


def _tickets(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    if options.next or options.forget:
        found = client.ask("POST", "/tickets", {"forget": options.forget})
    else:
        found = client.ask("GET", "/tickets")
    if options.json:
        print(json.dumps(found))
    else:
        console.print(
            facts_table("session tickets", {
                "sealed under": found["keys"][0],
                "taken as well": "\n".join(found["keys"][1:]) or None,
                "age of the key": duration(found["age_s"]),
            })
        )  # fmt: skip
    return 0


def _members(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    found = client.ask("GET", "/members")
    print(json.dumps(found)) if options.json else console.print(members_table(found))
    return 0


def _log(client: AdminClient, options: argparse.Namespace, console: Console) -> int:
    found = client.ask("GET", "/log")
    if options.json:
        print(json.dumps(found))
    else:
        for table in log_tables(found):
            console.print(table)
    return 0


_WORKER = ("index", "pid", "state", "restarts", "connections", "requests", "lag_ms")
_COMMANDS = {
    "status": _status,
    "publish": _publish,
    "purge": _purge,
    "drain": _drain,
    "check": _check,
    "metrics": _metrics,
    "certificates": _certificates,
    "tickets": _tickets,
    "members": _members,
    "log": _log,
}


def _print_problems(problems: list[dict[str, str]], console: Console) -> None:
    if problems:
        table = Table("path", "problem", title="not published, or not as it is")
        for one in problems:
            table.add_row(escape(one["path"]), escape(one["problem"]))
        console.print(table)


if __name__ == "__main__":
    sys.exit(main())

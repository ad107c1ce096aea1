"""The subcommand ``loadgen replay LOG... --to URL``: a log's own requests, at its own times."""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path, PurePath
from urllib.parse import urlsplit

from loadgen.errors import UsageError
from loadgen.logs import files as log_files
from loadgen.run.coordinator import loading
from loadgen.run.coordinator.finish import Finish, check_writable
from loadgen.run.coordinator.replay_log import Prepared, prepare
from loadgen.run.coordinator.worker_pool import WorkerPool
from loadgen.run.messages.job import Job, NodeAddress, Schedule
from loadgen.run.messages.scenario import Scenario
from loadgen.run.messages.sitemap import SiteMap
from loadgen.targets import resolve, tls_name
from loadgen.trust import Trust, check
from loadgen.trust import read as read_trust
from loadgen.verdict.thresholds import parse_threshold

_MOST_SPEED = 1e6
#: Requests per second of one process.
_EACH = 4000


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    log_files.configure(parser)
    parser.add_argument(
        "--to", required=True, action="append", metavar="URL",
        help="the server, like http://localhost:8001; several share the clients",
    )  # fmt: skip
    parser.add_argument(
        "--speed", type=float, default=1.0, metavar="N",
        help="so many times as fast as the log (default 1); below 1 it is slower",
    )  # fmt: skip
    parser.add_argument(
        "--secrets", action="store_true",
        help="send addresses as they are in the log; otherwise what looks like a key or a mail address is x",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", action="append", default=[], metavar="THRESHOLD",
        help='what has to hold, like "p99 < 50ms"',
    )  # fmt: skip
    parser.add_argument("--timeout", type=float, default=10.0, metavar="S", help="for an answer (default 10)")
    loading.configure(parser, "the clients")
    Finish.configure(parser)


def main(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """0 ok, 1 error, 2 usage or a threshold missed, 3 the run is invalid, 130 Ctrl-C."""
    _check(options, parser)
    finish = Finish(options, parser)
    name = PurePath(options.logs[0]).name if options.logs[0] != log_files.STANDARD_INPUT else "log"
    out = options.out or Path("results", f"{name.partition('.')[0]}-{time.strftime('%Y%m%d-%H%M%S')}")
    check_writable(out)
    owned = tuple(options.i_own_this_target)
    nodes = [_node(url, owned) for url in options.to]
    trust = read_trust(options.cafile, options.insecure)
    for node in nodes:
        if tls_name(node.url):
            check(node.url, (node.host, node.port), trust)
    with tempfile.TemporaryDirectory(prefix="loadgen-") as folder:
        schedule = Path(folder, "schedule")
        prepared = prepare(options.logs, schedule, options.speed, options.secrets)
        for sentence in _said(prepared):
            print(sentence, file=sys.stderr)
        scenario = _scenario(f"Replay of {name}", prepared, options)
        jobs = _deal(scenario, prepared, str(schedule), nodes, trust, options)
        pool = WorkerPool(len(jobs), [node.host for node in nodes], [], b"")
        return finish.run(pool, jobs, " ".join(options.to), name, out)


def _check(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    if not 1 / _MOST_SPEED <= options.speed <= _MOST_SPEED:
        parser.error(f"--speed {options.speed:g}: give a factor like 10, up to {_MOST_SPEED:,.0f}")
    if not 0 < options.timeout <= 3600:
        parser.error(f"--timeout {options.timeout:g}: give seconds above 0 and up to an hour")
    loading.check(options, parser)
    for text in options.threshold:
        try:
            parse_threshold(text)
        except ValueError as error:
            parser.error(f"--threshold {error}")


def _node(url: str, owned: tuple[str, ...]) -> NodeAddress:
    target = resolve(url, owned)
    if urlsplit(url).path not in ("", "/"):
        raise UsageError(f"--to {url}: a log has whole paths; give the server alone")
    return NodeAddress(target.host, url.rstrip("/"), *target.address)


def _said(prepared: Prepared) -> Sequence[str]:
    sentences = list(prepared.account.said())
    if prepared.others:
        sentences.append(
            f"{prepared.others:,} requests are not sent: neither GET nor HEAD, and no log has bodies"
        )
    if prepared.changed:
        sentences.append(
            f"{prepared.changed:,} addresses are sent with x for what looks like a key, an identity or a "
            "mail address; --secrets sends them as they are"
        )
    return sentences


def _scenario(title: str, prepared: Prepared, options: argparse.Namespace) -> Scenario:
    return Scenario(
        v=1,
        title=title,
        users=prepared.users,
        # What is due last is due before the end.
        duration_s=prepared.seconds + 0.5,
        policy="one",
        timeout_s=options.timeout,
        thresholds=tuple(options.threshold),
    )


def _deal(
    scenario: Scenario,
    prepared: Prepared,
    schedule: str,
    nodes: list[NodeAddress],
    trust: Trust,
    options: argparse.Namespace,
) -> list[Job]:
    rate = prepared.requests / scenario.duration_s
    needed = min(os.cpu_count() or 1, math.ceil(rate / _EACH))
    parts = min(prepared.users, options.processes or max(1, needed))
    return [
        Job(
            scenario=scenario,
            site=SiteMap([], []),
            nodes=nodes,
            users=-(-prepared.users // parts),
            seed=number,
            neighbours=parts,
            wire=options.wire,
            trust=trust,
            schedule=Schedule(schedule, number, parts),
        )
        for number in range(parts)
    ]

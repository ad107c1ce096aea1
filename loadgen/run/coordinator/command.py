"""The subcommand ``loadgen run SCENARIO --cluster URL``, or ``--plain URL``: from options to exit code."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from loadgen.errors import LoadgenError
from loadgen.run.coordinator import loading
from loadgen.run.coordinator.crawl import Crawler
from loadgen.run.coordinator.crawl_progress import CrawlProgress
from loadgen.run.coordinator.dealing import deal, rate_of, socket_processes, user_processes
from loadgen.run.coordinator.finish import Finish, check_writable
from loadgen.run.coordinator.plain_crawl import PlainCrawler
from loadgen.run.coordinator.scenario_file import read
from loadgen.run.coordinator.worker_pool import WorkerPool
from loadgen.run.messages.addresses import parse_address
from loadgen.run.messages.job import Job, NodeAddress
from loadgen.run.messages.scenario import POLICIES, Scenario, Sockets
from loadgen.run.messages.sitemap import SiteMap
from loadgen.run.messages.token import read_token
from loadgen.targets import Target, resolve, tls_name
from loadgen.trust import Trust, check
from loadgen.trust import read as read_trust
from loadgen.wire.interface import Limits

#: The scenario of who has none yet: a verdict within a minute, of an installed package, too.
FIRST_LOOK = Path(__file__).with_name("first-look.toml")
_MOST_USERS = 100_000_000
#: Addresses that are missing: so many are named.
_NAMED = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.add_argument(
        "scenario", type=Path, nargs="?", default=FIRST_LOOK,
        help="a TOML file, like scenarios/returning-readers.toml (default: a first look of 15 s)",
    )  # fmt: skip
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--cluster", metavar="URL", help="any node, like http://localhost:8001")
    where.add_argument(
        "--plain", metavar="URL", help="any server instead: browsers without the smart client read its site"
    )
    parser.add_argument("--users", type=int, metavar="N", help="instead of the scenario's; rates follow")
    parser.add_argument("--duration", type=float, metavar="S", help="seconds, instead of the scenario's")
    parser.add_argument(
        "--policy", choices=POLICIES, help="how users choose a node, instead of the scenario's"
    )
    parser.add_argument(
        "--seed", type=int, metavar="N", help="of all random numbers, instead of the scenario's"
    )
    parser.add_argument(
        "--state", type=Path, action="append", default=[], metavar="DIR",
        help="of the state of a node here: its metrics of applications are told, too",
    )  # fmt: skip
    parser.add_argument(
        "--workers", default="", metavar="HOST,...", help="machines that run loadgen worker: they do it"
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="what workers know us by")
    loading.configure(parser, "the users")
    Finish.configure(parser)


def main(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """0 ok, 1 error, 2 usage or a threshold missed, 3 the run is invalid, 130 Ctrl-C."""
    written = read(options.scenario)
    scenario = _changed(written, options, parser)
    workers = [address.strip() for address in options.workers.split(",") if address.strip()]
    for address in workers:
        try:
            parse_address(address)
        except ValueError as error:
            parser.error(f"--workers {error}")
    folder = options.scenario.parent
    rate = rate_of(scenario.arrivals, folder, scenario.duration_s)
    rate = rate.scaled(scenario.users / written.users)
    processes = options.processes or user_processes(scenario, max(rate.rates))
    if scenario.users < max(len(workers), processes):
        parser.error(f"--users {scenario.users}: each process needs a user at least")
    out = options.out or Path("results", f"{options.scenario.stem}-{time.strftime('%Y%m%d-%H%M%S')}")
    check_writable(out)
    finish = Finish(options, parser)
    url = options.plain or options.cluster
    trust = read_trust(options.cafile, options.insecure)
    target = resolve(url, tuple(options.i_own_this_target))
    if options.plain:
        scenario = _plainly(scenario, target)
    nodes, site = _looked(options, scenario, target, trust)
    token = read_token(options.token_file) if workers else b""
    processes += socket_processes(scenario)
    if workers and len(workers) <= socket_processes(scenario):
        parser.error(f"--workers: {socket_processes(scenario)} of them hold sockets; name more")
    pool = WorkerPool(processes, [node.host for node in nodes], workers, token)
    whole = Job(
        scenario=scenario, site=site, nodes=nodes, seed=scenario.seed, wire=options.wire,
        plain=bool(options.plain), trust=trust,
    )  # fmt: skip
    jobs = deal(whole, len(pool), rate, bool(workers))
    return finish.run(pool, jobs, url, str(options.scenario), out, options.state)


def _looked(
    options: argparse.Namespace, scenario: Scenario, target: Target, trust: Trust
) -> tuple[list[NodeAddress], SiteMap]:
    """The nodes that are asked and what their site has; what is left out of it is said."""
    url = options.plain or options.cluster
    crawler = (PlainCrawler if options.plain else Crawler)(_origin(url), target.address, trust)
    progress = CrawlProgress(url, sys.stderr)
    if not options.json:
        crawler.looking = progress.looking
    with contextlib.closing(crawler), contextlib.closing(progress):
        owned = tuple(options.i_own_this_target)
        nodes = [_server(url, target)] if options.plain else _nodes(crawler, owned)
        _check_tls(nodes, trust)
        crawler.ask_for(scenario.site.queries, scenario.site.documents)
        site = (
            crawler.listed(options.scenario.parent / scenario.site.list)
            if scenario.site.list
            else crawler.site(scenario.site.start, scenario.site.pages)
        )
    for one in crawler.left_out:
        print(f"loadgen run: {one} is left out: it is over {Limits().body_bytes >> 20} MiB", file=sys.stderr)
    if missing := crawler.missing:
        named = ", ".join(missing[:_NAMED]) + (" ..." if len(missing) > _NAMED else "")
        print(f"loadgen run: not there, and so not asked for, though pages name it: {named}", file=sys.stderr)
    return nodes, site


def _changed(scenario: Scenario, options: argparse.Namespace, parser: argparse.ArgumentParser) -> Scenario:
    """The scenario with what the command line sets instead."""
    if options.users is not None and not 1 <= options.users <= _MOST_USERS:
        parser.error(f"--users {options.users}: give 1 to {_MOST_USERS:,}")
    if options.duration is not None and not 0 < options.duration <= 86_400:
        parser.error(f"--duration {options.duration:g}: give seconds above 0 and up to a day")
    loading.check(options, parser)
    if options.seed is not None and options.seed < 0:
        parser.error(f"--seed {options.seed}: give 0 or more")
    given = {"users": options.users, "duration_s": options.duration, "seed": options.seed}
    given |= {"policy": options.policy}
    return msgspec.structs.replace(
        scenario, **{name: value for name, value in given.items() if value is not None}
    )


def _plainly(scenario: Scenario, target: Target) -> Scenario:
    """The *scenario* for any server: what only a cluster has is left out, and said to be."""
    if scenario.sockets.share:
        print("loadgen run: --plain: no WebSockets are opened; [sockets] is for clusters", file=sys.stderr)
    site = scenario.site
    if target.path != "/" and site.start == "/":
        site = msgspec.structs.replace(site, start=target.path)
    return msgspec.structs.replace(scenario, policy="one", sockets=Sockets(), site=site)


def _check_tls(nodes: Sequence[NodeAddress], trust: Trust) -> None:
    """Look whether the TLS of *nodes* can be spoken; :exc:`LoadgenError` says why not."""
    for node in nodes:
        if tls_name(node.url):
            check(node.url, (node.host, node.port), trust)


def _origin(url: str) -> str:
    """Scheme and authority of *url*, as clients name them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _server(url: str, target: Target) -> NodeAddress:
    """Any server, as the one node of a run."""
    return NodeAddress(target.host, _origin(url), target.address[0], target.address[1])


def _nodes(crawler: Crawler, owned: tuple[str, ...]) -> list[NodeAddress]:
    """The nodes of the cluster that clients may choose, and their addresses."""
    found = []
    for node in crawler.load().nodes:
        if not node.weight:
            continue
        target = resolve(node.url, owned)
        found.append(NodeAddress(node.id, node.url, target.address[0], target.address[1]))
    if not found:
        raise LoadgenError("no node of the cluster takes clients yet; wait until make run says so")
    if len(found) > 64:
        raise LoadgenError(f"the cluster has {len(found)} nodes; 64 can be told apart at most")
    return found

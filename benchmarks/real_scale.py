"""``loadgen simulate`` measured: how long it takes, what it shows, and whether a real run is like it.

A thousandth of ten million users on four real nodes, and simulated with the same habits.

The simulation is told what crawling found of the site, and how often users come; everything else it has to
know itself.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks import smart_clients
from loadgen import constants
from loadgen.models.choice import POLICIES
from loadgen.models.think import Think
from loadgen.results import Result
from loadgen.run.coordinator.crawl import Crawler
from loadgen.run.messages.sitemap import SiteMap
from loadgen.simulate.cohorts import Cohorts, World
from loadgen.simulate.inputs import ClusterInputs, Day, Inputs, Population
from loadgen.simulate.loading import with_utilization
from loadgen.simulate.outcome import Outcome
from loadgen.simulate.parallel import simulate
from tests.end_to_end.cluster import RunningCluster

USERS, PAGES, SHARED, OWN = 10_000, 60, 6, 2
#: Sessions per second, page views of one, seconds between two.
RATE, VIEWS, THINK = 60.0, 5.0, 4.0

_SCENARIO = """
v = 1
title = "a thousandth"
users = {users}
duration_s = {seconds}
arrivals = {{ kind = "poisson", rate_per_s = {rate} }}
session = {{ pages_mean = {views}, think = {{ kind = "exponential", mean_s = {think} }} }}
site = {{ start = "/page-0.html", pages = {pages}, zipf = 1.0 }}
"""


class Figure(NamedTuple):
    """The same thing, counted twice."""

    name: str
    run: float
    simulated: float

    @property
    def difference(self) -> float:
        """Of the simulation, relative to the run."""
        return self.simulated / self.run - 1 if self.run else 0.0


def day() -> tuple[float, int]:
    """Seconds for ten million users over a day under every policy, and on how many cores."""
    begun = time.monotonic()
    simulate(World(Inputs(), constants.load(None)), POLICIES)
    return time.monotonic() - begun, len(os.sched_getaffinity(0))


def herds() -> tuple[float, float]:
    """Herd index of the smart client, and of going to the least loaded: rho 0.8, figures 5 s old."""
    inputs = Inputs(users=Population(warm_share=1.0), day=Day(hours=0.5, peak_to_mean=1.0))
    costs = constants.load(None)
    world = World(with_utilization(World(inputs, costs), 0.8), costs)
    smart, least = (Cohorts(world, policy).run().herd_mean for policy in ("smart", "least-loaded"))
    return smart, least


def write_site(folder: Path) -> None:
    """Pages of one length that all link to each other, with style sheets of all and pictures of their own."""
    links = "".join(f'<a href="/page-{number}.html">{number:02}</a>' for number in range(PAGES))
    head = "".join(f'<link rel="stylesheet" href="/{number}.css">' for number in range(SHARED))
    for number in range(PAGES):
        images = "".join(f'<img src="/page-{number:02}-{own}.svg">' for own in range(OWN))
        text = f"<!doctype html><title>{number:02}</title>{head}{images}{links}<p>page {number:02}"
        (folder / f"page-{number}.html").write_text(text)
        for own in range(OWN):
            svg = f'<svg xmlns="http://www.w3.org/2000/svg"><title>{number:02} {own}</title></svg>'
            (folder / f"page-{number:02}-{own}.svg").write_text(svg)
    for number in range(SHARED):
        (folder / f"{number}.css").write_text(f".c{number} {{ color: #{number:06x} }}\n" * 40)


def measure(folder: Path, seconds: float) -> list[Figure]:
    """The figures of both."""
    folder.mkdir(parents=True, exist_ok=True)
    cluster = RunningCluster(4)
    try:
        write_site(cluster.nodes[0].site)
        cluster.start()
        for one in cluster.nodes:
            one.wait_for(lambda one=one: one.ask(f"/{SHARED - 1}.css")[0] == 200, "it has the site")
        url = f"http://127.0.0.1:{cluster.nodes[0].port}"
        site = Crawler(url, ("127.0.0.1", int(urlsplit(url).port or 0))).site("/page-0.html", PAGES)
        scenario = folder / "scenario.toml"
        given = {
            "users": USERS,
            "seconds": seconds,
            "rate": RATE,
            "views": VIEWS,
            "think": THINK,
            "pages": PAGES,
        }
        scenario.write_text(_SCENARIO.format(**given))
        result = smart_clients.run(folder, url, scenario)
    finally:
        cluster.clean_up()
    return _compared(result, simulated(site, seconds))


def simulated(site: SiteMap, seconds: float) -> Outcome:
    """The same users on the same site, as cohorts."""
    beside = len(site.beside)
    pages = [site.resources[parts[0]].size for parts in site.pages]
    assets = [site.resources[part].size for part in site.pages[0][1:]]
    client = [site.resources[part].size for part in site.worker]
    users = Population(
        users=USERS,
        session_pages=VIEWS,
        think=Think(kind="exponential", mean_s=THINK),
        return_interval_s=USERS / RATE - VIEWS * THINK,
        warm_share=0.0,
        websocket_share=0.0,
        pages=len(site.pages),
        assets_per_page=len(site.pages[0]) - 1 + beside,
        shared_assets=SHARED + beside,
        page_bytes=sum(pages) / len(pages),
        asset_bytes=sum(assets) / len(assets),
        client_files=len(site.worker) - len(set(site.worker) & set(site.beside)),
        client_bytes=float(sum(client)),
        kept_pages=12,
    )
    day = Day(hours=seconds / 3600, peak_to_mean=1.0, step_s=0.25)
    inputs = Inputs(users=users, cluster=ClusterInputs(cores=1), day=day)
    return Cohorts(World(inputs, constants.load(None)), "smart").run()


def _compared(result: Result, outcome: Outcome) -> list[Figure]:
    run, sim = result.counts, outcome.counts
    received = sum(node.bytes_in for node in result.nodes)
    sent = sum(node.bytes_out for node in result.nodes)
    bodies = sum(sim[name] for name in ("page", "asset", "client", "newer"))
    each = [
        Figure("requests", run["requests"], outcome.requests),
        Figure("validators", run["validators"], sim["validator"]),
        Figure("bodies", run["bodies"], bodies),
        Figure("bytes to the nodes", sent, outcome.payload_in),
        Figure("bytes from the nodes", received, outcome.payload_out),
    ]
    return [
        Figure("sessions", run["sessions"], sim["session"]),
        Figure("page views", run["page_views"], sim["view"]),
        # By page view, so that what chance does to their number is not counted again.
        *(Figure(one.name, one.run / run["page_views"], one.simulated / sim["view"]) for one in each),
        Figure("share confirmed", result.measures["share_304"], outcome.confirmed_share),
    ]

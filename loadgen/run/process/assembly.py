"""The components of a worker process, put together from its job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge.descriptors import raise_descriptor_limit
from loadgen.models import draws
from loadgen.models.arrivals import Rate, constant, poisson
from loadgen.models.calendar import TICKS, Calendar
from loadgen.models.users import BEGIN, Users
from loadgen.run.client.choosing import Choosing
from loadgen.run.client.clock import Clock
from loadgen.run.client.heads import BrowserHeads, Heads
from loadgen.run.client.private_cache import PrivateCache
from loadgen.run.client.sender import Sender
from loadgen.run.client.site import Site
from loadgen.run.messages.job import Job
from loadgen.run.process.arrival_scheduler import ArrivalScheduler
from loadgen.run.process.interval_stats import IntervalStats
from loadgen.run.process.plain_readers import PlainReaders
from loadgen.run.process.sessions import SessionParts, Sessions
from loadgen.run.process.virtual_users import VirtualUsers
from loadgen.targets import tls_name
from loadgen.wire import select
from loadgen.wire.interface import Limits, Wire

#: What kernels allow one process without being asked.
_MOST_DESCRIPTORS = 1_000_000


@dataclass
class WorkerComponents:
    """What the engine of a process drives, and what it reports from."""

    names: list[str]
    clock: Clock
    users: Users
    wire: Wire
    sender: Sender
    virtual_users: Sessions
    arrivals: ArrivalScheduler
    stats: IntervalStats
    counts: Counter[str]
    timeout_ns: int
    bytes_per_user: float


def assemble(job: Job) -> WorkerComponents:
    """All components of *job*; the clock begins with the run."""
    scenario = job.scenario
    # A stream of its own for each purpose: one more draw of one does not change all others.
    streams = [np.random.default_rng(one) for one in np.random.SeedSequence(job.seed).spawn(11)]
    session = scenario.session
    weights = draws.zipf_weights(len(job.site.pages), scenario.site.zipf)
    uniform = draws.uniform(streams[0])
    drawn = {
        "uniform": uniform,
        "think": draws.think_times(streams[1], session.think),
        "pages": draws.page_counts(streams[2], session.pages_mean),
        "page": draws.zipf(streams[3], weights),
    }
    urls = [node.url for node in job.nodes]
    limits = Limits(idle_ns=int(scenario.keep_alive_s * 1e9), timeout_ns=int(scenario.timeout_s * 1e9))
    # A browser has a connection or two; with retries and hedges, more.
    raise_descriptor_limit(min(3 * job.users, _MOST_DESCRIPTORS))
    wire = select(job.wire, job.users, limits, job.trust, any(tls_name(node.url) for node in job.nodes))
    for node in job.nodes:
        wire.node(node.host, node.port, tls_name(node.url))
    users = Users(job.users, len(urls))
    for user in range(len(urls)):  # each comes from its home first
        users.node[user :: len(urls)] = bytes([user]) * len(range(user, job.users, len(urls)))
    if scenario.cache.warm:
        ages = int(scenario.cache.age_s * TICKS)
        users.warm(scenario.cache.warm, scenario.cache.pages, weights, ages, streams[4])
    clock = Clock()
    calendar = Calendar(job.users, BEGIN)
    counts: Counter[str] = Counter()
    choosing = Choosing(users, scenario.policy, urls, draws.uniform(streams[5]))
    names = [node.id for node in job.nodes]
    stats = IntervalStats(names)
    heads = BrowserHeads(urls) if job.plain else Heads(urls)
    sender = Sender(wire, clock, users, choosing, heads, draws.uniform(streams[8]), counts)
    parts = SessionParts(users, calendar, sender, clock, wire, counts, drawn, stats.ended, scenario.mutations)
    virtual_users: Sessions
    if job.plain:
        virtual_users = PlainReaders(PrivateCache(job.site, users), urls[0], parts)
    else:
        stale_ticks, informed = int(scenario.stale_ms * TICKS / 1000), int(scenario.sockets.share * job.users)
        virtual_users = VirtualUsers(Site(job.site), choosing, parts, stale_ticks, informed)
    comes = draws.uniform(streams[10])
    arrivals = ArrivalScheduler(
        users, calendar, virtual_users, _times(job, streams[6]), counts, session.pages_mean, comes
    )
    if scenario.arrivals.present:
        left = draws.left_over(streams[9], drawn["think"])
        arrivals.present(scenario.arrivals.present, draws.uniform(streams[7]), left)
    memory = (users.memory() + calendar.memory()) / job.users
    return WorkerComponents(
        names, clock, users, wire, sender, virtual_users, arrivals, stats, counts, limits.timeout_ns, memory
    )


def _times(job: Job, random: np.random.Generator) -> Iterator[float]:
    if job.scenario.arrivals.kind == "constant":
        return constant(job.rates[0], job.phase)
    return poisson(Rate(job.rate_seconds, job.rates, job.rate_is_linear), random)

"""The work of a run dealt out to its processes: how many it takes, and the share of each."""

from __future__ import annotations

import math
import os
from pathlib import Path

import msgspec

from edge.descriptors import connection_limit, raise_descriptor_limit
from loadgen.errors import UsageError
from loadgen.models.arrivals import Rate, parse_rates
from loadgen.run.messages.job import Job
from loadgen.run.messages.scenario import Arrivals, Scenario

#: Sockets that one process holds, where it may have as many descriptors.
SOCKETS = 25_000
#: Page views per second of one process: at 2,500, three requests each, its p99 lag was 3 ms.
VIEWS_EACH = 1500


def rate_of(arrivals: Arrivals, folder: Path, duration: float) -> Rate:
    """The arrival rate over time, sessions per second, for the scenario's users; :exc:`UsageError`."""
    if arrivals.kind == "ramp":
        return Rate((0.0, duration), (arrivals.rate_per_s, arrivals.to_per_s), linear=True)
    if arrivals.kind == "steps":
        return Rate([second for second, _ in arrivals.steps], [rate for _, rate in arrivals.steps])
    if arrivals.kind == "replay":
        file = folder / arrivals.file
        try:
            return parse_rates(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{file}: {getattr(error, 'strerror', None) or error}") from None
    return Rate((0.0,), (arrivals.rate_per_s,))


def socket_processes(scenario: Scenario) -> int:
    """How many processes it takes to hold all sockets."""
    sockets = round(scenario.sockets.share * scenario.users)
    return math.ceil(sockets / min(SOCKETS, connection_limit(raise_descriptor_limit(SOCKETS))))


def user_processes(scenario: Scenario, most_per_s: float) -> int:
    """How many processes it takes, at *most_per_s* arrivals: for connections and for page views in time.

    By Little's law so many users are in a session; each has a connection at least, and where descriptors run
    out those at rest make room.  More processes than cores would make each other late.
    """
    session = scenario.session
    active = scenario.arrivals.present * scenario.users
    active = max(active, most_per_s * session.pages_mean * session.think.mean_s)
    active = min(active, scenario.users)
    needed = max(
        active / connection_limit(raise_descriptor_limit()), active / session.think.mean_s / VIEWS_EACH
    )
    return max(1, min(os.cpu_count() or 1, math.ceil(needed)))


def deal(whole: Job, workers: int, rate: Rate, apart: bool = False) -> list[Job]:
    """The jobs of *workers* processes, those for sockets last: each is the *whole* one, with its share.

    *rate*: of sessions, of all users; *apart*: each is on a machine of its own.
    """
    scenario = whole.scenario
    listeners = socket_processes(scenario)
    players = workers - listeners
    jobs = []
    for number, users in enumerate(_shares(scenario.users, players)):
        mine = rate.scaled(users / scenario.users)
        jobs.append(
            msgspec.structs.replace(
                whole,
                users=users,
                seed=scenario.seed * 1000 + number,
                rate_seconds=list(mine.seconds),
                rates=list(mine.rates),
                rate_is_linear=mine.linear,
                phase=(number + 0.5) / players,
                neighbours=1 if apart else players,
            )
        )
    sockets = round(scenario.sockets.share * scenario.users)
    for number, held in enumerate(_shares(sockets, listeners)):
        seed = scenario.seed * 1000 + 500 + number
        jobs.append(msgspec.structs.replace(whole, subscribers=held, share=held / sockets, seed=seed))
    return jobs


def _shares(count: int, parts: int) -> list[int]:
    """*count* in so many *parts*, as equal as they can be."""
    return [count // parts + (number < count % parts) for number in range(parts)]

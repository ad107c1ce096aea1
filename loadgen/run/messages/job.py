"""A job: the share of a run that one worker process is given."""

from __future__ import annotations

import msgspec

from loadgen.run.messages.scenario import Scenario
from loadgen.run.messages.sitemap import SiteMap
from loadgen.trust import Trust


class NodeAddress(msgspec.Struct, frozen=True):
    """A node of the cluster, and where to connect to."""

    id: str
    #: Its origin, as its clients name it.
    url: str
    #: The IP address to connect to.
    host: str
    port: int


class Schedule(msgspec.Struct, frozen=True):
    """The requests of a log, in a file on this machine: see :mod:`loadgen.run.messages.schedule`."""

    path: str
    #: Of so many parts, that of this process.
    part: int
    parts: int


class Job(msgspec.Struct, kw_only=True):
    """What a worker process needs for its share of a run; goes to other machines, too."""

    scenario: Scenario
    site: SiteMap
    nodes: list[NodeAddress]
    #: Of this process: users, or sockets that it holds for those of all.
    users: int = 0
    subscribers: int = 0
    #: Its share of all such processes.
    share: float = 1.0
    seed: int
    #: Sessions per second at a time: (seconds, rates), of this process.
    rate_seconds: list[float] = []
    rates: list[float] = []
    rate_is_linear: bool = False
    #: Of constant arrivals, 0..1: processes take turns.
    phase: float = 0.5
    #: Processes with users on the same machine, this one among them.
    neighbours: int = 1
    #: Seconds from "go" to the beginning.
    delay: float = 0.5
    wire: str = "auto"
    #: The one node is any server: browsers without the smart client.
    plain: bool = False
    #: Of a replay, instead of what users do.
    schedule: Schedule | None = None
    #: Whose certificates of nodes are trusted.
    trust: Trust = Trust()

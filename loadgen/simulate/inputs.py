"""What a simulation is given: users, a cluster, and what happens to it.

Every number has its range in its type, and :func:`read_users` takes the same fields from the table
``[users]`` of a TOML file.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from loadgen import conversion
from loadgen.errors import UsageError
from loadgen.models.think import Think

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(gt=0, le=31_536_000)]
Bytes = Annotated[float, Meta(ge=0, le=1e9)]

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Population(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The users and the site they look at."""

    #: Registered: all who come, and come again; few of them are within a session at once.
    users: Annotated[int, Meta(ge=1, le=10_000_000_000)] = 10_000_000
    #: Page views of a session, on average; their number is geometric.  Each is looked at for a think time.
    session_pages: Annotated[float, Meta(ge=1, le=10_000)] = 5.0
    think: Think = msgspec.field(default_factory=Think)
    #: From the end of a session to the next one of the same user, on average over a day.
    return_interval_s: Seconds = 14_400.0
    #: Share of the users who have been here before the simulation begins.
    warm_share: Share = 0.9
    #: Of users within a session: hold a WebSocket.
    websocket_share: Share = 0.1
    #: Of their page views after the first of a session: open it anew, since it ended with the page before.
    websocket_per_view: Share = 0.0

    pages: Annotated[int, Meta(ge=1, le=100_000)] = 200
    #: The page of rank r is chosen in proportion to r ** -zipf.
    zipf: Annotated[float, Meta(ge=0, le=10)] = 1.0
    #: Of a page; so many of them are the same for all pages.
    assets_per_page: Annotated[int, Meta(ge=0, le=990)] = 12
    shared_assets: Annotated[int, Meta(ge=0, le=990)] = 8
    page_bytes: Bytes = 12_000.0
    asset_bytes: Bytes = 8_000.0
    path_bytes: Bytes = 30.0
    #: The smart client itself, at a first visit.
    client_files: Annotated[int, Meta(ge=0, le=1000)] = 15
    client_bytes: Bytes = 15_000.0
    #: "state": one question of a view confirms whatever its reader has, and load figures ride on its answer;
    #: "batch": one POST with a line for each copy, and figures are polled.
    confirm: Literal["state", "batch"] = "state"
    #: A copy is used without a question for so long; 0: never.
    max_age_s: Annotated[float, Meta(ge=0, le=31_536_000)] = 0.0
    #: Pages that a browser keeps, first in, first out.
    kept_pages: Annotated[int, Meta(ge=1, le=200)] = 50


class ClusterInputs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The nodes, all equal, and what their clients know of them."""

    nodes: Annotated[int, Meta(ge=1, le=64)] = 4
    cores: Annotated[float, Meta(gt=0, le=4096)] = 4.0
    link_gbit: Annotated[float, Meta(gt=0, le=10_000)] = 1.0
    #: That one node can hold.
    connections: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 1_000_000
    #: How old the load figures are that clients choose by, and how often a client reads them.
    age_s: Annotated[float, Meta(ge=0, le=600)] = 5.0
    ttl_s: Annotated[float, Meta(gt=0, le=600)] = 5.0
    #: From a node's death to its weight 0 in new figures.
    detect_s: Annotated[float, Meta(ge=0, le=600)] = 2.0
    #: A resting connection is closed after this.
    keep_alive_s: Seconds = 60.0
    #: Between two load documents pushed to a WebSocket.
    push_period_s: Seconds = 4.5
    tls: bool = False
    #: Of TLS handshakes: from a ticket, without a certificate.
    tls_resumed_share: Share = 0.5


class Day(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The day: how long, and its wave of users."""

    hours: Annotated[float, Meta(gt=0, le=168)] = 24.0
    peak_to_mean: Annotated[float, Meta(ge=1, le=24)] = 4.4
    #: The quietest hour over the mean, about; 1: it is flat.
    trough_to_mean: Share = 0.2
    peak_hour: Annotated[float, Meta(ge=0, lt=24)] = 20.0
    #: Seconds of one step.
    step_s: Annotated[float, Meta(gt=0, le=60)] = 1.0
    seed: Annotated[int, Meta(ge=0)] = 1


class Spike(msgspec.Struct, frozen=True):
    """Sessions begin *factor* times as often at *at_s*; that fades with the time constant *fades_s*."""

    at_s: float
    fades_s: float
    factor: float


class Outage(msgspec.Struct, frozen=True):
    """A node is gone for a while."""

    at_s: float
    lasts_s: float
    node: int


class Deploy(msgspec.Struct, frozen=True):
    """*resources* of the site, chosen at random, get a new version."""

    at_s: float
    resources: int


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """All inputs of a simulation."""

    users: Population = msgspec.field(default_factory=Population)
    cluster: ClusterInputs = ClusterInputs()
    day: Day = Day()
    spikes: tuple[Spike, ...] = ()
    failures: tuple[Outage, ...] = ()
    deploys: tuple[Deploy, ...] = ()


def resources(users: Population) -> int:
    """How many resources the whole site has."""
    return users.pages * (1 + own_assets(users)) + users.shared_assets


def own_assets(users: Population) -> int:
    """Assets that only one page has."""
    return users.assets_per_page - users.shared_assets


def check(inputs: Inputs) -> Inputs:
    """*inputs*, if its parts agree with each other; :exc:`UsageError`."""
    users, cluster, day = inputs.users, inputs.cluster, inputs.day
    end = day.hours * 3600
    if users.shared_assets > users.assets_per_page:
        raise UsageError(
            f"shared_assets = {users.shared_assets} are more than assets_per_page = {users.assets_per_page}"
        )
    if day.step_s > users.think.mean_s / 2:
        raise UsageError(
            f"--step {day.step_s:g} is too long for think times of {users.think.mean_s:g} s on average: "
            f"give at most {users.think.mean_s / 2:g}"
        )
    if day.step_s > cluster.ttl_s:
        raise UsageError(f"--step {day.step_s:g} is longer than figures are used, {cluster.ttl_s:g} s")
    begins = (
        *(("--spike", one.at_s) for one in inputs.spikes),
        *(("--node-failure", one.at_s) for one in inputs.failures),
        *(("--deploy", one.at_s) for one in inputs.deploys),
    )
    for name, at_s in begins:
        if at_s >= end:
            raise UsageError(f"{name}: {at_s / 3600:g} h is after the end, --hours {day.hours:g}")
    for failure in inputs.failures:
        if failure.node >= cluster.nodes:
            raise UsageError(f"--node-failure: there is no node {failure.node + 1} among {cluster.nodes}")
    for deploy in inputs.deploys:
        if deploy.resources > resources(users):
            raise UsageError(
                f"--deploy: {deploy.resources:,} resources; the site has {resources(users):,} "
                f"({users.pages:,} pages, each with {own_assets(users)} assets, {users.shared_assets} shared)"
            )
    return inputs


def read_users(path: Path) -> Population:
    """The table ``[users]`` of the TOML file *path*; :exc:`UsageError`."""
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}; --model takes a TOML file with a table [users]"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: this is no TOML: {error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: this is no UTF-8 text") from None
    if "users" not in given:
        raise UsageError(f"{path}: there is no table [users]")
    try:
        users = msgspec.convert(given["users"], Population)
    except msgspec.ValidationError as error:
        keys = ", ".join(Population.__struct_fields__)
        raise UsageError(f"{path}: [users]: {conversion.sentence(str(error))}; keys are {keys}") from None
    for name in Population.__struct_fields__:
        value = getattr(users, name)
        if value != value:
            raise UsageError(f"{path}: [users]: {name} = nan is no number")
    return users


def seconds(text: str) -> float:
    """``90``, ``90s``, ``30m``, ``14h``, ``1d`` or ``14:30``; :exc:`ValueError`."""
    clock = re.fullmatch(r"(\d{1,3}):([0-5]\d)", text)
    if clock:
        return int(clock[1]) * 3600.0 + int(clock[2]) * 60.0
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if match is None:
        raise ValueError(f"{text!r} is no time; write it like 90s, 30m, 14h or 14:30")
    return float(match[1]) * _UNITS[match[2]]


def spike(text: str) -> Spike:
    """``AT,FADES,FACTOR``; :exc:`ValueError`."""
    at, fades, factor = _parts(text, 3, "AT,FADES,FACTOR, like 14:00,30m,5")
    number = _number(factor)
    if not 1 <= number <= 1000:
        raise ValueError(f"a factor is 1 to 1000, not {factor}")
    return Spike(seconds(at), _positive(fades), number)


def failure(text: str) -> Outage:
    """``AT,LASTS,NODE``; :exc:`ValueError`."""
    at, lasts, node = _parts(text, 3, "AT,LASTS,NODE, like 20:00,10m,2")
    if not re.fullmatch(r"[1-9]\d{0,3}", node):
        raise ValueError(f"nodes are numbered from 1, there is no {node!r}")
    return Outage(seconds(at), _positive(lasts), int(node) - 1)


def deploy(text: str) -> Deploy:
    """``AT,RESOURCES``; :exc:`ValueError`."""
    at, count = _parts(text, 2, "AT,RESOURCES, like 16:00,200")
    if not re.fullmatch(r"[1-9]\d{0,8}", count):
        raise ValueError(f"a deploy changes 1 resource or more, not {count!r}")
    return Deploy(seconds(at), int(count))


def _parts(text: str, count: int, form: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != count:
        raise ValueError(f"{text!r}: write {form}")
    return parts


def _positive(text: str) -> float:
    value = seconds(text)
    if value <= 0:
        raise ValueError(f"{text!r} is no time at all")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None

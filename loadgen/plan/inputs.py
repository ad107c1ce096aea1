"""What a plan says: one struct for each table of the TOML file, one field for each key.

Every key carries its unit in its name, its range in its type and its meaning in the comment above it; the
commented files in ``plans/`` say the same to people.  Kilo, mega and giga are decimal.

A value is named by its path, ``session.think.mean_s``: :func:`value_at`, :func:`with_value` and
:func:`numbers` are what remedies, sensitivity and regions are made from.
"""

from __future__ import annotations

import typing
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

Share = Annotated[float, Meta(ge=0, le=1)]
Limit = Annotated[float, Meta(ge=0.05, le=1)]
Euros = Annotated[float, Meta(ge=0, le=1e9)]
Seconds = Annotated[float, Meta(ge=0.1, le=86_400)]
Gigabits = Annotated[float, Meta(ge=0.001, le=10_000)]
Gigabytes = Annotated[float, Meta(ge=0.1, le=100_000)]
Cores = Annotated[int, Meta(ge=1, le=4096)]
Speed = Annotated[float, Meta(ge=0.05, le=20)]
PacketRate = Annotated[float, Meta(ge=1000, le=1e12)]


class Table(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, frozen=True):
    """A table of the file."""


class PlanUsers(Table, frozen=True, kw_only=True):
    """How many concurrent users there are, and when."""

    #: Concurrent users, that is within a session, in the busiest hour.
    concurrent_at_peak: Annotated[int, Meta(ge=1, le=10_000_000_000)]
    #: Of the day's curve; without a history.
    peak_to_mean: Annotated[float, Meta(ge=1, le=12)] = 4.4
    #: The busiest hour of the day's curve.
    peak_hour: Annotated[int, Meta(ge=0, le=23)] = 20
    #: The quietest hour over the day's mean, about: users who come at any hour alike.
    trough_to_mean: Annotated[float, Meta(ge=0, le=1)] = 0.2


class Think(Table, frozen=True, kw_only=True):
    """Seconds between page views of a session, as in scenarios."""

    #: Their distribution.
    kind: Literal["weibull", "lognormal", "exponential", "constant"] = "weibull"
    #: On average.
    mean_s: Seconds = 20.0
    #: Weibull's k.
    shape: Annotated[float, Meta(ge=0.2, le=10)] = 0.8
    #: Lognormal's standard deviation of the logarithm.
    sigma: Annotated[float, Meta(ge=0.05, le=4)] = 1.0


class PlanSession(Table, frozen=True, kw_only=True):
    """What a user does between coming and going."""

    #: From the first page view to the last.
    minutes: Annotated[float, Meta(ge=0.05, le=1440)]
    #: Of sessions: the browser has nothing of the site yet.
    first_visit_share: Share = 0.1
    #: From a session's end to the next one of the same user, on average.
    away_hours: Annotated[float, Meta(ge=0, le=8760)] = 24.0
    think: Think = Think()


class Pages(Table, frozen=True, kw_only=True):
    """What a page view takes."""

    #: The document and everything that it uses.
    resources_per_view: Annotated[float, Meta(ge=1, le=1000)]
    #: Of one resource, as sent.
    kilobytes_per_resource: Annotated[float, Meta(ge=0, le=1_000_000)]
    #: Of the resources of a view: kept and fresh by Cache-Control; no request.
    fresh_share: Share = 0.0
    #: Of the resources of a view: not kept, though the user has been here before.
    missing_share: Share = 0.0
    #: Of confirmations: there is a new version.
    changed_share: Share = 0.01
    #: Bytes of a resource's path.
    path_bytes: Annotated[float, Meta(ge=1, le=8000)] = 40
    #: What the smart client itself weighs, at a first visit: docs/explanation/client.md.
    client_kilobytes: Annotated[float, Meta(ge=0, le=10_000)] = 15
    #: In how many files it comes.
    client_files: Annotated[int, Meta(ge=0, le=1000)] = 15


class Requests(Table, frozen=True, kw_only=True):
    """How clients ask."""

    #: "state": one question confirms whatever a reader has, as the smart client asks it, and load figures
    #: ride on its answer; "batch": all kept copies of a view by one POST, and load figures are polled;
    #: "each": a request for each copy.
    confirm: Literal["state", "batch", "each"] = "state"
    #: Request line and header fields of a page's request; with a validator it has so many more as measured.
    head_bytes: Annotated[float, Meta(ge=40, le=16_000)] = 600
    #: Held by one user for requests; browsers open up to 6.
    connections_per_user: Annotated[float, Meta(ge=1, le=6)] = 1
    #: Of the page views after the first of a session: the browser opens one more, ahead of requests that do
    #: not come.  What browsers do is counted by make bench BENCH=connections.
    opened_ahead_per_view: Share = 0.0
    #: A resting connection is closed after this; nodes wait for 75 s, browsers for 60 to 300.
    keep_alive_s: Seconds = 60
    #: Of connections: over TLS.
    tls_share: Share = 1.0
    #: Of TLS handshakes: from a ticket, without a certificate.
    tls_resumed_share: Share = 0.5
    #: Of the chain that a handshake without a ticket carries: two ECDSA certificates of a public authority.
    certificate_bytes: Annotated[float, Meta(ge=200, le=65_536)] = 2_100
    #: Of the packets: their headers differ.
    ip_version: Literal[4, 6] = 4


class Push(Table, frozen=True, kw_only=True):
    """WebSockets."""

    #: Of users: hold one.
    share: Share = 0.0
    #: Of their page views after the first of a session: open it anew, since it ended with the page before.
    #: What browsers do is counted by make bench BENCH=connections.
    opened_per_view: Share = 0.0
    #: Between two load documents; a node's longest is 4.5 s.
    load_period_s: Seconds = 4.5
    #: Publishes; each makes all those users confirm what they show.
    publishes_per_hour: Annotated[float, Meta(ge=0, le=3600)] = 0
    #: Of each publish: what has changed is told by its paths, up to what a node lists.
    paths_per_publish: Annotated[float, Meta(ge=1, le=1_000_000)] = 10
    #: Of confirmations: not made by users who would have been told.  Today's client makes them all.
    spared_share: Share = 0.0


class Servers(Table, frozen=True, kw_only=True):
    """The machines that are always there, all equal."""

    #: How many.
    count: Annotated[int, Meta(ge=1, le=1_000_000)]
    #: Of each.
    cores: Cores
    #: Of each.
    ram_gigabytes: Gigabytes
    #: Of each, in and out alike.
    link_gigabits_per_s: Gigabits
    #: For each.
    eur_per_month: Euros
    #: For what is sent.
    eur_per_terabyte_out: Euros = 0.0
    #: Of one core, relative to the one that the constants were measured on.
    core_speed: Speed = 1.0
    #: What network card, driver or provider allow; without it, what the link carries of the smallest frames.
    packets_per_s: PacketRate | None = None
    #: What one worker may hold: the kernel's fs.nr_open.
    connections_per_core: Annotated[int, Meta(ge=100, le=1_000_000_000)] = 1_048_576
    #: The kernel tracks connections (a stateful firewall, NAT): an entry for each, kept two minutes longer.
    conntrack: bool = False
    #: The site in the table and its blobs, and everything else that does not grow with users.
    fixed_gigabytes: Annotated[float, Meta(ge=0, le=100_000)] = 1.0


class Burst(Table, frozen=True, kw_only=True):
    """Machines rented by the hour."""

    #: How many may be rented at once.
    count_max: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    #: Of each.
    cores: Cores = 4
    #: Of each.
    ram_gigabytes: Gigabytes = 8.0
    #: Of each, in and out alike.
    link_gigabits_per_s: Gigabits = 1.0
    #: For each.
    eur_per_hour: Euros = 0.0
    #: For what is sent.
    eur_per_terabyte_out: Euros = 0.0
    #: As of servers.
    core_speed: Speed = 1.0
    #: As of servers.
    packets_per_s: PacketRate | None = None
    #: As of servers.
    connections_per_core: Annotated[int, Meta(ge=100, le=1_000_000_000)] = 1_048_576
    #: As of servers.
    fixed_gigabytes: Annotated[float, Meta(ge=0, le=100_000)] = 1.0
    #: From the order to the first request: machine, software, table.
    boot_s: Annotated[float, Meta(ge=0, le=86_400)] = 300.0
    #: What is begun of this is paid.
    billed_s: Annotated[float, Meta(ge=1, le=86_400)] = 3600.0


class Limits(Table, frozen=True, kw_only=True):
    """Limits of utilization, latency, failures and money."""

    #: For everything.
    eur_per_month: Euros
    #: Share of each resource that may be used in the busiest hour.
    cpu_share: Limit = 0.8
    #: Of each direction.
    link_share: Limit = 0.9
    #: Of the memory of a machine.
    ram_share: Limit = 0.85
    #: Of what descriptors allow.
    connections_share: Limit = 0.9
    #: Of the time in a node, its network card included; without the way to the user.
    p99_ms: Annotated[float, Meta(ge=0.01, le=60_000)] = 50.0
    #: Servers that may be missing in the busiest hour.
    failures: Annotated[int, Meta(ge=0, le=1000)] = 0


class Forecast(Table, frozen=True, kw_only=True):
    """How a history is read; it needs ``--history``."""

    #: Of the same hours of the week.
    quantile: Annotated[float, Meta(ge=0.5, le=1)] = 0.95
    #: What is expected, relative to the history; with users = "history".
    growth: Annotated[float, Meta(ge=0.01, le=1000)] = 1.0
    #: "plan": users.concurrent_at_peak in the highest hour; "history": as many as make its requests.
    users: Literal["plan", "history"] = "plan"
    #: Whose wall clock the hours of the week are of, like Europe/Berlin.
    timezone: str = "UTC"


class Plan(Table, frozen=True, kw_only=True):
    """A plan: the whole file."""

    #: Version of this format.
    v: Literal[1]
    #: Shown above the answer.
    title: str = ""
    users: PlanUsers
    session: PlanSession
    pages: Pages
    requests: Requests = Requests()
    push: Push = Push()
    servers: Servers
    burst: Burst = Burst()
    limits: Limits
    forecast: Forecast = Forecast()


def contradictions(plan: Plan) -> list[str]:
    """What is wrong with values that are right each for itself: ``KEY: REMEDY``."""
    found = []
    if plan.session.think.mean_s > plan.session.minutes * 60:
        found.append(f"session.think.mean_s = {plan.session.think.mean_s:g}: longer than the session itself, "
                     f"session.minutes = {plan.session.minutes:g}")  # fmt: skip
    if plan.pages.fresh_share + plan.pages.missing_share > 1:
        found.append("pages.fresh_share and pages.missing_share: together they may be 1 at most")
    if plan.limits.failures >= plan.servers.count:
        found.append(f"limits.failures = {plan.limits.failures}: fewer than servers.count = "
                     f"{plan.servers.count}, one has to stay")  # fmt: skip
    for name, machine in (("servers", plan.servers), ("burst", plan.burst)):
        if machine.fixed_gigabytes >= machine.ram_gigabytes * plan.limits.ram_share:
            found.append(f"{name}.fixed_gigabytes = {machine.fixed_gigabytes:g}: leaves nothing of "
                         f"{name}.ram_gigabytes times limits.ram_share")  # fmt: skip
    return found


T = TypeVar("T", bound=Table)


def value_at(table: Table, path: str) -> Any:
    """The value named by the dotted *path*."""
    for name in path.split("."):
        table = getattr(table, name)
    return table


def with_value(table: T, path: str, value: Any) -> T:
    """A copy in which *path* has *value*."""
    name, _, rest = path.partition(".")
    inner = with_value(getattr(table, name), rest, value) if rest else value
    return msgspec.structs.replace(table, **{name: inner})


class Number(typing.NamedTuple):
    """One numeric key."""

    path: str
    low: float
    high: float
    whole: bool


def numbers(kind: type[Table] = Plan, prefix: str = "") -> list[Number]:
    """All keys that have a range, in the order of the file."""
    found = []
    for field in msgspec.structs.fields(kind):
        path = f"{prefix}{field.name}"
        if isinstance(field.type, type) and issubclass(field.type, Table):
            found += numbers(field.type, f"{path}.")
        elif limits := range_of(field.type):
            found.append(Number(path, *limits))
    return found


def range_of(kind: Any) -> tuple[float, float, bool] | None:
    """(low, high, only whole numbers) of a field's type, if it has a range."""
    for one in (kind, *typing.get_args(kind)):
        for meta in getattr(one, "__metadata__", ()):
            return float(meta.ge), float(meta.le), typing.get_args(one)[0] is int
    return None


def keys(kind: type[Table] = Plan, prefix: str = "") -> list[str]:
    """The paths of all values."""
    found = []
    for field in msgspec.structs.fields(kind):
        path = f"{prefix}{field.name}"
        is_table = isinstance(field.type, type) and issubclass(field.type, Table)
        found += keys(field.type, f"{path}.") if is_table else [path]
    return found


def field_type(path: str, kind: type[Table] = Plan) -> Any:
    """The type of the value named by *path*."""
    name, _, rest = path.partition(".")
    found = next(field.type for field in msgspec.structs.fields(kind) if field.name == name)
    return field_type(rest, found) if rest else found

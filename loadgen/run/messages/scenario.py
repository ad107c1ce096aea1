"""A scenario: what a run is to be, as the tables of its TOML file say."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from loadgen.models.think import Think

#: No amount is higher: TOML knows inf, and what comes of these numbers has to fit into nanoseconds.
_MOST = 1e9
Positive = Annotated[float, Meta(gt=0, le=_MOST)]
NotNegative = Annotated[float, Meta(ge=0, le=_MOST)]
#: What may stand in a request's line.
PathText = Annotated[str, Meta(pattern=r"^/[\x21-\x7e]*\Z")]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1)]
Policy = Literal["smart", "least-loaded", "two-choices", "random", "one"]
POLICIES: tuple[str, ...] = ("smart", "least-loaded", "two-choices", "random", "one")


class Table(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class Arrivals(Table, kw_only=True):
    """When sessions begin: open-loop arrivals, whatever the answers are.

    Rates are for as many users as the file says; ``--users`` scales them.

    ===========  =====================================================================
    constant     every 1/rate_per_s seconds
    poisson      independently of each other, rate_per_s on average
    ramp         Poisson, from rate_per_s at the beginning to to_per_s at the end
    steps        Poisson; steps = [[SECOND, RATE], ...]: from then on
    replay       Poisson; file: lines SECOND,RATE: from then on; relative to the scenario
    ===========  =====================================================================
    """

    #: constant: evenly spaced; poisson: independently of each other; ramp: Poisson, from one rate to another;
    #: steps and replay: Poisson, at rates that change at given seconds.
    kind: Literal["constant", "poisson", "ramp", "steps", "replay"] = "poisson"
    #: Sessions that begin each second; of a ramp, at its beginning.
    rate_per_s: NotNegative = 0.0
    #: Of a ramp, at its end.
    to_per_s: NotNegative = 0.0
    #: Pairs [SECOND, RATE]: from then on.
    steps: tuple[tuple[NotNegative, NotNegative], ...] = ()
    #: Of a replay: lines SECOND,RATE; relative to the scenario.
    file: str = ""
    #: Share of the users who are in the middle of a session when the run begins.
    present: Share = 0.0


class Session(Table, kw_only=True):
    """A session: what a user does between coming and going."""

    #: Page views, on average; their number is geometric.
    pages_mean: Annotated[float, Meta(ge=1, le=65_535)] = 5.0
    think: Think = msgspec.field(default_factory=Think)


class Query(Table, kw_only=True):
    """What scripts of pages ask an application for, beside their files."""

    #: Of which pages, by a glob: * is anything but a slash.
    pages: PathText
    #: Its address, with the query string; {1} is what the first * of the pages stands for. Or a document:
    path: Annotated[str, Meta(pattern=r"^(/[\x21-\x7e]*)?\Z")] = ""
    #: The name of a trusted document of GraphQL.
    document: str = ""
    #: Of the document; in texts {1} is what the first * of the pages stands for.
    variables: dict[str, str | int | float | bool] = {}


class SiteRules(Table, kw_only=True):
    """Which pages there are, and how popular each is."""

    #: Where crawling begins.
    start: PathText = "/"
    #: Pages found at most.
    pages: Annotated[int, Meta(ge=1, le=100_000)] = 500
    #: Instead of crawling: a file with a line PATH ASSET ASSET... for each page; relative to the scenario.
    list: str = ""
    #: Popularity: the page of rank r is chosen in proportion to r ** -zipf.
    zipf: NotNegative = 1.0
    #: Where the application tells the addresses of its trusted documents: JSON, name to address.
    documents: Annotated[str, Meta(pattern=r"^(/[\x21-\x7e]*)?\Z")] = ""
    #: Read as parts of their pages, and confirmed as these are.
    queries: tuple[Query, ...] = ()


class Cache(Table, kw_only=True):
    """What the browser caches of the users hold when the run begins."""

    #: Share of the users who have been here before the run.
    warm: Share = 0.0
    #: Pages that such a user has seen.
    pages: Annotated[int, Meta(ge=1, le=12)] = 6
    #: How long ago at most.
    age_s: Annotated[float, Meta(gt=0, le=90_000)] = 3600.0


class Sockets(Table, kw_only=True):
    """Which users hold a WebSocket."""

    #: Of users: hold one.
    share: Share = 0.0
    #: What they are pushed.
    topics: tuple[Literal["load", "changed"], ...] = ("load", "changed")
    #: Opened each second, in all.
    per_second: Positive = 1000.0


class Mutations(Table, kw_only=True):
    """Requests that change something, each with an Idempotency-Key: sent again, it changes nothing more."""

    #: Where they are sent, on the user's home node.
    path: PathText
    #: Of page views.
    share: Share
    #: {user} and {n} are replaced: by a number of the user, and of the mutation.
    body: str = "{}"
    #: Of the body.
    content_type: Annotated[str, Meta(pattern=r"^[\x21-\x7e][\x20-\x7e]*\Z")] = "application/json"
    #: {value} in the body is replaced by one of these, at random.
    values: tuple[str, ...] = ()
    #: What it changes, by globs of addresses: readers who have that open are told, and confirm it.
    changes: tuple[PathText, ...] = ()
    #: Readers who have it open, at most; a tenth of a second is what a node tells them in.
    readers: Annotated[int, Meta(ge=0, le=10_000)] = 0


class Event(Table, kw_only=True):
    """Something that happens during the run."""

    #: After the beginning of the run.
    at_s: NotNegative
    #: Shown to who looks on.
    say: str = ""
    #: A program and its arguments, started where loadgen was; if it fails, the run is invalid.
    command: tuple[str, ...] = ()
    #: What has to be seen from then on, or the run is invalid: version: some user was given a new version of
    #: a file (an application's answers change by themselves); failure: an attempt at some node failed.
    effect: Literal["", "version", "failure"] = ""


class Scenario(Table, kw_only=True):
    """A scenario: the whole file."""

    #: Version of this format.
    v: Literal[1]
    #: Shown while it runs, and in its result.
    title: str
    #: For people: what the run is for.
    about: str = ""
    #: In all, present or away.
    users: Annotated[int, Meta(ge=1, le=100_000_000)]
    #: How long users come.
    duration_s: Annotated[float, Meta(gt=0, le=86_400)]
    #: Of all random numbers: the same seed is the same plan.
    seed: Annotated[int, Meta(ge=0)] = 1
    #: How a node is chosen.
    policy: Policy = "smart"
    #: Milliseconds after which a 304 for a superseded version is a stale confirmation.
    stale_ms: Positive = 1000.0
    #: Seconds after which an answer is not waited for.
    timeout_s: Positive = 10.0
    #: Seconds that a resting connection stays open.
    keep_alive_s: Positive = 60.0
    arrivals: Arrivals = msgspec.field(default_factory=Arrivals)
    session: Session = msgspec.field(default_factory=Session)
    site: SiteRules = msgspec.field(default_factory=SiteRules)
    cache: Cache = msgspec.field(default_factory=Cache)
    sockets: Sockets = msgspec.field(default_factory=Sockets)
    mutations: Mutations | None = None
    events: tuple[Event, ...] = ()
    #: Like "p99 < 50ms", see loadgen.verdict.thresholds.
    thresholds: tuple[str, ...] = ()

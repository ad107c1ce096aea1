"""What a run is to be: a TOML file.

``scenarios/`` holds commented examples.  Unknown keys are errors, and so is every value that makes no
sense; the message names the file, the key and what would be right.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta

from loadgen.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib

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


class _Part(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class Arrivals(_Part, kw_only=True):
    """When sessions begin.  Rates are for as many users as the file says; ``--users`` scales them.

    ===========  =====================================================================
    constant     every 1/rate_per_s seconds
    poisson      independently of each other, rate_per_s on average
    ramp         Poisson, from rate_per_s at the beginning to to_per_s at the end
    steps        Poisson; steps = [[SECOND, RATE], ...]: from then on
    replay       Poisson; file: lines SECOND,RATE: from then on; relative to the scenario
    ===========  =====================================================================
    """

    kind: Literal["constant", "poisson", "ramp", "steps", "replay"] = "poisson"
    rate_per_s: NotNegative = 0.0
    to_per_s: NotNegative = 0.0
    steps: tuple[tuple[NotNegative, NotNegative], ...] = ()
    file: str = ""
    #: Share of the users who are in the middle of a session when the run begins.
    present: Share = 0.0


class Think(_Part, kw_only=True):
    """Seconds between page views of a session."""

    kind: Literal["weibull", "lognormal", "exponential", "constant"] = "weibull"
    mean_s: Positive = 20.0
    #: Weibull's k: below 1, many short ones and a few very long ones (Liu, White, Dumais: 0.6 to 0.8).
    shape: Annotated[float, Meta(ge=0.1, le=10)] = 0.8
    #: Lognormal's standard deviation of the logarithm.
    sigma: Annotated[float, Meta(gt=0, le=10)] = 1.0


class Session(_Part, kw_only=True):
    """What a user does between coming and going."""

    #: Page views, on average; their number is geometric.
    pages_mean: Annotated[float, Meta(ge=1, le=65_535)] = 5.0
    think: Think = msgspec.field(default_factory=Think)


class SiteRules(_Part, kw_only=True):
    """What the users look at."""

    #: Where crawling begins.
    start: PathText = "/"
    #: Pages found at most.
    pages: Annotated[int, Meta(ge=1, le=100_000)] = 500
    #: Instead of crawling: a file with a line PATH ASSET ASSET... for each page; relative to the scenario.
    list: str = ""
    #: Popularity: the page of rank r is chosen in proportion to r ** -zipf.
    zipf: NotNegative = 1.0


class Cache(_Part, kw_only=True):
    """What the users' browsers hold."""

    #: Share of the users who have been here before the run.
    warm: Share = 0.0
    #: Pages that such a user has seen.
    pages: Annotated[int, Meta(ge=1, le=12)] = 6
    #: How long ago at most.
    age_s: Annotated[float, Meta(gt=0, le=90_000)] = 3600.0


class Sockets(_Part, kw_only=True):
    """Who holds a WebSocket."""

    share: Share = 0.0
    topics: tuple[Literal["load", "changed"], ...] = ("load", "changed")
    #: Opened each second, in all.
    per_second: Positive = 1000.0


class Mutations(_Part, kw_only=True):
    """Requests that change something, each with an Idempotency-Key: sent again, it changes nothing more."""

    path: PathText
    #: Of page views.
    share: Share
    #: {user} and {n} are replaced: by a number of the user, and of the mutation.
    body: str = "{}"
    content_type: Annotated[str, Meta(pattern=r"^[\x21-\x7e][\x20-\x7e]*\Z")] = "application/json"


class Event(_Part, kw_only=True):
    """Something that happens during the run."""

    at_s: NotNegative
    #: Shown to who looks on.
    say: str = ""
    #: A program and its arguments, started where loadgen was; its failure is shown.
    command: tuple[str, ...] = ()


class Scenario(_Part, kw_only=True):
    """The whole file."""

    v: Literal[1]
    title: str
    about: str = ""
    users: Annotated[int, Meta(ge=1, le=100_000_000)]
    duration_s: Annotated[float, Meta(gt=0, le=86_400)]
    seed: Annotated[int, Meta(ge=0)] = 1
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
    #: Like "p99 < 50ms", see loadgen.run.verdict.
    thresholds: tuple[str, ...] = ()


def read(path: Path) -> Scenario:
    """The scenario in the file *path*; :exc:`UsageError`."""
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; scenarios/ has examples") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: this is no TOML: {error}") from None
    return parse(given, str(path), path.parent)


def parse(given: dict[str, Any], name: str, folder: Path) -> Scenario:
    """The scenario of the tables *given*, checked; paths in it are relative to *folder*."""
    from loadgen.run.verdict import parse_threshold

    try:
        scenario = msgspec.convert(given, Scenario)
    except msgspec.ValidationError as error:
        raise UsageError(f"{name}: {_clearer(str(error))}") from None
    problem = _problem(scenario, folder)
    if problem:
        raise UsageError(f"{name}: {problem}")
    for text in scenario.thresholds:
        try:
            parse_threshold(text)
        except ValueError as error:
            raise UsageError(f"{name}: thresholds: {error}") from None
    return scenario


def _problem(scenario: Scenario, folder: Path) -> str:
    arrivals = scenario.arrivals
    needs: dict[str, Callable[[], bool]] = {
        "constant": lambda: arrivals.rate_per_s > 0 or arrivals.present > 0,
        "poisson": lambda: arrivals.rate_per_s > 0 or arrivals.present > 0,
        "ramp": lambda: arrivals.rate_per_s + arrivals.to_per_s > 0,
        "steps": lambda: any(rate for _, rate in arrivals.steps),
        "replay": lambda: bool(arrivals.file),
    }
    if not needs[arrivals.kind]():
        key = {"steps": "steps with a rate above 0", "replay": "file", "ramp": "to_per_s"}.get(
            arrivals.kind, "rate_per_s"
        )
        return f"arrivals: kind = {arrivals.kind!r} needs {key}"
    times = [second for second, _ in arrivals.steps]
    if times != sorted(set(times)):
        return "arrivals.steps: the seconds have to grow"
    if scenario.sockets.share and not scenario.sockets.topics:
        return "sockets.topics: name at least one of load, changed"
    for number, event in enumerate(scenario.events):
        if not event.say and not event.command:
            return f"events[{number}]: say something, or name a command"
        if event.at_s > scenario.duration_s:
            end = scenario.duration_s
            return f"events[{number}].at_s: {event.at_s:g} is after the end, duration_s = {end:g}"
    for key, file in (("arrivals.file", arrivals.file), ("site.list", scenario.site.list)):
        if file and not (folder / file).is_file():
            return f"{key}: there is no file {folder / file}"
    return ""


def _table(place: str) -> Any:
    """The table at a place like ``$.session.think`` or ``$.events[0]``."""
    kind: Any = Scenario
    for name in re.findall(r"\.(\w+)", place):
        of = next(field.type for field in msgspec.structs.fields(kind) if field.name == name)
        kind = next(one for one in (of, *get_args(of)) if isinstance(one, type) and issubclass(one, _Part))
    return kind


def _clearer(text: str) -> str:
    """msgspec's message, with the key that was probably meant."""
    match = re.search(r"unknown field `(.+?)`(?: - at `(.+)`)?", text)
    if match is None:
        return text
    keys = [field.name for field in msgspec.structs.fields(_table(match[2] or "$"))]
    near = difflib.get_close_matches(match[1], keys, 1) or [key for key in keys if key.startswith(match[1])]
    return text.replace("Object contains", "there is an") + (f"; did you mean {near[0]}?" if near else "")

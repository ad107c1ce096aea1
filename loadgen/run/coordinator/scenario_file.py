"""A scenario's TOML file, read and checked.

``scenarios/`` holds commented examples.  Unknown keys are errors, and so is every value that makes no
sense; the message names the file, the key and what would be right.
"""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import msgspec

from loadgen import conversion
from loadgen.errors import UsageError
from loadgen.run.messages.scenario import Scenario
from loadgen.verdict.thresholds import parse_threshold

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover
    import tomli as tomllib


def read(path: Path) -> Scenario:
    """The scenario in the file *path*; :exc:`UsageError`."""
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; scenarios/ has examples") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: this is no TOML: {error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: this is no UTF-8 text; scenarios/ has examples") from None
    return parse(given, str(path), path.parent)


def parse(given: dict[str, Any], name: str, folder: Path) -> Scenario:
    """The scenario of the tables *given*, checked; paths in it are relative to *folder*."""
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
    for number, query in enumerate(scenario.site.queries):
        if bool(query.path) == bool(query.document):
            return f"site.queries[{number}]: name a path or a document"
        if query.document and not scenario.site.documents:
            return f"site.queries[{number}]: a document needs site.documents, where its address is told"
    if scenario.mutations and scenario.mutations.readers and not scenario.mutations.changes:
        return "mutations.readers: name what changes"
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
        kind = next(
            one for one in (of, *get_args(of)) if isinstance(one, type) and issubclass(one, msgspec.Struct)
        )
    return kind


def _place(text: str) -> str:
    """A place like ``$.session.think.kind`` as people write it."""
    return re.sub(r"\[\.\.\.\]|\[\d+\]", "", text.removeprefix("$."))


def _choices(place: str) -> list[str]:
    """The words that may stand at a place whose type is a choice."""
    table, _, name = re.sub(r"\[[^]]*\]$", "", place).rpartition(".")
    kind = next(one.type for one in msgspec.structs.fields(_table(table)) if one.name == name)
    waiting, words = [kind], []
    while waiting:
        one = waiting.pop()
        given = get_args(one)
        waiting += [each for each in given if not isinstance(each, (str, int))]
        words += [str(each) for each in given if isinstance(each, (str, int)) and each]
    return words


def _clearer(text: str) -> str:
    """The *text* of msgspec's error, with the key that was probably meant."""
    if (wrong := re.match(r"Invalid enum value (.+) - at `(.+)`", text)) is not None:
        return f"{_place(wrong[2])}: there is no {wrong[1]}; there are {', '.join(_choices(wrong[2]))}"
    match = re.search(r"unknown field `(.+?)`(?: - at `(.+)`)?", text)
    if match is None:
        return conversion.sentence(text)
    keys = [field.name for field in msgspec.structs.fields(_table(match[2] or "$"))]
    near = difflib.get_close_matches(match[1], keys, 1) or [key for key in keys if key.startswith(match[1])]
    return text.replace("Object contains", "there is an") + (f"; did you mean {near[0]}?" if near else "")

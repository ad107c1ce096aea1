"""Response fields by place: servers where only the last place that matches speaks, as rules that all apply.

In nginx one ``location`` answers, and its ``add_header`` lines replace those around it.  Our ``[[header]]``
rules all apply, in order.  So each place becomes a rule that takes away what earlier rules may have set, and
sets its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from edge.addresses.fields import Change, check_change
from edge.convert.statements import Place
from edge.errors import ConfigError

CACHE_CONTROL = "Cache-Control"
#: What a node says where nobody says anything.
_DEFAULT = "no-cache"


def problem_of(what: Change, name: str, value: str = "") -> str:
    """Why the field *name* cannot be changed so; "": it can."""
    try:
        check_change(what, name, value)
    except ConfigError as error:
        return str(error)
    return ""


class PlaceFields(NamedTuple):
    """What one place sets, as a whole."""

    #: Globs of its paths.
    globs: tuple[str, ...]
    #: (name, value), a name may stand there several times.
    fields: tuple[tuple[str, str], ...]
    place: Place | None


def rules_of(places: Iterable[PlaceFields]) -> list[tuple[dict[str, object], Place | None]]:
    """Tables ``[[header]]`` for *places*, the weakest first."""
    tables: list[tuple[dict[str, object], Place | None]] = []
    before: dict[str, str] = {}
    for one in places:
        fields: dict[str, list[str]] = {}
        names: dict[str, str] = {}
        for name, value in one.fields:
            names.setdefault(name.lower(), name)
            fields.setdefault(name.lower(), []).append(value)
        taken = [name for lower, name in before.items() if lower not in fields]
        if CACHE_CONTROL in taken:
            taken.remove(CACHE_CONTROL)
            names[CACHE_CONTROL.lower()] = CACHE_CONTROL
            fields[CACHE_CONTROL.lower()] = [_DEFAULT]
        table: dict[str, object] = {}
        if taken:
            table["remove"] = taken
        if CACHE_CONTROL.lower() in fields:  # one line is enough for all directives
            fields[CACHE_CONTROL.lower()] = [", ".join(fields[CACHE_CONTROL.lower()])]
        only = {names[lower]: values[0] for lower, values in fields.items() if lower != "vary"}
        more = {
            names[lower]: values[1:] for lower, values in fields.items() if lower != "vary" and values[1:]
        }
        if "vary" in fields:
            more[names["vary"]] = fields["vary"]
        if only:
            table["set"] = only
        if more:
            table["add"] = more
        if table:
            tables += [({"path": glob, **table}, one.place) for glob in one.globs]
        before.update(names)
    return tables

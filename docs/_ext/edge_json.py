"""The keys of ``/edge.json``: the comment at the head of the worker's rules, and their defaults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from docs._ext.markdown import code, prose, table

SOURCE = Path(__file__).resolve().parents[2] / "webroot" / "edge" / "worker" / "rules.js"
_KEY = re.compile(r'^//\s+\{?"(\w+)": (.+?)[,}]? {2,}(\S.*)$')
_MORE = re.compile(r"^// {20,}(\S.*)$")
_DEFAULTS = re.compile(r"function defaults\(\) \{\s*return \{(.*?)\};", re.DOTALL)


class Key(NamedTuple):
    """One key."""

    name: str
    example: str
    default: str
    about: str


def keys(source: str) -> list[Key]:
    """The keys that *source* describes, in its order; :exc:`ValueError` if it says otherwise than it does."""
    told: dict[str, tuple[str, str]] = {}
    for line in source.split("\n\n")[0].splitlines():
        if match := _KEY.match(line):
            told[match[1]] = (match[2], match[3])
        elif told and (match := _MORE.match(line)):
            last = next(reversed(told))
            told[last] = (told[last][0], f"{told[last][1]} {match[1]}")
    found = _DEFAULTS.search(source)
    defaults = dict(re.findall(r"(\w+): (\[\]|[^,]+?)\s*(?:,|$)", found[1].strip() if found else ""))
    if told.keys() != defaults.keys():
        raise ValueError(f"{SOURCE.name}: described are {list(told)}, defaults have {list(defaults)}")
    return [Key(name, told[name][0], defaults[name], told[name][1]) for name in told]


def markdown() -> str:
    """A table."""
    rows = [(code("v"), "version of this format", "required", code("1"))]
    rows += [
        (code(one.name), prose(one.about), code(one.default), code(one.example))
        for one in keys(SOURCE.read_text("utf-8"))
    ]
    return table(("key", "meaning", "default", "example"), rows)

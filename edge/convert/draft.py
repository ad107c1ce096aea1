"""The draft: what is to stand in the TOML file, where each of it comes from, and what was not understood."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from edge.convert.statements import Place, Statement, shown


class Remark(NamedTuple):
    """A line that was not understood, or not wholly."""

    place: Place
    text: str
    why: str

    def __str__(self) -> str:
        return f"{shown(str(self.place))}: {self.text}: {self.why}"


class Table(NamedTuple):
    """One table of an array, like ``[[redirect]]``."""

    values: dict[str, Any]
    place: Place | None = None


@dataclass
class SiteDraft:
    """One site."""

    hosts: list[str] = field(default_factory=list)
    is_default: bool = False
    keys: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    #: By name, in the order of the file.
    tables: dict[str, list[Table]] = field(default_factory=dict)

    def add(self, name: str, values: dict[str, Any], place: Place | None) -> None:
        """One more ``[[name]]``; what is there already is not said twice."""
        tables = self.tables.setdefault(name, [])
        if all(table.values != values for table in tables):
            tables.append(Table(values, place))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be said of it."""
        return not (self.keys or self.types or self.tables)


@dataclass
class Draft:
    """A whole configuration."""

    #: Of the node.
    keys: dict[str, Any] = field(default_factory=dict)
    sites: list[SiteDraft] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    #: It is whole: a site alone that names no folder has none, not the demonstration of a node.
    is_whole: bool = False

    def remark(self, statement: Statement, why: str) -> None:
        """*statement* was not understood, and why, or what to do instead."""
        self.remarks.append(Remark(statement.place, statement.text, shown(why)))

    def toml(self) -> str:
        """The TOML file."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        for key, value in self.keys.items():
            yield f"{_key(key)} = {_value(value)}"
        sites = self.sites
        if len(sites) == 1:
            if self.is_whole and "webroot" not in sites[0].keys:
                yield 'webroot = "none"'
            yield from _site_lines(sites[0], "")
            return
        for site in sites:
            yield ""
            yield "[[site]]"
            if site.hosts:
                yield f"hosts = {_value(site.hosts)}"
            if site.is_default:
                yield "default = true"
            yield from _site_lines(site, "site.")


def _site_lines(site: SiteDraft, prefix: str) -> Iterator[str]:
    for key, value in site.keys.items():
        yield f"{_key(key)} = {_value(value)}"
    if site.types:
        yield ""
        yield f"[{prefix}types]"
        for name, type_ in site.types.items():
            yield f"{_key(name)} = {_value(type_)}"
    for name, tables in site.tables.items():
        for table in tables:
            yield ""
            yield f"[[{prefix}{name}]]" + (f"  # {_comment(table.place)}" if table.place is not None else "")
            for key, value in table.values.items():
                yield f"{_key(key)} = {_value(value)}"


def _comment(place: Place) -> str:
    return re.sub(r"[^\x20-\x7e]", "?", str(place))


def _key(text: str) -> str:
    return text if re.fullmatch(r"[A-Za-z0-9_-]+", text) else _text(text)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    return str(value)


def _text(text: str) -> str:
    """A basic string of TOML: JSON's, but for characters that JSON writes as halves or leaves as they are."""
    plain = text.encode("utf-8", "replace").decode("utf-8")
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


def name_applications(sites: Sequence[SiteDraft]) -> None:
    """Applications have names of their own where several sites have some at the same path."""
    apps = [(site, table.values) for site in sites for table in site.tables.get("app", ())]
    seen: set[str] = set()
    for site, values in apps:
        made = re.sub(r"[^A-Za-z0-9_-]+", "-", values["at"].strip("/") or "root").strip("-_")[:32] or "app"
        name, number = made, 1
        while name in seen:
            host = re.sub(r"[^A-Za-z0-9]+", "-", site.hosts[0] if site.hosts else "default").strip("-")
            name = f"{made[:8]}-{host}"[:28] + (f"-{number}" if number > 1 else "")
            number += 1
        if name != made:
            values["name"] = name
        seen.add(name)


def escaped(name: str) -> str:
    """*name* as a part of an endpoint."""
    return re.sub(r"([\\:=])", r"\\\1", name)

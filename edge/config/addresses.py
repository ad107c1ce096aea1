"""Addresses and response fields, as they are configured: ``[[header]]``, ``[[redirect]]``, ``[[rewrite]]``.

On the command line a rule is a text in the words of files that many know: ``--redirect '/old/* /new/:splat
301'`` is a line of ``_redirects``, ``--header '/assets/**=X-Robots-Tag: none'`` a glob and a field.  A table
says the same, a key each; each wrong key and value is a line that names the table and the way out.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edge.addresses.fields import MOST_RULES as MOST_FIELD_RULES
from edge.addresses.fields import FieldRule
from edge.addresses.pages import PageAddresses, TrailingSlash
from edge.addresses.redirects import GONE, LEADING, MOST_RULES, REWRITE, AddressRule, AddressRules, circles
from edge.config.values import Kind, Wrong, WrongTables
from edge.errors import ConfigError
from edge.http.target import canonical_path, path_of_name
from edge.publish.settings import AddressSettings

if TYPE_CHECKING:
    from edge.addresses.fields import Change
    from edge.config.model import SiteRules

_Rule = TypeVar("_Rule")
#: Names of index files of one site.
_MOST_INDEXES = 16


def tables(
    name: str,
    keys: Mapping[str, type],
    read: Callable[[dict[str, Any], str], _Rule],
    text: Callable[[str], _Rule],
    most: int,
) -> Callable[[object, Path], tuple[_Rule, ...]]:
    """What reads all tables ``[[name]]``, which may have *keys*; texts are read as on the command line.

    *read*: (table with dashes in its keys, where it stands) -> rule; *text*: the same from a text.
    """

    def from_toml(value: object, base: Path) -> tuple[_Rule, ...]:
        items = value if isinstance(value, list) else [value]
        rules: list[_Rule] = []
        problems: list[str] = []
        if len(items) > most:
            problems.append(f"{name}: there are {len(items)} tables, at most {most} are possible")
        for number, item in enumerate(items[:most], 1):
            place = f"[[{name}]] number {number}{_called(item)}"
            try:
                if isinstance(item, str):
                    rules.append(text(item))
                    continue
                wrong = list(_wrong_keys(item, keys, name))
                problems += [f"{place}: {one}" for one in wrong]
                if not wrong:
                    assert isinstance(item, dict)
                    rules.append(read({key.replace("_", "-"): one for key, one in item.items()}, place))
            except (Wrong, ConfigError) as error:
                problems.append(f"{place}: {error}")
        if problems:
            raise WrongTables(problems)
        return tuple(rules)

    return from_toml


def _called(item: object) -> str:
    if not isinstance(item, dict):
        return ""
    called = next((item[key] for key in ("path", "from", "from-regex", "from_regex") if key in item), None)
    return f" ({called[:64]})" if isinstance(called, str) and called.isprintable() and called else ""


def _wrong_keys(item: object, keys: Mapping[str, type], name: str) -> Iterator[str]:
    if not isinstance(item, dict):
        yield f"write a table [[{name}]] with {', '.join(keys)}"
        return
    seen: set[str] = set()
    for key, value in item.items():
        known = key.replace("_", "-")
        if known not in keys:
            near = difflib.get_close_matches(known, keys, 1, 0.5)
            yield f"unknown key {key!r}; " + (
                f"did you mean {near[0]!r}?" if near else f"there are {', '.join(keys)}"
            )
        elif known in seen:
            yield f"{key} is there in both spellings; remove one"
        elif type(value) is not keys[known]:
            yield f"{key} = {_shown(value)}: {_REMEDIES[keys[known]]}"
        seen.add(known)


_REMEDIES = {
    str: 'write a text in quotes, like "text"',
    int: "write a whole number without quotes",
    bool: "write true or false without quotes",
    list: 'write a list of names, like ["X-Powered-By"]',
    dict: 'write names and values, like { "X-Robots-Tag" = "none" }',
}


def _shown(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


# [[header]]

_HEADER = {"path": str, "set": dict, "add": dict, "remove": list}


def _header_of_table(table: dict[str, Any], place: str) -> FieldRule:
    changes: list[tuple[Change, str, str]] = []
    for name in table.get("remove", ()):
        if not isinstance(name, str):
            raise Wrong(f"remove = {_shown(table['remove'])}: {_REMEDIES[list]}")
        changes.append(("remove", name, ""))
    whats: tuple[Change, ...] = ("set", "add")
    for what in whats:
        for name, values in table.get(what, {}).items():
            for value in values if isinstance(values, list) else [values]:
                if not isinstance(value, str):
                    raise Wrong(f"{what} {name} = {_shown(values)}: {_REMEDIES[str]}")
                changes.append((what, name, value))
    return _checked_header(FieldRule(table.get("path", "/**"), tuple(changes)))


def _checked_header(rule: FieldRule) -> FieldRule:
    try:
        rule.check()
    except ConfigError as error:
        raise Wrong(str(error)) from None
    return rule


def _header_of_text(text: str) -> FieldRule:
    glob, equals, field = text.partition("=")
    name, colon, value = field.partition(":")
    if not glob or not equals or not (colon or name.startswith("!")):
        raise Wrong("write GLOB=Name: value, or GLOB=!Name for a field that is not to be sent")
    if name.startswith("!"):
        return _checked_header(FieldRule(glob, (("remove", name[1:].strip(), ""),)))
    return _checked_header(FieldRule(glob, (("set", name.strip(), value.strip()),)))


HEADERS = Kind(
    "GLOB=NAME: VALUE",
    lambda text, base: _header_of_text(text),
    repeated=True,
    tables=tables("header", _HEADER, _header_of_table, _header_of_text, MOST_FIELD_RULES),
)

# [[redirect]], [[rewrite]]

_REDIRECT = {"from": str, "from-regex": str, "to": str, "status": int, "force": bool}
_REWRITE = {"from": str, "from-regex": str, "to": str, "force": bool}


def _redirect_of_table(table: dict[str, Any], place: str) -> AddressRule:
    status = table.get("status", 308)
    if status == REWRITE:
        raise Wrong("status = 200 is a [[rewrite]]")
    return _rule_of_table(table, place, status, force=True)


def _rewrite_of_table(table: dict[str, Any], place: str) -> AddressRule:
    return _rule_of_table(table, place, REWRITE, force=False)


def _rule_of_table(table: dict[str, Any], place: str, status: int, force: bool) -> AddressRule:
    if "from" not in table and "from-regex" not in table:
        raise Wrong('from is missing; give the path that it is about, like from = "/old/*"')
    return _checked_rule(
        AddressRule(
            table.get("from", ""),
            table.get("from-regex", ""),
            table.get("to", ""),
            status,
            table.get("force", force),
            place=place,
        )
    )


def _checked_rule(rule: AddressRule) -> AddressRule:
    try:
        rule.check()
    except ConfigError as error:
        raise Wrong(str(error)) from None
    return rule


def _redirect_of_text(text: str) -> AddressRule:
    words = text.split()
    status = words.pop() if len(words) > 1 and re.fullmatch(r"[0-9]{3}", words[-1]) else "308"
    statuses = ", ".join(map(str, (*LEADING, *GONE)))
    if len(words) not in (1, 2) or (int(status) not in GONE and len(words) == 1):
        raise Wrong(f"write FROM TO STATUS, like '/old/* /new/:splat 301'; STATUS is one of {statuses}")
    if int(status) == REWRITE:
        raise Wrong("200 is a rewrite: --rewrite '/docs/* /manual/:splat'")
    return _checked_rule(
        AddressRule(words[0], "", words[1] if len(words) > 1 else "", int(status), place=words[0])
    )


def _rewrite_of_text(text: str) -> AddressRule:
    words = text.split()
    if len(words) != 2:
        raise Wrong("write FROM TO, like '/docs/* /manual/:splat'")
    return _checked_rule(AddressRule(words[0], "", words[1], REWRITE, force=False, place=words[0]))


REDIRECTS = Kind(
    "FROM TO STATUS",
    lambda text, base: _redirect_of_text(text),
    repeated=True,
    tables=tables("redirect", _REDIRECT, _redirect_of_table, _redirect_of_text, MOST_RULES),
)
REWRITES = Kind(
    "FROM TO",
    lambda text, base: _rewrite_of_text(text),
    repeated=True,
    tables=tables("rewrite", _REWRITE, _rewrite_of_table, _rewrite_of_text, MOST_RULES),
)

# Pages


def _index(text: str, base: Path) -> str:
    try:
        found = canonical_path(path_of_name([text])) if text else None
    except ValueError:
        found = None
    if found is None or text.startswith("."):
        raise Wrong("give the name of a file, like index.html, without slash and without a dot at its begin")
    return text


def _fallback(text: str, base: Path) -> str:
    if text in ("", "none"):
        return ""
    if canonical_path(text.encode("utf-8", "replace")) != text.encode("utf-8", "replace") or text.endswith(
        "/"
    ):
        raise Wrong("give the path of a page of the site, like /index.html, or none")
    if text.startswith("/.edge/"):
        raise Wrong("/.edge/ is the node's own; give the path of a page of the site, like /index.html")
    return text


INDEXES = Kind("NAME", _index, repeated=True)
FALLBACK = Kind("PATH|none", _fallback)
TRAILING_SLASHES: tuple[TrailingSlash, ...] = ("keep", "add", "remove")


def address_contradictions(rules: SiteRules) -> Iterator[str]:
    """What of the addresses of one site cannot be together, a sentence each."""
    if len(rules.index) > _MOST_INDEXES:
        yield f"index: there are {len(rules.index)} names, at most {_MOST_INDEXES} are possible"
    yield from circles(AddressRules(all_rules(rules)))


def all_rules(rules: SiteRules) -> Sequence[AddressRule]:
    """The redirects of a site, and then its rewrites."""
    return (*rules.redirect, *rules.rewrite)


def address_settings(rules: SiteRules) -> AddressSettings:
    """Where the files of a site are found, and with which fields."""
    return AddressSettings(
        pages=PageAddresses(rules.clean_urls, rules.index, rules.trailing_slash),
        header=rules.header,
        security=rules.security,
        foreign=bool(rules.allow_origin),
        rules=tuple(all_rules(rules)),
        fallback=rules.fallback,
        merge_slashes=rules.merge_slashes,
    )

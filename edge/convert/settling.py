"""What a node would not take of a draft is named, and left out of it (sans-IO).

Configurations say things that the server itself would refuse, or takes in silence, and that are no values
here.  The settings of a node look at each; a rule that closes something is not just left out: its paths are
closed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge.addresses import Glob
from edge.config import SETTINGS
from edge.config.sites import read_host
from edge.config.values import Wrong, WrongTables
from edge.convert.draft import Draft, Remark, SiteDraft, Table
from edge.convert.networks import EVERYBODY
from edge.convert.statements import Place, Statement, shown
from edge.errors import ConfigError

_BASE = Path("/")


def settle(draft: Draft, statements: Sequence[Statement]) -> None:
    """Leave out of *draft* what no node takes; *statements*: what it was made of."""
    lines = list(_walk(statements))
    for key in [key for key, value in draft.keys.items() if _problem(key, value)]:
        value = draft.keys.pop(key)
        draft.remarks.append(_remark(lines, value, f"{key}: {_problem(key, value)}"))
    for site in draft.sites:
        _settle_site(draft, site, lines)
    if len(draft.sites) > 1:
        draft.sites = [site for site in draft.sites if site.hosts or site.is_default]
    _settle_listeners(draft, lines)


def _settle_site(draft: Draft, site: SiteDraft, lines: Sequence[Statement]) -> None:
    for host in list(site.hosts):
        try:
            read_host(host, _BASE)
        except Wrong as error:
            site.hosts.remove(host)
            draft.remarks.append(_remark(lines, host, str(error)))
    for key in [key for key, value in site.keys.items() if key != "webroot" and _problem(key, value)]:
        value = site.keys.pop(key)
        draft.remarks.append(_remark(lines, value, f"{key}: {_problem(key, value)}"))
    for name in [name for name, type_ in site.types.items() if _problem("types", {name: type_})]:
        type_ = site.types.pop(name)
        draft.remarks.append(_remark(lines, type_, _problem("types", {name: type_})))
    closed: list[Table] = []
    for name, tables in list(site.tables.items()):
        kept = []
        for table in tables:
            problem = _problem(name, [table.values])
            if not problem:
                kept.append(table)
                continue
            draft.remarks.append(_remark(lines, table.place, problem))
            if name in ("access", "auth") or (name == "redirect" and "to" not in table.values):
                closed.append(_closing(table))
        site.tables[name] = kept
        if not kept:
            del site.tables[name]
    if closed:
        site.tables["access"] = [*closed, *site.tables.get("access", ())]


def _closing(table: Table) -> Table:
    """Nobody gets to what *table* was about; if that is not known, to nothing."""
    source = str(table.values.get("from", ""))
    path = table.values.get("path") or (source + "*" if source.endswith("/*") else source)
    try:
        Glob(path)
    except ConfigError:
        path = "/**"
    return Table({"path": path, "deny": list(EVERYBODY)}, table.place)


def _settle_listeners(draft: Draft, lines: Sequence[Statement]) -> None:
    """Listeners for HTTPS without a certificate; who says nothing of listeners says that later."""
    if "listen" not in draft.keys:
        return
    listen = draft.keys["listen"]
    has_names = bool(draft.keys.get("tls-auto"))
    bare = [one for one in listen if one.startswith("tls:") and "certKey" not in one and not has_names]
    for one in bare:
        why = f"listen {one}: no certificate is named for it; add :privateKey=FILE:certKey=FILE"
        draft.remarks.append(_remark(lines, "443", why))
    rest = [one for one in listen if one not in bare]
    if bare:
        draft.keys["listen"] = rest or ["tcp:80"]
    if not any(one.startswith("tls:") for one in rest) and draft.keys.pop("redirect-https", False):
        why = "redirect-https: no listener speaks HTTPS here, to which it could lead"
        draft.remarks.append(_remark(lines, "https", why))


def _problem(key: str, value: Any) -> str:
    """Why no node takes *value* as *key*; "": it does."""
    setting = SETTINGS.get(key)
    if setting is None:
        return ""
    try:
        setting.kind.from_toml(value, _BASE)
    except WrongTables as wrong:
        return " ".join(wrong.lines)
    except Wrong as wrong:
        return str(wrong)
    return ""


def _remark(lines: Sequence[Statement], value: Any, why: str) -> Remark:
    """*why*, with the line that says *value*, or that stands at that place."""
    texts = [str(one) for one in value] if isinstance(value, list) else [str(value)]
    for one in lines:
        if one.place == value or any(text in (one.name, *one.args) for text in texts):
            return Remark(one.place, one.text, shown(why))
    place = value if isinstance(value, Place) else lines[0].place if lines else Place("", 0)
    return Remark(place, shown(" ".join(texts))[:120], shown(why))


def _walk(statements: Sequence[Statement]) -> Iterator[Statement]:
    for one in statements:
        yield one
        yield from _walk(one.block or ())

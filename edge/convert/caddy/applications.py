"""Applications that a site asks, and PHP, which is not run."""

from __future__ import annotations

import re
from typing import Any

from edge.convert.caddy.matchers import Matcher, holds
from edge.convert.caddy.shown import file_server
from edge.convert.caddy.site import CLOSED, ONLY_PATHS, Scope, Site
from edge.convert.caddy.words import PROXY_NEEDLESS
from edge.convert.statements import Statement
from edge.convert.telling import FORWARDED, NOT_TOLD


def reverse_proxy(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``reverse_proxy``: an application at a tree."""
    block = one.block or ()
    places = [*args, *[arg for each in block if each.name == "to" for arg in each.args]]
    to = [_upstream(place) for place in places]
    ats = [_at(path) for path in about.paths] or ["/"]
    if about.is_odd:
        site.hide(one, about, ONLY_PATHS)
        return
    if not to or None in to or about.regexes or None in ats:
        why = 'an application is asked over plain HTTP: to = "http://HOST:PORT", at = "/PATH"'
        site.hide(one, about, why)
        site.claimed += [about] if about.is_of_paths else []
        return
    if about.but:
        site.draft.remark(one, f"an application has a whole tree: of {', '.join(about.but)[:80]} {CLOSED}")
        site.close(one, Matcher(about.but))
    host: dict[str, str] = {}
    for each in block:
        _proxied(site, each, host)
    if scope.taken or site.stripped:
        site.draft.remark(one, "an application is asked with the whole path; let it expect that (a prefix)")
    probes = [
        each.args[0]
        for each in block
        if each.name == "health_uri" and each.args[:1] and each.args[0][0] == "/"
    ]
    known = {table.values["at"]: table.values for table in site.result.tables.get("app", ())}
    for at in ats:
        values: dict[str, Any] = {"at": at, "to": to[0] if len(to) == 1 else to, **host}
        if at in known:
            if known[at]["to"] != values["to"]:
                site.draft.remark(one, f"there is an application at {at} already; a tree has one")
        else:
            site.result.add("app", {**values, **({"probe": probes[0]} if probes else {})}, one.place)
            site.apps += [(one, str(at))] if at != "/" else []
    for path in about.paths:  # what a tree has besides was not asked of it
        stem = re.escape(path.removesuffix("*"))
        if not path.endswith("/*"):
            rest = f"^{stem}[^/]" if path.endswith("*") else f"^{stem}/"
            site.result.add("redirect", {"from-regex": rest, "status": 404}, one.place)
    site.only(one, about)
    if about.is_of_paths:
        site.claimed.append(about)
        site.open_paths += about.paths


def _proxied(site: Site, each: Statement, host: dict[str, str]) -> None:
    """A line of the block of a ``reverse_proxy``."""
    words = (each.name, *(arg.lower() for arg in each.args))
    if each.name == "header_up" and words[1:2] == ("host",) and len(each.args) == 2:
        if "{" not in each.args[1]:
            host["host"] = each.args[1]
        elif each.args[1] not in (
            "{host}",
            "{http.request.host}",
            "{hostport}",
            "{http.request.hostport}",
        ):
            site.draft.remark(each, 'host = "NAME" in [[app]] says which host it is told')
    elif each.name == "header_up" and words[1:2]:
        name = words[1].lstrip("+-")
        is_never_sent = words[1].startswith("-") and name.startswith(("x-forwarded-", "x-real-ip"))
        if name not in (*FORWARDED, "upgrade", "connection") and not is_never_sent:
            site.draft.remark(each, NOT_TOLD)
    elif each.name not in PROXY_NEEDLESS:
        site.draft.remark(each, "an application is asked with what the visitor sent, and answers as it does")


def php(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """PHP is not run, and what it is made of is shown to nobody."""
    site.draft.remark(
        one,
        'PHP is not run here: let FrankenPHP be an [[app]] with to = "http://127.0.0.1:PORT", and '
        "take the *.php out of the webroot, which an [[access]] hides until then",
    )
    site.close(one, Matcher(("*.php",)))
    if one.name == "php_server":
        file_server(site, one._replace(block=None), (), about, scope)


def _at(path: str) -> str | None:
    """The tree of an application; None: it is none."""
    at = path.removesuffix("*").rstrip("/") or "/"
    return (
        at
        if re.fullmatch(r"/[A-Za-z0-9/._~-]*", at) and "//" not in at and not holds("/.edge/*", at + "/")
        else None
    )


def _upstream(place: str) -> str | None:
    if place.startswith("unix/"):
        return "http+unix:" + place.removeprefix("unix/")
    found = re.fullmatch(r"(?:http://)?([A-Za-z0-9._-]*|\[[0-9A-Fa-f:]+\]):?([0-9]{0,5})", place)
    if (
        found is None
        or not (found[1] or found[2])
        or found[2] == "443"
        or int(found[2] or 80) not in range(1, 65536)
    ):
        return None
    return f"http://{found[1] or '127.0.0.1'}:{found[2] or 80}"

"""Addresses that lead elsewhere: redirects, rewrites, and paths that are shortened."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from edge.addresses.redirects import AddressRule, AddressRules, circles
from edge.convert.caddy.matchers import ALL, Matcher
from edge.convert.caddy.site import Scope, Site, source_of
from edge.convert.caddy.words import ELSEWHERE
from edge.convert.statements import Statement, number
from edge.errors import ConfigError

#: What a ``path_regexp`` has found.
_CAPTURE = re.compile(r"\{(?:http\.regexp|re)\.(?:\w+\.)?([0-9])\}")


def redir(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``redir``: a redirect."""
    to, code = (args[0] if args else ""), (args[1] if len(args) > 1 else "302")
    status = {"permanent": 301, "temporary": 302, "html": 302}.get(code, number(code) or 0)
    if about.is_of_paths and about.is_all and re.fullmatch(r"https://\{(?:host|hostport)\}\{uri\}", to):
        site.draft.keys["redirect-https"] = True
        site.claimed.append(about)
        return
    if status not in (301, 302, 303, 307, 308):
        site.hide(one, about, "a redirect has the status 301, 302, 303, 307 or 308")
        return
    if not about.is_of_paths:
        site.hide(one, about, "redirects go by path alone")
        return
    site.claimed.append(about)
    for path in about.paths or ("/*",) * (not about.regexes):
        target, is_tree = to, path.endswith("*")
        if to.endswith("{uri}"):
            base = to.removesuffix("{uri}")
            target = base + (path[:-1] if path.endswith("/*") else path) + ":splat" * path.endswith("/*")
            is_tree = is_tree and not path.endswith("/*")
        if "{" in target or not re.match(r"/|https?://", target) or (to.endswith("{uri}") and is_tree):
            site.hide(
                one,
                Matcher((path,)) if path != "/*" else ALL,
                'an address is made of captures alone: from = "/old/*", to = "/new/:splat"',
            )
        else:
            add_address(site, "redirect", one, {**source_of(path), "to": target, "status": status})
    scheme = re.match(r"https?://[^/{]*", to)
    begin = scheme[0] if scheme else ""
    to = begin + _CAPTURE.sub(r":\1", to[len(begin) :].replace(":", "%3A"))
    for regex in about.regexes:
        if "{" in to or not re.match(r"/|https?://", to):
            site.hide(one, Matcher(regexes=(regex,)), "an address is made of captures alone")
        else:
            add_address(site, "redirect", one, {"from-regex": regex, "to": to, "status": status})


def rewrite(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``rewrite``: another file at this address."""
    to = args[-1] if args else ""
    if (
        not about.is_of_paths
        or about.regexes
        or scope.taken
        or "{" in to
        or not to.startswith("/")
        or "?" in to
    ):
        if about == ALL:  # which files are shown is not known
            site.is_rewritten = True
            site.draft.remark(one, "a rewrite leads from a path to a file: from, to")
        else:
            site.hide(one, about, "a rewrite leads from a path to a file: from, to")
        return
    for path in about.paths or ("/*",):
        add_address(site, "rewrite", one, {**source_of(path), "to": to, "force": True})
        site.led.append((one, to))


def add_address(site: Site, name: str, one: Statement, values: dict[str, Any]) -> None:
    """A redirect or a rewrite, if it is one."""
    source = values.get("from", "")
    try:
        rule = AddressRule(
            source,
            values.get("from-regex", ""),
            values["to"],
            values.get("status", 200),
            values.get("force", True),
            place=str(one.place),
        )
        rule.check()
        problem = next(circles(AddressRules((rule,))), "")
    except ConfigError as error:
        problem = str(error)
    if problem and (regex := values.get("from-regex")):
        site.hide(one, Matcher(regexes=(regex,)), problem)
    elif problem:
        site.hide(one, Matcher((source,)) if source != "/*" else ALL, problem)
    else:
        site.result.add(name, values, one.place)


def uri(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``uri``: what counts later sees another path."""
    if args[:1] == ("strip_prefix",) and len(args) == 2 and args[1].startswith("/") and "{" not in args[1]:
        site.stripped.append(args[1])
        site.hide(
            one, replace(about, paths=(args[1].rstrip("/") + "/*",), regexes=()), ELSEWHERE["uri_strip"]
        )
    else:
        site.draft.remark(one, ELSEWHERE["uri_strip"])

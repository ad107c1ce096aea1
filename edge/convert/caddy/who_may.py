"""Answers that keep visitors out, passwords, and what somebody else decides."""

from __future__ import annotations

import re

from edge.addresses import Glob
from edge.convert.caddy.matchers import Matcher
from edge.convert.caddy.site import CLOSED, ONLY_PATHS, Scope, Site
from edge.convert.statements import Statement, number


def respond(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``respond``, ``error``, ``abort``: that somebody may not, that nothing is there, or an answer."""
    status = _status_of(one, args)
    if about.is_of_paths:
        site.claimed.append(about)
    if status is None or status < 400:
        why = "an answer of its own: write it as a file, or let an [[app]] give it"
        site.hide(one, about, why)
        return
    if about.is_all and about.is_of_paths:  # what nothing before it has answered, which is nothing here
        if len(args) > 1 or one.block:
            site.draft.remark(one, "a node has words of its own for it; name a page 404.html")
        return
    if (
        about.is_partial
        and not about.is_guard
        and about.is_all
        and about.inside is None
        and not about.outside
    ):
        site.draft.remark(one, f"{ONLY_PATHS}: those are let in")
        return
    if about.is_odd:
        site.draft.remark(one, f"{ONLY_PATHS}: {CLOSED}")
    elif (len(args) > 1 or one.block) and one.name == "respond":
        site.draft.remark(one, "a node has words of its own for it")
    site.close(one, about, status)


def basic_auth(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``basic_auth``: a password, of users in a file for them alone."""
    realm = args[1] if len(args) > 1 and args[1].isprintable() and 0 < len(args[1]) <= 128 else "Restricted"
    users = tuple(" ".join((each.name, *each.args)) for each in one.block or ())
    file = site.passwords.setdefault(users, "htpasswd" + f"-{len(site.passwords) + 1}" * bool(site.passwords))
    names = ", ".join(each.name for each in one.block or ())
    more = "" if about.is_of_paths else f"; {ONLY_PATHS}, so that everybody needs it"
    site.draft.remark(one, f"put the users into a file {file}, a line NAME:HASH each ({names[:80]}){more}")
    for regex in about.regexes:
        site.result.add("redirect", {"from-regex": regex, "status": 404}, one.place)
    for glob in about.globs if about.paths or not about.regexes else ():
        known = [
            table.values
            for table in site.result.tables.get("auth", ())
            if table.values["users"] != file and _meet(table.values["path"], glob)
        ]
        if known:
            site.draft.remark(
                one,
                f"of two passwords for one path one counts here ({known[0]['path']}): "
                "name in each file those alone who have both",
            )
        site.result.add("auth", {"path": glob, "users": file, "realm": realm}, one.place)
    site.close_other_cases(about.paths, one.place)
    for prefix in site.stripped if about.paths else ():
        for glob in about.below(prefix).globs:
            site.result.add("auth", {"path": glob, "users": file, "realm": realm}, one.place)


def forward_auth(site: Site, one: Statement, args: tuple[str, ...], about: Matcher, scope: Scope) -> None:
    """``forward_auth``: somebody else decides."""
    site.draft.remark(one, f"let the application that decides answer that part itself: an [[app]]; {CLOSED}")
    site.close(one, about)


def _status_of(one: Statement, args: tuple[str, ...]) -> int | None:
    """The status of an answer; None: it is not known."""
    if one.name == "abort":
        return 404
    if any("{" in arg for arg in args[-1:]):
        return 500 if one.name == "error" else None
    known = [number(arg) for arg in args if re.fullmatch("[1-9][0-9][0-9]", arg)]
    default = 500 if one.name == "error" else 200
    return (known[-1] if known else default) or default


def _meet(glob: str, other: str) -> bool:
    ours, theirs = Glob(glob), Glob(other)
    return ours.prefix.startswith(theirs.prefix) or theirs.prefix.startswith(ours.prefix)

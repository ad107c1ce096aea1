"""A site of a Caddyfile on its way: what its directives have said so far, and how a part of it is closed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from edge.convert.caddy.guards import Guard, lies_in
from edge.convert.caddy.matchers import Matcher, other_cases
from edge.convert.draft import Draft, SiteDraft
from edge.convert.statements import Place, Statement

#: What remarks say of matchers, and of what is closed.
ONLY_PATHS = "only paths and networks are told apart here"
CLOSED = "nobody is let in until you say who"


class Scope(NamedTuple):
    """What holds in a block."""

    #: Whom it is about, and the named matchers that are known.
    about: Matcher
    names: dict[str, Matcher]
    #: The folder; "": none was named.
    root: list[str]
    #: What ``handle_path`` has taken away from the paths.
    taken: str = ""
    #: Directives stand in the order in which they count.
    is_route: bool = False


@dataclass
class Files:
    """Where files are shown."""

    one: Statement
    about: Matcher
    root: str
    taken: str


@dataclass
class Site:
    """One site on its way."""

    draft: Draft
    routes: dict[str, Statement] = field(default_factory=dict)
    result: SiteDraft = field(default_factory=SiteDraft)
    guards: list[Guard] = field(default_factory=list)
    #: What says Strict-Transport-Security.
    hsts: Statement | None = None
    #: ``tls`` with files: certificate and key.
    certificate: tuple[str, str] | None = None
    #: Its certificates are Caddy's own, not of an authority.
    is_internal: bool = False
    #: Addresses of ``bind``.
    binds: list[str] = field(default_factory=list)
    #: Who is answered already, for sure.
    claimed: list[Matcher] = field(default_factory=list)
    #: Who is answered by something, with all conditions.
    answered: list[Matcher] = field(default_factory=list)
    #: Paths of applications that everybody may ask.
    open_paths: list[str] = field(default_factory=list)
    files: list[Files] = field(default_factory=list)
    #: Applications of a part: their directives, and where.
    apps: list[tuple[Statement, str]] = field(default_factory=list)
    #: By users: the file of passwords.
    passwords: dict[tuple[str, ...], str] = field(default_factory=dict)
    #: What ``uri strip_prefix`` takes away.
    stripped: list[str] = field(default_factory=list)
    #: Rewrites and fallbacks: the directive, and the file.
    led: list[tuple[Statement, str]] = field(default_factory=list)
    depth: int = 0
    #: All paths lead to other files, nobody knows which.
    is_rewritten: bool = False

    def close(self, one: Statement, about: Matcher, status: int = 403) -> None:
        """Nobody has what *about* is about; more than that where paths and networks cannot say it."""
        if about.is_odd:
            about = Matcher(about.paths, about.regexes)
        if status in (404, 410) and about.is_of_paths and not about.is_all:
            plain = [
                path
                for path in about.paths
                if not re.search(r"[\[\]\\{}%?]", path) and not (path.startswith("*") and path.rfind("/") < 1)
            ]
            for path in plain:
                self.result.add("redirect", {**source_of(path), "status": status}, one.place)
            about = replace(about, paths=tuple(path for path in about.paths if path not in plain))
            self.close_other_cases(plain, one.place)
            if about.is_all:
                return
        for regex in about.regexes:
            self.result.add("redirect", {"from-regex": regex, "status": 404}, one.place)
            if not about.is_of_paths:
                self.draft.remark(one, f"who may goes by globs, not by regular expressions: {CLOSED}")
        allow = list(about.outside) if about.inside is None else None
        deny = [] if about.inside is None else list(about.inside)
        if about.inside == ():  # in both of two networks that have nothing in common
            return
        if about.paths or not about.regexes:
            self._guard(about, allow, deny, one.place)

    def only(self, one: Statement, about: Matcher) -> None:
        """What *about* is about is for its networks alone."""
        if about.inside is not None:
            inside = Matcher(about.paths, about.regexes, outside=about.inside, but=about.but)
            self.close(one, inside)
        if about.outside:
            self.close(one, Matcher(about.paths, about.regexes, inside=about.outside, but=about.but))

    def _guard(self, about: Matcher, allow: list[str] | None, deny: list[str], place: Place) -> None:
        for glob in about.globs:
            guard = Guard(glob, allow, deny, place)
            but = [*about.but, *(self.open_paths if about.is_all and allow != [] else ())]
            for inner in dict.fromkeys(Matcher((path,)).globs[0] for path in but):
                if lies_in(inner, glob) and inner != glob:
                    self.guards.append(Guard(inner, None, [], place, guard))
            self.guards.append(guard)
        self.close_other_cases(about.paths, place)
        for prefix in self.stripped if about.paths else ():
            for glob in about.below(prefix).globs:
                self.guards.append(Guard(glob, allow, deny, place))

    def close_other_cases(self, paths: Sequence[str], place: Place) -> None:
        """Caddy takes a path in any case: what is another one here is nobody's."""
        for path in paths:
            if pattern := other_cases(path):
                self.result.add("redirect", {"from-regex": pattern, "status": 404}, place)

    def hide(self, one: Statement, about: Matcher, why: str) -> None:
        """What a directive answers that is not understood; the files there were seen by nobody."""
        if about.is_partial and not about.is_guard:
            self.draft.remark(one, why)
            return
        if about.is_all and about.is_of_paths:
            self.draft.remark(one, why)
            self.claimed.append(about)
            return
        self.draft.remark(one, f"{why}; until then {CLOSED.replace(' until you say who', '')}")
        self.close(one, about)


def source_of(path: str) -> dict[str, str]:
    """The pattern *path* as ``from``, or as a regular expression."""
    if re.fullmatch(r"/[A-Za-z0-9/._~-]*", path) or re.fullmatch(r"/(?:[A-Za-z0-9/._~-]*/)?\*", path):
        return {"from": path}
    begin = "" if path.startswith("*") else "^"
    body = "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", path.strip("*")))
    return {"from-regex": begin + body + ("" if path.endswith("*") else "$")}

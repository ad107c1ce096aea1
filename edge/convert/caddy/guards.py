"""Who may, as a Caddyfile closes its paths: rules ``[[access]]`` that mean the same whatever stands in them.

In Caddy every directive that closes something counts; of ``[[access]]`` the first that matches does.  So a
rule also says what those say that it lies in or meets, and those that let nobody in come first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edge.addresses import Glob
from edge.convert.draft import Table
from edge.convert.networks import EVERYBODY, both, is_in
from edge.convert.statements import Place


@dataclass
class Guard:
    """Who may have the paths of a glob."""

    glob: str
    #: Networks that alone may; None: everybody.
    allow: list[str] | None
    deny: list[str]
    place: Place
    #: What it opens in.
    opens: Guard | None = None
    number: int = field(default=0)

    @property
    def is_closed(self) -> bool:
        """Whether nobody may."""
        return self.allow == []

    @property
    def values(self) -> dict[str, Any]:
        """The table."""
        if self.is_closed:
            return {"path": self.glob, "deny": list(EVERYBODY)}
        if self.allow is None:
            return {"path": self.glob, **({"deny": self.deny} if self.deny else {"allow": list(EVERYBODY)})}
        return {"path": self.glob, "allow": self.allow, "deny": [*self.deny, *EVERYBODY]}


def lies_in(glob: str, wider: str) -> bool:
    """Whether all paths of *glob* are among those of *wider*, as far as both are plain."""
    whole = Glob(wider)
    return wider in (glob, "/**") or (
        whole.is_open and whole.is_whole and Glob(glob).prefix.startswith(whole.prefix)
    )


def _meets(glob: str, other: str) -> bool:
    """Whether a path may be among those of both."""
    ours, theirs = Glob(glob), Glob(other)
    begins = [one.prefix if one.is_whole else "" for one in (ours, theirs)]
    ends = [one.suffix if not one.is_literal else "" for one in (ours, theirs)]
    return (begins[0].startswith(begins[1]) or begins[1].startswith(begins[0])) and (
        ends[0].endswith(ends[1]) or ends[1].endswith(ends[0])
    )


def tables_of(guards: list[Guard]) -> list[Table]:
    """The tables of *guards*, in the order in which the first that matches counts."""
    for number, one in enumerate(guards):
        one.number = number
    merged: list[Guard] = []
    for one in guards:
        allow, deny = one.allow, list(one.deny)
        for wider in guards:
            if wider is one or wider is one.opens or wider.opens is not None:
                continue
            if not lies_in(one.glob, wider.glob) and (
                wider.is_closed or lies_in(wider.glob, one.glob) or not _meets(one.glob, wider.glob)
            ):
                continue  # it comes first, or is about others
            if wider.allow is not None:
                allow = list(wider.allow) if allow is None else both(allow, wider.allow)
            deny += [each for each in wider.deny if each not in deny]
        if allow:  # of two networks the longer would count
            allow = [each for each in allow if not any(is_in(each, other) for other in deny)]
        merged.append(Guard(one.glob, allow, deny, one.place, one.opens, one.number))
    merged.sort(
        key=lambda one: (one.glob == "/**", not one.is_closed, -len(Glob(one.glob).prefix), one.number)
    )
    seen: set[str] = set()
    tables = []
    for one in merged:
        if one.glob not in seen:
            tables.append(Table(one.values, one.place))
        seen.add(one.glob)
    return tables

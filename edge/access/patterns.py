"""The rules of a site as the fast path knows them: ``edge_guard.h`` is the twin.

A rule becomes one pattern or several: a path has the pattern's begin and end, or equals it
(*literal*).  Where that is all that the rule says (*exact*), the fast path decides; else a path that fits is
let go, and the Twisted side decides by the whole rule.  A path that may be spelt otherwise - a percent sign,
a backslash, two slashes, a segment of dots - fits every pattern but those of all paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from edge.access.networks import NetworkLists
from edge.access.rules import EXEMPT, RateRule, Rules
from edge.addresses.globs import Glob

#: Patterns of one site.
MOST_PATTERNS = 64
_ODD = re.compile(rb"%|\\|//|/\.\.?(?:/|\Z)")
_EXEMPT = tuple(path.encode("ascii") for path in EXEMPT)


class Kind(IntEnum):
    """What a pattern has the fast path do."""

    #: Let go.
    LOGIN = 0
    #: Look at the client's address.
    NETWORKS = 1
    #: Take a token.
    RATE = 2


class Pattern(NamedTuple):
    """What a path looks like that a rule holds for."""

    kind: Kind
    begin: bytes
    end: bytes = b""
    literal: bool = False
    exact: bool = False
    networks: NetworkLists | None = None
    #: With its number.
    rate: tuple[int, RateRule] | None = None

    def fits(self, path: bytes, is_odd: bool) -> bool:
        """Whether *path*, as it was sent, may be one of the rule's."""
        if is_odd:
            return True
        if self.literal:
            return path == self.begin
        return (
            path.startswith(self.begin)
            and path.endswith(self.end)
            and len(path) >= len(self.begin) + len(self.end)
        )

    @property
    def is_for_all(self) -> bool:
        """Whether it is about every path, however spelt."""
        return self.exact and self.begin == b"/" and not self.literal


class Patterns:
    """The patterns of one site, in the order of trial."""

    def __init__(self, rules: Rules) -> None:
        self.all = tuple(_patterns(rules))

    def fitting(self, path: bytes) -> list[Pattern]:
        """Those that *path*, as it was sent, fits, in order."""
        if not self.all or path.startswith(_EXEMPT):
            return []
        is_odd = _ODD.search(path) is not None
        return [one for one in self.all if one.is_for_all or one.fits(path, is_odd)]


def tells(fitting: Iterable[Pattern], path: bytes, client: bytes) -> bool:
    """Whether *client* is told what is at *path*, which fits these, without a closer look."""
    networks = [one for one in fitting if one.kind is Kind.NETWORKS][:1]  # the first rule decides
    return not any(one.kind is Kind.LOGIN for one in fitting) and all(
        is_sure(one, path) and one.networks is not None and one.networks.allow(client) for one in networks
    )


def is_sure(pattern: Pattern, path: bytes) -> bool:
    """Whether a *path* that fits is certainly one of the rule's."""
    return pattern.is_for_all or (pattern.exact and _ODD.search(path) is None)


def _patterns(rules: Rules) -> Iterator[Pattern]:
    for glob, _ in rules.auth:
        yield from _spelt(glob, Pattern(Kind.LOGIN, b""), rules.index)
    for glob, networks in rules.access:
        yield from _spelt(glob, Pattern(Kind.NETWORKS, b"", networks=networks), rules.index)
    for glob, rate in rules.rates:
        yield from _spelt(glob, Pattern(Kind.RATE, b"", rate=rate), rules.index)


def _spelt(glob: Glob, one: Pattern, index: tuple[str, ...]) -> Iterator[Pattern]:
    """The patterns of *glob*, like *one*, of all paths that are spelt so or name a page or an index."""
    begin = glob.prefix
    if glob.is_whole and glob.is_open:
        yield one._replace(begin=_raw(begin), exact=True)
        if begin.endswith("/") and begin != "/":
            yield one._replace(begin=_raw(begin[:-1]), literal=True)
    elif glob.is_whole and glob.is_literal:
        yield one._replace(begin=_raw(begin), literal=True, exact=True)
        for ending in (".html", "/", *(f"/{name}" for name in index), *index):
            if begin.endswith(ending) and begin != ending:
                yield one._replace(begin=_raw(begin.removesuffix(ending)), literal=True)
    elif glob.is_whole:
        folder = begin[: begin.rfind("/") + 1]
        yield one._replace(begin=_raw(folder), end=_end(glob, index))
        if folder != "/":
            yield one._replace(begin=_raw(folder[:-1]), literal=True)
    else:
        yield one._replace(begin=b"/", end=_end(glob, index))


def _end(glob: Glob, index: tuple[str, ...]) -> bytes:
    """What all paths end with that *glob* holds for; b"" if one may end with what a page or an index adds."""
    end = glob.suffix
    added = (".html", "/", *index)
    return b"" if any(one.endswith(end) or end.endswith(one) for one in added) else _raw(end)


def _raw(text: str) -> bytes:
    """*text* as a path has it that needs no percent signs; what does is odd anyway."""
    return text.encode("utf-8", "surrogateescape")

"""The rules of one site, as they are configured, and those that hold for a path.

Of passwords and of networks the first rule whose path matches holds; of rates each one.  The paths of a
node's own that others rely on (:data:`EXEMPT`) have none: health for load balancers, and challenges of
certificate authorities.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edge.access.networks import NetworkLists
from edge.addresses.globs import Glob, GlobRules, decoded
from edge.remembered import remembered

#: Rules of one site, of all kinds together.
MOST_RULES = 32
#: Networks of one rule.
MOST_NETWORKS = 1024
PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
#: Paths that begin so have no rules.
EXEMPT = ("/.edge/health", "/.edge/ready", "/.well-known/acme-challenge/")


@dataclass(frozen=True)
class AuthRule:
    """Who asks for these paths has to log in."""

    path: str
    #: The file of those who may.
    users: str
    realm: str


@dataclass(frozen=True)
class AccessRule:
    """Which networks may ask for these paths; see :mod:`.networks`."""

    path: str
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@dataclass(frozen=True)
class RateRule:
    """How often an address may ask for these paths: a bucket of *burst* tokens that is filled evenly."""

    path: str
    requests: int
    #: One of :data:`PERIODS`.
    per: str
    burst: int

    @property
    def interval(self) -> int:
        """Microseconds from one token to the next."""
        return max(1, PERIODS[self.per] * 1_000_000 // self.requests)


class Holding(NamedTuple):
    """What holds for a path."""

    auth: AuthRule | None = None
    networks: NetworkLists | None = None
    #: Rules and their numbers, which tell buckets apart.
    rates: tuple[tuple[int, RateRule], ...] = ()


#: Nothing does.
NOTHING = Holding()


class Rules:
    """The rules of one site."""

    def __init__(
        self,
        auth: Sequence[AuthRule] = (),
        access: Sequence[AccessRule] = (),
        rates: Sequence[RateRule] = (),
        index: Sequence[str] = ("index.html",),
        first: int = 0,
    ) -> None:
        """*index*: names that stand for their folder; *first*: the number of its first bucket."""
        self.auth = [(Glob(rule.path), rule) for rule in auth]
        self.access = [(Glob(rule.path), NetworkLists(rule.allow, rule.deny)) for rule in access]
        self.rates = [(Glob(rule.path), (first + number, rule)) for number, rule in enumerate(rates)]
        self.index = tuple(index)
        self._auth, self._access = GlobRules(self.auth), GlobRules(self.access)
        self._rates = GlobRules(self.rates)
        #: What holds for a path, as it was sent, without the query.
        self.holding = remembered(4096)(self._holding)

    def __bool__(self) -> bool:
        return bool(self.auth or self.access or self.rates)

    def _holding(self, path: bytes) -> Holding:
        text = decoded(path)
        if not self or text.startswith(EXEMPT):
            return NOTHING
        spelt = tuple(spellings(text, self.index))
        return Holding(
            next(self._auth.matching(*spelt), None),
            next(self._access.matching(*spelt), None),
            tuple(self._rates.matching(*spelt)),
        )

    def is_protected(self, path: bytes) -> bool:
        """Whether not everybody may have what is at *path*: it is told to nobody besides."""
        found = self.holding(path)
        return found.auth is not None or found.networks is not None


def spellings(path: str, index: Iterable[str]) -> Iterable[str]:
    """The decoded *path*, and what else it may name: without doubled slashes and dots, a page, an index."""
    yield path
    plain = posixpath.normpath("/" + path.replace("\\", "/").lstrip("/"))
    if path.endswith("/") and plain != "/":
        plain += "/"
    if plain != path:
        yield plain
    folder = plain if plain.endswith("/") else plain + "/"
    if folder != plain:
        yield plain + ".html"
        yield folder
    for name in index:
        yield folder + name

"""A server on its way to a site: what its directives have said so far, and how its blocks are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from edge.convert.draft import Draft, SiteDraft
from edge.convert.nginx.places import Location, is_dotfiles
from edge.convert.nginx.words import BESIDE_PASS, ELSEWHERE, NEEDLESS, PROXIED
from edge.convert.statements import TOO_LONG, Place, Statement

#: Directives that have something answer that is not HTTP.
PASSES = frozenset(("fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"))


@dataclass
class Around:
    """What stands around servers, by name."""

    #: Of ``upstream``: URLs of its places.
    upstreams: dict[str, list[str]] = field(default_factory=dict)
    #: Rates of ``limit_req_zone``.
    zones: dict[str, str] = field(default_factory=dict)
    #: ``map``, by the variable that it makes.
    maps: dict[str, Statement] = field(default_factory=dict)
    #: Names of ``log_format`` that are JSON.
    json_logs: set[str] = field(default_factory=set)


class Rule(NamedTuple):
    """A table on its way, and the location that it is of."""

    name: str
    values: dict[str, Any]
    place: Place
    here: Location


class Server:
    """What the directives of one server have said, as *takers* take them."""

    def __init__(
        self, draft: Draft, around: Around, takers: Takers, statement: Statement | None = None
    ) -> None:
        self.draft = draft
        self.around = around
        self.takers = takers
        self.statement = statement
        self.site = SiteDraft()
        #: What stands around servers holds in each that says nothing else.
        self.http = Location("server", "/", None, None)
        self.root = Location("server", "/", None, self.http)
        self.endpoints: list[str] = []
        self.certificate = self.key = ""
        self.named: dict[str, Statement] = {}
        self.rules: list[Rule] = []
        #: Hosts that only lead elsewhere.
        self.others: list[Server] = []
        #: It leads to HTTPS: everybody, or who asks for these hosts.
        self.leads_to_https = False
        self.https_hosts: list[str] = []
        self.has_hsts = False
        self.used_maps: set[str] = set()
        #: What is to be said at the end, when it is known what else there is.
        self.error_pages: list[Statement] = []
        self.opened: list[tuple[Statement, Location]] = []
        self.rewritten: list[tuple[Statement, str]] = []
        #: An application may answer everything that no other place takes.
        self.is_proxied_whole = False
        #: Places that somebody else decides about: nobody is let in, whatever is said of networks inside.
        self.nobodys: list[Location] = []
        #: Places of names that begin with a dot.
        self.dotfiles: list[Location] = []
        #: By type: glob, Cache-Control, line.
        self.lifetimes: list[tuple[str, str, Place]] = []

    @property
    def is_secure(self) -> bool:
        """Whether it speaks TLS."""
        return any(endpoint.startswith("tls") for endpoint in self.endpoints)

    def take_all(self, statements: Sequence[Statement]) -> None:
        """The *statements* of the server itself: where it is first, which others ask about."""
        first = ("listen", "server_name", "ssl")
        self.take([one for one in statements if one.name in first], self.root)
        self.take([one for one in statements if one.name not in first], self.root)

    def take(self, statements: Sequence[Statement], here: Location) -> None:
        """All *statements* of one block."""
        here.lines = (*here.lines, *statements)
        for one in statements:
            if one.name == "location" and one.args and one.args[0].startswith("@"):
                self.named[one.args[0]] = one
        if passes := [one for one in statements if one.name in PASSES]:
            statements = [*passes, *(one for one in statements if not BESIDE_PASS.match(one.name))]
        access: list[Statement] = []
        for one in statements:
            taker = self.takers.directives.get(one.name)
            if one.is_too_long:
                self.draft.remark(one, TOO_LONG)
            elif one.name in ("allow", "deny"):
                access.append(one)
            elif taker is not None:
                taker(self, one, here)
            elif one.name not in NEEDLESS and one.name not in PROXIED:
                self.draft.remark(one, ELSEWHERE.get(one.name, "there is nothing here that does this"))
        self.takers.access(self, access, here)

    def add(self, name: str, values: dict[str, Any], one: Statement, here: Location) -> None:
        """One more ``[[name]]``, which *one* says in *here*."""
        self.rules.append(Rule(name, values, one.place, here))


class Takers(NamedTuple):
    """What takes the directives of a block."""

    directives: Mapping[str, Callable[[Server, Statement, Location], None]]
    #: ``allow`` and ``deny``, all of a block: the first that matches counts.
    access: Callable[[Server, Sequence[Statement], Location], None]


def location(server: Server, one: Statement, here: Location) -> None:
    """A location inside of *here*."""
    if one.args and one.args[0].startswith("@"):
        return  # what names it takes it
    if len(one.args) not in (1, 2) or one.block is None:
        server.draft.remark(one, "a location has a path and a block")
        return
    kind, path = one.args if len(one.args) == 2 else ("", one.args[0])
    if not kind and path[:1] in "=~^" and len(path) > 1:  # "=/x", without the space
        kind = "^~" if path.startswith("^~") else "~*" if path.startswith("~*") else path[0]
        path = path[len(kind) :]
    inner = Location(kind, path, one, here)
    is_asked = any(each.name == "proxy_pass" for each in one.block)
    if kind in ("~", "~*") and is_dotfiles(path) and not is_asked:
        server.dotfiles.append(inner)  # they are never published, but an application may be asked
        return
    here.inner.append(inner)
    server.take(one.block, inner)

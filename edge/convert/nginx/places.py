"""Places of nginx: a server and its locations, what holds in each, and which of two that match counts.

Of the locations that match nginx takes one: an exact one, else a ``^~`` prefix, else the first regular
expression, else the longest prefix.  :func:`weakest_first` is that order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edge.addresses import Glob
from edge.convert.headers import CACHE_CONTROL, PlaceFields
from edge.convert.patterns import has_alternatives
from edge.convert.statements import Statement

_EXTENSIONS = re.compile(r"(?:\.[*+]|\(\.[*+]\))?\\\.\(?(?:\?:)?([A-Za-z0-9|?]+)\)?\$")
#: ``^/a``, ``^/(a|b)``, ``^/(?:a|b)/``, with whatever may follow.
_BEGIN = re.compile(
    r"\^(/(?:[A-Za-z0-9/_~-]|\\[.-])*)(?:\((?:\?:)?((?:[A-Za-z0-9_~|/-]|\\[.-])+)\)(/?))?(?:\.\*\$?|\(\.\*\)\$?)?"
)
#: How patterns of names that begin with a dot begin; ``.well-known`` is published.
_DOTFILES = re.compile(r"(?:\^?/|\^?\(\^\|/\)|\(\?:\^\|/\))\\\.(?![?*+{]|\(?(?:\?:)?well-known)")
#: What follows where all of them are meant, perhaps but that one.
_ANY_DOTFILE = re.compile(r"(\(\?!\(?(?:\?:)?well-known\\?/?\)?\))?(?:(?:\.|\[\^/\])[*+]\$?)?")
#: Letters of a pattern that may be there or not: each doubles the globs.
_OPTIONAL = 4
_STRENGTH = {"server": 0, "": 1, "~": 2, "~*": 2, "^~": 3, "=": 4}
#: Directives that have a location answered elsewhere than from files.
_ANSWERS = frozenset(
    ("return", "rewrite", "proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "internal")
)


@dataclass
class Location:
    """One location, and what holds in it."""

    #: "=", "^~", "~", "~*", "" (a prefix), or "server".
    kind: str
    path: str
    statement: Statement | None
    outer: Location | None
    #: What stands in it.
    lines: tuple[Statement, ...] = ()
    inner: list[Location] = field(default_factory=list)
    fields: list[tuple[str, str]] = field(default_factory=list)
    expires: str | None = None
    own_fields: bool = False
    #: ``auth_basic`` ("off": none) and its file; None: as around it.
    realm: str | None = None
    users: str | None = None
    #: What said so.
    guarded: Statement | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it is the server, or what no other location takes."""
        return self.kind == "server" or (self.path == "/" and self.kind in ("", "^~"))

    @property
    def is_prefix(self) -> bool:
        """Whether it is a tree by its path."""
        return self.kind in ("", "^~")

    def around(self) -> Iterator[Location]:
        """It, and the places that it lies in, from the inside."""
        place: Location | None = self
        while place is not None:
            yield place
            place = place.outer

    def all_fields(self) -> tuple[tuple[str, str], ...]:
        """Its fields, or those around it where it has none."""
        fields = next((list(place.fields) for place in self.around() if place.own_fields), [])
        lifetime = next((place.expires for place in self.around() if place.expires is not None), "")
        return (*fields, *([(CACHE_CONTROL, lifetime)] if lifetime else ()))

    def login(self) -> tuple[str | None, str | None]:
        """Its realm and the file of its users, or those around it."""
        return (
            next((place.realm for place in self.around() if place.realm is not None), None),
            next((place.users for place in self.around() if place.users is not None), None),
        )

    def globs(self) -> tuple[str, ...] | None:
        """Globs of its paths; None: only a regular expression says it."""
        if self.kind == "server":
            return ("/**",)
        if self.kind == "=":
            return (self.path,)
        if self.is_prefix:
            return (self.path + "**",)
        extensions = _EXTENSIONS.fullmatch(self.path)
        if extensions is not None and extensions[1].count("?") <= _OPTIONAL:
            words = [word for one in extensions[1].split("|") for word in optional(one)]
            return tuple(f"*.{word}" for word in words)
        begins = self.begins() if self.kind == "~" else None
        return tuple(begin + "**" for begin in begins) if begins else None

    def begins(self) -> tuple[str, ...] | None:
        """What its paths begin with; None: only a regular expression says it."""
        if self.kind in ("=", "", "^~"):
            return (self.path,)
        found = _BEGIN.fullmatch(self.path)
        if found is None or "||" in (words := f"|{found[2] or 'x'}|"):
            return None
        return tuple((found[1] + word).replace("\\", "") + (found[3] or "")
                     for word in (words[1:-1].split("|") if found[2] else ("",)))  # fmt: skip

    def source(self) -> dict[str, str]:
        """Its paths as ``from`` of a redirect."""
        if self.kind == "server":
            return {"from": "/*"}
        if self.kind == "=":
            return {"from": self.path}
        if self.is_prefix:
            if self.path.endswith("/"):
                return {"from": self.path + "*"}
            return {"from-regex": "^" + re.escape(self.path)}
        return {"from-regex": ("(?i)" if self.kind == "~*" else "") + self.path}

    def serves_files(self) -> bool:
        """Whether it answers with files, as far as it says."""
        block = self.statement.block if self.statement is not None else None
        names = {one.name for one in block or ()}
        denies = any(one.name == "deny" and one.args == ("all",) for one in block or ())
        return not names & _ANSWERS and not denies and not (self.inner and not self.fields)

    def forgets_types(self) -> bool:
        """Whether it says that no extension has a type."""
        block = self.statement.block if self.statement is not None else None
        return any(one.name == "types" and not one.block for one in block or ())

    def adds_nothing(self, globs: Sequence[str], weaker: Sequence[PlaceFields]) -> bool:
        """Whether it has no fields of its own, and no *weaker* place has any for its paths."""
        if self.own_fields or self.expires is not None:
            return False
        others = [Glob(glob) for one in weaker for glob in one.globs if glob != "/**"]
        if self.kind == "=":
            return not any(other.matches(self.path) for other in others)
        if self.kind in ("~", "~*"):
            return all("/" not in other.pattern for other in others)
        return True


def optional(word: str) -> list[str]:
    """``jpe?g`` is jpeg and jpg."""
    at = word.find("?")
    if at < 1:
        return [word]
    return [*optional(word[:at] + word[at + 1 :]), *optional(word[: at - 1] + word[at + 1 :])]


def leads(location: Statement) -> bool:
    """Whether it answers with an address of its own."""
    return any(one.name in ("return", "rewrite", "proxy_pass") for one in location.block or ())


def walk(here: Location) -> Iterator[Location]:
    """*here*, and all that lies in it, in the order of the file."""
    yield here
    for inner in here.inner:
        yield from walk(inner)


def weakest_first(root: Location) -> list[Location]:
    """In the order in which later ones win: longer prefixes, earlier regular expressions."""
    all_ = list(enumerate(walk(root)))
    all_.sort(
        key=lambda one: (
            _STRENGTH.get(one[1].kind, 1),
            len(one[1].path) if one[1].kind in ("", "^~", "=") else 0,
            -one[0] if one[1].kind in ("~", "~*") else one[0],
        )
    )
    return [here for _, here in all_]


def is_dotfiles(pattern: str) -> bool:
    """Whether a regular expression is about names that begin with a dot alone, which are never published."""
    found = _DOTFILES.match(pattern)
    return found is not None and not has_alternatives(pattern[found.end() :])


def dotfiles_asked_for(pattern: str, but_well_known: bool) -> str:
    """*pattern*, which is about dotfiles, without a look-ahead for ``.well-known``, where that can be."""
    found = _DOTFILES.match(pattern)
    rest = _ANY_DOTFILE.fullmatch(pattern[found.end() :]) if found is not None else None
    if found is None or rest is None or not (rest[1] or but_well_known):
        return pattern
    word = "well-known"
    others = "|".join(f"{word[:at]}(?:[^{word[at]}]|$)" for at in range(len(word)))
    return f"{found[0]}(?:{others})"

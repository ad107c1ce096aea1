"""Matchers of Caddy: which requests a directive is about (sans-IO).

What is told apart here are paths and networks.  Of whatever else a matcher says it matters whether every
visitor can say so himself: that a field is there, a method, a host (``is_partial``); or not: that a field is
*not* there, an expression, what a plugin looks at (``is_guard``).  Caddy takes paths in any case, the rules
here as they are written: :func:`other_cases` is the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_network

from edge.convert.networks import both
from edge.convert.patterns import not_re2
from edge.convert.statements import Statement
from edge.networks import parse_network

#: What ``private_ranges`` stands for.
PRIVATE = ("192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8", "127.0.0.0/8", "fd00::/8", "::1")
#: What visitors say as they like, and what is the same for all of them.
_SAID = frozenset(("header", "header_regexp", "method", "host", "protocol", "query", "file"))
#: Of these also the contrary.
_EITHER = frozenset(("method", "host", "protocol", "file"))
#: Characters of the begin of a path whose case is looked at.
_CASED = 48
_VARIABLE = re.compile(r"\{[^{}\s]+\}")


@dataclass(frozen=True)
class Matcher:
    """Which requests: all of these conditions hold."""

    #: Paths as Caddy writes them, and a regular expression of others; neither: all.
    paths: tuple[str, ...] = ()
    regexes: tuple[str, ...] = ()
    #: Networks: who is in one of them (None: whoever), and who is in none.
    inside: tuple[str, ...] | None = None
    outside: tuple[str, ...] = ()
    #: Paths, of these, that it is not about.
    but: tuple[str, ...] = ()
    #: There is more to it, which visitors say themselves.
    is_partial: bool = False
    #: There is more to it, which not everybody can say.
    is_guard: bool = False

    @property
    def is_all(self) -> bool:
        """Whether it is about all paths."""
        return not self.paths and not self.regexes

    @property
    def is_of_paths(self) -> bool:
        """Whether nothing but paths counts."""
        return self == Matcher(self.paths, self.regexes)

    @property
    def is_odd(self) -> bool:
        """Whether there is more to it than paths and networks."""
        return self.is_partial or self.is_guard

    @property
    def globs(self) -> tuple[str, ...]:
        """The paths as globs."""
        return ("/**",) if self.is_all else tuple(glob_of(path) for path in self.paths)

    def within(self, outer: Matcher) -> Matcher:
        """This one in a block that is about *outer*; of paths the narrower, or the inner where none is."""
        both_paths = [
            one for one in self.paths if outer.is_all or any(_holds(each, one) for each in outer.paths)
        ]
        both_paths += [
            each for each in outer.paths if self.is_all or any(_holds(one, each) for one in self.paths)
        ]
        regexes = self.regexes or (outer.regexes if self.is_all else ())
        inside = (
            self.inside
            if outer.inside is None
            else (outer.inside if self.inside is None else tuple(both(self.inside, outer.inside)))
        )
        is_apart = not both_paths and not regexes and not (self.is_all and outer.is_all)
        is_mixed = bool((self.regexes and not outer.is_all) or (outer.regexes and not self.is_all))
        return Matcher(
            self.paths or outer.paths if is_apart else tuple(dict.fromkeys(both_paths)),
            regexes,
            inside,
            (*outer.outside, *self.outside),
            (*outer.but, *self.but),
            self.is_partial or outer.is_partial,
            self.is_guard or outer.is_guard or is_apart or is_mixed,
        )

    def below(self, prefix: str) -> Matcher:
        """The same, of who has asked for paths below *prefix*, which was taken away."""
        begin = prefix.removesuffix("*").rstrip("/")
        paths = tuple(begin + path if path.startswith("/") else path for path in self.paths)
        return replace(self, paths=paths, but=tuple(begin + path for path in self.but))

    def covers(self, other: Matcher) -> bool:
        """Whether whoever *other* is about is one of these, for sure."""
        if not self.is_of_paths:
            return False
        if self.is_all:
            return True
        return (
            not other.is_all
            and not other.regexes
            and all(any(holds(one, path) for one in self.paths) for path in other.paths)
        )


ALL = Matcher()
#: What nobody understands: perhaps not everybody can say it.
UNKNOWN = Matcher(is_guard=True)


def holds(pattern: str, path: str) -> bool:
    """Whether all that the pattern *path* is about *pattern* is about, too, as far as it is plain."""
    if pattern == path or pattern in ("*", "/*"):
        return True
    if not pattern.endswith("*") or "*" in pattern[:-1]:
        return pattern.startswith("*.") and "*" not in pattern[1:] and path.endswith(pattern[1:])
    return path.startswith(pattern[:-1])


def _holds(pattern: str, path: str) -> bool:
    """The same as Caddy has it, in any case."""
    return holds(pattern.lower(), path.lower())


def glob_of(path: str) -> str:
    """The pattern *path* as a glob: wider where Caddy has more than globs."""
    cut = re.search(r"[\[\]\\{}%]", path)
    if cut is not None:
        path = path[: cut.start()] + "*"
    if path in ("*", "/*"):
        return "/**"
    count, middle = path.count("*"), path.strip("*")
    if count == 2 and path[0] == path[-1] == "*":
        return f"/**{middle}**"
    if count == 1 and path.startswith("*"):
        return path if "/" not in path else f"/**{middle}"
    return path + "*" if path.endswith("*") else path


def other_cases(path: str) -> str:
    """A regular expression of *path* in any other case than it has here; "": it has no letters.

    Of a long one only the first letters are looked at.
    """
    stem = re.split(r"[\[\]\\{}%?]", path.removesuffix("*"))[0]
    at_end = stem.startswith("*") and not path.endswith("*") and "*" not in stem[1:]
    literal = stem.lstrip("*").split("*")[0][:_CASED]
    begin = "" if stem.startswith("*") else "^"
    rest = "" if path.endswith("*") or literal != stem.lstrip("*") else "$"
    ways = []
    for at, letter in enumerate(literal):
        if letter.isascii() and letter.swapcase() != letter:
            after = re.escape(literal[at + 1 :])
            any_case = f"(?i:{after})" if after.swapcase() != after else after
            ways.append(re.escape(literal[:at]) + letter.swapcase() + any_case)
    if not ways:
        return ""
    return f"{begin}(?:{'|'.join(ways)})" + ("$" if at_end else rest)


def matcher_of(statement: Statement) -> Matcher:
    """The named matcher that *statement* defines."""
    if statement.block is not None and len(statement.args) < 2:
        return _all_of((each.name, each.args, each.block) for each in statement.block)
    if not statement.args:
        return UNKNOWN
    return _all_of([(statement.args[0], statement.args[1:], statement.block)])


_Condition = tuple[str, Sequence[str], "tuple[Statement, ...] | None"]


def _all_of(conditions: Iterable[_Condition]) -> Matcher:
    """All of *conditions*; several about paths, and several about networks, are one of which one holds."""
    paths: list[str] = []
    regexes: list[str] = []
    inside: list[str] = []
    has_paths = has_inside = False
    outside: list[str] = []
    but: list[str] = []
    is_partial = is_guard = False
    for name, args, block in conditions:
        if name in ("remote_ip", "client_ip"):
            networks = _networks(args)
            is_guard |= networks is None or has_inside
            has_inside, inside = True, [*inside, *(networks or ())]
        elif name == "not":
            inner = (
                _all_of((each.name, each.args, each.block) for each in block)
                if block is not None
                else (_all_of([(args[0], args[1:], None)]) if args else UNKNOWN)
            )
            if inner == Matcher(inner.paths):
                but += inner.paths
            elif inner == Matcher(inside=inner.inside):
                outside += inner.inside or ()
            elif ({each.name for each in block} if block is not None else set(args[:1])) <= _EITHER:
                is_partial = True
            else:
                is_guard = True
        elif any(_VARIABLE.search(arg) for arg in args) and name in ("path", "path_regexp"):
            is_guard = True
        elif name == "path" and args and all(arg.startswith(("/", "*")) for arg in args):
            has_paths = True
            paths += args
        elif name == "path_regexp" and args and not not_re2(args[-1]) and not has_paths:
            regexes.append(args[-1])
        elif name in _SAID:
            # "!Field" is that it is not there
            is_guard |= name == "header" and bool(args) and args[0].startswith("!")
            is_partial = True
        else:
            is_guard = True
    if has_paths and regexes:
        regexes, is_partial = [], True
    if len(regexes) > 1:
        regexes, is_partial = regexes[:1], True
    return Matcher(
        tuple(paths),
        tuple(regexes),
        tuple(inside) if has_inside else None,
        tuple(outside),
        tuple(but),
        is_partial,
        is_guard,
    )


def _networks(words: Sequence[str]) -> list[str] | None:
    found: list[str] = []
    for word in words:
        if word == "private_ranges":
            found += PRIVATE
            continue
        try:
            parse_network(word, strict=False)
        except ValueError:
            return None
        found.append(_plain(word))
    return found or None


def _plain(word: str) -> str:
    return word if "/" not in word else str(ip_network(word, strict=False))


def named(statements: Sequence[Statement], around: Mapping[str, Matcher]) -> dict[str, Matcher]:
    """The named matchers that hold in a block of *statements*."""
    return {**around, **{one.name: matcher_of(one) for one in statements if one.name.startswith("@")}}

"""Globs over paths, matched in linear time.

``?`` is one character and ``*`` any number of them, but neither is ``/``; ``**`` is anything; ``**/`` is any
number of whole segments, none as well.  A glob without ``/`` is about the last segment alone (``*.woff2``),
one with ``/`` about the whole path (``/assets/**``; the slash at its begin may be left out).  There are no
other special characters.

A glob is a nondeterministic automaton whose states are the bits of one number: a character of the path costs
a few operations on it, whatever the glob (the shift-and algorithm; Baeza-Yates and Gonnet 1992).  Regular
expressions made of globs would try all ways in which several ``*`` can share a path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from edge.errors import ConfigError

#: Characters of a glob.
LONGEST = 1024
#: Segments that rules are told apart by.
_DEPTH = 8
#: Rules that are tried one after the other sooner than those are found that may match.
_FEW = 4
_TOKENS = re.compile(r"(/\*\*/|\*+|\?)")
_Rule = TypeVar("_Rule")


def decoded(path: bytes) -> str:
    """The path of a URL as globs and patterns see it: without triplets.

    Octets that are not UTF-8 are as :mod:`os` has them.
    """
    return unquote_to_bytes(path).decode("utf-8", "surrogateescape")


class Glob:
    """One glob."""

    def __init__(self, pattern: str) -> None:
        """:class:`ConfigError` if *pattern* is empty or too long; the sentence says the remedy."""
        if not pattern or len(pattern) > LONGEST:
            raise ConfigError(
                f"glob {pattern[:40]!r}: it has {len(pattern)} characters, 1 to {LONGEST} are possible; "
                "write for example *.woff2, /assets/** or /**"
            )
        #: As it was written.
        self.pattern = pattern
        #: Whether it is about whole paths.
        self.is_whole = "/" in pattern
        text = "/" + pattern.lstrip("/") if self.is_whole else pattern
        text = re.sub(r"\*{3,}", "**", text)
        self._parts = _TOKENS.split(re.sub(r"(?:/\*\*)+/", "/**/", text))
        #: What every path that matches begins and ends with.
        self.prefix, self.suffix = self._parts[0], self._parts[-1]
        #: It matches its prefix alone.
        self.is_literal = len(self._parts) == 1
        #: It matches whatever has its prefix.
        self.is_open = len(self._parts) == 3 and self._parts[1].startswith("**") and not self.suffix
        self._automaton: _Automaton | None = None

    def __repr__(self) -> str:
        return f"Glob({self.pattern!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Glob) and self.pattern == other.pattern

    def __hash__(self) -> int:
        return hash(self.pattern)

    def matches(self, path: str) -> bool:
        """Whether the decoded *path*, which begins with a slash, matches."""
        text = path if self.is_whole else path[path.rfind("/") + 1 :]
        if self.is_literal:
            return text == self.prefix
        if not text.startswith(self.prefix) or not text.endswith(self.suffix):
            return False
        if self.is_open:
            return True
        if self._automaton is None:
            self._automaton = _Automaton(self._parts)
        return self._automaton.accepts(text)


def whole_glob(pattern: str) -> Glob:
    """The glob *pattern* over whole paths, with or without a slash in it."""
    return Glob("/" + pattern.lstrip("/"))


class _Automaton:
    """The states of a glob: bit *i* is set when what stands before its token *i* has been matched."""

    def __init__(self, parts: list[str]) -> None:
        self._on: dict[str, int] = {}  # tokens that a character leads over
        self._any = 0  # tokens that all characters but the slash lead over
        self._stay = self._stay_segment = 0  # tokens that take any character, or any but the slash, again
        self._skip = self._skip_two = 0  # tokens that need nothing
        at = 0
        for part in parts:
            bit = 1 << at
            if part == "/**/":  # a slash; then nothing, or anything and a slash
                self._over("/", bit)
                self._skip |= bit << 1
                self._skip_two |= bit << 1
                self._stay |= bit << 2
                self._over("/", bit << 2)
                at += 3
            elif part.startswith("*"):
                self._skip |= bit
                if part == "*":
                    self._stay_segment |= bit
                else:
                    self._stay |= bit
                at += 1
            elif part == "?":
                self._any |= bit
                at += 1
            else:
                for character in part:
                    self._over(character, 1 << at)
                    at += 1
        self._end = 1 << at

    def _over(self, character: str, bit: int) -> None:
        self._on[character] = self._on.get(character, 0) | bit

    def _closed(self, states: int) -> int:
        """*states*, and those that cost nothing: a few rounds, for stars do not follow each other."""
        while True:
            more = states | (states & self._skip) << 1 | (states & self._skip_two) << 2
            if more == states:
                return states
            states = more

    def accepts(self, text: str) -> bool:
        on, stay, in_segment, over_any = self._on, self._stay, self._stay | self._stay_segment, self._any
        states = self._closed(1)
        for character in text:
            over, loops = on.get(character, 0), stay
            if character != "/":
                over, loops = over | over_any, in_segment
            states = self._closed((states & over) << 1 | (states & loops))
            if not states:
                return False
        return bool(states & self._end)


class GlobRules(Generic[_Rule]):
    """Rules by globs, in order.

    Looking a path up costs as much as trying those rules whose literal begin is that of the path, however
    many others there are.
    """

    def __init__(self, rules: Iterable[tuple[Glob, _Rule]] = ()) -> None:
        self._by_begin: dict[str, dict[int, tuple[Glob, _Rule]]] = {}
        #: All of them, in order, where they are so few that none needs to be looked for.
        self._few = tuple(rules)
        for number, (glob, rule) in enumerate(self._few):
            begin = "/".join(glob.prefix.split("/", _DEPTH + 1)[: _DEPTH + 1]) if glob.is_whole else ""
            self._by_begin.setdefault(begin[: begin.rfind("/") + 1], {})[number] = (glob, rule)
        if len(self._few) > _FEW:
            self._few = ()

    def __bool__(self) -> bool:
        return bool(self._by_begin)

    def matching(self, *paths: str) -> Iterator[_Rule]:
        """Those that match any of the decoded *paths*, each once, in order."""
        if not self._by_begin:
            return
        found: dict[int, tuple[Glob, _Rule]] = {}
        for path in paths:
            for begin in _begins(path):
                found.update(self._by_begin.get(begin, ()))
        for _, (glob, rule) in sorted(found.items(), key=_number):
            if any(map(glob.matches, paths)):
                yield rule

    def first(self, path: str) -> _Rule | None:
        """The first that matches the decoded *path*; None: none does."""
        for glob, rule in self._few:
            if glob.matches(path):
                return rule
        if self._few:
            return None
        return next(self.matching(path), None)


def _begins(path: str) -> Iterator[str]:
    """The directories of *path* that rules are told apart by, and "" for the others."""
    yield ""
    end = 0
    for _ in range(_DEPTH + 1):
        end = path.find("/", end) + 1
        if not end:
            return
        yield path[:end]


def _number(numbered: tuple[int, object]) -> int:
    return numbered[0]

"""Rules that lead from one address to another: redirects, rewrites, and what is gone.

The first rule that matches a path counts.  One with *force* counts whether something is published there or
not; the others only where nothing is.  A rule that names one path becomes an entry of the table
(:mod:`edge.publish.addressing`), which costs what a file costs; one with captures is tried where the table
has nothing.

A rule never answers with the address that was asked for: it is passed over then.  What would lead round in a
circle, or on for ever, is found when the rules are read (:func:`circles`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from edge.addresses.globs import decoded
from edge.addresses.patterns import Pattern, RegexPattern, SegmentPattern, Template
from edge.errors import ConfigError

#: Statuses that lead elsewhere (RFC 9110 section 15.4), and those that say that nothing is there.
LEADING, GONE = (301, 302, 303, 307, 308), (404, 410)
REWRITE = 200
#: Rules of one site, and redirects one after the other that a browser follows at most.
MOST_RULES, MOST_HOPS = 200_000, 16
#: What captures are tried with.
_SAMPLE = "x"


@dataclass(frozen=True)
class AddressRule:
    """One rule, as it was written."""

    #: ``from``; "": :attr:`regex` has it.
    source: str = ""
    regex: str = ""
    #: Of :data:`GONE`, the page that says so; "": there is none.
    to: str = ""
    #: One of :data:`LEADING` or :data:`GONE`; :data:`REWRITE`: answered with what is at :attr:`to`.
    status: int = 308
    force: bool = True
    #: A slash at the end of the path makes no difference.
    slashes: bool = False
    #: Where it stands, for people.
    place: str = ""

    @cached_property
    def pattern(self) -> Pattern:
        """What it is about; :class:`ConfigError` if that is wrong."""
        return SegmentPattern(self.source) if self.source or not self.regex else RegexPattern(self.regex)

    @cached_property
    def template(self) -> Template | None:
        """Where it leads; :class:`ConfigError` if that is wrong; None: nowhere."""
        return Template(self.to, self.pattern.names) if self.to else None

    @cached_property
    def fixed(self) -> Leads | None:
        """What it says of every request without a query; None: that depends on captures."""
        template = self.template
        if template is None:
            return Leads(self.status, b"", self, None)
        if self.pattern.exact is None:
            return None
        return leads_to(self, template.fill({}))

    def check(self) -> None:
        """Raise :class:`ConfigError` if nothing could come of it."""
        if self.source and self.regex:
            raise ConfigError("from and from-regex are both there; keep one")
        if self.status not in (*LEADING, *GONE, REWRITE):
            raise ConfigError(f"status {self.status}: choose one of {', '.join(map(str, (*LEADING, *GONE)))}")
        exact = self.pattern.exact
        template = self.template
        if template is None:
            if self.status in GONE:
                return
            raise ConfigError("to is missing: give the path or the URL where it leads")
        if self.status not in LEADING and (template.origin or template.has_query):
            raise ConfigError(
                f"to {self.to!r}: what is answered at the address itself is a file of this site: give a path "
                "without query ([[app]] passes requests on to other servers)"
            )
        if exact is not None and self.fixed is not None and exact == self.fixed.path:
            raise ConfigError(f"from {self.source!r} and to are the same address: it would lead to itself")


class Leads(NamedTuple):
    """What a rule says of one request."""

    status: int
    #: b"": nowhere.
    address: bytes
    rule: AddressRule
    #: The decoded path that it leads to on this site; None: it leads elsewhere, or nowhere.
    path: str | None


def leads_to(rule: AddressRule, address: bytes | None) -> Leads | None:
    """What *rule* says when it leads to *address*; None: that is too long to lead anywhere."""
    if address is None:
        return None
    here = address.startswith(b"/")
    path = decoded(address.partition(b"#")[0].partition(b"?")[0]) if here else None
    return Leads(rule.status, address, rule, path)


class AddressRules:
    """The rules of one site, in order."""

    def __init__(self, rules: Sequence[AddressRule] = ()) -> None:
        """They have been checked."""
        self.rules = tuple(rules)
        self._exact: dict[str, int] = {}
        self._by_begin: dict[str, list[int]] = {}
        for number, rule in enumerate(self.rules):
            pattern = rule.pattern
            if pattern.exact is not None:
                for path in (pattern.exact, _other(pattern.exact)) if rule.slashes else (pattern.exact,):
                    self._exact.setdefault(path, number)
            else:
                begin = pattern.begin if isinstance(pattern, SegmentPattern) else "/"
                self._by_begin.setdefault(begin, []).append(number)

    @property
    def rewritten(self) -> Iterator[str]:
        """Paths that rewrites name."""
        for rule in self.rules:
            if rule.status == REWRITE and rule.pattern.exact is not None:
                yield rule.pattern.exact
                if rule.slashes:
                    yield _other(rule.pattern.exact)

    def __bool__(self) -> bool:
        return bool(self.rules)

    def names(self, path: str) -> bool:
        """Whether a rule names just *path*."""
        return path in self._exact

    @property
    def exact(self) -> Iterator[str]:
        """The paths that rules name, each once."""
        return iter(self._exact)

    @property
    def open(self) -> tuple[AddressRule, ...]:
        """Those that match more than one path, in order."""
        return tuple(
            self.rules[number] for number in sorted(n for each in self._by_begin.values() for n in each)
        )

    def find(self, path: str, query: bytes | None = None, forced: bool = False) -> Leads | None:
        """What the first rule that matches the decoded *path* says; None: no rule does.

        *forced*: of those with force alone.  *query*: that of the request.
        """
        for number in self._candidates(path):
            rule = self.rules[number]
            captures = _captures(rule, path) if rule.force or not forced else None
            if captures is None:
                continue
            leads = rule.fixed
            if rule.template is not None and (leads is None or query is not None):
                leads = leads_to(rule, rule.template.fill(captures, query))
            if leads is not None and leads.path != path:
                return leads
        return None

    def _candidates(self, path: str) -> list[int]:
        found = [self._exact[path]] if path in self._exact else []
        if self._by_begin:
            end = 0
            while end := path.find("/", end) + 1:
                found += self._by_begin.get(path[:end], ())
                if end > _DEEPEST:
                    break
        return sorted(found)


def _captures(rule: AddressRule, path: str) -> dict[str, str] | None:
    found = rule.pattern.match(path)
    return rule.pattern.match(_other(path)) if found is None and rule.slashes else found


def _other(path: str) -> str:
    """*path* with a slash at its end, or without the one that it has."""
    return path if path == "/" else path[:-1] if path.endswith("/") else path + "/"


#: Characters of a path in which begins of patterns are looked for: as many as a pattern has.
_DEEPEST = 1024


def circles(rules: AddressRules) -> Iterator[str]:
    """Sentences about *rules* that lead round in a circle or on for ever, each once."""
    said: set[AddressRule] = set()
    for rule in rules.rules:
        start = _sample(rule) if rule.status in LEADING else None
        way = _endless(rules, start) if start is not None else ()
        if way and said.isdisjoint(way):
            said.update(way)
            names = " and ".join(dict.fromkeys(one.place or one.source for one in way[:4]))
            yield (
                f"{names}: {start} would be led round in a circle or on for ever; "
                "let one of them lead to an address that stays"
            )


def _endless(rules: AddressRules, path: str) -> Sequence[AddressRule]:
    """The rules that lead on from *path* without an end; none: there is one."""
    way: list[AddressRule] = []
    for _ in range(MOST_HOPS):
        leads = rules.find(path)
        if leads is None or leads.status not in LEADING or leads.path is None:
            return ()
        way.append(leads.rule)
        path = leads.path
    return way


def _sample(rule: AddressRule) -> str | None:
    """A path that *rule* matches; None: who knows."""
    pattern = rule.pattern
    return pattern.sample(_SAMPLE) if isinstance(pattern, SegmentPattern) else None

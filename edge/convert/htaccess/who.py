"""Who may by address, as one section says it: ``Require``, and what Apache 2.2 had in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

from edge.convert.networks import both, is_in
from edge.convert.statements import Statement
from edge.networks import parse_network

_REQUIRES = ("require", "requireall", "requireany", "requirenone")
#: All directives that say who may.
ACCESS = (*_REQUIRES, "order", "allow", "deny")


class _May(NamedTuple):
    """Who may by address: who is in one of *allow* (None: everybody), and in none of *deny*."""

    allow: list[str] | None
    deny: list[str]

    def and_(self, other: _May) -> _May:
        """Who may by both."""
        if self.allow is None or other.allow is None:
            allow = other.allow if self.allow is None else self.allow
        else:
            allow = both(self.allow, other.allow)
        return _May(allow, [*self.deny, *other.deny])

    def or_(self, other: _May) -> _May:
        """Who may by one of them, as far as that can be said: nobody else."""
        if self == _EVERYBODY_MAY or other == _EVERYBODY_MAY:
            return _EVERYBODY_MAY
        if self.allow is None or other.allow is None:
            return self if self.allow is None else other
        return _May([*self.allow, *other.allow], [*self.deny, *other.deny])


_EVERYBODY_MAY, _NOBODY_MAY = _May(None, []), _May([], [])


class Who:
    """Who may by address, as one section says it."""

    def __init__(self, rules: Sequence[Statement]) -> None:
        self.allow: list[str] = []
        self.deny: list[str] = []
        #: What is not understood, and lets nobody in; and what asks for passwords.
        self.unknown: list[Statement] = []
        self.logins: list[Statement] = []
        #: Of several ways to get in one is enough.
        self.has_choice = False
        #: Of Apache 2.2: whether there is any of it, what comes first, and what is said of all.
        self._old = self._allows_first = self._allows_all = self._denies_all = False
        #: Of Apache 2.4.
        self._new = _EVERYBODY_MAY
        requires = [one for one in rules if one.name.lower() in _REQUIRES]
        for one in rules:
            if one not in requires and not self._take(one.name.lower(), [arg.lower() for arg in one.args]):
                self.unknown.append(one)
        if requires:
            self._new = self._any_of(requires)
            self.allow += self._new.allow or ()
            self.deny += self._new.deny

    @property
    def is_closed(self) -> bool:
        """Whether who is in none of the networks may not."""
        new = self._new.allow is not None
        if not self._old:
            return new
        if self._allows_first:
            return new or self._denies_all or not self._allows_all
        return new or (self._denies_all and not self._allows_all)

    def allowed(self) -> list[str]:
        """``allow`` without networks that lie in one that is denied whatever else is said.

        Here the longest network would count.
        """
        strong = self.deny if self._allows_first else self._new.deny
        return [one for one in dict.fromkeys(self.allow) if not any(is_in(one, other) for other in strong)]

    def _any_of(self, rules: Sequence[Statement]) -> _May:
        """``<RequireAny>``, which also stands around all; what *not* says lets nobody in by itself."""
        plain = [one for one in rules if [arg.lower() for arg in one.args[:1]] != ["not"]]
        self.has_choice |= len(plain) > 1
        found = [self._may(one) for one in plain]
        may = reduce(_May.or_, found) if found else _EVERYBODY_MAY
        return reduce(_May.and_, (self._may(one) for one in rules if one not in plain), may)

    def _may(self, one: Statement) -> _May:
        """One ``Require``, or several in a section."""
        name, inside = one.name.lower(), one.block or ()
        if one.block is not None and name != "require":
            if name == "requireany":
                return self._any_of(inside)
            if name == "requireall":
                return reduce(_May.and_, map(self._may, inside), _EVERYBODY_MAY)
            return self._none_of(one)
        args = [arg.lower() for arg in one.args]
        is_not = args[:1] == ["not"]
        kind, *words = args[is_not:] or [""]
        if kind == "all":
            return _EVERYBODY_MAY if (words == ["granted"]) != is_not else _NOBODY_MAY
        if kind in ("valid-user", "user", "group") and not is_not:
            self.logins.append(one)
            return _EVERYBODY_MAY
        networks = ["127.0.0.0/8", "::1"] if kind == "local" else [_network(word) for word in words]
        if kind not in ("ip", "local") or None in networks or not networks:
            self.unknown.append(one)
            return _NOBODY_MAY
        known = [network for network in networks if network is not None]
        return _May(None, known) if is_not else _May(known, [])

    def _none_of(self, one: Statement) -> _May:
        """``<RequireNone>``: who may by none of what is inside."""
        deny: list[str] = []
        for each in one.block or ():
            known = len(self.unknown) + len(self.logins)
            may = self._may(each)
            if len(self.unknown) + len(self.logins) > known or (may.deny and may.allow is None):
                self.logins = [login for login in self.logins if login is not each]
                self.unknown.append(one)
                return _NOBODY_MAY
            if may == _EVERYBODY_MAY:
                return _NOBODY_MAY
            deny += may.allow or ()
        return _May(None, deny)

    def _take(self, name: str, args: list[str]) -> bool:
        """One directive of Apache 2.2; False: it is not understood."""
        self._old = True
        if name == "order":
            self._allows_first = ",".join(args).replace(",,", ",") == "allow,deny"
            return True
        return args[:1] == ["from"] and all([self._network(word, name) for word in args[1:]])

    def _network(self, word: str, what: str) -> bool:
        if word == "all":
            self._allows_all |= what == "allow"
            self._denies_all |= what == "deny"
            return True
        network = _network(word)
        if network is not None:
            (self.deny if what == "deny" else self.allow).append(network)
        return network is not None


def _network(text: str) -> str | None:
    """A network as Apache writes it, also ``10.1`` for 10.1.0.0/16; None: it is none."""
    if re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,3}){0,2}\.?", text):
        parts = text.rstrip(".").split(".")
        text = ".".join([*parts, *["0"] * (4 - len(parts))]) + f"/{8 * len(parts)}"
    try:
        parse_network(text)
    except ValueError:
        return None
    return text

"""Response fields by path: what rules set, add and remove of the fields that an answer has anyway.

All rules that match a path apply, in order.  They make the *lines* of an entry, once, when it is published:
a 200 from the table costs as much with twenty of them as with none.  A 304 gets of them what RFC 9110 section
15.4.5 asks for (:data:`OF_304`), and what lets scripts of other origins read it.

Fields that frame a message, that the node computes for each answer, or that it says nothing else by, are no
rule's (:data:`_REFUSED`): the reason and the way out are in the sentence that refuses them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from edge.addresses.globs import Glob, GlobRules
from edge.errors import ConfigError

#: Characters of a value; bytes of all lines of an answer, as other nodes take them.
LONGEST_VALUE, LONGEST_LINES = 3072, 4096
#: Rules of one site.
MOST_RULES = 10_000
#: Fields of a 304 besides Date and ETag, which all have, in their order; in lower case.
OF_304 = (b"cache-control", b"vary", b"content-location", b"expires", *(
    b"access-control-allow-" + each for each in (b"origin", b"credentials")
))  # fmt: skip
#: Bytes of a 304 besides the lines of its entry: status line, Date, ETag, the line for scripts of other
#: origins, Connection, the empty line.
BYTES_OF_304 = 15 + 37 + 26 + 32 + 19 + 2
#: Of a 304, where the site has not made it longer itself.
PROMISED_304 = 200

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")
_VALUE = re.compile(r"[!-~](?:[\t -~]*[!-~])?")
_FRAMING = "it says where a message ends, which the node decides for each connection"
_COMPUTED = "the node computes it for each answer"
_REFUSED = {
    **dict.fromkeys(
        [
            "connection",
            "content-length",
            "keep-alive",
            "proxy-connection",
            "te",
            "trailer",
            "transfer-encoding",
            "upgrade",
        ],
        _FRAMING,
    ),
    **dict.fromkeys(
        [
            "accept-ranges",
            "age",
            "content-encoding",
            "content-range",
            "date",
            "edge-state",
            "etag",
            "last-modified",
        ],
        _COMPUTED,
    ),
    **dict.fromkeys(["proxy-authenticate", "www-authenticate"], "it belongs to answers 401; use [[auth]]"),
    "edge-client-cache-control": "it is made of Cache-Control; set that",
    "location": "an address that leads elsewhere is a [[redirect]]",
    "server": "the node does not say what it is",
    "status": "it is no field of HTTP; a [[redirect]] has a status",
    "strict-transport-security": "it must not be sent over plain HTTP; use hsts, which sees to that",
}
#: What only ``add`` may name: the node's own lines of it have to stay.
_ONLY_ADDED = {"vary": "caches need what the node says in it; name further fields by add"}

_CSP, _CSP_REPORT_ONLY = "Content-Security-Policy", "Content-Security-Policy-Report-Only"
#: The smart client's Service Worker: it obeys the policy that its own script comes with, and one for pages
#: keeps it from all nodes but one.
WORKER = "/sw.js"

Change = Literal["set", "add", "remove"]
#: (what, name, value), in order; the value of "remove" is "".
Changes = tuple[tuple[Change, str, str], ...]


@dataclass(frozen=True)
class FieldRule:
    """One rule: changes of the fields of paths."""

    #: See :mod:`edge.addresses.globs`.
    path: str
    changes: Changes

    def check(self) -> None:
        """Raise :class:`ConfigError` if nothing could come of it."""
        Glob(self.path)
        if not self.changes:
            raise ConfigError("it changes nothing; give set, add or remove")
        for what, name, value in self.changes:
            check_change(what, name, value)


def check_change(what: Change, name: str, value: str) -> None:
    """Raise :class:`ConfigError` if the field *name* may not be changed so; the sentence says why."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name[:64]!r} is no name of a field; give letters, digits and dashes, like X-Robots-Tag"
        )
    reason = _REFUSED.get(name.lower()) or (_ONLY_ADDED.get(name.lower()) if what != "add" else None)
    if reason is not None:
        raise ConfigError(f"{name} cannot be changed here: {reason}")
    if what == "remove":
        return
    if len(value) > LONGEST_VALUE or not _VALUE.fullmatch(value):
        raise ConfigError(
            f"the value of {name} has to be 1 to {LONGEST_VALUE} visible ASCII characters, with spaces and "
            "tabs between them alone"
        )


def _is_policy(change: tuple[Change, str, str]) -> bool:
    return change[1].lower() in (_CSP.lower(), _CSP_REPORT_ONLY.lower())


Lines = tuple[tuple[bytes, bytes], ...]


def split_lines(lines: bytes) -> Lines:
    """(name, value) of each of the header *lines*."""
    pairs = (line.partition(b":") for line in lines.split(b"\r\n")[:-1])
    return tuple((name, value.strip(b" \t")) for name, _, value in pairs)


def join_lines(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Header lines of (name, value) pairs."""
    return b"".join(b"%b: %b\r\n" % field for field in fields)


class Fields:
    """The rules of one site."""

    def __init__(self, rules: Sequence[FieldRule] = (), security: str = "off", foreign: bool = False) -> None:
        """*security*: a preset of :data:`PRESETS`; *foreign*: pages of other origins may use what is here."""
        #: Besides the preset.
        self.rules = tuple(rules)
        self.security = security
        self.foreign = foreign
        self._rules = GlobRules((Glob(rule.path), rule.changes) for rule in rules)
        #: What is changed of the Service Worker's script, which only a rule that names it gives a policy.
        self._of_worker = tuple(
            change
            for rule in rules
            if Glob(rule.path).matches(WORKER)
            for change in rule.changes
            if rule.path == WORKER or not _is_policy(change)
        )
        self.is_plain = not rules and security == "off"

    def changes(self, paths: Iterable[str], media_type: bytes) -> Changes:
        """What is changed where any of the decoded *paths* is asked for: the address, and the file's own.

        *media_type*: of what is answered; b"" of redirects, which have none.
        """
        rules = self._of(*dict.fromkeys(paths))
        return (*preset(self.security, media_type, rules, self.foreign), *rules)

    def _of(self, *paths: str) -> Changes:
        """What rules change where any of *paths* is asked for."""
        if WORKER in paths:
            return self._of_worker
        return tuple(change for changes in self._rules.matching(*paths) for change in changes)

    def of_answer(self, path: str, media_type: bytes) -> tuple[Changes, Changes]:
        """(what the preset, what rules change) where an application answers the decoded *path*."""
        rules = self._of(path)
        return tuple(preset(self.security, media_type, rules, self.foreign)), rules


#: Of ``security``.
PRESETS = ("off", "basic", "strict")
_PAGES = (b"text/html", b"application/xhtml+xml", b"image/svg+xml", b"application/pdf")
#: What a page may do by itself; browsers report in their console what would be refused.
_POLICY = "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'; object-src 'none'"
_FEATURES = ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "serial", "usb")


def preset(
    name: str, media_type: bytes, rules: Iterable[tuple[Change, str, str]] = (), foreign: bool = False
) -> Iterator[tuple[Change, str, str]]:
    """What the preset *name* sets in answers of that type; *rules*: what is set after it.

    A policy that is in force (Content-Security-Policy by a rule) replaces the one that is only reported.
    """
    if name == "off" or not media_type:
        return
    is_page = media_type.partition(b";")[0].strip().lower() in _PAGES
    if is_page:
        yield "set", "Referrer-Policy", "strict-origin-when-cross-origin"
        yield "set", "X-Frame-Options", "SAMEORIGIN"
    if name != "strict":
        return
    yield "set", "Cross-Origin-Resource-Policy", "cross-origin" if foreign else "same-origin"
    if is_page:
        yield "set", "Cross-Origin-Opener-Policy", "same-origin"
        yield "set", "Permissions-Policy", ", ".join(f"{feature}=()" for feature in _FEATURES)
        if not any(field.lower().startswith(_CSP.lower()) for _, field, _ in rules):
            yield "set", _CSP_REPORT_ONLY, _POLICY


@lru_cache(maxsize=4096)
def changed(lines: bytes, changes: Changes) -> Lines:
    """The fields of the header *lines* after *changes*."""
    return apply(split_lines(lines), changes)


def apply(fields: Lines, changes: Iterable[tuple[Change, str, str]]) -> Lines:
    """*fields* after *changes*."""
    kept = list(fields)
    for what, text, given in changes:
        name, value, lower = text.encode("ascii"), given.encode("ascii"), text.lower().encode("ascii")
        at = [number for number, field in enumerate(kept) if field[0].lower() == lower]
        if what != "add":
            for number in reversed(at[1:] if what == "set" else at):
                del kept[number]
        if what == "set" and at:
            kept[at[0]] = (name, value)
        elif what != "remove":
            kept.append((name, value))
    return tuple(kept)


def of_304(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The lines of a 304 out of the *fields* of a 200."""
    by_name: dict[bytes, list[tuple[bytes, bytes]]] = {}
    for field in fields:
        by_name.setdefault(field[0].lower(), []).append(field)
    return join_lines(field for name in OF_304 for field in by_name.get(name, ()))


def weight_of_304(lines: bytes) -> int:
    """Bytes of a 304 with these *lines* that has everything that one can have."""
    said = b"Access-Control-Allow-Origin:" in lines
    return BYTES_OF_304 + len(lines) - said * len(b"Access-Control-Allow-Origin: *\r\n")

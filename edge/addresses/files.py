"""``_redirects`` and ``_headers``: rules that lie in the webroot, in the format of Netlify and Cloudflare.

``_redirects`` has a rule a line, ``FROM TO [STATUS]``: 301 where there is none, ``200`` for a rewrite,
``404`` for the page of what is gone; with ``!`` behind the status it counts though a file is there.  A slash
at the end of FROM makes no difference.

``_headers`` has a path a line, in which ``*`` is anything and ``:name`` a segment, and below it, indented,
its fields, ``Name: value``, or ``! Name`` for one that is not to be sent.

``#`` begins a comment.  What else such files may say (conditions, hosts, other servers) is a
:class:`WrongLine`, and the lines around it count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from edge.addresses.fields import MOST_RULES as MOST_FIELD_RULES
from edge.addresses.fields import Change, FieldRule
from edge.addresses.redirects import GONE, LEADING, MOST_RULES, REWRITE, AddressRule
from edge.errors import ConfigError

REDIRECTS, HEADERS = "_redirects", "_headers"
#: Names, in the root of a site, of files that are read and never served.
RULE_FILES = frozenset({REDIRECTS, HEADERS})
#: Bytes of one: more is no such file.
LARGEST = 16 << 20
#: Characters of a line.
_LONGEST = 8192
#: Fields of which there may be several lines: they are added to what the node says itself.
_SEVERAL = frozenset({"link", "set-cookie", "vary"})


class WrongLine(NamedTuple):
    """A line that is passed over, and why."""

    file: str
    line: int
    why: str

    def __str__(self) -> str:
        return f"{self.file} line {self.line}: {self.why}"


def read_redirects(data: bytes) -> tuple[list[AddressRule], list[WrongLine]]:
    """The rules of a ``_redirects`` file, and the lines that are none."""
    rules: list[AddressRule] = []
    wrong: list[WrongLine] = []
    for number, line in _lines(data, REDIRECTS, wrong):
        try:
            rule = _redirect(line.split(), f"{REDIRECTS} line {number}")
            rule.check()
            rules.append(rule)
        except ConfigError as error:
            wrong.append(WrongLine(REDIRECTS, number, str(error)))
        if len(rules) > MOST_RULES:
            wrong.append(WrongLine(REDIRECTS, number, f"at most {MOST_RULES} rules are possible"))
            break
    return rules[:MOST_RULES], wrong


def _redirect(words: list[str], place: str) -> AddressRule:
    source, *rest = words
    targets = [number for number, word in enumerate(rest) if word.startswith(("/", "http://", "https://"))]
    if not rest or not targets:
        raise ConfigError("write FROM TO STATUS, like /old/* /new/:splat 301")
    if targets[0] or "?" in source:
        raise ConfigError("parameters of the query are no condition here; leave them out")
    if source.startswith(("http://", "https://")):
        raise ConfigError(
            "a rule is about paths of its site, not about hosts; a [[site]] has rules of its own"
        )
    status, force = 301, False
    if len(rest) > 1:
        found = re.fullmatch(r"([0-9]{3})(!?)", rest[1])
        if found is None:
            raise ConfigError(
                f"{rest[1][:40]!r} is no status; conditions on countries and languages do not exist here"
            )
        status, force = int(found[1]), bool(found[2])
    if len(rest) > 2:
        raise ConfigError(f"{rest[2][:40]!r} stands behind the status; conditions do not exist here")
    if status not in (*LEADING, *GONE, REWRITE):
        raise ConfigError(f"status {status}: choose one of {', '.join(map(str, (REWRITE, *LEADING, *GONE)))}")
    return AddressRule(source=source, to=rest[0], status=status, force=force, slashes=True, place=place)


def read_headers(data: bytes) -> tuple[list[FieldRule], list[WrongLine]]:
    """The rules of a ``_headers`` file, and the lines that are none."""
    rules: list[FieldRule] = []
    wrong: list[WrongLine] = []
    path, changes = "", list[tuple[Change, str, str]]()

    def end() -> None:
        if path and changes:
            rules.append(FieldRule(path, tuple(changes)))
        changes.clear()

    for number, line in _lines(data, HEADERS, wrong):
        try:
            if not line[0].isspace():
                end()
                path = ""  # if this one is none, its fields are nobody's
                path = _glob(line.strip())
            elif not path:
                raise ConfigError("no path stands above it")
            else:
                changes.append(_change(line.strip(), {name.lower() for _, name, _ in changes}))
        except ConfigError as error:
            wrong.append(WrongLine(HEADERS, number, str(error)))
        if len(rules) > MOST_FIELD_RULES:
            wrong.append(WrongLine(HEADERS, number, f"at most {MOST_FIELD_RULES} paths are possible"))
            break
    end()
    return rules[:MOST_FIELD_RULES], wrong


def _glob(text: str) -> str:
    """The glob of a path in ``_headers``."""
    if not text.startswith("/") or re.search(r"[\s?#]", text):
        raise ConfigError("give a path from the slash on, like /assets/*, without host and query")
    glob = re.sub(r"\*+", "**", re.sub(r"/:[A-Za-z_]\w*(?=/|\Z)", "/*\0", text)).replace("**\0", "*")
    FieldRule(glob, (("remove", "X", ""),)).check()
    return glob


def _change(text: str, before: set[str]) -> tuple[Change, str, str]:
    """One field; *before*: names in lower case of those that the same path has above it."""
    change: tuple[Change, str, str]
    if text.startswith("!"):
        change = ("remove", text[1:].strip(), "")
    else:
        name, colon, value = text.partition(":")
        name = name.strip()
        if not colon:
            raise ConfigError("write Name: value, or ! Name")
        several = name.lower() in _SEVERAL or name.lower() in before
        change = ("add" if several else "set", name, value.strip())
    FieldRule("/**", (change,)).check()
    return change


def _lines(data: bytes, file: str, wrong: list[WrongLine]) -> Iterator[tuple[int, str]]:
    """(number, text) of the lines of a file that say something."""
    if len(data) > LARGEST:
        wrong.append(WrongLine(file, 1, f"the file has {len(data)} bytes, at most {LARGEST} are possible"))
        return
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            line = raw.decode("utf-8").rstrip()
        except UnicodeDecodeError:
            wrong.append(WrongLine(file, number, "it is not UTF-8"))
            continue
        if len(line) > _LONGEST:
            wrong.append(
                WrongLine(file, number, f"it has {len(line)} characters, at most {_LONGEST} are possible")
            )
            continue
        if file == REDIRECTS:
            line = re.split(r"(?:\A|\s)#", line, maxsplit=1)[0].strip()
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line

"""Patterns with captures, and what they are put into: ``from`` and ``to`` of redirects and rewrites.

A pattern is a path.  A segment may have one capture ``:name`` (``/news/:year/:slug.html``), which takes one
character or more of it, and ``*`` at the end takes the rest, as ``:splat``: ``/old/*`` matches ``/old/``, all
below it and ``/old``.  (The words are those of Netlify and Cloudflare.)  Or it is a regular expression,
searched for in the path, whose groups are ``:1``, ``:2`` or, with a name, ``:name``; RE2 runs it, in time
linear in the path.

A template is where it leads: a path, or a URL, with captures in its path, its query or its fragment.  They
are put in percent-encoded, so that no capture begins a query, ends a line or leaves the site: what begins
with one slash still does when captures have been put in, whatever they hold.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote, unquote

from edge.errors import ConfigError

#: Characters of a pattern or a template; bytes of an address that a template makes.
LONGEST, LONGEST_ADDRESS = 1024, 4096
#: What the rest of a path is called.
SPLAT = "splat"
_NAME = re.compile(r":([A-Za-z_][A-Za-z0-9_]*)")
_CAPTURE = re.compile(r":([A-Za-z_][A-Za-z0-9_]*|[0-9]{1,2})")
#: Addresses in which every character stands for itself: most of those that sites have thousands of.
_PLAIN = re.compile(r"(?:/(?!\.)[A-Za-z0-9._~!$&'()+,;=@-]*)+")
#: What stands for itself in a path (RFC 3986 section 3.3), and the slash.
_SAFE = "/-._~!$&'()*+,;=:@"
_URL = re.compile(
    r"(https?://[A-Za-z0-9.\-]+(?::[0-9]{1,5})?|https?://\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?)(?=[/?#]|\Z)"
)


class Pattern(Protocol):
    """What paths are matched with."""

    #: As it was written.
    text: str

    @property
    def names(self) -> frozenset[str]:
        """What its captures are called."""

    @property
    def exact(self) -> str | None:
        """The only decoded path that it matches; None: there are more."""

    def match(self, path: str) -> dict[str, str] | None:
        """The captures, decoded, where the decoded *path* matches; None: it does not."""


def pattern_of(text: str) -> SegmentPattern:
    """``from``, understood; :class:`ConfigError` with the remedy."""
    return SegmentPattern(text)


class SegmentPattern:
    """A pattern of segments."""

    def __init__(self, text: str) -> None:
        """:class:`ConfigError` if *text* is none; the sentence says the remedy."""
        if not text.startswith("/") or len(text) > LONGEST or re.search(r"[\0-\x20?#\\\x7f]", text):
            raise ConfigError(
                f"from {text[:60]!r}: give a path from the slash on, like /old/:year/*, of at most {LONGEST} "
                "characters, without query, fragment, backslash and white space (%20 is a space)"
            )
        self.text = text
        #: What its captures are called.
        self.names: frozenset[str] = frozenset()
        #: The only decoded path that it matches; None: there are more.
        self.exact: str | None = text
        self._segments: list[_Segment] = []
        self._rest = False
        if _PLAIN.fullmatch(text):
            return
        segments = text[1:].split("/")
        self._rest = segments[-1] == "*"
        if self._rest:
            del segments[-1]
        if any("*" in segment for segment in segments):
            raise ConfigError(
                f"from {text!r}: * may only be the last segment; write :name for one segment, %2A for a star"
            )
        self._segments = [_Segment(text, segment) for segment in segments]
        names = [one.name for one in self._segments if one.name] + [SPLAT] * self._rest
        if len(names) != len(set(names)):
            raise ConfigError(f"from {text!r}: two captures have one name; give each its own")
        self.names = frozenset(names)
        self.exact = None if names else "/" + "/".join(one.before for one in self._segments)

    @property
    def begin(self) -> str:
        """What all paths that match begin with: whole segments, and the slash behind them."""
        if self.exact is not None:
            return self.exact[: self.exact.rfind("/") + 1]
        literal = []
        for one in self._segments:
            if one.name:
                break
            literal.append(one.before)
        if self._rest and len(literal) == len(self._segments):
            del literal[-1:]  # /old/* matches /old as well
        return "/" + "".join(each + "/" for each in literal)

    def sample(self, capture: str) -> str:
        """A path that matches, with *capture* in each place."""
        if self.exact is not None:
            return self.exact
        segments = [one.before + (capture + one.after if one.name else "") for one in self._segments]
        return "/" + "/".join([*segments, *[capture] * self._rest])

    def match(self, path: str) -> dict[str, str] | None:
        """The captures, decoded, where the decoded *path* matches; None: it does not."""
        if self.exact is not None:
            return {} if path == self.exact else None
        count = len(self._segments)
        segments = path[1:].split("/", count)
        if not (count <= len(segments) <= count + 1 if self._rest else len(segments) == count):
            return None
        captures = {}
        for one, segment in zip(self._segments, segments, strict=False):
            if not one.name:
                if one.before != segment:
                    return None
                continue
            end = len(segment) - len(one.after)
            if (
                end <= len(one.before)
                or not segment.startswith(one.before)
                or not segment.endswith(one.after)
            ):
                return None
            captures[one.name] = segment[len(one.before) : end]
        if self._rest:
            captures[SPLAT] = segments[count] if len(segments) > count else ""
        return captures


class _Segment:
    """One segment: literal text, and in it at most one capture."""

    def __init__(self, text: str, segment: str) -> None:
        before, *found = _NAME.split(segment)
        if len(found) > 2:
            raise ConfigError(f"from {text!r}: a segment can have one capture; use from-regex for more")
        self.before = _literal(before)
        self.name, self.after = (found[0], _literal(found[1])) if found else ("", "")
        if self.name == SPLAT:
            raise ConfigError(f"from {text!r}: :splat is what * takes; call the capture otherwise")
        if not found and self.before in (".", ".."):
            raise ConfigError(f"from {text!r}: no path has the segment {segment}; write the path without it")


def _literal(text: str) -> str:
    return unquote(text, errors="surrogateescape")


class RegexPattern:
    """A regular expression that is searched for in whole decoded paths."""

    exact: str | None = None

    def __init__(self, text: str) -> None:
        """:class:`ConfigError` if *text* is none, or if nothing is installed that runs it."""
        self.text = text
        if not text or len(text) > LONGEST:
            raise ConfigError(f"from-regex {text[:60]!r}: give 1 to {LONGEST} characters")
        try:
            import re2
        except ImportError:
            raise ConfigError(
                f"from-regex {text!r}: RE2 is not installed, and without it one request could take hours; "
                "pip install google-re2, or write from with :name and *"
            ) from None
        options = re2.Options()
        options.log_errors = False
        try:
            self._compiled: Any = re2.compile(text, options)
        except re2.error as error:
            why = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
            raise ConfigError(
                f"from-regex {text!r}: {why}; see https://github.com/google/re2/wiki/Syntax, "
                "which has neither look-around nor references to groups"
            ) from None
        self.names = frozenset([*self._compiled.groupindex, *map(str, range(1, self._compiled.groups + 1))])

    def match(self, path: str) -> dict[str, str] | None:
        """The captures, decoded, where the decoded *path* matches; None: it does not, or is not UTF-8."""
        try:
            found = self._compiled.search(path)
        except UnicodeEncodeError:
            return None
        if found is None:
            return None
        captures = {str(number): text or "" for number, text in enumerate(found.groups(), 1)}
        captures.update({name: text or "" for name, text in found.groupdict().items()})
        return captures


class Template:
    """Where a rule leads."""

    def __init__(self, text: str, names: frozenset[str] = frozenset()) -> None:
        """*names*: the captures that there are.  :class:`ConfigError` with the remedy."""
        self.text = text
        self.origin = self._mark = self._hash = ""
        if _PLAIN.fullmatch(text) and not text.startswith("//") and len(text) <= LONGEST:
            self._path, self._query, self._fragment = [text], [""], [""]
            return
        if len(text) > LONGEST or re.search(r"[\0-\x20\x7f\\]", text):
            raise ConfigError(
                f"to {text[:60]!r}: give at most {LONGEST} characters, without white space and backslash "
                "(%20 is a space)"
            )
        url = _URL.match(text)
        #: Scheme and host of a URL; "": it is a path of this site.
        self.origin = url[1] if url else ""
        rest = text[len(self.origin) :]
        if not self.origin and (not text.startswith("/") or text.startswith("//")):
            raise ConfigError(
                f"to {text!r}: give a path that begins with one slash, or a URL like "
                "https://example.org/new, with no capture in its host"
            )
        rest, self._hash, fragment = rest.partition("#")
        path, self._mark, query = rest.partition("?")
        self._path, self._query, self._fragment = (_pieces(each) for each in (path or "/", query, fragment))
        used = {name for pieces in (self._path, self._query, self._fragment) for name in pieces[1::2]}
        for unknown in sorted(used - names):
            known = ", ".join(f":{name}" for name in sorted(names)) or "none"
            raise ConfigError(
                f"to {text!r}: there is no capture :{unknown} (there are: {known}); "
                "a colon that is none is %3A"
            )
        if not {".", ".."}.isdisjoint(path.split("/")):
            raise ConfigError(f"to {text!r}: it has the segment . or ..; write the path without it")

    @property
    def has_query(self) -> bool:
        """Whether it has a query of its own: then that of a request is not passed on."""
        return bool(self._mark)

    def fill(self, captures: Mapping[str, str], query: bytes | None = None) -> bytes | None:
        """The address with *captures* put in; None: it would be longer than :data:`LONGEST_ADDRESS`.

        *query*: that of the request, passed on where the template has none.
        """
        path = _put(self._path, captures, _SAFE)
        if not self.origin and path.startswith("//"):
            path = "/" + path.lstrip("/")
        text = self.origin + path
        if self._mark:
            text += "?" + _put(self._query, captures, "")
        if query is not None and not self._mark:
            text += "?" + query.decode("latin-1")
        if self._hash:
            text += "#" + _put(self._fragment, captures, "")
        return text.encode("latin-1") if len(text) <= LONGEST_ADDRESS else None


def _pieces(text: str) -> list[str]:
    """Literal text, a capture's name, literal text, ... literal text, the texts as they stand in a URL."""
    pieces = _CAPTURE.split(text)
    pieces[::2] = [quote(each, safe=_SAFE + "%?", errors="surrogateescape") for each in pieces[::2]]
    return pieces


def _put(pieces: list[str], captures: Mapping[str, str], safe: str) -> str:
    if len(pieces) == 1:
        return pieces[0]
    filled = list(pieces)
    filled[1::2] = [quote(captures[name], safe=safe, errors="surrogateescape") for name in pieces[1::2]]
    return "".join(filled)

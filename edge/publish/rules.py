"""The rules that turn a file's name into header fields: Vary and Cache-Control, and the lines made of them.

Everything here is a pure function of names, of facts about the contents and of the configuration, so that
all nodes of a cluster publish the same bytes.

Cache-Control is chosen by the first rule that matches: the configured ones in their order, then

* a *fingerprinted* file, whose name holds a digest of the contents (``app.3f9c2a1b.js``) and whose contents
  have it (:mod:`edge.publish.facts`), gets ``max-age=31536000,immutable`` (RFC 8246), but never an HTML page,
  whose address people keep;
* everything else gets ``no-cache``: stored, and confirmed before each use by its ETag.

A configured rule is a glob and a value.  A glob without ``/`` is matched against the file's name, one
with ``/`` against the whole path from the webroot; ``?`` is one character and ``*`` any number of
them, but not ``/``; ``**`` is anything.

The smart client may answer with what it has stored and ask behind the answer, if it is permitted to.  A 200
says so in ``Edge-Client-Cache-Control``, a targeted field in the manner of RFC 9213: it replaces
Cache-Control for that client alone, so that browsers without it, and other caches, keep to Cache-Control.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from posixpath import basename

from edge.addresses.fields import LONGEST_VALUE
from edge.addresses.globs import Glob, GlobRules
from edge.errors import ConfigError
from edge.publish.types import UNKNOWN, media_type

IMMUTABLE = b"max-age=31536000,immutable"
NO_CACHE = b"no-cache"
#: Seconds for which the smart client may use what it has not asked about (RFC 5861): thirty days.
STALE_SECONDS = 2_592_000
#: Directives with which there is nothing to permit: confirmed without exception, not kept, never changed.
_NO_STALE = frozenset({b"no-store", b"private", b"must-revalidate", b"immutable", b"stale-while-revalidate"})
_PERMISSION = re.compile(rb"^Edge-Client-Cache-Control:.*\r\n", re.MULTILINE)
#: Characters of a Cache-Control value with which every 304 has 200 bytes at most.
SHORT_CACHE_CONTROL = 29


def checked_cache_control(value: str) -> bytes:
    """*value* as bytes, or :class:`ConfigError` if it cannot stand in every head (RFC 9110 5.5)."""
    if not value or value != value.strip(" \t"):
        raise ConfigError(
            f"Cache-Control value {value!r}: it is empty or has white space around it; "
            "write directives such as no-cache or max-age=3600"
        )
    if not re.fullmatch(r"[\t\x20-\x7e]+", value):
        raise ConfigError(
            f"Cache-Control value {value!r}: only visible ASCII characters, spaces and tabs "
            "may stand in a header field; remove the others"
        )
    if len(value) > LONGEST_VALUE:
        raise ConfigError(
            f"Cache-Control value {value[:64]!r}...: it has {len(value)} characters, at most {LONGEST_VALUE} "
            "are possible; use fewer directives"
        )
    return value.encode("ascii")


def file_glob(pattern: str) -> Glob:
    """The glob *pattern* over names of files; :class:`ConfigError` if it matches none."""
    if not pattern.strip("/"):
        raise ConfigError(f"cache rule {pattern!r}: an empty glob matches nothing; write for example *.woff2")
    return Glob(pattern)


def may_be_immutable(name: str) -> bool:
    """Whether a digest in the file *name* makes it immutable: not that of a page."""
    return media_type(basename(name)) not in ("text/html", "application/xhtml+xml")


class CacheRules:
    """Cache-Control by file name."""

    def __init__(self, rules: Iterable[tuple[str, str]] = ()) -> None:
        """*rules*: (glob, value) pairs, the first match wins.  :class:`ConfigError` if one is wrong."""
        self._rules = GlobRules((file_glob(glob), checked_cache_control(value)) for glob, value in rules)

    def given(self, name: str) -> bytes | None:
        """What a rule says of the file *name*, a path relative to the webroot; None: nothing."""
        return self._rules.first("/" + name)

    def cache_control(self, name: str, is_fingerprinted: bool) -> bytes:
        """The value for the file *name*; *is_fingerprinted*: that holds the digest of its contents."""
        given = self.given(name)
        if given is not None:
            return given
        return IMMUTABLE if is_fingerprinted and may_be_immutable(name) else NO_CACHE


def vary(*, media: bool, coding: bool) -> bytes:
    """The Vary value of a path that has media variants and content codings or not; b"" for none.

    No path has both: images that have media variants are compressed already (and a 304 with both
    names, all other optional lines and the longest Cache-Control would have 208 bytes).
    """
    return b", ".join([b"Accept"] * media + [b"Accept-Encoding"] * coding)


def client_cache_control(cache_control: bytes) -> bytes:
    """The value of Edge-Client-Cache-Control beside this Cache-Control; b"" for none.

    ``no-cache`` is what the permission lifts; whatever else stands there holds for the smart client, too.
    """
    given = [directive.strip() for directive in cache_control.split(b",")]
    if not _NO_STALE.isdisjoint(directive.split(b"=")[0].strip().lower() for directive in given):
        return b""
    kept = [directive for directive in given if directive.lower() != b"no-cache"]
    return b",".join([*kept, b"stale-while-revalidate=%d" % STALE_SECONDS])


def without_permission(lines: bytes) -> bytes:
    """The *lines* of a 200 for another status: nothing of what clients may do with the 200."""
    return _PERMISSION.sub(b"", lines)


@lru_cache(maxsize=4096)
def lines_200(type_value: bytes, encoding: str, vary_value: bytes, cache_control: bytes) -> bytes:
    """The header lines of a 200, see ``Representation.lines_200``; "" and b"" leave a line out."""
    client = client_cache_control(cache_control)
    return b"".join(
        (
            b"Content-Type: %b\r\n" % type_value,
            b"Content-Encoding: %b\r\n" % encoding.encode("ascii") if encoding else b"",
            b"Vary: %b\r\n" % vary_value if vary_value else b"",
            b"Cache-Control: %b\r\n" % cache_control,
            b"Edge-Client-Cache-Control: %b\r\n" % client if client else b"",
            b"Accept-Ranges: bytes\r\n",
            b"" if type_value == UNKNOWN.encode("ascii") else b"X-Content-Type-Options: nosniff\r\n",
        )
    )


@lru_cache(maxsize=1024)
def lines_304(vary_value: bytes, cache_control: bytes) -> bytes:
    """The header lines of a 304: what RFC 9110 section 15.4.5 wants besides ETag and Date."""
    return b"Cache-Control: %b\r\n" % cache_control + (b"Vary: %b\r\n" % vary_value if vary_value else b"")

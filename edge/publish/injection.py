"""The smart client in pages that do not name it: its script tag, put into HTML as it is published.

What is on disk stays; the page with the tag is a variant of it with bytes, and so an ETag, of its own.

**Where**: behind the head's last element, before whatever ends the head: ``</head>``, ``<body>``, or the
first element or text that is none of a head's, for heads may be left out.  So the tag stands behind
``<meta charset>``, which has to be near the begin, and behind a policy in ``<meta>``, which governs what
follows it.  If an import map comes later, the tag stands behind that: browsers took none after the first
module.

**Where not**, without a word: in pages that have the tag, in parts of pages (no doctype, html, head, body or
title), in AMP pages, which may have no script.  Said of each such page: where it would do nothing or harm -
its policy permits no script of its own site, its ``<base>`` leads elsewhere, its text is in an encoding in
which bytes of ASCII may mean something else, it is longer than :data:`LONGEST`.

Pages are read as the HTML standard has it (section 13.2.5), as far as finding tags goes: comments, quoted
attributes, and the text of scripts, styles and titles.  Each byte is looked at a bounded number of times.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape
from typing import NamedTuple

from edge.publish.rules import file_glob

SCRIPT = b"/edge/client.js"
TAG = b'<script type="module" src="/edge/client.js"></script>'
#: Bytes of a page that is looked into: all of it is in memory for that.
LONGEST = 16 * 1024 * 1024

_OPENS = re.compile(rb"<(?=[A-Za-z/!?])")
_NAME = re.compile(rb"[A-Za-z][^\s/>]*")
_ATTRIBUTE = re.compile(rb"""[\s/]*([^\s/>][^\s/>=]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"'][^\s>]*)))?""")
_TAG_END = re.compile(rb"[\s/]*>")
#: Elements of which the text is no markup.
_RAW = frozenset({b"script", b"style", b"title", b"textarea", b"xmp", b"iframe", b"noembed", b"noframes"})
#: What stands before the end of a head; what a page's noscript has in a head is text where scripts run.
_HEAD = frozenset(
    {
        b"html",
        b"head",
        b"title",
        b"meta",
        b"link",
        b"base",
        b"script",
        b"style",
        b"noscript",
        b"!doctype",
        b"!",
    }
)
_ELSEWHERE = re.compile(rb"\s*(?:[a-z][a-z0-9+.-]*:)?[/\\]{2}", re.IGNORECASE)
_OF_PAGES = frozenset({b"!doctype", b"html", b"head", b"body", b"title", b"/head", b"/body", b"/html"})
#: Sources of a policy that cover a script of the page's own site.
_OWN_SOURCES = frozenset({"'self'", "*", "http:", "https:"})


class Pages:
    """Which pages are to have the client: globs like those of cache rules."""

    def __init__(self, globs: Iterable[str] = ()) -> None:
        """:class:`~edge.errors.ConfigError` if one is wrong."""
        self._globs = [file_glob(glob) for glob in globs]

    def has(self, name: str) -> bool:
        """Whether the file *name*, a path relative to the webroot, is one of them."""
        return any(glob.matches("/" + name) for glob in self._globs)


class _Token(NamedTuple):
    """A tag; or a run of text that is not only white space, without a name."""

    #: In lower case; "/head" of an end tag, "!doctype", "!" for comments.
    name: bytes
    start: int
    end: int
    attributes: dict[bytes, bytes]


def with_client(page: bytes) -> tuple[bytes | None, str]:
    """*page* with the tag; None: it gets none, and why, "" where that is as it should be."""
    if len(page) > LONGEST:
        return None, f"it has more than {LONGEST >> 20} MiB"
    if b"\0" in page or b"\x1b" in page:
        return None, "its encoding is not one that has ASCII in it, like UTF-8"
    place, reason, is_page = _head_end(page)
    if not is_page or (SCRIPT in page and _has_client(page)):
        return None, ""
    if place is None:
        return None, reason
    if b"importmap" in page[place:].lower():
        place = _behind_import_maps(page, place)
    got = page[:place] + TAG + page[place:]
    if place == len(page) and not _has_client(got):
        return None, "it ends in the middle of an element"
    return got, ""


def _head_end(page: bytes) -> tuple[int | None, str, bool]:
    """Where the head of *page* ends, None and why if nothing may be put there; whether it is a page."""
    is_page = False
    reason = ""
    place: int | None = len(page)
    for token in _tokens(page):
        if token.name in _OF_PAGES:
            is_page = True
        if token.name == b"html" and token.attributes.keys() & {b"amp", "\u26a1".encode()}:
            return None, "", False
        if token.name == b"base" and _ELSEWHERE.match(token.attributes.get(b"href", b"")):
            reason = reason or "its <base> leads to another site"
        if token.name == b"meta" and _refuses_script(token.attributes):
            reason = (
                reason or "its policy (Content-Security-Policy in <meta>) permits no script of its own site"
            )
        if token.name not in _HEAD and not (
            token.name.startswith(b"/") and token.name[1:] in _HEAD - {b"head", b"html"}
        ):
            place = token.start
            break
    return (None if reason else place), reason, is_page


def _refuses_script(attributes: dict[bytes, bytes]) -> bool:
    """Whether a ``<meta>`` is a policy with which our tag would not run (CSP level 3, section 6.7.2)."""
    if attributes.get(b"http-equiv", b"").strip().lower() != b"content-security-policy":
        return False
    for policy in unescape(attributes.get(b"content", b"").decode("latin-1")).split(","):
        directives: dict[str, list[str]] = {}
        for directive in policy.split(";"):
            name, *sources = directive.lower().split() or [""]
            directives.setdefault(name, sources)
        for name in ("script-src-elem", "script-src", "default-src"):
            if name in directives:
                sources = directives[name]
                if "'strict-dynamic'" in sources or not _OWN_SOURCES.intersection(sources):
                    return True
                break
    return False


def _has_client(page: bytes) -> bool:
    """Whether *page* has a script of the client, wherever."""
    sources = (token.attributes.get(b"src", b"") for token in _tokens(page) if token.name == b"script")
    return any(source.split(b"?")[0].strip().endswith(SCRIPT) for source in sources)


def _behind_import_maps(page: bytes, place: int) -> int:
    """*place*, or the end of the last import map behind it."""
    is_map = False
    for token in _tokens(page, place):
        if token.name == b"script":
            is_map = token.attributes.get(b"type", b"").strip().lower() == b"importmap"
        elif token.name == b"/script" and is_map:
            place = token.end
    return place


def _tokens(page: bytes, at: int = 0) -> Iterator[_Token]:
    """The tags of *page*, and the runs of text between them."""
    if at == 0 and page.startswith(b"\xef\xbb\xbf"):
        at = 3
    while at < len(page):
        opens = _OPENS.search(page, at)
        start = opens.start() if opens else len(page)
        if page[at:start].strip(b" \t\n\f\r"):
            yield _Token(b"", at + len(page[at:start]) - len(page[at:start].lstrip()), start, {})
        if opens is None:
            return
        token = _tag(page, start)
        yield token
        at = token.end
        if token.name in _RAW:
            closes = re.compile(rb"</" + token.name + rb"(?=[\s/>])", re.I).search(page, at)
            at = closes.start() if closes else len(page)


def _tag(page: bytes, start: int) -> _Token:
    """The tag or comment that begins at *start*; what is not closed goes on to the end."""
    if page.startswith(b"<!--", start):
        closes = re.compile(rb"--!?>").search(page, start + 2)
        return _Token(b"!", start, closes.end() if closes else len(page), {})
    is_end = page.startswith(b"</", start)
    name = _NAME.match(page, start + 1 + is_end)
    if name is None:  # a doctype, or what browsers take for a comment
        closing = page.find(b">", start)
        doctype = page[start : start + 9].lower() == b"<!doctype"
        return _Token(b"!doctype" if doctype else b"!", start, closing + 1 if closing >= 0 else len(page), {})
    at, attributes = name.end(), dict[bytes, bytes]()
    while not (end := _TAG_END.match(page, at)):
        attribute = _ATTRIBUTE.match(page, at)
        if attribute is None or attribute.end() == at:
            return _Token(b"/" * is_end + name[0].lower(), start, len(page), attributes)
        key, *values = attribute.groups()
        attributes.setdefault(key.lower(), next((value for value in values if value is not None), b""))
        at = attribute.end()
    return _Token(b"/" * is_end + name[0].lower(), start, end.end(), attributes)

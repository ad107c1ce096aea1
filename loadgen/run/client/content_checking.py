"""The check of bodies: whole under their content coding, and of the form that the crawl found.

The **form** of a body is what its first bytes say, without its coding: a page of HTML, something compressed,
or neither.  An HTML page instead of a script is a page of an error, or of a site's fallback, with status 200;
something compressed instead of text has lost its Content-Encoding.  Browsers can use neither.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from loadgen.run.client.content_coding import CODINGS, decoded
from loadgen.wire import interface

#: What is said of an answer whose body is damaged, and of one without, to a request without condition.
DAMAGED = "a body that is not what its Content-Encoding says"
UNASKED = "a 304 that nobody asked for"
HTML, COMPRESSED = "html", "compressed"
#: Bytes of a body that tell its form.
LOOKED_AT = 64
_COMPRESSED = (b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd")
_HTML = (b"<!doctype html", b"<html")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: How far the check decodes a body, bytes; the different ones that it remembers.
_FAR, _MOST = 16 << 20, 100_000
#: Different bodies that are all decoded; of further ones each so-manieth: a server may make each of its own.
_ALL, _EACH = 1000, 16


class Crawled(Protocol):
    """What is known of a resource from the crawl."""

    @property
    def kind(self) -> str:
        """As browsers tell them apart, see :data:`loadgen.run.messages.sitemap.KINDS`."""

    @property
    def form(self) -> str:
        """Of its body."""


def form_of(text: bytes) -> str:
    """The form of a body that begins with *text*, without its coding."""
    if text.startswith(_COMPRESSED):
        return COMPRESSED
    return HTML if text.removeprefix(_BYTE_ORDER_MARK).lstrip().lower().startswith(_HTML) else ""


class ContentChecker:
    """What bodies are; equal ones are decoded once."""

    def __init__(self) -> None:
        self._forms: dict[tuple[Hashable, int], str] = {}
        self._different = 0

    def form(self, key: Hashable, coding: int, body: bytes | memoryview) -> str | None:
        """The form of a *body* of that *coding*, a number of an answer; *key*: of all that equal it.

        None: it is damaged; "", too, if it was not looked at.
        """
        form = self._forms.get((key, coding))
        if form is not None:
            return form
        name = interface.CODINGS[coding]
        if name in CODINGS:
            self._different += 1
            if self._different > _ALL and self._different % _EACH:
                return ""
            text = decoded(bytes(body), name, _FAR)
            if text is None:
                return None
        else:
            text = b"" if name else bytes(body[:LOOKED_AT])
        if len(self._forms) >= _MOST:
            self._forms.clear()
        self._forms[key, coding] = form = form_of(text[:LOOKED_AT])
        return form

    def problem(self, key: Hashable, coding: int, body: bytes | memoryview, resource: Crawled) -> str:
        """What is wrong with the *body* that came of *resource*, the rest as of :meth:`form`; "": nothing."""
        form = self.form(key, coding, body)
        if form is None:
            return DAMAGED
        if form == COMPRESSED and resource.form != COMPRESSED:
            return "something compressed, and no Content-Encoding says so"
        if form == HTML and resource.form != HTML and resource.kind != "document":
            return "a page of HTML instead of what a page uses"
        return ""

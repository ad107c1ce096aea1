"""Whether a request is a navigation: somebody goes to a page, and no page asks for a part of itself.

Browsers say so in ``Sec-Fetch-Dest`` (Fetch Metadata, W3C): a script, a style sheet or an image is none.
Where it is empty or missing - older browsers, a service worker that asks on behalf of a page - who lists
``text/html`` in Accept wants a page: the default of scripts is ``*/*``.
"""

from __future__ import annotations

from collections.abc import Mapping

from edge.http.fields import list_members

#: Destinations that show a page.
_PAGES = frozenset({b"document", b"frame", b"iframe"})
#: Nothing is known by it.
_UNKNOWN = frozenset({b"", b"empty"})
#: What tells the two apart for caches: no browser asks for a part of a page as it asks for pages.
VARY = b"Vary: Accept\r\n"


def is_navigation(method: bytes, fields: Mapping[bytes, bytes]) -> bool:
    """Whether a request with these *fields*, by their names in lower case, is one."""
    if method not in (b"GET", b"HEAD"):
        return False
    destination = fields.get(b"sec-fetch-dest", b"").strip().lower()
    if destination not in _UNKNOWN:
        return destination in _PAGES
    return fields.get(b"sec-fetch-mode", b"").strip().lower() == b"navigate" or _wants_html(
        fields.get(b"accept", b"")
    )


def _wants_html(accept: bytes) -> bool:
    for member in list_members(accept.lower()):
        name, _, parameters = member.partition(b";")
        if name.strip() in (b"text/html", b"application/xhtml+xml"):
            weight = parameters.replace(b" ", b"").partition(b"q=")[2].partition(b";")[0]
            return weight.strip(b"0.") != b"" or not weight
    return False

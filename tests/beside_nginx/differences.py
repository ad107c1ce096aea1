"""Where a node answers otherwise than nginx, and why.

Each difference has a test of its own that says what it is about: what differs in any other way fails.  The
table in ``docs/howto/moving-in.md`` is :func:`table`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from tests.beside_nginx.asking import Answer, Request

_LEADING = (301, 302, 303, 307, 308)
#: Fields that configurations set.
FIELDS = (
    "x-frame-options", "referrer-policy", "permissions-policy", "x-robots-tag", "x-site",
    "access-control-allow-origin", "service-worker-allowed", "content-disposition", "cache-control",
)  # fmt: skip
#: Sites whose addresses leave out .html.
_CLEAN = ("docusaurus", "jekyll", "next")
#: Sites whose every address is one page.
_FALLBACK = ("vite", "pwa", "api", "hosts")


class Difference(NamedTuple):
    """One way in which answers differ."""

    #: What nginx does, what a node does, and why.
    nginx: str
    node: str
    why: str
    #: Whether two answers to a request differ in this way.
    explains: Callable[[Request, Answer, Answer], bool]


def _status(request: Request, nginx: Answer, node: Answer, *pairs: tuple[int, int]) -> bool:
    return (nginx.status, node.status) in pairs


def _clean(request: Request, nginx: Answer, node: Answer) -> bool:
    if request.site not in _CLEAN:
        return False
    if node.status == 308 and nginx.status in (200, 206, 416):
        to = urlsplit(node.fields["location"]).path
        path = unquote(request.path)
        return unquote(to) in (path.removesuffix(".html"), path.removesuffix("index.html"))
    return (
        nginx.status in (301, 403, 404)
        and node.status in (200, 206, 308, 416)
        and not request.path.endswith(".html")
    )


def _fallback(request: Request, nginx: Answer, node: Answer) -> bool:
    if request.site not in _FALLBACK:
        return False
    if "text/html" in request.field("Accept") and node.status in (200, 206, 416):
        return nginx.status in (301, 403, 404)
    return (
        nginx.status in (200, 206, 416, 405)
        and node.status in (404, 405)
        and (request.method == "POST" or "text/html" not in request.field("Accept"))
    )


def _adds_slash(answer: Answer) -> bool:
    return answer.status == 301 and answer.fields["location"].partition("?")[0].endswith("/")


def _segments(request: Request) -> bool:
    decoded = unquote(request.path)
    return "//" in decoded or not {".", ".."}.isdisjoint(decoded.split("/")) or "%2f" in request.path.lower()


def _body_of_a_page(request: Request, nginx: Answer, node: Answer) -> bool:
    return nginx.status == node.status and nginx.status in (*_LEADING, *range(400, 600))


DIFFERENCES = {
    "slashes": Difference(
        "`//a`, `/./a` and `/../a` are another spelling of `/a`",
        "`//a` leads to `/a` (308); a path with `.` or `..` is a 404",
        "one address for one thing; who takes a path for another one is not helped",
        lambda request, nginx, node: _segments(request),
    ),
    "percent": Difference(
        "a `%` without two digits is a 400",
        "it stands for itself, as browsers send it",
        "URL Standard; a name may have one",
        lambda request, nginx, node: nginx.status == 400 and "%" in request.path and node.status != 400,
    ),
    "clean-urls": Difference(
        "with `$uri.html` a page has two addresses, `/a` and `/a.html`",
        "`/a.html` leads to `/a` (308), an index file to its folder; a slash or a folder beside makes no 403",
        "one address for one page",
        _clean,
    ),
    "not-found": Difference(
        "with `$uri.html`, `/404` is 404.html with status 200",
        "404.html is what a 404 says, and has no other address than its own",
        "a page that says that nothing is there is not there",
        lambda request, nginx, node: request.path == "/404",
    ),
    "escapes": Difference(
        "`$request_uri` goes into an address as it was sent",
        "a path is decoded once and written again, the same for each spelling",
        "one address for one thing",
        lambda request, nginx, node: "%" in request.path
        and unquote(node.fields.get("location", "")) == unquote(nginx.fields.get("location", "")),
    ),
    "fallback": Difference(
        "`try_files ... /index.html` answers everything with the page, a missing script too",
        "only who goes to a page gets it, wherever that is; a missing script is a 404",
        "browsers do not run HTML as a script, and search engines see what is missing",
        _fallback,
    ),
    "query": Difference(
        "`return 301 /b` forgets the query of the request",
        "the query goes along unless the rule has one of its own",
        "what counts visitors survives a move",
        lambda request, nginx, node: nginx.status == node.status
        and nginx.status in _LEADING
        and "?" in request.target
        and node.fields["location"].partition("?")[0] == nginx.fields["location"].partition("?")[0],
    ),
    "folder": Difference(
        "a folder without an index file is a 403, and leads there without its slash",
        "it is a 404",
        "nothing is there, and nobody learns that there is a folder",
        lambda request, nginx, node: node.status == 404 and (nginx.status == 403 or _adds_slash(nginx)),
    ),
    "dots": Difference(
        "names that begin with a dot are files like others, or a 403 where a rule says so",
        "they are never published, but `.well-known`: a 404",
        "`.git` and `.env` stay private without a rule",
        lambda request, nginx, node: "/." in unquote(request.path) and node.status == 404,
    ),
    "post": Difference(
        "a POST to a file is a 405, to a page of errors a 404 or 405; a redirect leads whatever the method",
        "405 with `Allow` wherever something is, else 404",
        "RFC 9110 15.5.6",
        lambda request, nginx, node: request.method == "POST" and node.status in (404, 405, 308, 301, 302),
    ),
    "range": Difference(
        "a HEAD with `Range` is a 206; of a compressed answer a part of the plain bytes is sent",
        "only a GET has ranges, and they are of the representation that was negotiated",
        "RFC 9110 14.2; the ETag says which one it is",
        lambda request, nginx, node: request.field("Range") != ""
        and (request.method == "HEAD" or request.field("Accept-Encoding") != ""),
    ),
    "capitals": Difference(
        "`~*` takes names in any case",
        "as they are written in the rule",
        "globs tell case apart",
        lambda request, nginx, node: request.path != request.path.lower(),
    ),
    "types": Difference(
        "types of its own table: `application/javascript`, none for `.webmanifest`, `.md`, ...",
        "IANA's: `text/javascript`; what nginx does not know is known",
        "the types of today",
        lambda request, nginx, node: nginx.status == node.status
        and nginx.essence != node.essence
        and (nginx.essence, node.essence) in _TYPES,
    ),
    "listing": Difference(
        "a listing is a plain list",
        "a page that can be sorted",
        "the same links are in both",
        lambda request, nginx, node: nginx.status in (200, 206)
        and node.status in (200, 206, 416)
        and request.path.startswith("/pub/")
        and request.path.endswith("/"),
    ),
    "cache-control": Difference(
        "without a rule there is no `Cache-Control`, and browsers guess",
        "`no-cache`: stored, and confirmed before each use; for ever where a name holds the digest",
        "nobody sees an old page",
        lambda request, nginx, node: "cache-control" not in nginx.fields
        and node.fields.get("cache-control", "").startswith(("no-cache", "max-age=31536000,immutable")),
    ),
    "expires": Difference(
        "`expires` sends `Expires` and `Cache-Control`, and `add_header` another line of that",
        "one line `Cache-Control` with all of it",
        "`Expires` is for HTTP/1.0",
        lambda request, nginx, node: _directives(nginx) == _directives(node) != set(),
    ),
    "errors": Difference(
        "pages of errors and redirects have fields only with `always`",
        "redirects and 404.html have the fields of their paths",
        "a page is a page",
        lambda request, nginx, node: nginx.status == node.status and nginx.status not in (200, 206, 304),
    ),
    "applications": Difference(
        "`location /api/` is not about `/api`",
        "a tree begins with its own path: `/api` is the application's, too",
        "one application for one tree",
        lambda request, nginx, node: request.path in ("/api", "/pay"),
    ),
    "prefix": Difference(
        "`location /a/` is not about `/a`",
        "`/a/*` of a redirect and `/a/**` of `[[auth]]` and `[[access]]` are about `/a`, too",
        "who leaves the slash out gets there, and learns nothing of what is protected",
        lambda request, nginx, node: request.path
        in ("/shop", "/secret", "/wp-admin", "/guide", "/staff", "/internal",
            "/drafts", "/files/inner", "/files/inner/open"),
    ),
    "passwords": Difference(
        "what a password opens has no `Cache-Control` of its own",
        "it is `private`",
        "caches that many share keep no secrets",
        lambda request, nginx, node: request.path.startswith(("/st%61ff", "/staff"))
        and node.fields.get("cache-control", "").startswith("private"),
    ),
    "guesses": Difference(
        "wrong passwords are 401s without an end",
        "429 after a few from one address",
        "guessing takes longer",
        lambda request, nginx, node: nginx.status in (301, 401) and node.status == 429,
    ),
}  # fmt: skip

#: (nginx's, ours).
_TYPES = {
    ("application/javascript", "text/javascript"),
    ("text/xml", "application/xml"),
    ("application/octet-stream", "application/manifest+json"),
    ("application/octet-stream", "application/geo+json"),
    ("application/octet-stream", "text/markdown"),
    ("application/octet-stream", "font/ttf"),
    ("application/octet-stream", "application/gzip"),
    ("application/octet-stream", "application/x-iso9660-image"),
    ("application/x-font-ttf", "font/ttf"),
    ("image/x-icon", "image/vnd.microsoft.icon"),
    ("application/rss+xml", "application/xml"),
    ("application/rss+xml", "text/html"),
}


def _directives(answer: Answer) -> set[str]:
    return {one.strip() for one in answer.fields.get("cache-control", "").split(",")} - {""}


def aspects(request: Request, nginx: Answer, node: Answer) -> list[str]:
    """What of the two answers is not the same."""
    if nginx.status != node.status:
        return ["status"]
    found = []
    if nginx.status in _LEADING and nginx.fields.get("location") != node.fields.get("location"):
        found.append("location")
    if nginx.status in (200, 206):
        if nginx.body != node.body:
            found.append("body")
        if nginx.essence != node.essence:
            found.append("type")
    return found + [name for name in FIELDS if nginx.fields.get(name) != node.fields.get(name)]


def reason_of(request: Request, nginx: Answer, node: Answer, aspect: str) -> str:
    """The name of the difference that explains it; "": none does."""
    for name, difference in DIFFERENCES.items():
        if aspect in _ASPECTS.get(name, _WHOLE) and difference.explains(request, nginx, node):
            return name
    return ""


_WHOLE = ("status", "location", "body", "type", *FIELDS)
#: What a difference may be about, where that is not everything.
_ASPECTS = {
    "query": ("location",),
    "escapes": ("location",),
    "not-found": ("status",),
    "types": ("type",),
    "listing": ("body", "status"),
    "capitals": FIELDS,
    "cache-control": ("cache-control",),
    "expires": ("cache-control",),
    "errors": FIELDS,
    "folder": ("status",),
    "passwords": ("cache-control",),
    "fallback": ("status",),
}


def table() -> str:
    """The differences as a table in Markdown."""
    lines = ["| nginx | a node | why |", "| --- | --- | --- |"]
    lines += [f"| {one.nginx} | {one.node} | {one.why} |" for one in DIFFERENCES.values()]
    return re.sub(r" +", " ", "\n".join(lines)) + "\n"


if __name__ == "__main__":
    print(table(), end="")

"""Requests with a seed, and answers that can be compared."""

from __future__ import annotations

import gzip
import random
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import NamedTuple
from urllib.parse import urljoin

from tests.beside_nginx.content import FILES, PATHS, hosts_of

#: As browsers send it when somebody goes to a page, and when a page asks for a part of itself.
_PAGE = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
_PART = "*/*"
_STAFF = "Basic " + b64encode(b"staff:secret").decode()


class Request(NamedTuple):
    """One request; what is asked of each server with its own ETag says so."""

    site: str
    host: str
    method: str
    target: str
    fields: tuple[tuple[str, str], ...] = ()
    #: Ask once more with the ETag that came.
    again: bool = False

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    def field(self, name: str) -> str:
        """The value of a field of it; "": none."""
        return dict(self.fields).get(name, "")


class Answer(NamedTuple):
    """What of an answer can be compared."""

    status: int
    fields: dict[str, str]
    body: bytes

    @property
    def essence(self) -> str:
        """Its media type without parameters."""
        return self.fields.get("content-type", "").partition(";")[0].lower()


def requests_of(site: str, count: int, seed: str) -> Iterator[Request]:
    """*count* requests for *site*: what it has, what it once had, and what strangers try."""
    source = random.Random(f"{seed} {site}")
    names = [name for name in FILES[site].split()]
    if site == "hosts":
        names = [name.partition("/")[2] for name in names]
    files = ["/" + name for name in names]
    folders = sorted({one.rpartition("/")[0] + "/" for one in files})
    extra = PATHS.get(site, [])
    for _ in range(count):
        kind = source.random()
        path = source.choice(files)
        if extra and kind < 0.2:
            path = source.choice(extra)
        elif kind < 0.4:
            path = source.choice(folders)
        elif kind < 0.5:
            path = source.choice(folders).rstrip("/") or "/"
        elif kind < 0.58 and path.endswith(".html"):
            path = path.removesuffix(".html").removesuffix("/index") or "/"
        elif kind < 0.68:
            path = _odd(path, source)
        if source.random() < 0.15:
            path += ("&" if "?" in path else "?") + source.choice(["utm_source=x", "q=a+b", "a[]=1", ""])
        yield Request(
            site,
            source.choice(hosts_of(site)),
            source.choices(["GET", "HEAD", "POST"], [85, 12, 3])[0],
            path,
            tuple(_fields(source, site)),
            source.random() < 0.2,
        )


def _odd(path: str, source: random.Random) -> str:
    """Something near *path* that somebody tries."""
    ends = [path + end for end in ("x", "/", "%20", "~", ".gz")]
    begins = [begin + path for begin in ("/none", "/%2e%2e")] + ["/." + path[1:], "/%" + path[1:]]
    return source.choice([*ends, *begins, path.replace("/", "//", 1), path.upper(), path.replace("a", "%61")])


def _fields(source: random.Random, site: str) -> Iterator[tuple[str, str]]:
    yield "Accept", _PAGE if source.random() < 0.7 else _PART
    if source.random() < 0.2:
        yield "Accept-Encoding", "gzip"
    if source.random() < 0.1:
        yield "Range", source.choice(["bytes=0-9", "bytes=-5", "bytes=10-", "bytes=99999-"])
    if site == "protected" and source.random() < 0.4:
        yield "Authorization", source.choice([_STAFF, _STAFF, "Basic eDp5"])


def ask(connection: HTTPConnection, request: Request, **more: str) -> Answer:
    """*request* over *connection*."""
    fields = {"Host": request.host, **dict(request.fields), **more}
    connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    for name, value in fields.items():
        connection.putheader(name, value)
    if request.method == "POST":
        connection.putheader("Content-Length", "0")
    connection.endheaders()
    response = connection.getresponse()
    body = response.read()
    found: dict[str, list[str]] = {}
    for name, value in response.getheaders():
        found.setdefault(name.lower(), []).append(value)
    joined = {name: ", ".join(values) for name, values in found.items()}
    if joined.get("content-encoding") == "gzip" and body and response.status == 200:
        body = gzip.decompress(body)
    if "location" in joined:
        joined["location"] = urljoin(f"http://{request.host}{request.target}", joined["location"])
    return Answer(response.status, joined, body)

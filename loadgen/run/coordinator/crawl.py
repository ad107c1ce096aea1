"""A crawl that finds out what a site has as a browser would: a page, its assets, the pages that it links.

Also where the nodes are: from the load document of the one that was named.
"""

from __future__ import annotations

import contextlib
import http.client
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import msgspec

from edge.load.document import LoadDocument
from edge.load.document import decode as decode_load
from edge.resource import etag_of
from loadgen.errors import LoadgenError, UsageError
from loadgen.run.client.content_checking import LOOKED_AT, form_of
from loadgen.run.client.content_coding import CODINGS, decoded
from loadgen.run.coordinator.crawl_connection import CrawlConnection, Patience
from loadgen.run.coordinator.links import Links
from loadgen.run.coordinator.queries import addresses
from loadgen.run.messages.scenario import Query
from loadgen.run.messages.sitemap import KINDS, CrawledResource, SiteMap
from loadgen.trust import Trust

_PATH = re.compile(r"/[\x21-\x7e]*")
_IMPORT = re.compile(rb"""\b(?:import|from)\s*(?:\(\s*)?["'](\.{0,2}/[^"']+)["']""")
#: Statuses of answers that lead elsewhere, and how often browsers follow them.
_MOVED, _MOST_MOVES = (301, 302, 303, 307, 308), 20
#: An answer of an application that nobody has asked for passes, the next one is stored.
_ASKED_AGAIN = 2
#: What one page names, or one script and those that it imports: more is a stranger's, who has it asked for.
_PARTS = 2_000
#: What browsers fetch beside pages for the smart client.
_WORKER, _RULES = "/sw.js", "/edge.json"


class Crawler:
    """A crawl of one node, over one connection, one request after the other."""

    #: What to do if nobody answers.
    _way_out = "is the node running? make run starts four"

    def __init__(
        self, url: str, address: tuple[str, int], trust: Trust | None = None, patience: Patience | None = None
    ) -> None:
        """*url*: of the node, named in errors and links; *address*: where it is; *trust*: in its certificate.

        *patience*: with one whole answer.
        """
        self._url = url
        #: Called before each request, with the number of what was found so far.
        self.looking: Callable[[int], None] = lambda found: None
        self._host = urlsplit(url).netloc
        self._scheme = urlsplit(url).scheme
        self._connection = CrawlConnection(
            url, address, trust or Trust(), patience or Patience(), self._way_out
        )
        self.resources: list[CrawledResource] = []
        self._numbers: dict[str, int | None] = {}
        self._bodies: dict[int, bytes] = {}
        self._queries: Sequence[Query] = ()
        self._documents: dict[str, str] = {}
        #: Paths of what is there, but too large for a run.
        self.left_out: list[str] = []
        #: Of what pages name and is not there, with the status.
        self.missing: list[str] = []
        #: Where the first answer led that led to another site.
        self._elsewhere = ""

    def close(self) -> None:
        """Close the connection; it opens again when something is asked."""
        self._connection.close()

    def load(self) -> LoadDocument:
        """The cluster's load document; :exc:`LoadgenError` if that is none of ours."""
        _, body = self._get("/.edge/load", "*/*")
        try:
            return decode_load(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise LoadgenError(
                f"{self._url}/.edge/load: no load document ({error}); is this a node of twistd edge?"
                " --plain URL loads any server"
            ) from None

    def ask_for(self, queries: Sequence[Query], documents: str) -> None:
        """Have pages ask for *queries*, too; *documents*: where addresses of documents are told, or ""."""
        self._queries = queries
        if not documents:
            return
        answer, body = self._get(documents, "application/json")
        try:
            self._documents = msgspec.json.decode(
                text_of(body, answer.getheader("Content-Encoding")), type=dict[str, str]
            )
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise LoadgenError(
                f"{self._url}{documents}: no addresses of documents by their names: {error}"
            ) from None

    def site(self, start: str, most: int) -> SiteMap:
        """The site map of at most *most* pages from *start* on."""
        waiting, seen = deque([start]), {start}
        pages: list[list[int]] = []
        while waiting and len(pages) < most:
            number = self._resource(waiting.popleft(), "document")
            if number is None or self.resources[number].kind != "document" or number not in self._bodies:
                continue  # not there, an image that is shown somewhere, or found already by another way
            parts = [number]
            links = Links(self._bodies.pop(number).decode("utf-8", "replace"))
            base = self.resources[number].path
            self._bound(base, len({address for kind, address in links.found if kind != "document"}))
            for kind, address in links.found:
                target = self.local_path(base, address, links.base or "")
                if target is None:
                    continue
                if kind != "document":
                    parts += [one for one in self._with_imports(target, kind) if one not in parts]
                elif target not in seen:
                    seen.add(target)
                    waiting.append(target)
            pages.append(parts)
        if not pages:
            leads = f"it leads to {self._elsewhere}" if self._elsewhere else "there is no page"
            raise LoadgenError(f"{self._url}{start}: {leads}; name another with [site] start")
        return self._complete(pages)

    def listed(self, file: Path) -> SiteMap:
        """The site map of the pages that *file* names, a line ``PATH ASSET ASSET...`` each."""
        pages = []
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file}: {error}") from None
        for number, line in enumerate(lines, 1):
            paths = line.partition("#")[0].split()
            parts = []
            for place, path in enumerate(paths):
                if not _PATH.fullmatch(path):
                    raise UsageError(f"{file}, line {number}: {path!r} is no path; it begins with /")
                one = self._resource(path, "fetch" if place else "document")
                if one is None:
                    raise UsageError(f"{file}, line {number}: {self._url}{path} is not there")
                parts.append(one)
            if parts:
                pages.append(parts)
        if not pages:
            raise UsageError(f"{file}: there is no page in it")
        return self._complete(pages)

    def _complete(self, pages: list[list[int]]) -> SiteMap:
        """The site map of *pages* with their queries, and what the smart client needs, where there is one."""
        self._with_queries(pages)
        beside = [one for path in (_WORKER, _RULES) if (one := self._resource(path, "script")) is not None]
        worker = list(self._with_imports(_WORKER, "script")) if self._numbers.get(_WORKER) is not None else []
        return SiteMap(self.resources, pages, worker, beside)

    def _with_queries(self, pages: list[list[int]]) -> None:
        """What scripts of *pages* ask for becomes part of them."""
        for parts in pages:
            for address in addresses(self._queries, self._documents, self.resources[parts[0]].path):
                number = self._resource(address, "fetch")
                if number is None:
                    raise LoadgenError(f"{self._url}{address}: the query has no answer that is shared")
                if number not in parts:
                    parts.append(number)

    def _with_imports(self, path: str, kind: str) -> Iterator[int]:
        """The resource at *path*, and the modules that it imports, and theirs."""
        waiting, seen = [path], set()
        while waiting:
            one = waiting.pop()
            number = self._resource(one, kind) if one not in seen else None
            seen.add(one)
            self._bound(path, len(seen))
            if number is None:
                continue
            yield number
            if kind == "script":
                for match in _IMPORT.finditer(self._bodies.get(number, b"")):
                    target = self.local_path(self.resources[number].path, match[1].decode("ascii", "replace"))
                    waiting += [target] if target else []

    def _bound(self, path: str, count: int) -> None:
        if count > _PARTS:
            raise LoadgenError(
                f"{self._url}{path}: it names more than {_PARTS:,} resources; leave it out with [site] list"
            )

    def local_path(self, page: str, address: str, base: str = "") -> str | None:
        """The path that *address* on *page* leads to, by its *base*, if it is of this site."""
        with contextlib.suppress(ValueError):
            own = urljoin(f"{self._scheme}://{self._host}{page}", base.strip())
            parts = urlsplit(urljoin(own, address.strip()))
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            if parts.scheme == self._scheme and parts.netloc == self._host and _PATH.fullmatch(path):
                return path
        return None

    def _resource(self, path: str, kind: str, moves: int = 0) -> int | None:
        """The number of what is at *path*, or where that leads; None if there is nothing to confirm."""
        if path in self._numbers:
            return self._numbers[path]
        answer, body = self._get(path, KINDS[kind].accept)
        is_shared = answer.getheader("Cache-Status") is not None
        for _ in range(_ASKED_AGAIN):
            if not is_shared or answer.getheader("ETag") or answer.status != 200:
                break  # the first answers of an application pass
            answer, body = self._get(path, KINDS[kind].accept)
        self._numbers[path] = None
        if answer.status in _MOVED and moves < _MOST_MOVES:
            target = self.local_path(path, answer.getheader("Location") or "")
            self._numbers[path] = self._resource(target, kind, moves + 1) if target else None
            self._elsewhere = self._elsewhere or ("" if target else answer.getheader("Location") or "")
            return self._numbers[path]
        if answer.status >= 400 and path not in (_WORKER, _RULES):
            self.missing.append(f"{path} ({answer.status})")
        found = self._found(path, kind, answer, body)
        if found is None:
            return None
        self._numbers[path] = number = len(self.resources)
        self.resources.append(found)
        if kind in ("document", "script"):
            self._bodies[number] = text_of(body, answer.getheader("Content-Encoding"))
        return number

    def _found(
        self, path: str, kind: str, answer: http.client.HTTPResponse, body: bytes
    ) -> CrawledResource | None:
        """The resource that *answer* brought; None if there is nothing to confirm."""
        etag = re.fullmatch(r'"([\x21\x23-\x7e]{1,63})"', answer.getheader("ETag") or "")
        if answer.status != 200 or etag is None:
            return None
        if etag[1] != etag_of(sha256(body).digest()).decode("ascii"):
            raise LoadgenError(
                f"{self._url}{path}: its ETag is not the digest of its bytes; this is no node of twistd edge"
                " (--plain URL loads any server)"
            )
        age = max_age(answer.getheader("Cache-Control"))
        is_shared = answer.getheader("Cache-Status") is not None
        form = form_of(text_of(body, answer.getheader("Content-Encoding"), LOOKED_AT))
        return CrawledResource(path, kind, etag[1], len(body), age, is_shared, form)

    def _get(self, path: str, accept: str) -> tuple[http.client.HTTPResponse, bytes]:
        self.looking(len(self.resources))
        return self._connection.get(path, accept, self._is_read)

    def _is_read(self, answer: http.client.HTTPResponse, accept: str) -> bool:
        """Whether the body of *answer*, to a request that took *accept*, is read; it counts as empty else."""
        return True


def max_age(value: str | None) -> int:
    """The freshness lifetime that a Cache-Control gives, seconds (RFC 9111, section 4.2.1); -1: none."""
    given = (one.strip().lower().partition("=") for one in (value or "").split(","))
    directives = {name: argument for name, _, argument in given}
    if {"no-cache", "no-store"} & set(directives):
        return -1
    seconds = directives.get("max-age", "")
    return int(seconds) if seconds.isdecimal() and int(seconds) else -1


def text_of(body: bytes, coding: str | None, most: int = Patience().most_bytes) -> bytes:
    """The first *most* bytes of *body* without its content coding; b"": damaged, or a coding unknown here."""
    name = (coding or "").strip().lower()
    return (decoded(body, name, most) or b"") if not name or name in CODINGS else b""

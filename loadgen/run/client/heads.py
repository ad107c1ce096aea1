"""The requests of smart clients, and of browsers without one, byte for byte as Chromium sends them.

At home, the origin that the page came from, a validator goes into If-None-Match; to other nodes it goes
into the query, since a header set by a script would cost a CORS preflight for each URL.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from loadgen.run.messages.sitemap import ACCEPT_ENCODING, KINDS

_AGENT = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36\r\n"
    'sec-ch-ua: "Chromium";v="142", "Not_A Brand";v="99"\r\n'
    "sec-ch-ua-mobile: ?0\r\n"
    'sec-ch-ua-platform: "Linux"\r\n'
)
_END = f"Accept-Encoding: {ACCEPT_ENCODING}\r\nAccept-Language: en-US,en;q=0.9\r\n"
#: What fetch adds when the worker passes the browser's own cache by (cache: "no-store").
_PAST_THE_CACHE = "Pragma: no-cache\r\nCache-Control: no-cache\r\n"
_TEXT = "Content-Type: text/plain;charset=UTF-8\r\n"


class Heads:
    """The request messages of smart clients to *urls*, origins of nodes; what repeats is made once."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._hosts = [urlsplit(url).netloc for url in urls]
        self._urls = list(urls)
        #: (kind, node, home): all header lines after the request line, without the validator.
        self.lines: dict[tuple[str, int, int], bytes] = {}

    def get(
        self, node: int, home: int, path: bytes, kind: str, etag: bytes = b"", more: bytes = b""
    ) -> bytes:
        """A GET of *path*, of a resource of that *kind*, from *node*; *etag*: of the copy there is.

        *more*: header lines beside the others.
        """
        lines = self.lines.get((kind, node, home)) or self._make(kind, node, home)
        if not etag:
            return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path, lines, more)
        if node == home:
            return b'GET %b HTTP/1.1\r\n%bIf-None-Match: "%b"\r\n\r\n' % (path, lines, etag)
        sign = b"&" if b"?" in path else b"?"
        return b"GET %b%b~etag=%b HTTP/1.1\r\n%b\r\n" % (path, sign, etag, lines)

    def post(self, node: int, home: int, path: bytes, body: bytes, more: bytes = b"") -> bytes:
        """A POST of *body* to *path*; *more*: header lines instead of those of a text."""
        lines = self.lines.get(("post", node, home)) or self._make("post", node, home)
        return b"POST %b HTTP/1.1\r\n%b%bContent-Length: %d\r\n\r\n%b" % (
            path, lines, more or _TEXT.encode(), len(body), body,
        )  # fmt: skip

    def _make(self, kind: str, node: int, home: int) -> bytes:
        """The header lines: a navigation comes from the page before, all else from the worker or the page."""
        own = KINDS["fetch" if kind == "post" else kind]
        same = node == home
        fields = [f"Host: {self._hosts[node]}\r\nConnection: keep-alive\r\n", _AGENT]
        if kind == "document" and same:
            fields.append("Upgrade-Insecure-Requests: 1\r\n")
        else:
            fields.append(_PAST_THE_CACHE)
        if kind == "post" or not same:
            fields.append(f"Origin: {self._urls[home]}\r\n")
        mode = own.mode if same else "cors"
        fields.append(
            f"Accept: {own.accept}\r\nSec-Fetch-Site: {'same-origin' if same else 'same-site'}\r\n"
            f"Sec-Fetch-Mode: {mode}\r\nSec-Fetch-Dest: {own.destination if same else 'empty'}\r\n"
            f"Referer: {self._urls[home]}/sw.js\r\n"
        )
        fields.append(_END)
        lines = self.lines[kind, node, home] = "".join(fields).encode("ascii")
        return lines


class BrowserHeads(Heads):
    """The request messages of browsers without the smart client: navigations, and what pages name."""

    def _make(self, kind: str, node: int, home: int) -> bytes:
        own = KINDS["fetch" if kind == "post" else kind]
        fields = [f"Host: {self._hosts[node]}\r\nConnection: keep-alive\r\n", _AGENT]
        if kind == "document":
            fields.append("Upgrade-Insecure-Requests: 1\r\n")
        if kind == "post":
            fields.append(f"Origin: {self._urls[home]}\r\n")
        site = "none" if kind == "document" else "same-origin"
        fields.append(f"Accept: {own.accept}\r\nSec-Fetch-Site: {site}\r\nSec-Fetch-Mode: {own.mode}\r\n")
        if kind == "document":
            fields.append("Sec-Fetch-User: ?1\r\n")
        fields.append(f"Sec-Fetch-Dest: {own.destination}\r\n")
        fields.append(_END)
        lines = self.lines[kind, node, home] = "".join(fields).encode("ascii")
        return lines

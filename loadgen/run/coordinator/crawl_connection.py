"""The connection of a crawl: one request after the other, each answered whole, or a sentence says why not."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from loadgen.errors import LoadgenError
from loadgen.run.messages.sitemap import ACCEPT_ENCODING
from loadgen.targets import tls_name
from loadgen.trust import Trust, check, context

_TIMEOUT_S = 10.0


class Patience(NamedTuple):
    """With one whole answer."""

    seconds: float = 30.0
    most_bytes: int = 64 << 20


class _SecureConnection(http.client.HTTPConnection):
    """HTTP over TLS to an address whose certificate has another name than that."""

    def __init__(self, address: tuple[str, int], name: str, trust: Trust) -> None:
        super().__init__(*address, timeout=_TIMEOUT_S)
        self._name, self._context = name, context(trust)

    def connect(self) -> None:
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self._name)


class CrawlConnection:
    """A connection to a server, which opens when something is asked."""

    def __init__(
        self, url: str, address: tuple[str, int], trust: Trust, patience: Patience, way_out: str
    ) -> None:
        """*url*: named in errors; *address*: where it is; *way_out*: what to do if nobody answers."""
        self._url, self._address, self._trust = url, address, trust
        self._patience, self._way_out = patience, way_out
        self._host = urlsplit(url).netloc
        name = tls_name(url)
        self._connection: http.client.HTTPConnection = (
            _SecureConnection(address, name, trust)
            if name
            else http.client.HTTPConnection(*address, timeout=_TIMEOUT_S)
        )

    def close(self) -> None:
        """Close it; it opens again when something is asked."""
        self._connection.close()

    def get(
        self, path: str, accept: str, is_read: Callable[[http.client.HTTPResponse, str], bool]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """The answer to a GET of *path*, and its body, b"" unless *is_read*; what breaks off is asked again.

        *is_read*: called with the answer and *accept*.  :exc:`LoadgenError`: there is none.
        """
        fields = {"Host": self._host, "Accept": accept, "Accept-Encoding": ACCEPT_ENCODING}
        for attempt in range(2):
            try:
                self._connection.request("GET", path, headers=fields)
                answer = self._connection.getresponse()
                if not is_read(answer, accept):
                    self._connection.close()
                    return answer, b""
                return answer, self._body(answer, path)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                if isinstance(error, ssl.SSLError):
                    check(self._url, self._address, self._trust)
                if attempt:
                    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
                    raise LoadgenError(f"{self._url}{path}: no answer: {why}; {self._way_out}") from None
        raise AssertionError("not reached")

    def _body(self, answer: http.client.HTTPResponse, path: str) -> bytes:
        """The body; a server that sends on and on, or hardly anything, is not waited for."""
        body = bytearray()
        deadline = time.monotonic() + self._patience.seconds
        while piece := answer.read1(1 << 16):
            body += piece
            is_too_large = len(body) > self._patience.most_bytes
            if is_too_large or time.monotonic() > deadline:
                why = f"is over {self._patience.most_bytes >> 20} MiB" if is_too_large else "does not end"
                raise LoadgenError(f"{self._url}{path}: the answer {why}; leave it out with [site] list")
        if answer.length:
            raise http.client.IncompleteRead(bytes(body), answer.length)
        answer.close()  # read1 does not: the connection would not be free for the next request
        return bytes(body)

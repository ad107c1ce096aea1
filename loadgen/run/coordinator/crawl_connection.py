"""The connection of a crawl: one request after the other, each answered whole, or a sentence says why not."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from loadgen.errors import LoadgenError
from loadgen.patience import within
from loadgen.run.messages.sitemap import ACCEPT_ENCODING
from loadgen.targets import tls_name
from loadgen.trust import Trust, check, context

_TIMEOUT_S = 10.0
#: Interim answers (1xx, RFC 9110 section 15.2) to one request.
_INTERIM = 100


class Patience(NamedTuple):
    """With one whole answer."""

    seconds: float = 30.0
    most_bytes: int = 64 << 20


class _Answer(http.client.HTTPResponse):
    """The answer behind all interim ones: the library passes over 100 alone, without end."""

    def _read_status(self) -> tuple[str, int, str]:
        for _ in range(_INTERIM):
            found: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
            if not 100 <= found[1] < 200 or found[1] == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return found
            http.client.parse_headers(self.fp)
        raise http.client.HTTPException("interim answers (1xx) without end")


class _Connection(http.client.HTTPConnection):
    response_class = _Answer


class _SecureConnection(_Connection):
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
        self._connection = (
            _SecureConnection(address, name, trust) if name else _Connection(*address, timeout=_TIMEOUT_S)
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
        seconds = self._patience.seconds
        for attempt in range(2):
            deadline = time.monotonic() + seconds
            try:
                with within(seconds, lambda: self._connection.sock) as late:
                    self._connection.request("GET", path, headers=fields)
                    answer = self._connection.getresponse()
                    wanted = is_read(answer, accept)
                    body = self._body(answer, path, deadline) if wanted else b""
                if late.is_set():  # what was cut off may look whole
                    raise self._endless(path)
                if not wanted:
                    self._connection.close()
                return answer, body
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                if late.is_set():
                    raise self._endless(path) from None
                if isinstance(error, ssl.SSLError):
                    check(self._url, self._address, self._trust)
                if attempt:
                    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
                    raise LoadgenError(f"{self._url}{path}: no answer: {why}; {self._way_out}") from None
        raise AssertionError("not reached")

    def _endless(self, path: str, why: str = "does not end") -> LoadgenError:
        return LoadgenError(f"{self._url}{path}: the answer {why}; leave it out with [site] list")

    def _body(self, answer: http.client.HTTPResponse, path: str, deadline: float) -> bytes:
        """The body; a server that sends on and on, or hardly anything, is not waited for."""
        body = bytearray()
        while piece := answer.read1(1 << 16):
            body += piece
            if len(body) > self._patience.most_bytes:
                raise self._endless(path, f"is over {self._patience.most_bytes >> 20} MiB")
            if time.monotonic() > deadline:
                raise self._endless(path)
        if answer.length:
            raise http.client.IncompleteRead(bytes(body), answer.length)
        answer.close()  # read1 does not: the connection would not be free for the next request
        return bytes(body)

"""Any server's site that answers as told: ``python -m benchmarks.faulty_site WAY SINCE [FOLDER]``.

A process.  SINCE: seconds after the first request of a user; FOLDER: it speaks TLS, its certificate and that
of its authority are written there.  It prints its origin, serves until its standard input ends, and prints
what it did then, as :mod:`benchmarks.faulty_target` does.  Crawlers meet nothing of it.

Ways that a status does not tell, and ways that look like failures and are none:

================  ==========================================================================================
unasked 304       to requests without a condition
maintenance       one page for all addresses, with 200
error page        one page for all pages, with 200; what they use is as it was
fallback          a page, with 200, for all that pages use; as applications do after a file has a new name
white page        pages have no body, with 200
damaged gzip      Content-Encoding: gzip, and the stream is cut off
damaged zstd      Content-Encoding: zstd, and the second frame is cut off
junk behind zstd  bytes that begin no frame
other coding      Content-Encoding: br, and it is gzip
lost coding       gzip without Content-Encoding
half bodies       closed after half of them
short length      Content-Length tells of the half of a body that is there
long length       Content-Length tells of more than there is, and nobody closes
endless           chunks, and never a last one
drip              a body takes 700 ms
rare              one answer of 50 takes 700 ms
redirect loop     302 to itself
reset at accept   before anything can be asked
expired           nothing: the certificate that it has since the first user is over then
one for each      HTTP/1.0, a connection for each answer, no length: its end is the body's
trailers          chunks, and fields behind them, after an interim answer
weak              another body each time under a weak tag
junk behind       gzip, of pages, and Brotli, of what they use: browsers pass it over
zstd frames       several, and one that is to be skipped
closes            after each answer, and does not say so
shell             one page for all addresses, and the crawl has seen no other
================  ==========================================================================================
"""

from __future__ import annotations

import asyncio
import gzip
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import brotlicffi
import msgspec
import zstandard

from benchmarks.faulty_target import SITE, TYPES, Record, Request, read_request, reset, tag
from tests.loadgen.wire import tls_peer

#: Ways whose answers no server may give; those that are right.
LIES = (
    "unasked 304", "maintenance", "error page", "fallback", "white page", "damaged gzip", "damaged zstd",
    "junk behind zstd", "other coding", "lost coding",
)  # fmt: skip
RIGHT = ("one for each", "trailers", "weak", "shell", "junk behind", "zstd frames", "closes")
WAYS = (
    *LIES, "half bodies", "short length", "long length", "endless", "drip", "rare", "redirect loop",
    "reset at accept", "expired", *RIGHT,
)  # fmt: skip
SLOW_S, RARE = 0.7, 50
_BACK_SOON = b"<!doctype html><h1>We are back soon</h1>"
#: Bytes to be sent, and seconds to be waited for; None: the connection ends.
_Piece = bytes | float | None


def _head(status: int, path: str, *fields: str, version: str = "1.1") -> bytes:
    kind = TYPES.get(path.rpartition(".")[2], "text/html")
    lines = f"HTTP/{version} {status} ", f"Content-Type: {kind}", *fields, "", ""
    return "\r\n".join(lines).encode("ascii")


def _whole(path: str, body: bytes, *fields: str) -> bytes:
    return _head(200, path, f"Content-Length: {len(body)}", *fields) + body


class Site:
    """One server."""

    def __init__(self, way: str, since_s: float, folder: Path | None = None) -> None:
        """*folder*: it speaks TLS, by a certificate that is written there."""
        self.way, self.since_s, self._folder = way, since_s, folder
        self.secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if folder else None
        self._certify(30.0)
        self.record = Record()
        self._began = 0.0
        ways: dict[str, Callable[[str, bytes], Iterator[_Piece]]] = {
            "half bodies": self._half, "drip": self._drip, "rare": self._rare,
            "redirect loop": self._redirect, "one for each": self._one_for_each,
            "trailers": self._trailers, "weak": self._weak, "shell": self._shell,
            "short length": self._short_length, "long length": self._long_length, "endless": self._endless,
            "junk behind": self._junk_behind, "zstd frames": self._zstd_frames,
            "closes": self._closes,
        }  # fmt: skip
        self._pieces = ways.get(way)

    def _certify(self, days: float) -> None:
        """Show a new certificate from now on."""
        if self.secure and self._folder:
            self.secure.load_cert_chain(*tls_peer.write(self._folder, days=(-1, days)))

    def _begin(self) -> None:
        """The first user has come."""
        self._began = time.monotonic()
        if self.way == "expired":
            self._certify(self.since_s / 86_400)

    def is_on(self) -> bool:
        """Whether users are answered in that way now."""
        return bool(self._began) and time.monotonic() - self._began >= self.since_s

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            if self.way == "reset at accept" and self.is_on():
                reset(writer)
                return
            while (request := await read_request(reader)) is not None:
                if request.is_user and not self._began:
                    self._begin()
                self.record.requests += request.is_user
                for piece in self._answer(request):
                    if piece is None:
                        return
                    if isinstance(piece, float):
                        await asyncio.sleep(piece)
                    else:
                        writer.write(piece)
                        await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _answer(self, request: Request) -> Iterator[_Piece]:
        path = request.path
        if self.way == "shell":
            yield from self._shell(path, b"")
            return
        if path not in SITE:
            yield _whole(path, b"none").replace(b" 200 ", b" 404 ", 1)
            return
        body = SITE[path]
        is_on = request.is_user and self.is_on()
        if is_on and (lie := self._lie(request, path, body)):
            self.record.lies += 1
            yield lie
        elif is_on and self._pieces is not None:
            yield from self._pieces(path, body)
        elif request.validator == tag(body):
            yield _head(304, path, f'ETag: "{tag(body)}"')
        else:
            yield _whole(path, body, f'ETag: "{tag(body)}"', "Cache-Control: no-cache")

    def _lie(self, request: Request, path: str, body: bytes) -> bytes:
        """Instead of the answer; b"": this one is true."""
        is_page = not path.endswith((".css", ".js"))
        if self.way == "unasked 304" and not request.validator:
            return _head(304, path)
        if self.way == "maintenance" or (self.way == "error page" and is_page):
            return _whole(path, _BACK_SOON)
        if self.way == "fallback" and not is_page:
            return _whole(path, SITE["/"] + path.encode("ascii"))
        if self.way == "white page" and is_page:
            return _whole(path, b"")
        return self._miscoded(path, body)

    def _miscoded(self, path: str, body: bytes) -> bytes:
        """An answer that nobody can decode; b"": this is no way of it."""
        frames = zstandard.compress(body[:9]) + zstandard.compress(body[9:])
        coded = {
            "damaged gzip": ("gzip", gzip.compress(body)[:-12]),
            "damaged zstd": ("zstd", frames[:-12]),
            "junk behind zstd": ("zstd", frames + b"<!-- cached -->"),
            "other coding": ("br", gzip.compress(body)),
            "lost coding": ("identity", gzip.compress(body)),
        }
        if self.way not in coded:
            return b""
        coding, data = coded[self.way]
        return _whole(path, data, f"Content-Encoding: {coding}")

    # ---- ways; of a path and its body, the pieces of an answer ----

    def _half(self, path: str, body: bytes) -> Iterator[_Piece]:
        whole = _whole(path, body)
        yield whole[: len(whole) - len(body) // 2]
        yield None

    def _short_length(self, path: str, body: bytes) -> Iterator[_Piece]:
        yield _head(200, path, f"Content-Length: {len(body) // 2}") + body

    def _long_length(self, path: str, body: bytes) -> Iterator[_Piece]:
        yield _head(200, path, f"Content-Length: {len(body) + 1}") + body

    def _endless(self, path: str, body: bytes) -> Iterator[_Piece]:
        yield _head(200, path, "Transfer-Encoding: chunked")
        while True:
            yield b"1\r\nx\r\n"
            yield 0.2

    def _junk_behind(self, path: str, body: bytes) -> Iterator[_Piece]:
        is_used = path.endswith((".css", ".js"))
        coded = brotlicffi.compress(body) if is_used else gzip.compress(body)
        yield _whole(path, coded + b"<!-- cached -->", f"Content-Encoding: {'br' if is_used else 'gzip'}")

    def _zstd_frames(self, path: str, body: bytes) -> Iterator[_Piece]:
        skipped = b"\x50\x2a\x4d\x18\4\0\0\0note"
        frames = zstandard.compress(body[:9]) + skipped + zstandard.compress(body[9:])
        yield _whole(path, frames, "Content-Encoding: zstd")

    def _closes(self, path: str, body: bytes) -> Iterator[_Piece]:
        yield _whole(path, body)
        yield None

    def _drip(self, path: str, body: bytes) -> Iterator[_Piece]:
        yield _head(200, path, f"Content-Length: {len(body)}")
        step = -(-len(body) // 7)
        for at in range(0, len(body), step):
            yield SLOW_S / 7
            yield body[at : at + step]

    def _rare(self, path: str, body: bytes) -> Iterator[_Piece]:
        yield SLOW_S if not self.record.requests % RARE else 0.0
        yield _whole(path, body)

    def _redirect(self, path: str, body: bytes) -> Iterator[_Piece]:
        yield _head(302, path, f"Location: {path}", "Content-Length: 0")

    def _one_for_each(self, path: str, body: bytes) -> Iterator[_Piece]:
        yield _head(200, path, version="1.0") + body
        yield None

    def _trailers(self, path: str, body: bytes) -> Iterator[_Piece]:
        yield b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:9], body[9:]))
        yield _head(200, path, "Transfer-Encoding: chunked") + chunks + b"0\r\nServer-Timing: x\r\n\r\n"

    def _weak(self, path: str, body: bytes) -> Iterator[_Piece]:
        yield _whole(path, body + b" " * (self.record.requests % 9), 'ETag: W/"same"')

    def _shell(self, path: str, body: bytes) -> Iterator[_Piece]:
        yield _whole(path, SITE["/"])


async def _main(way: str, since: str, folder: str = "") -> None:
    if folder:
        Path(folder, "authority.pem").write_text(tls_peer.trust().authorities)
    site = Site(way, float(since), Path(folder) if folder else None)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, backlog=1000, ssl=site.secure)
    port = server.sockets[0].getsockname()[1]
    print(f"{'https' if folder else 'http'}://127.0.0.1:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(msgspec.json.encode(site.record).decode("ascii"), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))

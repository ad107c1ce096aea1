"""Single exchanges over TCP, TLS and WebSocket, to count their bytes or what many of them cost."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

from benchmarks.servers import Server


def answer(stream: socket.socket, text: str) -> bytes:
    """What comes back for the request *text*: one answer, with a body if it has one."""
    stream.sendall(text.encode())
    data = b""
    while b"\r\n\r\n" not in data or len(data) < _length(data):
        piece = stream.recv(1 << 20)
        if not piece:
            raise SystemExit(f"the server closed after {data[:80]!r}")
        data += piece
    return data


def _length(data: bytes) -> int:
    head = data.partition(b"\r\n\r\n")[0]
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length" and not data.startswith(b"HTTP/1.1 304"):
            return len(head) + 4 + int(value)
    return len(head) + 4


@contextlib.contextmanager
def connected(server: Server, source: str = "127.0.0.1") -> Iterator[socket.socket]:
    """A connection from the loopback address *source*."""
    with socket.socket() as stream:
        stream.bind((source, 0))
        stream.settimeout(10)
        stream.connect(("127.0.0.1", server.port))
        yield stream


def tls_context() -> ssl.SSLContext:
    """For a server with a certificate of its own making."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Handshake:
    """A TLS client over *stream* that counts: bytes until both sides are done, and tickets have come."""

    def __init__(
        self, stream: socket.socket, context: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> None:
        self._stream = stream
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, session=session)
        #: Bytes that the client has sent and received.
        self.sent = self.received = 0
        while True:
            try:
                self._tls.do_handshake()
                self._flush()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self._fill()
        self.resumed = bool(self._tls.session_reused)

    def ask(self, text: str) -> None:
        """Send a request."""
        self._tls.write(text.encode())
        self._flush()

    def read(self) -> bytes:
        """What has come back, at least something of it; tickets that come before it are kept."""
        while True:
            try:
                return self._tls.read(1 << 20)
            except ssl.SSLWantReadError:
                self._fill()

    def answer(self, text: str) -> bytes:
        """What comes back for *text*, in one piece."""
        self.ask(text)
        return self.read()

    def settle(self) -> None:
        """Take the tickets that a server sends after a handshake."""
        self._stream.settimeout(0.3)
        with contextlib.suppress(TimeoutError):
            while True:
                self._fill()
        self._stream.settimeout(10)
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.read(1)

    @property
    def session(self) -> ssl.SSLSession | None:
        """For another handshake."""
        return self._tls.session

    def _flush(self) -> None:
        data = self._out.read()
        self.sent += len(data)
        self._stream.sendall(data)

    def _fill(self) -> None:
        data = self._stream.recv(65536)
        if not data:
            raise SystemExit("the server closed during a TLS handshake")
        self.received += len(data)
        self._in.write(data)

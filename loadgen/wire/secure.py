"""TLS of one connection in Python: ``ssl`` in memory, over a socket of the wire; the twin of ``wire_tls.c``.

It has the form of a socket, so the wire sends and receives on it as on a plain one, once :meth:`handshake`
has said that it may.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time

from loadgen.trust import EXPIRED, NO_TLS, OLD_TLS, OTHER_NAME, UNTRUSTED, VERIFY_EXPIRED, kind_of
from loadgen.wire import interface

_RECORD = 16 * 1024
#: What :mod:`loadgen.trust` says of a handshake, as an error of the wire.
_ERRORS = {
    NO_TLS: interface.NO_TLS, OLD_TLS: interface.OLD_TLS, UNTRUSTED: interface.UNTRUSTED,
    EXPIRED: interface.EXPIRED, OTHER_NAME: interface.OTHER_NAME,
}  # fmt: skip


def error_of(error: OSError) -> int:
    """What is wrong with a server in whose handshake *error* was raised, as an error of the wire."""
    return _ERRORS[kind_of(error)]


class SecureSocket:
    """A socket that speaks TLS 1.3 as a client."""

    def __init__(
        self, made: socket.socket, context: ssl.SSLContext, name: str, session: ssl.SSLSession | None
    ) -> None:
        """*name*: of the server, checked in its certificate; *session*: offered for resumption."""
        self._socket = made
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_hostname=name, session=session)
        self._known = session
        self._cipher = memoryview(b"")
        #: Of what was handed over, how much is in *_cipher*: taken when that is sent.
        self._owed = 0
        self._shaken = self._failed = False
        #: Bytes on the connection.
        self.bytes_in = self.bytes_out = 0
        #: The server has said that this was all; no event may tell.
        self.is_ended = False

    @property
    def is_shaking(self) -> bool:
        """The handshake is not over."""
        return not self._shaken

    @property
    def owes(self) -> bool:
        """It waits to be writable."""
        return bool(self._cipher)

    @property
    def is_resumed(self) -> bool:
        """Whether the server took the session."""
        return bool(self._tls.session_reused)

    def fileno(self) -> int:
        """Of the socket below."""
        return self._socket.fileno()

    def handshake(self) -> bool:
        """Go on with it; whether it is over.  OSError: it has failed."""
        self._flush()
        if self._cipher:
            return False
        while not self._shaken:
            try:
                self._tls.do_handshake()
                self._shaken = True
                self._look_at_certificate()
            except ssl.SSLWantReadError:
                self._flush()
                if self._cipher or not self._fill():
                    break
            except OSError:
                self._failed = True
                self._flush()  # what is wrong, as an alert
                raise
        self._flush()
        return self._shaken

    def _look_at_certificate(self) -> None:
        """:exc:`ssl.SSLCertVerificationError`: the session's certificate has expired since it was verified.

        OpenSSL does not look at it again, and browsers do.
        """
        if self._tls.session_reused and self._tls.context.verify_mode != ssl.CERT_NONE:
            until = str((self._tls.getpeercert() or {}).get("notAfter"))
            if ssl.cert_time_to_seconds(until) <= time.time():
                error = ssl.SSLCertVerificationError("the session's certificate has expired")
                error.verify_code = VERIFY_EXPIRED
                raise error

    def send(self, data: memoryview | bytes) -> int:
        """As of a socket; BlockingIOError: give the same bytes again when it is writable."""
        if not self._owed:
            self._owed = self._tls.write(data[:_RECORD])
            self._cipher = memoryview(bytes(self._cipher) + self._out.read())
        self._flush()
        if self._cipher:
            raise BlockingIOError
        taken, self._owed = self._owed, 0
        return taken

    def recv(self, size: int) -> bytes:
        """As of a socket; b"": the server has said that this was all."""
        self._fill(size)
        data = b""
        while True:
            try:
                piece = self._tls.read(size)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                piece = b""
            except OSError:
                if not data:
                    raise
                break  # it is raised again
            if not piece:
                self.is_ended = True
                return data
            data += piece
        if not data:
            raise BlockingIOError
        return data

    def new_session(self) -> ssl.SSLSession | None:
        """The ticket that came since the last call; None: there is none."""
        if not self._shaken:
            return None
        session = self._tls.session
        if session is None or not session.has_ticket or session == self._known:
            return None
        self._known = session
        return session

    def close(self) -> None:
        """Close it, with a goodbye if the other side can hear it."""
        self._say_goodbye()
        self._socket.close()

    def end(self) -> None:
        """The same, and leave the descriptor open."""
        self._say_goodbye()
        self._socket.detach()

    def _say_goodbye(self) -> None:
        if self._shaken and not self._failed:
            with contextlib.suppress(OSError):  # it waits for the other side's goodbye; we do not
                self._tls.unwrap()
            with contextlib.suppress(OSError):
                self._flush()

    def _fill(self, size: int = _RECORD) -> bool:
        """Receive what has come; whether that was anything, or the end."""
        try:
            data = self._socket.recv(size)
        except BlockingIOError:
            return False
        self.bytes_in += len(data)
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()
        return True

    def _flush(self) -> None:
        """Send what can be sent."""
        if self._out.pending:
            self._cipher = memoryview(bytes(self._cipher) + self._out.read())
        if self._cipher and self._socket.fileno() >= 0:
            try:
                sent = self._socket.send(self._cipher)
            except BlockingIOError:
                return
            self.bytes_out += sent
            self._cipher = self._cipher[sent:]

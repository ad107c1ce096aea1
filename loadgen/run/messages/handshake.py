"""The handshake that shows ``loadgen worker`` that the other side knows its token: challenge and response.

::

    worker --> coordinator    "loadgen 1 " + 64 hexadecimal digits of a nonce + newline
    coordinator --> worker    HMAC-SHA-256 of the nonce under the token, 64 hexadecimal digits + newline
    worker --> coordinator    "ok" + newline, or it closes

The token itself is never sent.  What follows is not encrypted: it is a description of load, and figures.
"""

from __future__ import annotations

import hmac
import re
import secrets
import socket
import time
from collections.abc import Callable

#: For each side's line: whoever says a byte now and then is not waited for either.
PATIENCE_S = 10.0
_GREETING = re.compile(rb"loadgen 1 ([0-9a-f]{64})\n")


class HandshakeError(Exception):
    """The other side is not who it should be; str() says why."""


def _line(connection: socket.socket, most: int, patience_s: float, monotonic: Callable[[], float]) -> bytes:
    line = b""
    deadline = monotonic() + patience_s
    while not line.endswith(b"\n") and len(line) < most:
        if (left := deadline - monotonic()) <= 0:
            raise TimeoutError("timed out")
        connection.settimeout(left)
        byte = connection.recv(1)
        if not byte:
            break
        line += byte
    return line


def _proof(token: bytes, nonce: bytes) -> bytes:
    return hmac.new(token, b"loadgen 1 " + nonce, "sha256").hexdigest().encode("ascii") + b"\n"


def introduce(
    connection: socket.socket,
    token: bytes,
    patience_s: float = PATIENCE_S,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Answer the challenge: the coordinator's side; :exc:`HandshakeError`, :exc:`OSError`."""
    connection.settimeout(patience_s)
    greeting = _GREETING.fullmatch(_line(connection, 80, patience_s, monotonic))
    if greeting is None:
        raise HandshakeError("what answers there is no loadgen worker")
    connection.sendall(_proof(token, greeting[1]))
    if _line(connection, 3, patience_s, monotonic) != b"ok\n":
        raise HandshakeError("it does not accept our token, or is busy with another run")


def admit(
    connection: socket.socket,
    token: bytes,
    patience_s: float = PATIENCE_S,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Challenge who has connected: the worker's side; :exc:`HandshakeError`, :exc:`OSError`."""
    connection.settimeout(patience_s)
    nonce = secrets.token_hex(32).encode("ascii")
    connection.sendall(b"loadgen 1 " + nonce + b"\n")
    if not hmac.compare_digest(_line(connection, 65, patience_s, monotonic), _proof(token, nonce)):
        raise HandshakeError("a wrong token")
    connection.sendall(b"ok\n")
    connection.settimeout(None)

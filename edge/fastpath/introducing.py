"""Connections of proxies that speak the PROXY protocol, until they have said whom they have accepted.

The fast path hands them off with nothing read.  The header, and nothing behind it, is taken from the socket
here; then the connection goes back (``introduce``) and begins as any other one, over TLS or not, with the
address that the header says.  A header that does not come in time, or is none, ends the connection.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from edge.http.proxy_header import MOST_BYTES, NoProxyHeader, read

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from edge.fastpath.interface import FastPath

#: Proxies of which it is said that they send no header, each once.
_MOST_SAID = 64


class Introductions:
    """All connections of one fast path whose proxies have still to say whom they have accepted."""

    _log = Logger()

    def __init__(self, fast_path: FastPath, reactor: Any, seconds: float) -> None:
        """*seconds*: within which a header has to come."""
        self.fast_path = fast_path
        self.reactor = reactor
        self.seconds = seconds
        self._open: set[Introduction] = set()
        self._said: set[str] = set()

    def begin(self, fd: int) -> None:
        """Wait for the header of the connection *fd*, which was handed off unnamed."""
        introduction = Introduction(self, socket.socket(fileno=fd))
        self._open.add(introduction)
        introduction.doRead()

    def stop(self) -> None:
        """Wait for none any more."""
        for introduction in list(self._open):
            introduction.drop()

    def ended(self, introduction: Introduction) -> None:
        """One has said it, or has been dropped."""
        self._open.discard(introduction)

    def tell(self, peer: str, why: str) -> None:
        """Say why the connections of *peer* are of no use, once."""
        if peer not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(peer)
            self._log.warn(
                "--proxy-protocol: a connection from {peer} was closed, because {why}; have that proxy send "
                "the header (HAProxy: send-proxy-v2, nginx: proxy_protocol on), or do not name its network",
                peer=peer or "a Unix socket",
                why=why,
            )


@implementer(IReadDescriptor)
class Introduction:
    """One of them, the descriptor of which it owns."""

    def __init__(self, all_: Introductions, sock: socket.socket) -> None:
        self._all = all_
        self._socket = sock
        self._kept = b""
        self._call = all_.reactor.callLater(all_.seconds, self._too_slow)
        self._waits = False

    def drop(self) -> None:
        """End it, and the connection."""
        self._leave()
        self._all.fast_path.release(self._socket.fileno())
        self._socket.close()

    def _leave(self) -> None:
        if self._waits:
            self._all.reactor.removeReader(self)
        if self._call.active():
            self._call.cancel()
        self._all.ended(self)

    def _too_slow(self) -> None:
        self._all.tell(self._peer(), "its header did not come in time")
        self.drop()

    def _peer(self) -> str:
        try:
            return str(self._socket.getpeername()[0]) if self._socket.family != socket.AF_UNIX else ""
        except OSError:
            return "a peer that has gone"

    def _introduce(self, client: bytes | None) -> None:
        self._leave()
        fast_path, descriptor = self._all.fast_path, self._socket.detach()
        try:
            fast_path.introduce(descriptor, client)
        except OSError:  # too many of that address, which is counted; or it has stopped
            fast_path.release(descriptor)
            os.close(descriptor)

    # Twisted's overrides

    def doRead(self) -> None:
        try:
            data = self._socket.recv(MOST_BYTES + 16, socket.MSG_PEEK)
        except BlockingIOError:
            self._wait()
            return
        except OSError:
            data = b""
        if not data:
            self.drop()
            return
        try:
            found = read(self._kept + data)
        except NoProxyHeader as error:
            self._all.tell(self._peer(), str(error))
            self.drop()
            return
        if found is None:
            self._kept += self._socket.recv(len(data))
            self._wait()
            return
        self._socket.recv(found.length - len(self._kept))
        self._introduce(found.client)

    def _wait(self) -> None:
        if not self._waits:
            self._waits = True
            self._all.reactor.addReader(self)

    def fileno(self) -> int:
        return self._socket.fileno()

    def connectionLost(self, reason: Failure) -> None:
        self.drop()

    def logPrefix(self) -> str:
        return "PROXY protocol"

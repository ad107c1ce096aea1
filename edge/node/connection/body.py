"""Bodies that do not lie in memory: sent from their file, a piece whenever the peer has room.

Without TLS the kernel takes what it has room for straight from the file; so what waits for a slow peer is no
memory of ours.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer

if TYPE_CHECKING:
    from edge.node.connection.request import EdgeRequest

#: Bytes read at once: as much as a transport takes before it says that it is full.
PIECE = 64 * 1024


@implementer(IPullProducer)
class FileBody:
    """Writes *length* bytes of *file* from its present position to *request*, and finishes it.

    A file that ends too early was damaged: the connection is aborted, so that nobody takes what
    has been sent for the whole body.
    """

    def __init__(self, request: EdgeRequest, file: BinaryIO, length: int) -> None:
        self._request = request
        self._file = file
        self._left = length

    def start(self) -> None:
        """Send; returns at once."""
        if not self._request.startedWriting:
            self._request.write(b"")
        self._request.registerProducer(self, False)

    def _send(self) -> int:
        """A piece; how many bytes.  :exc:`EOFError`: there are no more."""
        sent = self._request.channel.send_file(self._file, self._left)
        if sent is not None:
            return sent
        piece = self._file.read(min(PIECE, self._left))
        if not piece:
            raise EOFError
        self._request.write(piece)
        return len(piece)

    # Twisted's overrides

    def resumeProducing(self) -> None:
        try:
            self._left -= self._send()
        except EOFError:
            self._end()
            self._request.channel.abort()
            return
        if not self._left:
            self._end()
            self._request.finish()

    def _end(self) -> None:
        self._file.close()
        self._request.unregisterProducer()

    def stopProducing(self) -> None:
        self._file.close()

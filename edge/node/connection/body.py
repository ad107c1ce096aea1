"""Bodies that do not lie in memory: sent from their file, a piece whenever the peer has room."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import IO, TYPE_CHECKING

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

    def __init__(self, request: EdgeRequest, file: IO[bytes], length: int) -> None:
        self._request = request
        self._file = file
        self._left = length

    def start(self) -> None:
        """Send; returns at once."""
        self._request.registerProducer(self, False)

    # Twisted's overrides

    def resumeProducing(self) -> None:
        piece = self._file.read(min(PIECE, self._left))
        self._left -= len(piece)
        self._request.write(piece)
        if self._left and piece:
            return
        self._file.close()
        self._request.unregisterProducer()
        if self._left:
            self._request.channel.abort()
        else:
            self._request.finish()

    def stopProducing(self) -> None:
        self._file.close()

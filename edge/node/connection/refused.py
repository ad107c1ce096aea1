"""A request that is refused before anybody has looked what it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from edge.http.parser import RequestHead
    from edge.node.connection.streamed import StreamChannel


class Refused:
    """A request that nobody is to see; implements :class:`StreamedRequest`."""

    __slots__ = ("_answer", "_channel", "body_in_memory", "cache", "head", "startedWriting")

    def __init__(
        self, channel: StreamChannel, head: RequestHead, status: int, explanation: str, lines: bytes = b""
    ) -> None:
        self.head = head
        self.body_in_memory = 0
        self.startedWriting = 0
        self.cache = ""
        self._channel = channel
        self._answer = status, explanation, lines

    def begin(self) -> None:
        """Answer at once, whatever the body is."""
        self.startedWriting = 1
        self._channel.write_error(*self._answer)
        self._channel.done(self._answer[0])

    def begin_with(self, body: BinaryIO) -> None:
        """Answer likewise."""
        body.close()
        self.begin()

    def handleContentChunk(self, data: bytes) -> None:
        """Nobody wants a piece of the body."""

    def received(self) -> None:
        """It was not wanted."""

    def refused(self) -> None:
        """It was answered already."""

    def connectionLost(self, reason: Failure) -> None:
        """It was answered already."""

    def pauseProducing(self) -> None:
        """It produces nothing."""

    def resumeProducing(self) -> None:
        """It produces nothing."""

    def stopProducing(self) -> None:
        """It produces nothing."""

"""Requests that are answered while they come: their bodies are passed on piece by piece, never kept whole.

``twisted.web`` resources get a request when it is whole.  What an application behind the node answers goes
another way: the site is asked first (:class:`Streams`) whether somebody takes the request as soon as its head
is here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Protocol

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress
    from twisted.python.failure import Failure

    from edge.fastpath.adapter import Waiter
    from edge.fastpath.interface import Met
    from edge.http.fields import Fields
    from edge.http.parser import RequestHead
    from edge.node.connection.holding import Holding
    from edge.node.connection.tracing import RequestSpan
    from edge.node.connection.upgraded import Upgraded


class StreamedRequest(Protocol):
    """A request that somebody takes as it comes; the channel calls it in this order."""

    #: What the parser found.
    head: RequestHead
    #: Bytes of the body that it keeps in memory.
    body_in_memory: int
    #: The answer has begun.
    startedWriting: int
    #: What the cache made of it, for the access log (:data:`edge.logs.record.CACHE`).
    cache: str

    def begin(self) -> None:
        """The head is here, and, if no body follows, that is all."""

    def begin_with(self, body: BinaryIO) -> None:
        """Head and *body* are here, whole: nothing else follows."""

    def handleContentChunk(self, data: bytes) -> None:
        """A piece of the body."""

    def received(self) -> None:
        """The body is whole; not called where none follows."""

    def refused(self) -> None:
        """The rest of it is malformed, too long or too slow: it was answered so."""

    def connectionLost(self, reason: Failure) -> None:
        """The client has gone."""

    # As a push producer of its answer

    def pauseProducing(self) -> None:
        """The client takes nothing now."""

    def resumeProducing(self) -> None:
        """It takes on."""

    def stopProducing(self) -> None:
        """It has gone."""


class StreamChannel(Protocol):
    """What such a request asks of its channel."""

    @property
    def closing(self) -> bool:
        """Whether the connection ends with the answer that is being made."""

    @property
    def waits_for_continue(self) -> bool:
        """Whether the client waits for ``100 Continue``, and has sent nothing of the body yet."""

    @property
    def span(self) -> RequestSpan | None:
        """Of the request that is being answered; None: it is not traced."""

    @property
    def holding(self) -> Holding:
        """What the connection holds, in the name of its address."""

    def take_met(self) -> Met | None:
        """What the request has met already, once; None: it was not passed on before."""

    def take_waiter(self) -> Waiter | None:
        """Who stood for the request while the fast path held it, once; None: it was not held."""

    @property
    def network(self) -> bytes:
        """What the visitor counts as in shares (:mod:`edge.shares`)."""

    def isSecure(self) -> bool:
        """Whether it is over TLS."""

    def getPeer(self) -> IAddress:
        """The client's address."""

    def pass_interim(self, status: int, fields: Fields) -> None:
        """Send an interim answer, 100 included, if the client can have it."""

    def pass_head(self, status: int, fields: Fields, length: int | None) -> None:
        """Send the head of the answer; see :meth:`.framing.OutgoingAnswer.passed_head`."""

    def pass_answer(self, status: int, fields: Fields, length: int | None, body: bytes) -> None:
        """Send a whole answer: head, *body* and end, at once; raises as :meth:`pass_head`."""

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""

    def pass_end(self, trailers: Fields) -> None:
        """The answer is whole."""

    def write_error(self, status: int, explanation: str, lines: bytes = b"") -> None:
        """Send a whole error answer in the common form, without a field that says where the body ends."""

    def done(self, status: int, stays: bool = False) -> None:
        """The answer, with that *status*, is out or cut off: write it down, and go on.

        *stays*: the fast path could not have given it, so it may not know the next one either.
        """

    def upgrade(self, head: bytes, protocol: Upgraded) -> None:
        """Answer with *head* (101); from then on the connection is that of *protocol*."""

    def hold_body(self, held: bool) -> None:
        """Read no more of the body for now; or read on."""

    def registerProducer(self, producer: StreamedRequest, streaming: bool) -> None:
        """Tell *producer* when the client takes nothing, and when it takes on."""

    def unregisterProducer(self) -> None:
        """Tell nobody any more."""

    def abort(self) -> None:
        """End the connection so that the client notices: its answer cannot be completed."""


class Streams(Protocol):
    """Who takes requests as they come."""

    def take(self, channel: StreamChannel, head: RequestHead) -> StreamedRequest | None:
        """The request with *head*; None: a resource of ``twisted.web`` gets it when it is whole."""

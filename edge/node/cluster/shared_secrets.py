"""Exchange of what all nodes agree on and nobody else may see: keys of tickets, certificates with their keys.

It never goes into gossip, whose packets are for metadata, nor into the table, which clients read.  A
*document* merges by itself (:mod:`edge.trust.tickets`, :mod:`edge.trust.automatic`), so one request brings
two nodes together, whoever asks::

    POST /.edge/secrets   {name: document, ...} of the one   ->   those of the other, the first merged in

MessagePack, by HTTP over the port of ``--gossip``: mutual TLS, and both sides are nodes of the cluster.  It
is done with every peer when something has changed here or a stream to it has opened, and with some peer every
:data:`ROUND_SECONDS`; a node that knows a document no better has nothing to pass on, so this ends.  A node
that does not know this request yet (404) is asked again later.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Protocol

import msgspec
from msgspec import Meta
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from edge.errors import EdgeError
from edge.node.process.counted_log import CountedLog
from edge.node.process.periodic import Periodic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from random import Random

    from edge.node.connection.request import EdgeRequest

#: Seconds between two exchanges with some peer.
ROUND_SECONDS = 5.0
#: Seconds for one exchange.
PATIENCE = 10.0
TARGET = "/.edge/secrets"

_DECODER = msgspec.msgpack.Decoder(
    Annotated[dict[Annotated[str, Meta(max_length=32)], bytes], Meta(max_length=16)]
)


class Document(Protocol):
    """Something that all nodes are to agree on."""

    def encode(self) -> bytes:
        """What this node knows."""

    def merge(self, data: bytes) -> bool:
        """Take in what another node knows; whether that was new.  :exc:`ValueError`: it is no document."""


class Client(Protocol):
    """Sends requests to nodes by their names: :class:`edge.node.cluster.peer_endpoints.BodyClient`."""

    def post(self, name: str, target: str, body: bytes) -> Awaitable[tuple[int, bytes]]:
        """Status and body of the answer."""


class SharedSecrets:
    """The documents of this node, and their exchange with *peers*, names of live nodes."""

    _log = Logger()

    def __init__(
        self,
        client: Client,
        peers: Callable[[], Sequence[str]],
        random: Random,
        reactor: Any,
    ) -> None:
        self._documents: dict[str, Document] = {}
        self._client = client
        self._peers = peers
        self._random = random
        self._reactor = reactor
        self._counted = CountedLog(self._log, reactor)
        #: Peer -> the exchange with it, and whether there is something new for it since that began.
        self._running: dict[str, Deferred[None]] = {}
        self._again: set[str] = set()
        self._rounds = Periodic(self._round, ROUND_SECONDS, reactor)

    def add(self, name: str, document: Document) -> None:
        """Agree on *document* as well; all nodes call it *name*."""
        self._documents[name] = document

    def start(self) -> None:
        """Exchange from now on."""
        self._rounds.start()

    def stop(self) -> None:
        """Exchange no more."""
        self._rounds.stop()
        self._again.clear()
        for running in list(self._running.values()):
            running.cancel()

    def share(self) -> None:
        """Something has changed here: tell all peers."""
        for name in self._peers():
            self.meet(name)

    def meet(self, name: str) -> None:
        """Agree with the node *name*: now, or when the exchange that runs is over."""
        if name in self._running:
            self._again.add(name)
            return
        self._running[name] = running = Deferred.fromCoroutine(self._exchange(name))
        running.addTimeout(PATIENCE, self._reactor, _late)
        running.addErrback(self._failed, name)
        running.addBoth(lambda _: self._over(name))

    def merge(self, data: bytes) -> bytes:
        """Take in the documents of another node; those of this one, encoded.  :exc:`ValueError`."""
        try:
            theirs = _DECODER.decode(data)
        except msgspec.MsgspecError as error:
            raise ValueError(str(error)) from None
        for name, document in self._documents.items():
            if name in theirs:
                document.merge(theirs[name])
        return self.encode()

    def encode(self) -> bytes:
        """The documents of this node."""
        return msgspec.msgpack.encode({name: one.encode() for name, one in self._documents.items()})

    def _round(self) -> None:
        peers = self._peers()
        if peers:
            self.meet(self._random.choice(peers))

    async def _exchange(self, name: str) -> None:
        if not self._documents:
            return
        status, body = await self._client.post(name, TARGET, self.encode())
        if status == 200:
            self.merge(body)
        elif status != 404:  # a program that does not know this request yet
            raise EdgeError(f"it answers {status}")

    def _failed(self, failure: Any, name: str) -> None:
        # What the client of HTTP fails with is a list of what has really happened.
        failure = next(iter(getattr(failure.value, "reasons", ())), failure)
        if not failure.check(CancelledError):  # which means that this node ends
            why = failure.getErrorMessage() or failure.type.__name__
            self._counted.warn(
                f"secrets of {name}", f"what all nodes agree on could not be told {name}: {why}"
            )

    def _over(self, name: str) -> None:
        del self._running[name]
        if name in self._again:
            self._again.discard(name)
            self.meet(name)


def _late(result: Any, seconds: float) -> Failure:
    """What an exchange has failed with after that many seconds, whatever its client calls being cancelled."""
    return Failure(EdgeError(f"no answer within {seconds:g} s"))


class SecretsResource(Resource):
    """Answers exchanges; to be served to authenticated peers."""

    isLeaf = True

    def __init__(self, merge: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._merge = merge

    # Twisted's overrides

    def render(self, request: EdgeRequest) -> int:
        if request.method != b"POST":
            request.refuse(405, "", b"Allow: POST\r\n")
            return NOT_DONE_YET
        try:
            answer = self._merge(request.content.read())
        except ValueError:
            request.refuse(400, "This is nothing that nodes agree on.")
            return NOT_DONE_YET
        request.setHeader(b"Content-Type", b"application/msgpack")
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"Content-Length", b"%d" % len(answer))
        request.write(answer)
        request.finish()
        return NOT_DONE_YET

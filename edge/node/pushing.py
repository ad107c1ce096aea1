"""``/.edge/socket``: what clients would otherwise poll for, pushed over WebSocket.

Two topics; a new connection has both, unless its query says ``?topics=load``.  Each message is JSON::

    {"type": "load", "document": {...}}         the load document, whenever it is published anew
    {"type": "changed", "seq": N}               something of the site is new; revalidate what is shown

A connection gets both at once when it opens.  A client may send ``{"type": "subscribe", "topics": [...]}``
to have other topics from then on; a message that is something else closes with 1008 and the reason.  A
message of ours is composed once for all connections of a worker.  Who takes less than is pushed has at most
:data:`BEHIND_BYTES` waiting, then the connection is aborted.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec
from twisted.internet.task import LoopingCall

from edge.http.errors import ProtocolError
from edge.http.websocket import Limits, Phase, WebSocket, accept

if TYPE_CHECKING:
    from collections.abc import Collection

    from edge.node.request import EdgeRequest
    from edge.table.reader import Reader

LOAD = b"/.edge/load"
TOPICS = ("load", "changed")
#: Seconds between two looks at the table, and between two looks at the clock of each connection.
LOOK_SECONDS, TICK_SECONDS = 0.25, 1.0
#: Bytes that may wait for a peer.
BEHIND_BYTES = 256 * 1024
#: Bytes of a message of a client: it has nothing to say.
MESSAGE_BYTES = 4096


class Pushing:
    """All WebSockets of one worker, and what they are sent."""

    def __init__(self, reader: Reader, origins: Collection[bytes], reactor: Any, most: int = 1000) -> None:
        """*origins*: serialized origins that may connect beside the one that was asked; ``*``: all.

        *most*: connections at once, see :func:`edge.node.limits.socket_limit`.
        """
        self.sockets: set[PushSocket] = set()
        self._reader = reader
        self._origins = origins
        self._reactor = reactor
        self._most = most
        self._calls = [LoopingCall(self._look), LoopingCall(self._tick)]
        self._messages = dict.fromkeys(TOPICS, "")
        self._load_etag = b""

    def start(self) -> None:
        """Begin to look at the table."""
        for call, seconds in zip(self._calls, (LOOK_SECONDS, TICK_SECONDS), strict=True):
            call.clock = self._reactor
            call.start(seconds)

    def stop(self) -> None:
        """Look no more."""
        for call in self._calls:
            if call.running:
                call.stop()

    def now(self) -> float:
        """Seconds."""
        return float(self._reactor.seconds())

    async def open(self, request: EdgeRequest) -> None:
        """Take the connection of *request* over, or refuse it."""
        head = request.head
        host = head.host or b""
        own = (b"https://%b" % host if request.isSecure() else b"http://%b" % host,)
        try:
            topics = _topics(head.query)
            answer = accept(head.method, head.fields, own, self._origins)
            if len(self.sockets) >= self._most:
                raise ProtocolError("There are too many connections here; try another node.", status=503)
        except ProtocolError as refusal:
            request.refuse(refusal.status, refusal.explanation, refusal.lines)
            return
        request.channel.upgrade(answer, PushSocket(self, topics))

    def greet(self, socket: PushSocket) -> None:
        """A new connection gets what is true now."""
        self._compose()
        self.sockets.add(socket)
        self.tell(socket, socket.topics)

    def tell(self, socket: PushSocket, topics: Collection[str]) -> None:
        """What is true now of *topics*."""
        for topic in topics:
            if self._messages[topic]:
                socket.send(self._messages[topic])

    def _look(self) -> None:
        """Push what is new."""
        if not self.sockets:
            return
        for topic in self._compose():
            for socket in list(self.sockets):
                if topic in socket.topics:
                    socket.send(self._messages[topic])

    def _compose(self) -> list[str]:
        """Make the messages; the topics of those that are new."""
        before = dict(self._messages)
        sequence = self._reader.sequence
        self._messages["changed"] = json.dumps({"type": "changed", "seq": sequence})
        entry = self._reader.find(LOAD)
        if entry is not None and entry.etag != self._load_etag and entry.body is not None:
            self._load_etag = entry.etag
            document = bytes(entry.body).decode("utf-8").strip()
            self._messages["load"] = f'{{"type": "load", "document": {document}}}'
        return [topic for topic in TOPICS if self._messages[topic] != before[topic]]

    def _tick(self) -> None:
        for socket in list(self.sockets):
            socket.tick()


class PushSocket:
    """One connection; implements :class:`edge.node.upgraded.Upgraded`."""

    def __init__(self, pushing: Pushing, topics: Collection[str]) -> None:
        self.topics = topics
        self._pushing = pushing
        self._transport: Any = None
        self._frames = WebSocket(pushing.now(), Limits(message_bytes=MESSAGE_BYTES))

    def send(self, message: str) -> None:
        """Push *message*, unless the peer does not take what it is sent."""
        if self._transport.unsent > BEHIND_BYTES:
            self._transport.abortConnection()
            return
        self._frames.send(message)
        self._flush()

    def tick(self) -> None:
        """Time has passed."""
        self._frames.tick(self._pushing.now())
        self._flush()

    def _flush(self) -> None:
        out = self._frames.output()
        if out:
            self._transport.write(out)
        if self._frames.phase is Phase.CLOSED:
            self._pushing.sockets.discard(self)
            self._transport.loseConnection()
        elif self._frames.phase is Phase.GONE:
            self._transport.abortConnection()

    # As edge.node.upgraded.Upgraded has it

    def connected(self, transport: Any) -> None:
        """The connection is ours."""
        self._transport = transport
        self._pushing.greet(self)

    def received(self, data: bytes) -> None:
        """A client may choose its topics."""
        for message in self._frames.receive(data, self._pushing.now()):
            try:
                topics = _subscribed(message)
            except ValueError as error:
                self._frames.close(1008, str(error), self._pushing.now())
                continue
            new = [topic for topic in topics if topic not in self.topics]
            self.topics = topics
            self._pushing.tell(self, new)
        self._flush()

    def drain(self) -> None:
        """The server is about to stop: clients go to another node."""
        self._frames.close(1001, "the node stops", self._pushing.now())
        self._flush()

    def lost(self) -> None:
        """The connection is gone."""
        self._pushing.sockets.discard(self)


def _topics(query: bytes | None) -> tuple[str, ...]:
    """The topics that the query asks for."""
    wanted = parse_qs((query or b"").decode("ascii", "replace")).get("topics")
    if wanted is None:
        return TOPICS
    try:
        return _checked(wanted[-1].split(","))
    except ValueError as error:
        raise ProtocolError(f"{error}.") from None


class _Subscribe(msgspec.Struct, tag="subscribe"):
    """What a client may say."""

    topics: list[str]


def _subscribed(message: str | bytes) -> tuple[str, ...]:
    """The topics that *message* subscribes to; :exc:`ValueError` with the reason if it is something else."""
    try:
        return _checked(msgspec.json.decode(message, type=_Subscribe).topics)
    except msgspec.DecodeError:
        raise ValueError('only {"type": "subscribe", "topics": [...]} is understood here') from None


def _checked(names: Collection[str]) -> tuple[str, ...]:
    topics = tuple(dict.fromkeys(names))
    if unknown := set(topics) - set(TOPICS):
        name = sorted(unknown)[0][:40]
        raise ValueError(f"There is no topic {name!r}; there are {' and '.join(TOPICS)}")
    return topics

"""An application that sends every message back: mounted beside a site with ``--mount``."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from edge.http.websocket import Limits, Phase, WebSocket, accept

if TYPE_CHECKING:
    from edge.node.connection.request import EdgeRequest
    from edge.node.connection.upgraded import PeerChannel

#: Bytes of the largest message of the conformance cases.
LARGEST = 16 * 2**20


class EchoResource(Resource):
    """``GET`` with a handshake opens a connection."""

    isLeaf = True

    def render_GET(self, request: EdgeRequest) -> int:
        """Take the connection over."""
        head = request.head
        request.channel.upgrade(accept(head.method, head.fields, (), ()), Echo())
        return NOT_DONE_YET


class Echo:
    """One connection; implements :class:`edge.node.connection.upgraded.Upgraded`."""

    def __init__(self) -> None:
        self._channel: PeerChannel
        self._frames = WebSocket(_now(), Limits(message_bytes=LARGEST))

    def connected(self, transport: Any, channel: PeerChannel) -> None:
        """The connection is ours."""
        self._channel = channel

    def received(self, data: bytes) -> None:
        """Back with it."""
        for message in self._frames.receive(data, _now()):
            self._frames.send(message)
        self._flush()

    def drain(self) -> None:
        """Say goodbye."""
        self._frames.close(1001, "", _now())
        self._flush()

    def lost(self) -> None:
        """Nothing is kept."""

    def _flush(self) -> None:
        out = self._frames.output()
        if out:
            self._channel.send(out)
        if self._frames.phase is Phase.CLOSED:
            self._channel.end()


def _now() -> float:
    return float(reactor.seconds())  # type: ignore[attr-defined]

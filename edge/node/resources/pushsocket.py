"""One WebSocket of ``/.edge/socket``: its frames, its clock, its transport.

There may be tens of thousands in a worker, and nearly all of them rest: no timer, no buffer and no decoder
belong to one that has nothing on its way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from edge.fastpath.transports import MeasuredTransport
from edge.http.websocket import Limits, Phase, WebSocket

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.fastpath.interface import SocketState
    from edge.node.connection.upgraded import PeerChannel

#: A client has little to say.
LIMITS = Limits(message_bytes=4096, frames_per_second=100)
#: Seconds for which bytes of the last push may wait for a peer.
STUCK_SECONDS = 30.0
#: Bytes of answers to its own frames that may wait for a peer.
BEHIND_BYTES = 16 * 1024


class Hub(Protocol):
    """What a connection asks of :class:`edge.node.resources.pushing.Pushing`."""

    def now(self) -> float:
        """The time of the reactor, in seconds."""

    def joined(self, socket: PushSocket) -> None:
        """*socket* is open."""

    def came_back(self, socket: PushSocket) -> None:
        """The fast path has let go of *socket*."""

    def state_of(self, socket: PushSocket, frames: int) -> SocketState | None:
        """What the fast path has to know of *socket*; None: it has none."""

    def left(self, socket: PushSocket) -> None:
        """*socket* is gone, or about to go."""

    def sent(self, count: int) -> None:
        """So many bytes went out, of any connection."""

    def answer(self, socket: PushSocket, question: bytes) -> bytes:
        """The answer to *question* of a client; :exc:`ValueError` with the reason if it is none."""

    def hear(self, socket: PushSocket, message: str) -> None:
        """The client says *message*; :exc:`ValueError` with the reason if that means nothing."""


class PushSocket:
    """One WebSocket of ``/.edge/socket``; implements :class:`edge.node.connection.upgraded.Upgraded`."""

    __slots__ = (
        "_end",
        "_frames",
        "_hub",
        "_is_new",
        "_stuck_since",
        "_transport",
        "_write",
        "choice",
        "follows",
        "prefix",
        "rests_until",
        "seen",
        "site",
        "told",
        "topics",
    )

    def __init__(
        self,
        hub: Hub,
        topics: tuple[str, ...],
        choice: tuple[str, ...],
        prefix: bytes = b"",
        site: int | None = 0,
        frames: int | None = None,
    ) -> None:
        """*topics*: what it gets until it chooses others of *choice*; *prefix*, *site*: of its site.

        *frames*: how many have come in this second, of one that the fast path had; None: it is new.
        """
        self.prefix = prefix
        self.site = site
        self.topics = topics
        self.choice = choice
        #: The last edition that it has got, by the number of the topic; see ``pushing.py``.
        self.seen: list[int] = []
        #: Of edge.cache.followers.
        self.follows: tuple[str, ...] = ()
        self.told = 0
        self.rests_until = 0.0
        self._hub = hub
        self._transport: Any = None
        self._write: Callable[[bytes], None]
        self._end: Callable[[], None]
        self._stuck_since: float | None = None
        self._is_new = frames is None
        self._frames = WebSocket(hub.now(), LIMITS, frames or 0)

    def greet(self, frames: bytes) -> None:
        """Send *frames* right behind the handshake, which is on its way still."""
        self._transport.write(frames)
        self._hub.sent(len(frames))

    def push(self, frames: bytes) -> bool:
        """Time has passed, and *frames* are new; false: there are bytes waiting, they were not sent."""
        now = self._hub.now()
        waiting = bool(self._transport.unsent)
        if waiting:
            self._stuck_since = self._stuck_since or now
            if now - self._stuck_since >= STUCK_SECONDS:
                self._transport.abortConnection()
                return False
        else:
            self._stuck_since = None
            if frames and self._frames.phase is Phase.OPEN:
                self._write(frames)
                self._hub.sent(len(frames))
        self._frames.tick(now)
        self._flush()
        # Who has said what is not for the fast path may go on doing so.
        if self._frames.is_silent(now) and self.as_socket() is not None:
            self._offer()
        return not waiting

    def _offer(self) -> None:
        """Let the fast path have the connection, if it came from there and nothing on it is incomplete."""
        if isinstance(self._transport, MeasuredTransport):
            self._transport.offer_return()

    def say(self, frames: bytes) -> None:
        """Send *frames* in answer to what the client has said; who takes no answers gets no more of them."""
        self._transport.write(frames)
        self._hub.sent(len(frames))
        self._flush()
        if self._transport.unsent > BEHIND_BYTES:
            self._transport.abortConnection()

    def _flush(self) -> None:
        out = self._frames.output()
        if out and self._transport.unsent > BEHIND_BYTES:
            self._transport.abortConnection()  # it sends pings, but reads nothing
        elif out:
            self._transport.write(out)
            self._hub.sent(len(out))
        if self._frames.phase is Phase.CLOSED:
            self._hub.left(self)
            self._end()
        elif self._frames.phase is Phase.GONE:
            self._transport.abortConnection()

    # As edge.node.connection.upgraded.Upgraded has it

    def connected(self, transport: Any, channel: PeerChannel) -> None:
        """The connection is ours."""
        self._transport = transport
        self._end = channel.end
        # TLS passes on what it does not know to the transport below, where it would leave in the clear.
        plain = isinstance(transport, MeasuredTransport)
        self._write = transport.write_now if plain else transport.write
        if self._is_new:
            self._hub.joined(self)
            self._offer()
        else:
            self._hub.came_back(self)

    def received(self, data: bytes) -> None:
        """A client may choose its topics, follow groups, and ask questions."""
        for message in self._frames.receive(data, self._hub.now()):
            try:
                if isinstance(message, str):
                    self._hub.hear(self, message)
                else:
                    self._frames.send(self._hub.answer(self, message))
                    self._flush()  # who takes no answers gets no more of them
            except ValueError as error:
                self._frames.close(1008, str(error), self._hub.now())
        self._flush()

    def drain(self) -> None:
        """The server is about to stop: clients go to another node."""
        self._frames.close(1001, "the node stops", self._hub.now())
        self._flush()

    def lost(self) -> None:
        """The connection is gone."""
        self._hub.left(self)

    def as_socket(self) -> SocketState | None:
        """What the fast path has to know; None: it is to stay here."""
        if self.site is None or self.follows or not self._frames.rests:
            return None
        return self._hub.state_of(self, self._frames.frames_of_second(self._hub.now()))

    def returned(self) -> None:
        """The fast path has the connection."""
        self._hub.left(self)

"""The WebSockets of the push service that rest in the Python fast path; twin of ``edge_sockets.c``.

Messages are composed once, by the caller; who gets what is decided here.  All stand in one list, through
which a round goes from its end to its beginning: who comes gets what is true then, and who goes is replaced
by the last one, which has had its turn.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from edge.fastpath.frames import Counted
from edge.fastpath.interface import SocketState

TOPICS = 8
PING_SECONDS, GONE_SECONDS, CLOSE_SECONDS = 30, 75, 5


class Resting:
    """One WebSocket."""

    __slots__ = ("at", "choice", "fd", "frames", "heard", "pinged", "seen", "topics")

    def __init__(self, fd: int, state: SocketState, now: int) -> None:
        """*now*: seconds."""
        self.fd = fd
        self.at = 0
        self.topics, self.choice = state.topics, state.choice
        self.seen = list(state.seen)
        self.frames = Counted(state.site, now, state.frames)
        self.heard = now
        #: When it was pinged, or told goodbye.
        self.pinged = now

    def state(self, now: int) -> SocketState:
        """On its way elsewhere."""
        frames = self.frames
        count = frames.count if frames.second == now else 0
        return SocketState(frames.site, self.topics, self.choice, tuple(self.seen), count)

    @property
    def deadline(self) -> int:
        """When something is to be done if nothing is heard."""
        if self.frames.closing:
            return self.pinged + CLOSE_SECONDS
        return min(self.heard + GONE_SECONDS, max(self.heard, self.pinged) + PING_SECONDS)


class Sockets:
    """All of a fast path, and what is pushed to them."""

    def __init__(self, sites: int) -> None:
        self._all: list[Resting] = []
        self._by_fd: dict[int, Resting] = {}
        self._sites = sites
        #: (topic, number of the site; -1: of all) -> (message, edition).
        self._messages: dict[tuple[int, int], tuple[bytes, int]] = {}
        #: Topics of which each site has its own.
        self._of_site: set[int] = set()
        self._round = self._rounds = self._hurry = self._hurry_topics = 0

    def __len__(self) -> int:
        return len(self._all)

    def of(self, fd: int) -> Resting:
        """That of a descriptor."""
        return self._by_fd[fd]

    def enter(self, fd: int, state: SocketState, now: int) -> None:
        """A connection becomes one of them."""
        socket = self._by_fd[fd] = Resting(fd, state, now)
        socket.at = len(self._all)
        self._all.append(socket)

    def leave(self, fd: int) -> None:
        """Forget the WebSocket of a descriptor."""
        socket, last = self._by_fd.pop(fd), self._all.pop()
        if last is not socket:
            last.at = socket.at
            self._all[socket.at] = last
        self._round = min(self._round, len(self._all))
        self._hurry = min(self._hurry, len(self._all))

    def publish(self, topic: int, frames: bytes, edition: int, site: int | None) -> None:
        """As :meth:`edge.fastpath.interface.FastPath.publish`."""
        if not 0 <= topic < TOPICS or (site is not None and not 0 <= site < self._sites):
            raise OSError(errno.EINVAL, "there is no such topic or site")
        if site is not None:
            self._of_site.add(topic)
        self._messages[topic, -1 if site is None else site] = (frames, edition)

    def take(self, socket: Resting, topics: int) -> bytes:
        """What is new of *topics* for *socket*, which has got it now."""
        due = []
        for topic in range(TOPICS):
            site = socket.frames.site if topic in self._of_site else -1
            message, edition = self._messages.get((topic, site), (b"", 0))
            if socket.topics & topics & 1 << topic and edition > socket.seen[topic]:
                due.append(message)
                socket.seen[topic] = edition
        return b"".join(due)

    def turns(self, turns: int, topics: int, rare: int, rounds: int) -> Iterator[tuple[Resting, int]]:
        """Whose turn it is, and of which topics; as ``push_round``."""
        for _ in range(turns):
            if not self._all:
                return
            if not self._round:
                self._round = len(self._all)
                self._rounds += 1
            self._round -= 1
            socket = self._all[self._round]
            is_turn = (self._rounds + socket.fd) % max(1, rounds) == 0
            yield socket, topics if is_turn else topics & ~rare

    def hurry(self, topics: int, turns: int) -> Iterator[tuple[Resting, int]]:
        """The same of ``push_all``; :attr:`left` are."""
        if topics:
            self._hurry, self._hurry_topics = len(self._all), topics
        for _ in range(turns):
            if not self._hurry:
                return
            self._hurry -= 1
            yield self._all[self._hurry], self._hurry_topics

    @property
    def left(self) -> int:
        """How many are still to be served at once."""
        return self._hurry

"""Very many WebSocket clients under one epoll: the shell around the cores of this package.

A connection at rest is a file descriptor and seven bytes in arrays that the descriptor indexes.  It has
objects of its own only while it is being made, and while half a message has come.

The first message of each kind on a connection is what was true when it opened: a greeting, no push.  Load
figures have two of them, a document and a word.

A change that is expected is **owed** to all who had been greeted then: once one of them has heard of it, the
others have to, within the time that any answer has.  One change at a time is followed so.

A push counts as received when the batch of descriptors in which it was is read: never earlier than it was
there, at most a batch later.  :attr:`Subscribers.lag_ns` says how far this process itself was behind.  If the
wall clock is set meanwhile, by which load figures are dated, that counts as lag of all pushes that follow.
"""

from __future__ import annotations

import select
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from edge.descriptors import RESERVED, raise_descriptor_limit
from loadgen.errors import LoadgenError
from loadgen.histogram import Histogram
from loadgen.subscribers.attempts import ConnectionAttempts
from loadgen.subscribers.feed import CHANGED, KINDS, Feed, FeedError, Message
from loadgen.subscribers.frames import Close, FrameError, FrameReader, Ping, close, pong
from loadgen.subscribers.pushes import Pushes, PushLog
from loadgen.subscribers.transport import Transport
from loadgen.subscribers.wall_clock import WallClock
from loadgen.targets import Target
from loadgen.trust import Trust
from loadgen.wire.interface import Handshake

#: Descriptors handled between two looks at the clock.
BATCH = 128
#: Pings in one piece: a stranger's 64 KiB of them, each answered, would stop all others for half a second.
PINGS = 1000
#: ``Subscribers.run`` returns early with so many pushes.
MANY = 50_000
#: Between two looks for who is too late.
TICK_NS = 1_000_000_000

#: What a connection may be; OPEN has one bit more, from GREETED on, for each kind of message that has come,
#: and one for a change that is owed.
FREE, OPEN, GREETED = 0, 1, 2
OWED = GREETED << (len(KINDS) + 1)


class Timeouts(NamedTuple):
    """How long subscribers wait: for a handshake, for a sign of life."""

    #: From the attempt to the whole answer.
    handshake_ns: int = 10_000_000_000
    #: Without a byte, a ping at least, a connection counts as dead (to whole seconds).
    silent_ns: int = 75_000_000_000


class Subscribers:
    """The WebSockets of the subscribers of one process."""

    def __init__(
        self,
        topics: Sequence[str] = ("changed",),
        timeouts: Timeouts | None = None,
        seed: int | None = None,
        wire: str = "auto",
        trust: Trust | None = None,
    ) -> None:
        """*wire*: whose TLS is spoken, as of :func:`loadgen.wire.select`; *trust*: in certificates."""
        #: Why connections failed or ended without a server's goodbye; and by code how often one said that.
        self.errors: Counter[str] = Counter()
        self.goodbyes: Counter[int] = Counter()
        #: Of those, connections that had been greeted: that opened well, and broke off.
        self.losses = 0
        #: Handshakes done so far.
        self.opened = 0
        #: Pushes of changes that were owed, and those of them that did not come.
        self.pushes_due = self.pushes_missing = 0
        #: The longest time within ``run`` for which something may have lain unread; may be set to 0.
        self.lag_ns = 0
        self._timeouts = timeouts or Timeouts()
        self._poll = select.epoll()
        path = f"/.edge/socket?v=2&topics={','.join(topics)}"
        self._transport = Transport(wire, trust)
        patience_ns = self._timeouts.handshake_ns
        self._attempts = ConnectionAttempts(self._poll, self._transport, path, patience_ns, self.errors, seed)
        self._feeds: list[Feed] = []
        self._wanted = self._open = 0
        # Of open connections, by descriptor: what it is, node, second of the last byte.
        self._state, self._node, self._heard = bytearray(), array("H"), array("I")
        self._settled = OPEN | sum(GREETED << KINDS.index(topic) for topic in topics)
        if "load" in topics:
            self._settled |= GREETED << len(KINDS)
        #: Of connections on which half a message has come.
        self._readers: dict[int, FrameReader] = {}
        #: Connections that have more to read, of which no event tells.
        self._full: set[int] = set()
        self._log = PushLog()
        #: Since when a change is owed, 0: none is; how many have heard of it.
        self._owed_since_ns = self._heard_of_it = 0
        self._began_ns = self._ticked_ns = time.monotonic_ns()
        self._second = 0
        self._wall_clock = WallClock()
        #: When all that was ready had been read; and whether there may be more.
        self._free_ns, self._behind = self._began_ns, False

    @property
    def latency(self) -> dict[str, Histogram]:
        """HDR histograms from the time at which a push could have come to its receipt, by kind."""
        return self._log.latency

    def open(self, count: int, nodes: Sequence[Target], per_second: float) -> None:
        """Have *count* more subscribers; all nodes named get them in turn, *per_second* attempts in all.

        :raises LoadgenError: this process may not have so many descriptors.
        """
        allowed = raise_descriptor_limit(self._wanted + count) - RESERVED
        if self._wanted + count > allowed:
            raise LoadgenError(
                f"{self._wanted + count} WebSockets need as many open files, and this process may have "
                f"{allowed}; raise the limit with ulimit -Hn, or use more processes"
            )
        self._wanted += count
        self._attempts.want(count, nodes, per_second)
        self._feeds += [Feed() for _ in self._attempts.nodes[len(self._feeds) :]]

    def expect(self, published_ns: int) -> None:
        """Expect a change that is about to be published at that time: what comes of it counts from then."""
        for feed in self._feeds:
            feed.expect(published_ns)
        if not self._owed_since_ns:
            self._owed_since_ns, self._heard_of_it = time.monotonic_ns(), 0
            state = np.frombuffer(self._state, np.uint8)
            state[state & (GREETED << CHANGED) > 0] |= OWED

    def begin_no_more(self) -> None:
        """Make no more attempts; those that were begun go on to their ends."""
        self._attempts.begin_no_more()

    def count(self) -> int:
        """How many connections are open, with the handshake done."""
        return self._open

    def greeted(self) -> int:
        """How many of them have heard all that was true when they opened."""
        return self._state.count(self._settled)

    @property
    def is_owed(self) -> bool:
        """Whether a change is being waited for."""
        return self._owed_since_ns > 0

    @property
    def attempts(self) -> int:
        """Connections that were tried so far."""
        return self._attempts.made

    def opening(self) -> int:
        """Connections that are being made."""
        return len(self._attempts.openings)

    def take_handshakes(self) -> list[Handshake]:
        """Of TLS, those that were completed since the last call."""
        return self._transport.take_handshakes()

    def unfinished(self) -> int:
        """Connections that have objects of their own: being made, or with half a message."""
        return len(self._attempts.openings) + len(self._readers)

    def memory(self) -> int:
        """Bytes of what is kept of all descriptors up to the highest one of an open connection."""
        return sum(len(column) * memoryview(column).itemsize for column in self._columns())

    def fileno(self) -> int:
        """Readable when something has come for :meth:`run`."""
        return self._poll.fileno()

    def due(self) -> int:
        """When :meth:`run` has something to do though nothing comes; ns."""
        return min(self._attempts.due(), self._ticked_ns + TICK_NS)

    def run(self, until_ns: int) -> Pushes:
        """Connect and receive until *until_ns*, or until there are many pushes; those since the last call."""
        now_ns = time.monotonic_ns()
        if not self._behind:
            self._free_ns = now_ns
        while len(self._log) < MANY:
            self._keep_time(now_ns)
            asked_ns = time.monotonic_ns()
            patience_ns = 0 if self._full else max(0, min(until_ns, self.due()) - asked_ns)
            ready = self._poll.poll(patience_ns / 1e9, BATCH)
            woke_ns = time.monotonic_ns()
            late_ns = asked_ns - self._free_ns
            if ready:
                self.lag_ns = max(self.lag_ns, late_ns)
            self._behind = len(ready) == BATCH
            if not self._behind:
                self._free_ns = woke_ns
            full, self._full = self._full, set()
            for fd in full.union(fd for fd, _ in ready) if full else (fd for fd, _ in ready):
                self._ready(fd)
            now_ns = time.monotonic_ns()
            # A clock that was set accounts for as much, too.
            self._log.stamp(now_ns, late_ns + now_ns - woke_ns + self._wall_clock.stepped_ns)
            if now_ns >= until_ns:
                break
        return self._log.take()

    def close(self) -> None:
        """Say goodbye to all and close everything; after that this object is of no use."""
        for fd, state in enumerate(self._state):
            if state != FREE:
                self._say(fd, close(1000))
                self._transport.end(fd)
        self._attempts.close()
        self._transport.close()
        self._poll.close()
        self._readers.clear()
        self._state, self._open = bytearray(), 0

    def _columns(self) -> tuple[bytearray | array[int], ...]:
        return self._state, self._node, self._heard

    def _keep_time(self, now_ns: int) -> None:
        """Do what is due: attempts, and what takes too long."""
        self._second = (now_ns - self._began_ns) // TICK_NS
        self._wall_clock.look()
        self._attempts.make(now_ns)
        if now_ns - self._ticked_ns >= TICK_NS:
            self._ticked_ns = now_ns
            self._attempts.give_up(now_ns)
            if self._owed_since_ns and now_ns - self._owed_since_ns >= self._timeouts.handshake_ns:
                self._wait_no_more()
            silent = (
                np.frombuffer(self._heard, np.uint32) + self._timeouts.silent_ns // TICK_NS < self._second
            )
            for fd in np.flatnonzero(silent & (np.frombuffer(self._state, np.uint8) != FREE)).tolist():
                self._lost(fd, "silent")

    def _wait_no_more(self) -> None:
        """Count who has not heard of the change that is owed, if it was one: others have heard of it."""
        state = np.frombuffer(self._state, np.uint8)
        if self._heard_of_it:
            missing = int(np.count_nonzero(state & OWED))
            self.pushes_missing += missing
            self.pushes_due += self._heard_of_it + missing
        state &= ~np.uint8(OWED)
        self._owed_since_ns = 0

    def _ready(self, fd: int) -> None:
        """Read what has come on *fd*."""
        if fd in self._attempts.openings:
            opened = self._attempts.ready(fd)
            if opened is not None:
                self._welcome(fd, opened.node)
                self._full |= {fd} if opened.more else set()
                self._take(fd, opened.rest)
            return
        try:
            data, more = self._transport.read(fd)
        except BlockingIOError:
            return
        except OSError:
            data, more = b"", False
        if not data:
            self._lost(fd, "closed early")
            return
        if more:
            self._full.add(fd)
        self._heard[fd] = self._second
        node = self._node[fd]
        messages = self._feeds[node].known.get(data) if fd not in self._readers else None
        if messages is None:
            self._take(fd, data)
        elif self._state[fd] == self._settled:
            self._log.append(node, messages)
        else:
            self._greeted(fd, messages)

    def _welcome(self, fd: int, node: int) -> None:
        """Make *fd*, whose handshake is done, a subscriber."""
        if fd >= len(self._state):
            more = max(fd + 1, len(self._state) * 5 // 4) - len(self._state)
            self._state += bytes(more)
            self._node.frombytes(bytes(more * self._node.itemsize))
            self._heard.frombytes(bytes(more * self._heard.itemsize))
        self._state[fd], self._node[fd], self._heard[fd] = OPEN, node, self._second
        self._open += 1
        self.opened += 1

    def _take(self, fd: int, data: bytes) -> None:
        """Decode *data*, which is not known yet."""
        feed = self._feeds[self._node[fd]]
        resumed = self._readers.pop(fd, None)
        reader = resumed or FrameReader()
        messages: list[Message] = []
        events = pings = 0
        end: tuple[int, str] | None = None
        try:
            for event in reader.receive(data):
                events += 1
                if isinstance(event, Close):
                    self.goodbyes[event.code] += 1
                    end = event.code, ""
                elif not isinstance(event, Ping):
                    message = feed.read(event, self._wall_clock.to_monotonic_ns)
                    messages += [message] if message is not None else []
                elif (pings := pings + 1) > PINGS:
                    end = 1008, "pings without end"
                    break
                elif not self._say(fd, pong(event.payload)):
                    end = 1008, "takes no pongs"
        except FrameError as error:
            end = error.code, "not a WebSocket's frames"
        except FeedError as error:
            end = 1008, str(error)
        self._greeted(fd, messages)
        if end is not None:
            code, why = end
            self._say(fd, close(code))
            self._lost(fd, why)
        elif not reader.resting:
            self._readers[fd] = reader
        elif resumed is None and 0 < events == len(messages):
            feed.remember(data, tuple(messages))

    def _greeted(self, fd: int, messages: Sequence[Message]) -> None:
        """Log the pushes among *messages*: the first of each kind is a greeting."""
        pushes = []
        for message in messages:
            bit = GREETED << (len(KINDS) if message.is_word else message.kind)
            if self._state[fd] & bit:
                pushes.append(message)
            self._state[fd] |= bit
            if message.kind == CHANGED and self._state[fd] & OWED:
                self._state[fd] &= ~OWED
                self._heard_of_it += 1
        self._log.append(self._node[fd], pushes)

    def _say(self, fd: int, frame: bytes) -> bool:
        """Send a control frame; false: the server takes nothing.

        It may be left out when nothing can be sent now: of several pings the last one is to be answered.
        """
        try:
            return self._transport.write(fd, frame) == len(frame)
        except BlockingIOError:
            return True
        except OSError:
            return False

    def _lost(self, fd: int, why: str) -> None:
        """Close *fd* and have another attempt made; *why* is "" after a goodbye."""
        self._readers.pop(fd, None)
        self._full.discard(fd)
        self.losses += bool(why) and self._state[fd] > OPEN
        self._state[fd] = FREE
        self._open -= 1
        self._transport.end(fd)
        self._attempts.again(self._node[fd], why)

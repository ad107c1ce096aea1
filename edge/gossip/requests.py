"""Requests for change logs: which peer is asked for which one, and who could not prove what it said.

What a peer merely *says* of a log is a reason to ask it, no more.  One that was asked and proves nothing,
or says nothing in time, is *distrusted* until it proves something: another one may be asked in its place,
what it says of logs counts for nothing, and from the second time on it is asked nothing for a while, longer
each time.

A log comes in chunks.  Where reading it was broken off is remembered, and what proves the head up to which it
is read, so that whoever is asked next goes on from there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from edge.gossip.batches import Batch
from edge.gossip.changes import Message, Want
from edge.gossip.packet import NODES

#: Milliseconds until a request for changes counts as lost.
WANT_MS = 5000
#: Milliseconds for which a peer that proved nothing, again, is asked nothing: doubled each time, and at most.
DISTRUST_MS, DISTRUST_LIMIT_MS = 5000, 60_000
#: Logs that one peer is asked for at once.
WANTS_EACH = 64


class _Asked(NamedTuple):
    peer: str
    at_ms: int


class _Distrust(NamedTuple):
    """A peer said something of a log that it could not prove."""

    since_ms: int
    #: For how long it is asked nothing.
    pause_ms: int


class LogRequests:
    """What one node asks its peers for, by the origins of the logs; *counters* are told."""

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters
        self._asked: dict[str, _Asked] = {}
        self._rest: dict[str, Want] = {}
        self._targets: dict[str, Batch] = {}
        self._held: set[str] = set()
        self._distrusted: dict[str, _Distrust] = {}

    def peer_of(self, origin: str) -> str:
        """Who is asked for the log of *origin*; "": nobody."""
        asked = self._asked.get(origin)
        return "" if asked is None else asked.peer

    def may_ask(self, origin: str, peer: str, now_ms: int) -> bool:
        """Whether *peer* is to be asked for the log of *origin*."""
        asked = self._asked.get(origin)
        if asked is not None and (peer in self._distrusted or asked.peer not in self._distrusted):
            return False
        distrust = self._distrusted.get(peer)
        if distrust is not None and within(distrust.pause_ms, distrust.since_ms, now_ms):
            return False
        return sum(one.peer == peer for one in self._asked.values()) < WANTS_EACH

    def rest(self, origin: str, generation: int, after: int) -> Want | None:
        """Where reading of this log behind *after* was broken off; None: it was not."""
        rest = self._rest.get(origin)
        return rest if rest is not None and (rest.generation, rest.after) == (generation, after) else None

    def target(self, origin: str) -> Batch | None:
        """What proves the head up to which the log of *origin* is read."""
        return self._targets.get(origin)

    def ask(self, origin: str, peer: str, now_ms: int) -> None:
        """*peer* is asked for the log of *origin* now."""
        self._counters["wants"] += 1
        self._asked[origin] = _Asked(peer, now_ms)

    def go_on(self, peer: str, rest: Want, target: Batch, now_ms: int) -> None:
        """*peer* has sent a chunk that is proved, and is asked for the *rest*."""
        self._asked[rest.origin] = _Asked(peer, now_ms)
        self._rest[rest.origin], self._targets[rest.origin] = rest, target

    def end(self, origin: str) -> None:
        """The log of *origin* is read, or will not be."""
        for reading in (self._asked, self._rest, self._targets):
            reading.pop(origin, None)

    def clear(self) -> None:
        """Nothing is asked for any more."""
        for reading in (self._asked, self._rest, self._targets):
            reading.clear()

    def fail(self, origin: str, peer: str, now_ms: int) -> None:
        """*peer* could not prove what it sent of the log of *origin*: ask another one."""
        self._distrust(peer, now_ms)
        if self.peer_of(origin) == peer:
            self.end(origin)

    def peer_gone(self, peer: str) -> None:
        """What *peer* was asked for will not come."""
        for origin in [origin for origin, asked in self._asked.items() if asked.peer == peer]:
            del self._asked[origin]

    # Time

    def are_under_way(self, now_ms: int) -> bool:
        """Whether an answer may be on its way."""
        return any(within(WANT_MS, asked.at_ms, now_ms) for asked in self._asked.values())

    def give_up_waiting(self, now_ms: int) -> None:
        """Those who were asked and have not answered for :data:`WANT_MS` have proved nothing."""
        late = {
            origin: asked.peer
            for origin, asked in self._asked.items()
            if origin not in self._held and not within(WANT_MS, asked.at_ms, now_ms)
        }
        for origin in late:
            del self._asked[origin]
        for peer in sorted(set(late.values())):
            self._distrust(peer, now_ms)

    def hold(self, replies: Iterable[Message]) -> None:
        """*replies* are not sent yet, because this node has enough to do: nobody is late meanwhile."""
        self._held |= {reply.origin for reply in replies if isinstance(reply, Want)}

    def release(self, replies: Iterable[Message], now_ms: int) -> None:
        """They are sent now."""
        for reply in replies:
            if isinstance(reply, Want):
                self._held.discard(reply.origin)
                if reply.origin in self._asked:
                    self._asked[reply.origin] = self._asked[reply.origin]._replace(at_ms=now_ms)

    # Trust

    @property
    def distrusted(self) -> list[str]:
        """Those who failed to prove something twice or more, one time after the other."""
        return [peer for peer, distrust in self._distrusted.items() if distrust.pause_ms]

    def is_distrusted(self, peer: str) -> bool:
        """Whether what *peer* says of logs counts for nothing."""
        return peer in self._distrusted

    def trust(self, peer: str) -> None:
        """*peer* has proved something."""
        self._distrusted.pop(peer, None)

    def _distrust(self, peer: str, now_ms: int) -> None:
        before = self._distrusted.pop(peer, None)
        pause = 0 if before is None else min(max(DISTRUST_MS, 2 * before.pause_ms), DISTRUST_LIMIT_MS)
        self._counters["distrusted"] += 1
        self._distrusted[peer] = _Distrust(now_ms, pause)
        while len(self._distrusted) > NODES:
            del self._distrusted[next(iter(self._distrusted))]


def within(milliseconds: int, since: int | None, now_ms: int) -> bool:
    """Whether *since* is less than so long ago; not when it is yet to come: the date was set back."""
    return since is not None and 0 <= now_ms - since < milliseconds

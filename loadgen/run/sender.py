"""Sends a user's requests as its smart client would (``webroot/edge/worker/sender.js``).

To the node that it chooses; to another at once when that fails; to two when it is slow.  Retries and
hedges have budgets. What is asked is an :class:`Ask`; each attempt at it has a token on the wire.  An
ask ends with one call of *ended*.

Times are nanoseconds of the wire's clock.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from loadgen.models.users import Users
from loadgen.run import budget
from loadgen.run.choosing import Choosing
from loadgen.run.clock import Clock
from loadgen.run.heads import Heads
from loadgen.wire.interface import CANCELLED, Answer, Wire

MS = 1_000_000
#: Pauses before the rounds over all nodes, before jitter.
_ROUNDS = (0, 200 * MS, 800 * MS)
#: Not Implemented: nobody will ever answer this.
_NEVER = 501
#: A hedge is not sent sooner than this; nor later while too little is known.
_HEDGE_LEAST, _HEDGE_UNKNOWN = 20 * MS, 500 * MS
#: A node that says nothing for so many p95s is given up; bounds of that.
_PATIENCE, _PATIENCE_LEAST, _PATIENCE_MOST = 8, 1_000 * MS, 4_000 * MS


class Ask:
    """Something that a user wants to know, whoever says it."""

    __slots__ = (
        "about", "body", "etag", "first", "kind", "lines", "path", "planned", "purpose", "round", "sent_at",
        "tokens", "tried", "user",
    )  # fmt: skip

    def __init__(
        self, user: int, purpose: int, planned: int, path: bytes, kind: str, etag: bytes = b"",
        body: bytes = b"", about: Any = None, lines: bytes = b"",
    ) -> None:  # fmt: skip
        self.user = user
        #: What the answer is for: the caller's.
        self.purpose = purpose
        self.about = about
        #: When it was to be sent: what latency counts from.
        self.planned = planned
        self.path = path
        self.kind = kind
        self.etag = etag
        #: Of a POST, and header lines instead of those of a text.
        self.body = body
        self.lines = lines
        #: Bits of the nodes that were asked in this round; (token, node) of what is on its way.
        self.tried = 0
        self.tokens: list[tuple[int, int]] = []
        self.round = 0
        #: The node that was asked first in it.
        self.first = 0
        #: When the present round began.
        self.sent_at = planned


class Sender:
    """See the module."""

    def __init__(
        self,
        wire: Wire,
        clock: Clock,
        users: Users,
        choosing: Choosing,
        heads: Heads,
        random: Callable[[], float],
        ended: Callable[[Ask, Answer | None], None],
        counts: Counter[str],
    ) -> None:
        """*ended*: called with the answer, which may be 5xx, or the last failure; None: there was no end."""
        self._wire, self._clock, self._users, self._choosing = wire, clock, users, choosing
        self._heads, self._random, self._ended, self._counts = heads, random, ended, counts
        self._nodes = users.nodes
        self._token = 0
        self._asks: dict[int, Ask] = {}
        self._retries, self._hedges = budget.retries(), budget.hedges()
        #: By the node that was asked first, in the order of their sending: asks to be hedged.
        self._slow: list[deque[tuple[int, Ask]]] = [deque() for _ in range(users.nodes)]
        #: The same, with their round: asks not to be waited for alone; one may hang with several nodes.
        self._hanging: list[deque[tuple[int, int, Ask]]] = [deque() for _ in range(users.nodes)]
        self._later: list[tuple[int, int, Ask]] = []
        #: Attempts that no plan asked for: retries and hedges.
        self._unplanned: set[int] = set()
        #: The p95 of each node of late, which hedges wait for.
        self.p95 = [_HEDGE_UNKNOWN] * users.nodes

    def send(self, ask: Ask) -> None:
        """Ask the best node, at the planned time."""
        self._counts["requests"] += 1
        self._users.requests[ask.user] += 1
        self._begin(ask, ask.planned)

    def send_to(self, ask: Ask, node: int) -> None:
        """Ask *node*, and nobody else."""
        ask.tried = (1 << self._nodes) - 1
        ask.round = len(_ROUNDS)
        self._put(ask, node, ask.planned)

    def waiting(self) -> int:
        """Asks that have not ended."""
        return len(self._asks) + len(self._later)

    def give_up(self) -> None:
        """The run is over: whoever still waits has no answer."""
        waiting = [*self._asks.values(), *(ask for _, _, ask in self._later)]
        self._asks.clear()
        self._later.clear()
        for ask in {id(ask): ask for ask in waiting}.values():
            ask.tokens.clear()
            self._ended(ask, None)

    def _begin(self, ask: Ask, due: int) -> None:
        """A round: no node has been tried in it."""
        self._attempt(ask, due)
        _, ask.first = ask.tokens[0]
        self._slow[ask.first].append((due, ask))

    def _attempt(self, ask: Ask, due: int) -> bool:
        node = self._choosing.pick(ask.user, self._clock.tick(due), ask.tried)
        if node < 0:
            return False
        ask.tried |= 1 << node
        self._put(ask, node, due)
        return True

    def _put(self, ask: Ask, node: int, due: int) -> None:
        self._token = token = self._token + 1
        ask.tokens.append((token, node))
        self._asks[token] = ask
        if due != ask.planned:
            self._unplanned.add(token)
        home = ask.user % self._nodes
        if ask.body:
            request = self._heads.post(node, home, ask.path, ask.body, ask.lines)
        else:
            request = self._heads.get(node, home, ask.path, ask.kind, ask.etag)
        self._wire.send(token, ask.user, node, due, request)

    def was_planned(self, token: int) -> bool:
        """Whether the attempt *token*, of which the wire has told, was the first one of an ask."""
        if token not in self._unplanned:
            return True
        self._unplanned.discard(token)
        return False

    def answered(self, answer: Answer) -> None:
        """The wire has an answer, or a failure, to one attempt."""
        ask = self._asks.pop(answer.token, None)
        if ask is None or answer.error == CANCELLED:
            return
        ask.tokens.remove((answer.token, answer.node))
        now = self._clock.tick(answer.done)
        if answer.error or answer.status >= 500:
            self._choosing.failed(ask.user, answer.node, now)
            self._failed(ask, answer)
            return
        self._choosing.answered(ask.user, answer.node, (answer.head - answer.due) // 1000, now)
        for token, _ in ask.tokens:
            del self._asks[token]
            self._wire.cancel(token)
        ask.tokens.clear()
        self._ended(ask, answer)

    def _failed(self, ask: Ask, answer: Answer) -> None:
        """Another node at once; then another round, after a while."""
        if self._retry(ask) and self._attempt(ask, self._clock.now):
            self._counts["retries"] += 1
            return
        if ask.tokens:
            return
        while ask.round + 1 < len(_ROUNDS) and answer.status != _NEVER:
            ask.round += 1
            pause = int(_ROUNDS[ask.round] * (0.5 + self._random()))
            if self._retries.spend(ask.user, self._users.requests[ask.user]):
                heapq.heappush(self._later, (answer.done + pause, answer.token, ask))
                return
        self._ended(ask, answer)

    def _retry(self, ask: Ask) -> bool:
        left = ask.tried != (1 << self._nodes) - 1
        return left and self._retries.spend(ask.user, self._users.requests[ask.user])

    def turn(self, now: int) -> None:
        """Time has passed: hedge what is slow, give up what hangs, begin other rounds."""
        for p95, slow, hanging in zip(self.p95, self._slow, self._hanging, strict=True):
            after = max(_HEDGE_LEAST, p95)
            while slow and slow[0][0] + after <= now:
                self._hedge(*slow.popleft(), now)
            patience = min(_PATIENCE_MOST, max(_PATIENCE_LEAST, _PATIENCE * after))
            while hanging and hanging[0][0] + patience <= now:
                self._lose_patience(*hanging.popleft()[1:], now)
        while self._later and self._later[0][0] <= now:
            _, _, ask = heapq.heappop(self._later)
            ask.tried, ask.sent_at = 0, now
            self._counts["retries"] += 1
            self._begin(ask, now)

    def _hedge(self, begun: int, ask: Ask, now: int) -> None:
        if not ask.tokens or ask.sent_at != begun:
            return
        self._hanging[ask.first].append((begun, ask.round, ask))
        left = ask.tried != (1 << self._nodes) - 1
        if ask.purpose >= 0 and left and self._hedges.spend(ask.user, self._users.requests[ask.user]):
            self._counts["hedges"] += 1
            self._attempt(ask, now)

    def _lose_patience(self, number: int, ask: Ask, now: int) -> None:
        if ask.tokens and ask.round == number and self._retry(ask):
            self._counts["retries"] += 1
            self._choosing.failed(ask.user, ask.tokens[0][1], self._clock.tick(now))
            self._attempt(ask, now)
            self._hanging[ask.first].append((now, number, ask))

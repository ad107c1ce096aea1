"""Failover, retries and hedged requests of the smart client (``webroot/edge/worker/sender.js``).

A request goes to the node that its client chooses; to another at once when that fails; to two when it is
slow (a hedged request).
Retries and hedges have budgets.  What a user wants is a :class:`LogicalRequest`; each attempt at it has a
token on the wire.  It ends with one call of its *ended*.

Times are nanoseconds of the wire's clock.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from loadgen.models.users import Users
from loadgen.run.client import budget
from loadgen.run.client.choosing import Choosing
from loadgen.run.client.clock import Clock
from loadgen.run.client.heads import Heads
from loadgen.wire.interface import CANCELLED, Answer, Wire

MS = 1_000_000
#: Pauses before the rounds over all nodes, before jitter.
_ROUNDS = (0, 200 * MS, 800 * MS)
#: What an application cannot do no other node can, and its own can do other things: an answer, at home.
_OF_HOME = (500, 501)
#: A hedge is not sent sooner than this; nor later while too little is known.
_HEDGE_LEAST, _HEDGE_UNKNOWN = 20 * MS, 500 * MS
#: A node that says nothing for so many p95s is given up; bounds of that.
_PATIENCE, _PATIENCE_LEAST, _PATIENCE_MOST = 8, 1_000 * MS, 4_000 * MS
#: Paths of a user that are remembered as answered at home.
_PATHS = 1000


#: Called once with the request and its answer, which may be 5xx or the last failure; None: there was no end.
Ended = Callable[["LogicalRequest", "Answer | None"], None]


class LogicalRequest:
    """What a user wants from the cluster, whichever node answers, in however many attempts."""

    __slots__ = (
        "about", "body", "ended", "etag", "failure", "first", "kind", "lines", "path", "planned", "purpose",
        "refused", "round", "sent_at", "tokens", "tried", "user",
    )  # fmt: skip

    def __init__(
        self, user: int, purpose: int, planned: int, path: bytes, kind: str, ended: Ended, etag: bytes = b"",
        body: bytes = b"", about: Any = None, lines: bytes = b"",
    ) -> None:  # fmt: skip
        self.user = user
        self.ended = ended
        #: What the answer is for: the caller's.
        self.purpose = purpose
        self.about = about
        #: When it was to be sent: what latency counts from.
        self.planned = planned
        self.path = path
        self.kind = kind
        self.etag = etag
        #: Of a POST; header lines of its own: of a POST instead of those of a text, of a GET beside the rest.
        self.body = body
        self.lines = lines
        #: Bits of the nodes that were asked in this round; (token, node) of what is on its way.
        self.tried = 0
        self.tokens: list[tuple[int, int]] = []
        self.round = 0
        #: What was wrong last in this round; a status says more than no answer.
        self.failure: Answer | None = None
        #: Another node than home gave no answer in it.
        self.refused = False
        #: The node that was asked first in it.
        self.first = 0
        #: When the present round began.
        self.sent_at = planned


def _bare(path: bytes) -> bytes:
    return path.partition(b"?")[0]


class Sender:
    """The logical requests of all users of a process, and their attempts on the wire."""

    def __init__(
        self,
        wire: Wire,
        clock: Clock,
        users: Users,
        choosing: Choosing,
        heads: Heads,
        random: Callable[[], float],
        counts: Counter[str],
    ) -> None:
        """*random*: of the jitter before another round, 0 <= number < 1."""
        self._wire, self._clock, self._users, self._choosing = wire, clock, users, choosing
        self._heads, self._random, self._counts = heads, random, counts
        self._nodes = users.nodes
        self._token = 0
        self._requests: dict[int, LogicalRequest] = {}
        self._retries, self._hedges = budget.retries(), budget.hedges()
        #: By the node that was asked first, in the order of their sending: requests to be hedged.
        self._slow: list[deque[tuple[int, LogicalRequest]]] = [deque() for _ in range(users.nodes)]
        #: The same, with their round: requests not to be waited for alone; one may hang with several nodes.
        self._hanging: list[deque[tuple[int, int, LogicalRequest]]] = [deque() for _ in range(users.nodes)]
        self._later: list[tuple[int, int, LogicalRequest]] = []
        #: Attempts that no plan asked for: retries and hedges.
        self._unplanned: set[int] = set()
        #: By user: paths that home has answered after another had not: it may not let our pages read them.
        self._at_home: dict[int, set[bytes]] = {}
        self._p95 = [_HEDGE_UNKNOWN] * users.nodes
        self._asked = [0] * users.nodes

    @property
    def p95(self) -> list[int]:
        """The p95 of each node of late, nanoseconds: what hedges wait for."""
        return self._p95

    def hedge_after(self, p95: list[int]) -> None:
        """Have hedges wait for *p95* of the node that was asked first, nanoseconds by node."""
        self._p95 = p95

    def take_asked(self) -> list[int]:
        """Requests sent since the last call, by node, whichever attempt of whatever they are."""
        asked, self._asked = self._asked, [0] * self._nodes
        return asked

    def send(self, request: LogicalRequest) -> None:
        """Send *request* to the node that the user chooses, at the planned time."""
        self._counts["requests"] += 1
        self._users.requests[request.user] += 1
        self._begin(request, request.planned)

    def send_to(self, request: LogicalRequest, node: int) -> None:
        """Send *request* to *node*: no failover, no hedge."""
        request.tried = (1 << self._nodes) - 1
        request.round = len(_ROUNDS)
        self._put(request, node, request.planned)

    def forget(self, user: int) -> None:
        """Forget what the worker of *user* knows for as long as it runs: the browser stops it."""
        self._at_home.pop(user, None)

    def waiting(self) -> int:
        """How many logical requests have not ended."""
        return len(self._requests) + len(self._later)

    def give_up(self) -> None:
        """End all requests without an answer: the run is over."""
        waiting = [*self._requests.values(), *(request for _, _, request in self._later)]
        self._requests.clear()
        self._later.clear()
        for request in {id(request): request for request in waiting}.values():
            request.tokens.clear()
            request.ended(request, None)

    def _begin(self, request: LogicalRequest, due: int) -> None:
        """Begin a round, in which no node has been tried."""
        self._attempt(request, due)
        _, request.first = request.tokens[0]
        self._slow[request.first].append((due, request))

    def _attempt(self, request: LogicalRequest, due: int) -> bool:
        at_home = self._at_home.get(request.user) if self._at_home and not request.tried else None
        if at_home and _bare(request.path) in at_home:
            node = request.user % self._nodes
        else:
            node = self._choosing.pick(request.user, self._clock.tick(due), request.tried)
        if node < 0:
            return False
        request.tried |= 1 << node
        self._put(request, node, due)
        return True

    def _put(self, request: LogicalRequest, node: int, due: int) -> None:
        self._token = token = self._token + 1
        self._asked[node] += 1
        request.tokens.append((token, node))
        self._requests[token] = request
        if due != request.planned:
            self._unplanned.add(token)
        home = request.user % self._nodes
        if request.body:
            octets = self._heads.post(node, home, request.path, request.body, request.lines)
        else:
            octets = self._heads.get(node, home, request.path, request.kind, request.etag, request.lines)
        self._wire.send(token, request.user, node, due, octets)

    def was_planned(self, token: int) -> bool:
        """Whether the attempt *token*, of which the wire has told, was the first of its request."""
        if token not in self._unplanned:
            return True
        self._unplanned.discard(token)
        return False

    def answered(self, answer: Answer) -> None:
        """Take the *answer*, or the failure, of one attempt."""
        request = self._requests.pop(answer.token, None)
        if request is None or answer.error == CANCELLED:
            return
        request.tokens.remove((answer.token, answer.node))
        now = self._clock.tick(answer.done)
        if self._is_failure(request, answer):
            self._choosing.failed(request.user, answer.node, now)
            self._failed(request, answer)
            return
        if request.refused and answer.node == request.user % self._nodes:
            at_home = self._at_home.setdefault(request.user, set())
            if len(at_home) < _PATHS:
                at_home.add(_bare(request.path))
        self._choosing.answered(request.user, answer.node, (answer.head - answer.due) // 1000, now)
        for token, _ in request.tokens:
            del self._requests[token]
            self._wire.cancel(token)
        request.tokens.clear()
        request.ended(request, answer)

    def _is_failure(self, request: LogicalRequest, answer: Answer) -> bool:
        is_final = answer.status in _OF_HOME and answer.node == request.user % self._nodes
        return bool(answer.error) or (answer.status >= 500 and not is_final)

    def _failed(self, request: LogicalRequest, answer: Answer) -> None:
        """Fail over to another node at once; to another round, after a while, when all have been tried."""
        if request.failure is None or answer.status or not request.failure.status:
            request.failure = answer
        request.refused |= bool(answer.error) and answer.node != request.user % self._nodes
        if self._another(request, self._clock.now) or request.tokens:
            return
        # Whoever says when to come again means later than these rounds.
        self._pause(request, answer.done, request.failure if request.failure.later else None)

    def _pause(self, request: LogicalRequest, now: int, last: Answer | None = None) -> None:
        """Wait for the next round; end with the failure, or at once with *last*, if there is none."""
        request.round += 1
        if last is None and request.round < len(_ROUNDS):
            pause = int(_ROUNDS[request.round] * (0.5 + self._random()))
            self._token += 1
            heapq.heappush(self._later, (now + pause, self._token, request))
            return
        assert request.failure is not None
        request.ended(request, request.failure._replace(done=now))

    def _another(self, request: LogicalRequest, now: int) -> bool:
        """Ask another node, where there is one and a retry for it; home costs none, as without the client."""
        if request.tried == (1 << self._nodes) - 1:
            return False
        if self._spend(request):
            return self._attempt(request, now)
        home = request.user % self._nodes
        if request.tried >> home & 1:
            return False
        request.tried |= 1 << home
        self._put(request, home, now)
        return True

    def _spend(self, request: LogicalRequest) -> bool:
        """Whether the budget has one more retry; it is spent, and counted."""
        if not self._retries.spend(request.user, self._users.requests[request.user]):
            return False
        self._counts["retries"] += 1
        return True

    def turn(self, now: int) -> None:
        """Hedge what is slow at *now*, give up what hangs, begin the rounds that are due."""
        for p95, slow, hanging in zip(self._p95, self._slow, self._hanging, strict=True):
            after = max(_HEDGE_LEAST, p95)
            while slow and slow[0][0] + after <= now:
                self._hedge(*slow.popleft(), now)
            patience = min(_PATIENCE_MOST, max(_PATIENCE_LEAST, _PATIENCE * after))
            while hanging and hanging[0][0] + patience <= now:
                self._lose_patience(*hanging.popleft()[1:], now)
        while self._later and self._later[0][0] <= now:
            _, _, request = heapq.heappop(self._later)
            if not self._spend(request):
                self._pause(request, now)
                continue
            request.tried, request.sent_at, request.failure, request.refused = 0, now, None, False
            self._begin(request, now)

    def _hedge(self, begun: int, request: LogicalRequest, now: int) -> None:
        if not request.tokens or request.sent_at != begun:
            return
        self._hanging[request.first].append((begun, request.round, request))
        left = request.tried != (1 << self._nodes) - 1
        made = self._users.requests[request.user]
        if request.purpose >= 0 and left and self._hedges.spend(request.user, made):
            self._counts["hedges"] += 1
            self._attempt(request, now)

    def _lose_patience(self, number: int, request: LogicalRequest, now: int) -> None:
        if not request.tokens or request.round != number:
            return
        slowest = request.tokens[0][1]
        if self._another(request, now):
            self._choosing.failed(request.user, slowest, self._clock.tick(now))
            self._hanging[request.first].append((now, number, request))

"""The choice of a node for a request: weighted random, the better of two, with outlier ejection.

That is the smart client's way (``webroot/edge/worker/nodes.js``); other policies are beside it.

The formulas are those of :mod:`loadgen.models.choice`; here is what a user remembers between two of
them, in the arrays of :class:`loadgen.models.users.Users`.  Times are ticks, latencies microseconds.
"""

from __future__ import annotations

from collections.abc import Callable

from edge.load.document import LoadDocument
from loadgen.models import choice
from loadgen.models.calendar import TICKS
from loadgen.models.choice import OutlierEjection
from loadgen.models.users import Users

#: Documents that are remembered; whoever has an older one knows what the oldest says.
_DOCUMENTS = 60_000


class Document:
    """A load document, by the run's numbers of nodes."""

    def __init__(self, load: LoadDocument, urls: list[str]) -> None:
        nodes = {node.url: node for node in load.nodes}
        self.weights = [nodes[url].weight if url in nodes else 0.0 for url in urls]
        self.utilizations = [nodes[url].utilization if url in nodes else 1.0 for url in urls]
        self.ttl = max(1, load.ttl_ms * TICKS // 1000)
        self.redraw = choice.redraw_share(self.utilizations, self.weights)


class Choosing:
    """Chooses for all users of a process."""

    def __init__(self, users: Users, policy: str, urls: list[str], random: Callable[[], float]) -> None:
        """*random*: 0 <= number < 1."""
        self._users = users
        self._urls = urls
        self._random = random
        self._all = range(len(urls))
        self._documents: list[Document] = []
        self._first = 0  # number of the first document that is remembered
        #: By (user, node), of those that failed lately.
        self._ejections: dict[tuple[int, int], OutlierEjection] = {}
        ways: dict[str, Callable[[int, int, int], int]] = {
            "smart": self._smart,
            "least-loaded": self._least_loaded,
            "two-choices": self._two_choices,
            "random": lambda user, now, tried: self._any(tried),
            "one": self._one,
        }
        self._way = ways[policy]
        #: Whether users need load documents at all.
        self.reads_load = policy in ("smart", "least-loaded", "two-choices")
        self._smartly = policy == "smart"

    def publish(self, load: LoadDocument) -> int:
        """A document that somebody has read for the first time; its number, for :meth:`learn`."""
        self._documents.append(Document(load, self._urls))
        if len(self._documents) > _DOCUMENTS:
            del self._documents[: _DOCUMENTS // 2]
            self._first += _DOCUMENTS // 2
        return self._first + len(self._documents)

    def is_due(self, user: int, now: int) -> bool:
        """Whether what *user* knows of the load is older than it should be."""
        document = self._document(user)
        return document is None or now - self._users.learned[user] >= document.ttl

    def learn(self, user: int, number: int, now: int) -> None:
        """*user* has read document *number*."""
        users = self._users
        first = not users.document[user]
        elapsed = 0 if first else now - users.learned[user]
        users.document[user] = number
        users.learned[user] = now
        document = self._documents[number - 1 - self._first]
        if not self._smartly:
            return
        if first or self._random() < document.redraw * min(1.0, elapsed / document.ttl):
            node = self._drawn(user, now, 0, document)
            users.node[user] = node if node >= 0 else users.node[user]

    def pick(self, user: int, now: int, tried: int) -> int:
        """A node for the next request, not one of the bits of *tried*; -1: there is no other."""
        if tried == (1 << len(self._urls)) - 1:
            return -1
        return self._way(user, now, tried)

    def answered(self, user: int, node: int, latency: int, now: int) -> None:
        """*node* answered *user* after *latency*."""
        users = self._users
        place = user * users.nodes + node
        value = choice.observed(users.latency[place], latency, (now - users.observed[place]) / TICKS)
        users.latency[place] = value
        users.observed[place] = now
        floor = users.floor[user]
        users.floor[user] = choice.risen_floor(floor, value, latency) if floor else latency
        if self._ejections:
            ejection = self._ejections.get((user, node))
            if ejection is not None and ejection.answered(now / TICKS):
                del self._ejections[user, node]

    def failed(self, user: int, node: int, now: int) -> None:
        """*node* gave *user* no answer, or 5xx."""
        self._ejections.setdefault((user, node), OutlierEjection()).failed(now / TICKS, self._random)

    def _document(self, user: int) -> Document | None:
        number = self._users.document[user]
        if not number or not self._documents:
            return None
        return self._documents[max(0, min(len(self._documents), number - self._first) - 1)]

    def _trust(self, user: int, node: int, now: int) -> float:
        ejection = self._ejections.get((user, node)) if self._ejections else None
        return 1.0 if ejection is None else ejection.trust(now / TICKS)

    def _smart(self, user: int, now: int, tried: int) -> int:
        users = self._users
        node = users.node[user]
        document = self._document(user)
        if document is None:  # only its home is known yet
            return node if not tried >> node & 1 else self._any(tried)
        if not tried >> node & 1 and document.weights[node] > 0:
            slow = choice.is_slow(self._expected(user, node, now), self._best(user))
            if not slow and (not self._ejections or self._trust(user, node, now) > 0):
                return node
        drawn = self._drawn(user, now, tried, document)
        if drawn < 0:
            return self._least_distrusted(user, tried)
        if not tried >> node & 1:
            users.node[user] = drawn
        return drawn

    def _drawn(self, user: int, now: int, tried: int, document: Document) -> int:
        """Drawn by weight, latency and trust; -1: all that are left have the weight 0, or are ejected."""
        expected = [self._expected(user, node, now) for node in self._all]
        trusts = [0.0 if tried >> node & 1 else self._trust(user, node, now) for node in self._all]
        scores = choice.scores(document.weights, expected, self._best(user), trusts)
        return choice.better_of_two(scores, expected, self._random(), self._random())

    def _least_distrusted(self, user: int, tried: int) -> int:
        """A request is better tried than failed: whichever comes back first, or never was ejected."""
        left = (node for node in self._all if not tried >> node & 1)
        return min(
            left, key=lambda node: self._ejections[user, node].until if (user, node) in self._ejections else 0
        )

    def _best(self, user: int) -> float:
        return max(choice.LEAST_MS * 1000.0, self._users.floor[user])

    def _expected(self, user: int, node: int, now: int) -> float:
        """Latency of a node, forgiven slowly while nobody looks."""
        users = self._users
        place = user * users.nodes + node
        since_s = (now - users.observed[place]) / TICKS
        return choice.expected(users.latency[place], self._best(user), since_s)

    def _any(self, tried: int) -> int:
        left = [node for node in self._all if not tried >> node & 1]
        return left[int(self._random() * len(left))]

    def _least_loaded(self, user: int, now: int, tried: int) -> int:
        document = self._document(user)
        if document is None:
            return self._any(tried)
        return min(
            (node for node in self._all if not tried >> node & 1),
            key=lambda node: (document.weights[node] <= 0, document.utilizations[node]),
        )

    def _two_choices(self, user: int, now: int, tried: int) -> int:
        one = self._any(tried)
        document = self._document(user)
        if document is None or tried | 1 << one == (1 << len(self._urls)) - 1:
            return one
        other = self._any(tried | 1 << one)
        return min(one, other, key=lambda node: (document.weights[node] <= 0, document.utilizations[node]))

    def _one(self, user: int, now: int, tried: int) -> int:
        return next(node for node in self._all if not tried >> node & 1)

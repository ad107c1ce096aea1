"""Which page views are one session: those of a client with no longer rest between them than leaving takes.

Half an hour is what web analytics calls the end of a session (Google Analytics, Matomo; Catledge and Pitkow,
1995: 25.5 minutes).
"""

from __future__ import annotations

import random
from collections import Counter, OrderedDict
from collections.abc import Callable

from loadgen.record.intervals import Intervals

IDLE_S = 1800.0
#: Clients that are in a session at once; beyond it the one that rested longest has left.
MOST_CLIENTS = 200_000
#: Views nearer to each other are one: a page that leads to another one, a frame, a double click.
ONE_VIEW_S = 0.2
#: The same of what a smart client asks beside a page that it opens.
BESIDE_S = 2.0
#: Page views of a session that are told apart.
_MOST_VIEWS = 10_000


class Sessions:
    """Sessions of all clients; feed it views in the order of time."""

    def __init__(self, began: Callable[[float], None], idle_s: float = IDLE_S) -> None:
        """*began*: called with the second at which a session begins."""
        self._began = began
        self._idle_s = idle_s
        #: By client, the one that rested longest first: its last view, views of its session.
        self._open: OrderedDict[int, tuple[float, int]] = OrderedDict()
        self._random = random.Random(1)
        self.thinks = Intervals()
        #: Sessions by how many views they had.
        self.views: Counter[int] = Counter()
        #: Ended for want of room.
        self.crowded_out = 0

    def view(
        self, second: float, client: int, in_whole_seconds: bool, one_view_s: float = ONE_VIEW_S
    ) -> bool:
        """Count a view; False: it is nearer than *one_view_s* to the one before, and part of it.

        *in_whole_seconds*: the log has no finer times; a difference is then spread over what it stands for.
        """
        last, views = self._open.pop(client, (0.0, 0))
        interval = second - last
        if views and interval > self._idle_s:
            self._end(views)
            views = 0
        elif views:
            if in_whole_seconds:
                interval = abs(interval + self._random.random() - self._random.random())
            if interval < one_view_s:
                self._open[client] = (second, views)
                return False
            self.thinks.add(interval)
        if not views:
            self._began(second)
        self._open[client] = (second, views + 1)
        self._make_room(second)
        return True

    def end(self) -> None:
        """The log is over: so are all sessions."""
        while self._open:
            self._end(self._open.popitem(last=False)[1][1])

    def _make_room(self, second: float) -> None:
        """End the sessions of clients that have left."""
        while self._open:
            client, (last, views) = next(iter(self._open.items()))
            is_full = len(self._open) > MOST_CLIENTS
            if last >= second - self._idle_s and not is_full:
                return
            self.crowded_out += last >= second - self._idle_s
            del self._open[client]
            self._end(views)

    def _end(self, views: int) -> None:
        self.views[min(views, _MOST_VIEWS)] += 1

    @property
    def count(self) -> int:
        """Sessions that are over."""
        return sum(self.views.values())

    @property
    def pages_mean(self) -> float:
        """Page views of a session, on average."""
        return sum(views * count for views, count in self.views.items()) / max(1, self.count)

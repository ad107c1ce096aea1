"""Sessions of users: how many there are at once, and what one does for each of its page views.

*Registered* users are all who come to the site at all, and come again; *concurrent* ones are within a session
at the moment.  Little's law joins them: concurrent = sessions begun per second x their length.  A session of
v page views lasts v think times: the last page is looked at, too.

Each view may read the load document, when what the client knows is a time to live old; open a connection,
when the last one has been closed meanwhile; and go to another node, when the client draws again after
reading.  At each the browser looks for another script of the worker: in its cache, as long as that keeps it.
Sessions of a reader are taken to be further apart than that.
"""

from __future__ import annotations

from typing import NamedTuple

from edge.publish.client import LOOK_SECONDS
from loadgen.models.think import ThinkTimes, held, refresh_share, survival


class Session(NamedTuple):
    """Averages of one session."""

    #: Page views; 1 or more, geometric.
    views: float
    #: Between two of them, seconds.
    think_s: float
    #: P(what is known of the load is a time to live old at a view that continues a session).
    due: float
    #: P(T > keep-alive); E[min(T, keep-alive)] / E[T]: of a think time with an open connection.
    lapsed: float
    open: float
    #: P(the worker's script is so old at a view that continues a session that the browser asks for it).
    looked: float

    @classmethod
    def of(cls, think: ThinkTimes, views: float, ttl_s: float, keep_alive_s: float) -> Session:
        """With these think times; *ttl_s*: of the load document; *keep_alive_s*: of a resting connection."""
        views = max(1.0, views)
        stay = 1 - 1 / views
        return cls(
            views,
            think.mean_s,
            refresh_share(think, ttl_s, stay),
            survival(think)(keep_alive_s),
            held(think, keep_alive_s) / think.mean_s,
            refresh_share(think, LOOK_SECONDS, stay),
        )

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.views * self.think_s

    @property
    def stay(self) -> float:
        """P(a page view is not the last one)."""
        return 1 - 1 / self.views

    @property
    def load_reads(self) -> float:
        """Load documents read: at the first view, and whenever one is due."""
        return 1 + (self.views - 1) * self.due

    def looks(self, first_visits: float = 0.0) -> float:
        """Questions for the worker's script: at the first view, unless the client comes then; later ones."""
        return 1 - first_visits + (self.views - 1) * self.looked

    def moves(self, redraw: float, nodes: int, first_visits: float = 0.0) -> float:
        """How often it goes on at another of *nodes*.

        *redraw*: the share of clients that draws again upon reading; in a first visit, a share *first_visits*
        of sessions, the first document makes everybody draw.
        """
        drawn = self.load_reads * redraw + first_visits * (1 - redraw)
        return drawn * self.stay * (1 - 1 / nodes)

    def connections(self, redraw: float, nodes: int, first_visits: float = 0.0) -> float:
        """HTTP connections opened: at the first view, when the last one has lapsed, at another node."""
        moves = self.moves(redraw, nodes, first_visits)
        return 1 + (self.views - 1) * self.lapsed + moves * (1 - self.lapsed)

    def sockets(self, per_view: float) -> float:
        """WebSockets opened by who holds one: at the first view, and at a share *per_view* of the others."""
        return 1 + (self.views - 1) * per_view


def concurrent(registered: float, session_s: float, return_interval_s: float) -> float:
    """Users within a session, of *registered* who come again *return_interval_s* after each session."""
    return registered * session_s / (session_s + return_interval_s)

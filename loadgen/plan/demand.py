"""What the users of a plan ask of its cluster.

N concurrent users, each with a page view every T seconds::

    views        N / T                              a second; a share of N / L (sessions of L seconds
                                                    that begin) are first visits with an empty cache
    first visit  all resources of a view, and the smart client: 200 each
    other views  fresh: nothing;  missing: 200 each;  the rest is confirmed:
                 "state"  one GET /.edge/changes for all: 304, or the paths that have changed since the last
                          one, or that these are too many: then a batch, too.  Over the WebSocket of who has
                          one, but for the first of a session
                 "batch"  one POST with a line each (at most 1,000), then 200 for each stale one
                 "each"   a conditional request each: 304, or 200 where there is a new version
    load         with "state" it rides on the answers; who comes for the first time reads the load document.
                 Else who has no WebSocket reads it at a view, if the last one is 5 s old.  Who has one gets
                 it pushed, and a word of each publish, upon which what is shown is confirmed
    script       the browser looks for another worker: at a session's first view, unless the client comes with
                 it, and when it has kept the script for five minutes
    connections  opened at a session's beginning, at a view when the last is longer ago than they are kept,
                 and at another node; a WebSocket has its own

What a session does is :mod:`loadgen.demand.sessions`, what each exchange weighs
:mod:`loadgen.demand.exchanges`.  Everything is proportional to N: a
:class:`~loadgen.demand.flows.Demand` is made once for a user and multiplied.
"""

from __future__ import annotations

from edge.http.revalidation import MAX_LINES
from edge.load.document import TTL_MS
from loadgen.constants import Constants
from loadgen.demand import changed
from loadgen.demand.exchanges import Exchanges
from loadgen.demand.flows import Demand, Flow
from loadgen.demand.sessions import Session
from loadgen.demand.wire import Wire
from loadgen.models import choice
from loadgen.models.think import survival
from loadgen.plan.inputs import Plan

#: A closed connection stays in the kernel's table of sockets for a minute (TIME_WAIT, with who closes first;
#: include/net/tcp.h), and in that of tracked connections for two (nf_conntrack_tcp_timeout_time_wait).
TIME_WAIT_S, TRACKED_S = 60, 120
#: Memory of each there, objects of slab: tw_sock_TCP, nf_conntrack with its place in the hash table.
TIME_WAIT_BYTES, TRACKED_BYTES = 256, 336
#: Who has been told nothing of the load for so long polls it (webroot/edge/worker/load_poller.js).
SILENT_S = 120


def exchanges(plan: Plan, costs: Constants, nodes: int) -> Exchanges:
    """What each kind of exchange of a site on *nodes* nodes weighs."""
    requests = plan.requests
    return Exchanges(
        costs,
        Wire(requests.ip_version, requests.tls_share),
        nodes,
        path_bytes=plan.pages.path_bytes,
        head_bytes=requests.head_bytes,
        resumed_share=requests.tls_resumed_share,
        certificate_bytes=requests.certificate_bytes,
    )


def kinds(plan: Plan, costs: Constants, nodes: int) -> list[Flow]:
    """Flows of one user, also those that a plan has none of."""
    return _Model(plan, costs, nodes).flows()


def demand_of_user(plan: Plan, costs: Constants, nodes: int) -> Demand:
    """The demand of one concurrent user of a site on *nodes* nodes: rates are averages, far below 1."""
    return _Model(plan, costs, nodes).demand()


class _Mean:
    """A mean of values, each so often a second."""

    def __init__(self, parts: list[tuple[float, float]]) -> None:
        self.rate = sum(rate for rate, _ in parts)
        self.mean = sum(rate * value for rate, value in parts) / self.rate if self.rate else 0.0


class _Model:
    """The plan's rates per concurrent user, and the flow of exchanges that each becomes."""

    def __init__(self, plan: Plan, costs: Constants, nodes: int) -> None:
        self.plan = plan
        self.costs = costs
        self.nodes = nodes
        requests, think = plan.requests, plan.session.think
        length = plan.session.minutes * 60
        self.session = Session.of(think, length / think.mean_s, TTL_MS / 1000, requests.keep_alive_s)
        self.sessions = 1 / length
        self.first_views = self.sessions * plan.session.first_visit_share
        self.views = 1 / think.mean_s - self.first_views
        kept = 1 - plan.pages.fresh_share - plan.pages.missing_share
        #: Copies to confirm in a view.
        self.lines = max(0.0, kept) * plan.pages.resources_per_view
        self.exchanges = exchanges(plan, costs, nodes)

    def flows(self) -> list[Flow]:
        """The flows of all kinds, in the order in which they are shown."""
        return [*self._bodies(), *self._confirmations(), *self._load(), *self._connections()]

    def demand(self) -> Demand:
        """All flows, with the connections and the memory that they hold."""
        resting = self.plan.requests.connections_per_user * self.session.open
        sockets = self.plan.push.share
        each = self.costs.kernel_memory + self.costs.tls_memory * self.plan.requests.tls_share
        memory = (resting + sockets) * each
        memory += resting * self.costs.connection_memory + sockets * self.costs.socket_memory
        opened = self._opened()
        memory += opened * TIME_WAIT_S * TIME_WAIT_BYTES
        if self.plan.servers.conntrack:
            memory += (resting + sockets + opened * TRACKED_S) * TRACKED_BYTES
        return Demand.of(self.flows(), resting + sockets, memory)

    def _bodies(self) -> list[Flow]:
        pages, each = self.plan.pages, self.exchanges
        missing = self.views * pages.missing_share * pages.resources_per_view
        changed = self._confirming() * self.lines * pages.changed_share
        first = self.first_views * pages.resources_per_view
        size = pages.kilobytes_per_resource * 1000
        client = pages.client_kilobytes * 1000 / max(1, pages.client_files)
        return [
            Flow("first visits", first, each.body(size)),
            Flow("missing", missing, each.body(size)),
            Flow("new versions", changed, each.new_version(size)),
            Flow("smart client", self.first_views * pages.client_files, each.body(client)),
        ]

    def _confirming(self) -> float:
        """Views, and publishes that are told, after which what is shown is confirmed."""
        push = self.plan.push
        told = push.share * push.publishes_per_hour / 3600
        return self.views * (1 - push.share * push.spared_share) + told

    def _confirmations(self) -> list[Flow]:
        if self.plan.requests.confirm == "state":
            return self._questions()
        rate, changed = self._confirming(), self.plan.pages.changed_share
        # Lone copies are asked for without a batch: up to two a view they are one, or two in a batch.
        is_each = self.plan.requests.confirm == "each"
        alone = self.lines if is_each else min(self.lines, max(0.0, 2 - self.lines))
        lone = Flow("304", rate * alone * (1 - changed), self.exchanges.not_modified())
        if self.lines <= alone:
            return [lone]
        batches = max(self.lines / MAX_LINES, min(1.0, self.lines - 1))
        lines = (self.lines - alone) / batches
        return [lone, Flow("batches", rate * batches, self.exchanges.batch(lines, lines * changed))]

    def _questions(self) -> list[Flow]:
        """One for all that is kept: as a session begins, at its other views, after publishes told."""
        push, each, path = self.plan.push, self.exchanges, self.plan.pages.path_bytes
        if not self.lines:
            return []
        publishes, paths = push.publishes_per_hour / 3600, push.paths_per_publish
        think_s = self.plan.session.think.mean_s
        back = changed.since(self.plan.session.away_hours * 3600, publishes, paths, path)
        on = changed.since(think_s, publishes, paths, path)
        begin, going = self.sessions - self.first_views, 1 / think_s - self.sessions
        alone, told = going * (1 - push.share), push.share * publishes
        is_listed = paths <= changed.listed(path)
        lists = _Mean([(begin * back.some, back.lines), (alone * on.some, on.lines)])
        beyond = begin * back.beyond + alone * on.beyond + told * (not is_listed)
        unchanged = begin * (1 - back.some) + alone * (1 - on.some)
        over_socket = push.share * going * (1 - push.spared_share)
        batches = beyond * max(1.0, self.lines / MAX_LINES)
        lines = min(self.lines, float(MAX_LINES))
        return [
            Flow("questions", unchanged, each.changes()),
            Flow("lists of changes", lists.rate, each.changes(lists.mean)),
            Flow("on sockets", over_socket, each.question(), False),
            Flow("lists on sockets", told * is_listed, each.question(paths), False),
            Flow("batches", batches, each.batch(lines, lines * self.plan.pages.changed_share)),
        ]

    def _looks(self) -> float:
        """Questions for the worker's script, a second; none where there is no client."""
        if not self.plan.pages.client_files:
            return 0.0
        return self.sessions * self.session.looks(self.plan.session.first_visit_share)

    def _polls(self) -> float:
        """Load documents that one who has no WebSocket asks for, a second."""
        if self.plan.requests.confirm != "state":
            return self.sessions * self.session.load_reads
        if self.lines:
            return self.first_views
        silent = survival(self.plan.session.think)(SILENT_S)
        return self.sessions * (1 + (self.session.views - 1) * silent)

    def _load(self) -> list[Flow]:
        push, each = self.plan.push, self.exchanges
        polls = (1 - push.share) * self._polls()
        publishes = push.publishes_per_hour / 3600
        return [
            Flow("looks for a worker", self._looks(), each.look()),
            Flow("load polls", polls, each.load_poll()),
            Flow("load pushes", push.share / push.load_period_s, each.load_push(), False),
            Flow("publishes told", push.share * publishes, each.publish_told(), False),
        ]

    def _opened(self) -> float:
        """Connections opened a second, WebSockets among them."""
        requests = self.plan.requests
        # What draws again at nodes that are as full as the plan allows; emptier ones have time for more.
        utilization = min(self.plan.limits.cpu_share, self.plan.limits.link_share)
        redraw = choice.redraw_share([utilization], [1.0])
        first_visits = self.plan.session.first_visit_share
        opened = self.session.connections(redraw, self.nodes, first_visits) * requests.connections_per_user
        ahead = (self.session.views - 1) * requests.opened_ahead_per_view
        return (opened + ahead) * self.sessions + self._sockets()

    def _sockets(self) -> float:
        """WebSockets opened a second."""
        push = self.plan.push
        return push.share * self.sessions * self.session.sockets(push.opened_per_view)

    def _connections(self) -> list[Flow]:
        requests, each = self.plan.requests, self.exchanges
        every = self._opened()
        full = every * requests.tls_share * (1 - requests.tls_resumed_share)
        resumed = every * requests.tls_share * requests.tls_resumed_share
        return [
            Flow("connections", every, each.connection(), False),
            Flow("TLS handshakes", full, each.handshake(), False),
            Flow("TLS resumptions", resumed, each.resumption(), False),
            Flow("sockets", self._sockets(), each.upgrade()),
        ]

"""What all users together ask of the cluster, as flows: so many a second of each kind.

N users within a session, each with a page view every T seconds::

    views        N / T                              a second; a share of N / L (sessions of L seconds
                                                    that begin) are first visits with an empty cache
    first visit  all resources of a view, and the smart client: 200 each
    other views  fresh: nothing;  missing: 200 each;  the rest is confirmed:
                 "each"   a conditional request each: 304, or 200 where there is a new version
                 "batch"  one POST with a line each (at most 1,000), then 200 for each stale one
    load         who has no WebSocket polls the load document with a view, at most every 5 s;
                 who has one gets it pushed, and a word of each publish, upon which what is shown is confirmed
    connections  opened at a session's beginning, and again at a view when the last is longer ago than
                 they are kept

Everything is proportional to N: a :class:`Demand` is made once for a user and multiplied.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from edge.load.document import TTL_MS
from loadgen.capacity.wire import Crossing, Wire
from loadgen.constants import Constants
from loadgen.plan.inputs import Plan
from loadgen.plan.think import held, survival

#: Lines of a batch, as nodes take them.
MOST_LINES = 1000
#: A stale line's number in the answer to a batch.
STALE_BYTES = 4
#: A word of a publish: a frame's head and its message.
CHANGED_BYTES = 2 + len('{"type": "changed", "seq": 1234567}')


class Flow(NamedTuple):
    """One kind of work, and how often it is done."""

    name: str
    per_second: float
    #: On the wire, for one.
    inbound: Crossing
    outbound: Crossing
    #: CPU seconds of a core like the measured one.
    cpu_s: float
    #: Whether it is an HTTP request.
    is_request: bool = True


class Demand(NamedTuple):
    """All flows, their sums, and what is held meanwhile."""

    flows: tuple[Flow, ...]
    connections: float
    memory_bytes: float
    #: HTTP requests per second.
    requests: float
    #: Cores like the measured one that it keeps busy.
    cpu: float
    #: Per second, on the wire.
    inbound: Crossing
    outbound: Crossing

    @classmethod
    def of(cls, flows: Iterable[Flow], connections: float, memory_bytes: float) -> Demand:
        """The demand of *flows*."""
        flows = tuple(flow for flow in flows if flow.per_second > 0)
        return cls(
            flows,
            connections,
            memory_bytes,
            sum(flow.per_second for flow in flows if flow.is_request),
            sum(flow.per_second * flow.cpu_s for flow in flows),
            _total([flow.inbound.times(flow.per_second) for flow in flows]),
            _total([flow.outbound.times(flow.per_second) for flow in flows]),
        )

    def times(self, factor: float) -> Demand:
        """So many times as much."""
        return Demand(
            tuple(flow._replace(per_second=flow.per_second * factor) for flow in self.flows),
            self.connections * factor,
            self.memory_bytes * factor,
            self.requests * factor,
            self.cpu * factor,
            self.inbound.times(factor),
            self.outbound.times(factor),
        )

    def per_second(self, *names: str) -> float:
        """How often the flows of these *names* happen."""
        return sum(flow.per_second for flow in self.flows if flow.name in names)


def _total(crossings: list[Crossing]) -> Crossing:
    return Crossing(sum(one.bytes for one in crossings), sum(one.packets for one in crossings))


def kinds(plan: Plan, costs: Constants, nodes: int) -> list[Flow]:
    """Flows of one user, also those that a plan has none of."""
    return _Model(plan, costs, nodes).flows()


def demand_of_user(plan: Plan, costs: Constants, nodes: int) -> Demand:
    """The demand of one user within a session of a site on *nodes* nodes: rates are averages, far below 1."""
    return _Model(plan, costs, nodes).demand()


class _Model:
    """The plan's rates per user, and how each becomes a flow."""

    def __init__(self, plan: Plan, costs: Constants, nodes: int) -> None:
        self.plan = plan
        self.costs = costs
        self.wire = Wire(plan.requests.ip_version, plan.requests.tls_share)
        self.sessions = 1 / (plan.session.minutes * 60)
        self.first_views = self.sessions * plan.session.first_visit_share
        self.views = 1 / plan.session.think.mean_s - self.first_views
        kept = 1 - plan.pages.fresh_share - plan.pages.missing_share
        #: Copies to confirm in a view.
        self.lines = max(0.0, kept) * plan.pages.resources_per_view
        #: Heads of requests: what the plan says of a page's, and what others have more or less, as measured.
        self.head = plan.requests.head_bytes
        more = self.head - costs.request_bytes
        self.confirm_head = max(0.0, costs.confirm_request_bytes + more)
        self.batch_head = max(0.0, costs.batch_request_bytes + more)
        self.load_head = max(0.0, costs.load_request_bytes + more)
        #: Bytes of the load document beyond that of one node.
        self.others = (nodes - 1) * costs.load_node_bytes

    def flows(self) -> list[Flow]:
        """Of all kinds."""
        return [*self._bodies(), *self._confirmations(), *self._load(), *self._connections()]

    def demand(self) -> Demand:
        """See the module."""
        kept = held(self.plan.session.think, self.plan.requests.keep_alive_s)
        resting = self.plan.requests.connections_per_user * kept / self.plan.session.think.mean_s
        sockets = self.plan.push.share
        each = self.costs.kernel_memory + self.costs.tls_memory * self.plan.requests.tls_share
        memory = (resting + sockets) * each
        memory += resting * self.costs.connection_memory + sockets * self.costs.socket_memory
        return Demand.of(self.flows(), resting + sockets, memory)

    def _request(self, name: str, rate: float, request: float, answer: float, cpu_s: float) -> Flow:
        cpu_s += self.plan.requests.tls_share * self.costs.tls_request_s
        return Flow(name, rate, *self.wire.exchange(request, answer), cpu_s)

    def _bodies(self) -> list[Flow]:
        pages, costs = self.plan.pages, self.costs
        missing = self.views * pages.missing_share * pages.resources_per_view
        changed = self._confirming() * self.lines * pages.changed_share
        first = self.first_views * pages.resources_per_view

        def bodies(name: str, rate: float, kilobytes: float, head: float = self.head) -> Flow:
            return self._request(name, rate, head, costs.body_head_bytes + kilobytes * 1000,
                                 costs.body_s + costs.body_s_per_kilobyte * kilobytes)  # fmt: skip

        client = pages.client_kilobytes / max(1, pages.client_files)
        return [
            bodies("first visits", first, pages.kilobytes_per_resource),
            bodies("missing", missing, pages.kilobytes_per_resource),
            bodies("new versions", changed, pages.kilobytes_per_resource, self.confirm_head),
            bodies("smart client", self.first_views * pages.client_files, client),
        ]

    def _confirming(self) -> float:
        """Views, and publishes that are told, after which what is shown is confirmed."""
        push = self.plan.push
        told = push.share * push.publishes_per_hour / 3600
        return self.views * (1 - push.share * push.spared_share) + told

    def _confirmations(self) -> list[Flow]:
        requests, costs = self.plan.requests, self.costs
        rate = self._confirming()
        # Lone copies are asked for without a batch: up to two a view they are one, or two in a batch.
        alone = self.lines if requests.confirm == "each" else min(self.lines, max(0.0, 2 - self.lines))
        current = rate * alone * (1 - self.plan.pages.changed_share)
        lone = self._request(
            "304", current, self.confirm_head, costs.not_modified_bytes, costs.not_modified_s
        )
        if self.lines <= alone:
            return [lone]
        batches = max(self.lines / MOST_LINES, min(1.0, self.lines - 1))
        lines = (self.lines - alone) / batches
        request = self.batch_head + lines * (costs.validator_bytes + self.plan.pages.path_bytes)
        answer = costs.batch_answer_bytes + STALE_BYTES * lines * self.plan.pages.changed_share
        cpu_s = costs.batch_s + costs.validator_s * lines
        return [lone, self._request("batches", rate * batches, request, answer, cpu_s)]

    def _load(self) -> list[Flow]:
        push, costs = self.plan.push, self.costs
        polls = (1 - push.share) * min(1 / self.plan.session.think.mean_s, 1000 / TTL_MS)
        answer = costs.load_answer_bytes + costs.load_node_bytes + self.others
        cpu_s = costs.body_s + costs.body_s_per_kilobyte * answer / 1000
        pushed = self.wire.exchange(0, costs.push_bytes + self.others)
        told = self.wire.exchange(0, CHANGED_BYTES)
        publishes = push.publishes_per_hour / 3600
        return [
            self._request("load polls", polls, self.load_head, answer, cpu_s),
            Flow("load pushes", push.share / push.load_period_s, *pushed, costs.push_s, False),
            Flow("publishes told", push.share * publishes, *told, costs.push_s, False),
        ]

    def _connections(self) -> list[Flow]:
        requests, push, costs = self.plan.requests, self.plan.push, self.costs
        lapsed = survival(self.plan.session.think)(requests.keep_alive_s)
        opened = requests.connections_per_user * (self.sessions + self.views * lapsed)
        sockets = push.share * self.sessions
        every = opened + sockets
        full = every * requests.tls_share * (1 - requests.tls_resumed_share)
        resumed = every * requests.tls_share * requests.tls_resumed_share
        plain = Wire(requests.ip_version)
        wholly = plain.exchange(costs.handshake_in_bytes, costs.handshake_out_bytes)
        shortly = plain.exchange(costs.resumed_in_bytes, costs.resumed_out_bytes)
        return [
            Flow("connections", every, *plain.connection(), costs.connection_s, False),
            Flow("TLS handshakes", full, *wholly, costs.handshake_s, False),
            Flow("TLS resumptions", resumed, *shortly, costs.resumed_s, False),
            self._request("sockets", sockets, self.head, costs.body_head_bytes, costs.upgrade_s),
        ]

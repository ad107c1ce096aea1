"""The Prometheus exposition, from what the node counts anyway: it costs nothing until somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from edge.load.meters import Measurement
from edge.node.telemetry import tls_figures
from edge.node.telemetry.application_figures import Figures, application_families
from edge.table.site_counts import SiteAnswers


class SpanFigures(NamedTuple):
    """What has become of the spans of requests so far."""

    #: They are in a ring, or were.
    written: int
    #: There was no room for them in a ring.
    dropped: int
    #: The collector has them.
    exported: int
    #: The collector did not take them.
    lost: int
    #: What was sent last, it did not take.
    is_failing: bool


class Snapshot(NamedTuple):
    """What the metrics are made from, at one moment."""

    version: str
    node: str
    cluster: str
    #: Counters of each worker by name, see edge.table.counters.
    workers: Mapping[int, Mapping[str, int]]
    #: Restarts of each worker.
    restarts: Mapping[int, int]
    #: edge.table.writer.Writer.statistics().
    table: Mapping[str, int | float | bool]
    #: None until there are any.
    measured: Measurement | None
    weight: float
    #: By name, of :meth:`edge.node.cluster.clusterview.ClusterView.metrics`; empty: a node alone.
    gossip: Mapping[str, float] = MappingProxyType({})
    #: Seconds since the newest key of session tickets became known here.
    ticket_key_age: float = 0.0
    #: File of a certificate -> when it ends, in Unix seconds, and whether something is wrong with it.
    certificates: Mapping[str, tuple[float, bool]] = MappingProxyType({})
    #: Of the applications behind the node.
    applications: Figures = ()
    #: Requests that were written down in the access log, and those that it had no room for.
    logged: tuple[int, int] = (0, 0)
    #: None: requests are not traced.
    spans: SpanFigures | None = None
    #: By name of the site; empty: there is one for all hosts.
    sites: Mapping[str, SiteAnswers] = MappingProxyType({})


#: metric -> (help, {label values -> counter}); the labels are named by :data:`_LABELS`.
_COUNTERS: dict[str, tuple[str, dict[tuple[str, ...], str]]] = {
    "edge_requests": (
        "Requests answered, by the way they took",
        {("fast",): "requests", ("twisted",): "twisted_requests"},
    ),
    "edge_fast_responses": (
        "Answers of the fast path, by kind",
        {("304",): "not_modified", ("200",): "ok", ("revalidation",): "revalidations"},
    ),
    "edge_twisted_responses": (
        "Answers of the Twisted side, and those that applications gave, by class of status",
        {(f"{digit}xx",): f"twisted_{digit}xx" for digit in range(1, 6)},
    ),
    "edge_shared_answers": (
        "Requests to applications, by what the shared cache made of them; one may count twice",
        {(kind,): f"answers_{kind}" for kind in ("hit", "stale", "filled", "coalesced", "passed")},
    ),
    "edge_validators": ("Validators in batch revalidations", {(): "validators"}),
    "edge_connections_accepted": ("Connections accepted", {(): "accepts"}),
    "edge_connections_refused": (
        "Connections closed at once, by the limit that they met",
        {("total",): "refused_total", ("address",): "refused_address", ("share",): "refused_share"},
    ),
    "edge_refused_requests": (
        "Requests that rules refused: too often (429), without a password (401), from other networks (403)",
        {("rate",): "refused_rate", ("login",): "refused_login", ("network",): "refused_network"},
    ),
    "edge_handoffs": ("Connections given to Twisted", {(): "handoffs"}),
    "edge_returns": ("Connections given back to the fast path", {(): "returns"}),
    "edge_timeouts": (
        "Connections closed because something took too long",
        {("head",): "timeouts_head", ("idle",): "timeouts_idle", ("write",): "timeouts_write"},
    ),
    "edge_received_bytes": (
        "Bytes received, by the way they took",
        {("fast",): "bytes_in", ("twisted",): "twisted_bytes_in"},
    ),
    "edge_sent_bytes": (
        "Bytes sent, by the way they took",
        {("fast",): "bytes_out", ("twisted",): "twisted_bytes_out"},
    ),
    "edge_tls_handshakes": (
        "Hellos of TLS on the fast path, by what became of them",
        {(label,): name for label, name in tls_figures.HANDSHAKES.items()},
    ),
    "edge_tls_ciphers": (
        "Handshakes completed, by cipher suite",
        {(label,): name for label, name in tls_figures.CIPHERS.items()},
    ),
    "edge_tls_groups": (
        "Handshakes with a key exchange, by its group",
        {(label,): name for label, name in tls_figures.GROUPS.items()},
    ),
    "edge_tls_alerts": (
        "Fatal alerts of TLS on the fast path, by who sent them and their kind",
        {
            **{("us", kind): name for kind, name in tls_figures.ALERTS_SENT.items()},
            **{("peer", kind): name for kind, name in tls_figures.ALERTS_RECEIVED.items()},
        },
    ),
    "edge_tls_key_updates": ("Key updates of peers", {(): "tls_key_updates"}),
}
#: gauge of a worker -> (help, counter, units of the counter in one of the metric).
_GAUGES = {
    "edge_connections": ("Connections open now", "connections", 1.0),
    "edge_websockets": ("WebSockets of /.edge/socket open now", "sockets", 1.0),
    "edge_upstream_connections_resting": (
        "Connections of Python to HTTP upstreams that rest: of a worker 32 to each server at most",
        "upstreams_resting",
        1.0,
    ),
    "edge_relay_connections_resting": (
        "Connections of the relay to HTTP upstreams that rest: of a worker 32 to each server at most",
        "relay_resting",
        1.0,
    ),
    "edge_reactor_lag_seconds": ("How late the reactor is", "lag_us", 1e6),
    "edge_tls_handshakes_in_progress": ("Handshakes of TLS under way now", "tls_handshakes", 1.0),
    "edge_tls_states": (
        "TLS connections past their handshake, of the fast path, open now",
        "tls_states",
        1.0,
    ),
}
_LABELS = {
    "edge_requests": ("path",),
    "edge_fast_responses": ("kind",),
    "edge_shared_answers": ("result",),
    "edge_twisted_responses": ("status",),
    "edge_connections_refused": ("limit",),
    "edge_refused_requests": ("rule",),
    "edge_timeouts": ("what",),
    "edge_received_bytes": ("path",),
    "edge_sent_bytes": ("path",),
    "edge_tls_handshakes": ("result",),
    "edge_tls_ciphers": ("cipher",),
    "edge_tls_groups": ("group",),
    "edge_tls_alerts": ("sender", "kind"),
}
_TABLE = {
    "entries": "Live entries",
    "slots": "Slots",
    "arena_bytes": "Bytes of the arena",
    "arena_free_bytes": "Free bytes of the arena",
    "retired_blocks": "Blocks that wait for readers",
    "sequence": "Publishes and purges so far",
    "complete": "1 if everything that is published is in the table",
    "spilled": "Bodies that went to a file because the arena was full",
}
#: Figures of the cluster -> help; what ends in ``_total`` is a counter.
CLUSTER = {
    "probes_total": "Probes begun",
    "acks_total": "Probes answered",
    "indirect_probes_total": "Requests to others to probe a member that did not answer",
    "stream_probes_total": "Probes sent over a stream because no datagram was answered",
    "failed_probes_total": "Probes that nobody answered",
    "suspicions_total": "Members that this node began to suspect",
    "false_suspicions_total": "Suspicions that were refuted",
    "deaths_total": "Members declared dead",
    "refutations_total": "Times that this node had to refute a suspicion of itself",
    "trials_total": "Trials that this node passed through to come back",
    "unproved_total": "What was said of a node's life or load that it did not sign, or that cannot be",
    "late_ticks_total": "Times that the clock of the membership was called late",
    "refused_malformed_total": "Datagrams dropped: too short, too long or of another version",
    "refused_unknown_total": "Datagrams dropped: of no session",
    "refused_forged_total": "Datagrams dropped: the seal does not fit",
    "refused_replayed_total": "Datagrams dropped: taken before, or too old to tell",
    "refused_streams_total": "Streams refused: certificate, cluster, name or version",
    "unreached_total": "Dialled streams that did not open",
    "datagram_bytes_in_total": "Bytes of datagrams received",
    "datagram_bytes_out_total": "Bytes of datagrams sent",
    "membership_bytes_total": "Bytes of membership news in packets sent",
    "load_bytes_total": "Bytes of load figures in packets sent",
    "table_bytes_total": "Bytes of table news in packets sent",
    "table_wants_total": "Reads of another node's change log begun",
    "table_generations_total": "New generations of this node's own change log",
    "table_chunks_total": "Chunks of change logs received",
    "table_chunks_sent_total": "Chunks of change logs sent",
    "table_applied_total": "Changes of others that were applied",
    "table_superseded_total": "Changes of others that were older than what was here",
    "table_future_refused_total": "Changes refused because they are dated years ahead",
    "table_dated_anew_total": "Changes dated anew after the date of this node had been years ahead",
    "table_unproved_total": "Changes of others that their origin did not sign",
    "table_distrusted_total": "Times that a peer did not prove what it said of a change log",
    "table_revoked_total": "Changes that count no longer since the certificate of their origin is revoked",
    "table_no_room_total": "Changes of others for which there was no room: their origin has too many paths",
    "table_signed_anew_total": "Own changes that were signed anew with a new certificate",
    "table_repairs_total": "Anti-entropy exchanges begun",
    "table_repaired_total": "Entries received by anti-entropy",
    "table_differing_buckets_total": "Buckets that differed in anti-entropy exchanges",
    "bodies_fetched_total": "Bodies fetched from other nodes",
    "bodies_bytes_total": "Bytes of these bodies",
    "bodies_resumed_total": "Fetches that went on where another broke off",
    "bodies_wrong_hash_total": "Bodies that were not what their digest says",
    "bodies_failures_total": "Fetches in which a holder gave nothing, or broke off",
    "members_alive": "Other members that are alive",
    "members_suspect": "Other members that are suspected",
    "members_dead": "Other members that are dead",
    "members_left": "Other members that left",
    "health": "Health score of this node, 0: good; each step adds to its patience with others",
    "troubles": "What only an operator can mend: clocks, names, changes that are not taken",
    "news_queue": "News that wait to be told",
    "apply_queue": "Changes that wait to be put into the shared table",
    "missing_bodies": "Bodies that this node lacks still",
    "behind": "Changes that others have and this node does not",
    "reactor_lag_seconds": "How late the supervisor's reactor was at worst lately",
    "lag_p50_seconds": "Median of the last 1,000 changes: from publish to here",
    "lag_p99_seconds": "99th percentile of the last 1,000 changes: from publish to here",
    "answers_taken_total": "Answers of applications that other nodes had asked for",
    "answers_ridden_total": "Of the answers taken from other nodes, those whose bodies came along",
    "answers_refused_total": "Answers of other nodes not taken: a change is newer, or no body, or no room",
    "answers_alone_total": "Questions to applications that other nodes may ask as well: nobody said who does",
    "answers_told_total": "Answers that the other nodes were told of since they are asked for often",
    "groups_changed_total": "Changes of cache groups made at this node",
    "groups_unsettled_total": "Changes of cache groups that some connected node did not confirm in time",
    "groups_applied_total": "Changes of cache groups that other nodes made",
    "groups_doubts_total": "Times that all stored answers became doubtful: changes of a node may be missing",
    "groups_settled_p50_seconds": "Median of the last 1,024 changes: until all connected nodes had confirmed",
    "groups_settled_p99_seconds": "99th percentile of the last 1,024 changes: until all had confirmed",
}


def _site_families(sites: Mapping[str, SiteAnswers]) -> Iterator[Metric]:
    """What was answered at each site by all workers; nothing, if there is one for all hosts."""
    requests = CounterMetricFamily(
        "edge_site_requests", "Requests answered, by site and class of status", labels=["site", "status"]
    )
    sent = CounterMetricFamily("edge_site_sent_bytes", "Bytes of bodies of answers, by site", labels=["site"])
    for name, answers in sites.items():
        for digit, count in enumerate(answers.by_class, 1):
            requests.add_metric([name, f"{digit}xx"], count)
        sent.add_metric([name], answers.sent)
    if sites:
        yield from (requests, sent)


def _families(now: Snapshot) -> Iterator[Metric]:
    info = InfoMetricFamily("edge", "This node")
    info.add_metric([], {"version": now.version, "node": now.node, "cluster": now.cluster})
    yield info
    for name, (text, cells) in _COUNTERS.items():
        family = CounterMetricFamily(name, text, labels=("worker", *_LABELS.get(name, ())))
        for worker, counted in now.workers.items():
            for labels, counter in cells.items():
                family.add_metric([str(worker), *labels], counted.get(counter, 0))
        yield family
    restarts = CounterMetricFamily(
        "edge_worker_restarts", "Workers started in place of a dead one", labels=["worker"]
    )
    handshake_time = CounterMetricFamily(
        "edge_tls_handshake_seconds", "Time that handshakes of TLS took", labels=["worker"]
    )
    for worker, counted in now.workers.items():
        restarts.add_metric([str(worker)], now.restarts.get(worker, 0))
        handshake_time.add_metric([str(worker)], counted.get("tls_handshake_us", 0) / 1e6)
    yield from (restarts, handshake_time)
    for name, (text, counter, units) in _GAUGES.items():
        gauge = GaugeMetricFamily(name, text, labels=["worker"])
        for worker, counted in now.workers.items():
            gauge.add_metric([str(worker)], counted.get(counter, 0) / units)
        yield gauge
    for name, text in _TABLE.items():
        yield GaugeMetricFamily(
            f"edge_table_{name}", f"{text} (shared table)", value=float(now.table.get(name, 0))
        )
    yield GaugeMetricFamily(
        "edge_tls_ticket_key_age_seconds",
        "Age of the newest key of session tickets, as this node knows it",
        value=now.ticket_key_age,
    )
    ends = GaugeMetricFamily(
        "edge_tls_certificate_expiry_timestamp_seconds", "When a certificate ends", labels=["file"]
    )
    problems = GaugeMetricFamily(
        "edge_tls_certificate_problem", "1 if a certificate cannot be used or not be renewed", labels=["file"]
    )
    for file, (end, is_wrong) in now.certificates.items():
        ends.add_metric([file], end)
        problems.add_metric([file], float(is_wrong))
    yield from (ends, problems)
    yield from _site_families(now.sites)
    yield from application_families(now.applications)
    yield CounterMetricFamily(
        "edge_access_log_records", "Requests that were written down for the access log", value=now.logged[0]
    )
    yield CounterMetricFamily(
        "edge_access_log_dropped",
        "Requests that the access log had no room for",
        value=now.logged[1],
    )
    if now.spans is not None:
        spans = CounterMetricFamily(
            "edge_trace_spans",
            "Spans of requests: written into a ring, dropped for want of room there, sent to the collector, "
            "lost since the collector did not take them",
            labels=["result"],
        )
        for result in ("written", "dropped", "exported", "lost"):
            spans.add_metric([result], getattr(now.spans, result))
        yield spans
        yield GaugeMetricFamily(
            "edge_trace_collector_failing",
            "1 if the collector did not take what was sent last",
            value=float(now.spans.is_failing),
        )
    for name, value in now.gossip.items():
        kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
        yield kind(f"edge_gossip_{name.removesuffix('_total')}", CLUSTER.get(name, name), value=value)
    if now.measured is not None:
        shares = GaugeMetricFamily("edge_share", "Used share of what the node has", labels=["of"])
        for name, value in now.measured.shares._asdict().items():
            shares.add_metric([name], value)
        yield shares
        utilization = now.measured.shares.utilization
        yield GaugeMetricFamily("edge_utilization", "The worst of the shares", value=utilization)
        yield GaugeMetricFamily("edge_weight", "What clients draw this node with", value=now.weight)


class _Collector:
    """Gives prometheus_client one snapshot's families."""

    def __init__(self, now: Snapshot) -> None:
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """The metric families of the snapshot."""
        return _families(self._now)


def render(now: Snapshot) -> tuple[str, bytes]:
    """The exposition of *now* after its content type, with the metrics of this Python process."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    registry.register(_Collector(now))
    return CONTENT_TYPE_LATEST, generate_latest(registry)

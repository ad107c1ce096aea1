"""A node, put together: each part is given what it needs, and nothing gives it the node.

::

    store, table writer          what is published, on disk and in shared memory
    cluster                      if this node is one of several
    applications                 what the node runs beside the site
    publisher, auto-publisher    from the webroot to the table
    worker host, workers         who answers requests
    load, status                 what the node tells of itself
    admin server                 what it is told
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from edge.cache.groups import Groups
from edge.config.publishing import publish_settings, site_hosts
from edge.config.trying import Trial, try_request
from edge.fastpath.answerer import monotonic_ms
from edge.node.bodies.store import BodyStore
from edge.node.process.bucket_memory import BucketMemory
from edge.node.process.clocks import date_of
from edge.node.process.own_resources import ADDRESSES
from edge.node.process.periodic import Periodic
from edge.node.process.slices import Slices
from edge.node.publishing.auto_publisher import AutoPublisher
from edge.node.publishing.publisher import NotYet, Publisher
from edge.node.publishing.scrubber import Scrubber
from edge.node.publishing.sites import Gathering, PublishedSite, PublishedSites, SiteTable
from edge.node.publishing.table import LocalTable
from edge.node.resources.mount_check import mount_problems
from edge.node.supervisor.admin_server import AdminServer
from edge.node.supervisor.administration import Administration
from edge.node.supervisor.answer_purging import AnswerPurging
from edge.node.supervisor.answers import AnswerStore
from edge.node.supervisor.certificate_report import CertificateReport
from edge.node.supervisor.explaining import Explaining
from edge.node.supervisor.exporting import make_exporter
from edge.node.supervisor.group_news import GroupNews
from edge.node.supervisor.hiding import Hiding, user_files
from edge.node.supervisor.hosting.applications import Applications
from edge.node.supervisor.inspection import Inspection
from edge.node.supervisor.keepers import make_keeper, make_ticket_keeper
from edge.node.supervisor.node import Node, Part
from edge.node.supervisor.plan import automatic_files, capacity, public_url, site_url
from edge.node.supervisor.reloading import Reloader
from edge.node.supervisor.user_files import LOOK_SECONDS as USERS_LOOK_SECONDS
from edge.node.supervisor.user_files import UserFiles
from edge.node.supervisor.worker_host import WorkerHost
from edge.node.supervisor.workers import make_workers
from edge.node.telemetry.accesslog import AccessLog
from edge.node.telemetry.load_publisher import LoadPublisher
from edge.node.telemetry.log_outputs import try_output
from edge.node.telemetry.refusals import Refusals
from edge.node.telemetry.sampler import Sampler
from edge.node.telemetry.status_publisher import StatusPublisher
from edge.publish.store import Store
from edge.sites import Hosts
from edge.table.site_state import StateEntry
from edge.table.writer import Writer
from edge.trust.kept_certificate import LOOK_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.config import Application, Config
    from edge.gossip.invalidation import Apply
    from edge.node.cluster.assembly import ClusterParts
    from edge.node.cluster.group_lane import GroupLane
    from edge.node.process.life import Life
    from edge.node.publishing.table import Table
    from edge.node.supervisor.configuration import Configuration
    from edge.node.supervisor.opening import Opened
    from edge.node.supervisor.workers import Workers
    from edge.publish.blobs import Blobs
    from edge.publish.problems import Problem

#: Seconds between two attempts to free memory that no worker reads any more.
RECLAIM_SECONDS = 1.0
#: Memberships in cache groups that there is room for, 16 bytes each, for each entry of the table.
GROUPS_OF_AN_ENTRY = 4

_log = Logger()


def make_node(
    configuration: Configuration,
    opened: Opened,
    life: Life,
    drain: Callable[[], None],
    give_up: Callable[[str], None],
    reactor: Any,
) -> Node:
    """The node of *configuration* on what was *opened*, not started yet.

    *drain* begins the end of the process, *give_up* ends it with the reason.  Raises an
    :class:`~edge.errors.EdgeError` for what a user can mend.
    """
    config = configuration.current
    opened.state_dir.write_pid()
    if config.access_log is not None:
        try_output(config.access_log)  # later the node does without, now it is a mistake
    access_log = AccessLog(max(config.worker_count, 1), config.access_log, config.access_log_format, reactor)
    exporter = make_exporter(config, opened.worker_user, reactor)
    store = Store(str(config.cache_dir), _report)
    writer = Writer(opened.segment)
    slices = Slices(reactor)
    state = StateEntry(writer, lambda: date_of(reactor), Hiding(configuration).is_hidden)
    buckets = BucketMemory.create(config.ipv6_prefix)
    users = UserFiles(lambda: user_files(configuration.current), lambda: workers.take_users())
    users.start_with()
    groups = Groups(limit=GROUPS_OF_AN_ENTRY * config.table_entries)
    answers = AnswerStore(writer, opened.segment, reactor, monotonic_ms, groups)
    answers.index(groups)
    news = GroupNews(reactor, partial(_site_of, config))
    cluster = _make_cluster(
        config, opened, store.blobs, writer, state, answers, groups, slices, reactor, news.note
    )
    view = cluster.view if cluster is not None else None

    bodies = cluster.bodies if cluster is not None else BodyStore(store.blobs)
    table = cluster.table if cluster is not None else _local_table(config, writer, state, reactor)
    sites = _make_sites(config, store, bodies, table, writer, slices, reactor)

    async def fetch(path: bytes, etag: bytes) -> bool:
        """Have the body *etag* of *path* in the blob store, whole: a worker found it missing or damaged."""
        if await sites.restore(path, etag):
            return True
        return cluster is not None and await cluster.missing.fetch(path, etag)

    applications = Applications(config.applications, opened.worker_user, reactor)
    tickets = make_ticket_keeper(config, cluster, lambda: workers.take_ticket_keys(), reactor)
    lane = cluster.groups if cluster is not None else _lone_lane(config, answers, groups, reactor, news.note)
    answers.changed = lane.changed
    host = WorkerHost(
        configuration,
        opened.listeners,
        opened.segment,
        opened.descriptors,
        writer,
        sites.look_up,
        fetch,
        lambda: tickets.keys,
        opened.blobs,
        answers,
        opened.worker_user,
        applications.connect,
        access_log=access_log,
        buckets=buckets.fd,
        users=lambda: users.packed,
        exporter=exporter,
    )
    workers = make_workers(config.worker_count, host, opened.segment, give_up, reactor)
    answers.refiller = workers
    news.begin(lane.core.vector, workers.tell_groups)
    host.group_news = news.present

    def look_at_certificates() -> None:
        """Have workers show those that are new."""
        if opened.look_at_certificates():
            Deferred.fromCoroutine(_certify(workers))

    keeper = make_keeper(config, cluster, opened, life, table, bodies, look_at_certificates, reactor)
    load = LoadPublisher(
        name=config.node,
        cluster=config.cluster,
        url=public_url(config, opened.listeners),
        life=life,
        samples=Sampler(opened.segment, lambda: [one.pid for one in workers.status() if one.pid]),
        capacity=capacity(config, opened.descriptors),
        table=writer,
        others=view,
        clock=reactor,
        publishes=any(site.webroot is not None for site in config.sites),
        state=state,
        sites=_load_urls(config, opened),
    )
    status = StatusPublisher(
        name=config.node,
        workers=max(config.worker_count, 1),
        life=life,
        fast_path=lambda: workers.fast_path,
        counters=opened.segment,
        table=writer,
        load=load,
        gossip=view.status if view is not None else None,
        clock=reactor,
        audience=config.status,
        applications=lambda: applications.status(measured=False),
        several_sites=len(config.sites) > 1,
    )
    files = automatic_files(config)
    report = CertificateReport(
        opened.listeners,
        files.certificate if files is not None else None,
        lambda: keeper.record if keeper is not None else None,
    )
    inspection = Inspection(
        certificates=report,
        tickets=tickets,
        configuration=configuration,
        life=life,
        urls=opened.urls,
        workers=workers,
        segment=opened.segment,
        table=writer,
        sites=sites,
        load=load,
        cluster=view,
        reactor=reactor,
        applications=applications.status,
        logged=access_log.figures,
        exporter=exporter,
    )

    async def is_published(path: bytes) -> bool:
        try:
            return await sites.look_up(path) is not None
        except NotYet:
            return False

    def configured() -> tuple[Application, ...]:
        return configuration.current.applications

    def hosts() -> Hosts:
        return Hosts(site_hosts(configuration.current))

    def attempt(url: str, method: str, fields: Mapping[bytes, bytes], visitor: str) -> Trial:
        return try_request(configuration.current, sites, url, method, fields, visitor)

    explaining = Explaining(
        configured, answers, is_published, lambda: lane.is_sure(), hosts, config.traces is not None
    )
    administration = Administration(
        sites, lambda: writer.sequence, drain, keeper, tickets, reactor, applications,
        AnswerPurging(configured, lane.changed, hosts), explaining.explain, hosts, attempt,
    )  # fmt: skip
    parts: list[Part] = [
        access_log,
        *([exporter] if exporter is not None else ()),
        AdminServer(opened.admin_listener, opened.admin_token(), inspection, administration, view, reactor),
        cluster.cluster if cluster is not None else lane,
        applications,
        Periodic(writer.reclaim, RECLAIM_SECONDS, reactor),
        *([answers] if config.applications else ()),
        Periodic(look_at_certificates, LOOK_SECONDS, reactor),
        Periodic(users.look, USERS_LOOK_SECONDS, reactor),
        tickets,
        *([keeper] if keeper is not None else ()),
        load,
        status,
        Refusals(opened.segment, reactor),
    ]
    return Node(
        configuration=configuration,
        opened=opened,
        life=life,
        store=store,
        cluster=cluster,
        sites=sites,
        scrubber=Scrubber(store.blobs, sites.renew, reactor),
        workers=workers,
        applications=applications,
        load=load,
        exporter=exporter,
        parts=parts,
        reloader=Reloader(
            configuration,
            opened.listeners,
            opened.descriptors,
            host,
            sites,
            workers,
            load,
            cluster.cluster if cluster is not None else None,
            lambda mounts: deferToThreadPool(reactor, reactor.getThreadPool(), mount_problems, mounts),
            access_log=access_log,
        ),
        give_up=give_up,
        reactor=reactor,
    )


def _make_sites(
    config: Config,
    store: Store,
    bodies: BodyStore,
    table: Table,
    writer: Writer,
    slices: Slices,
    reactor: Any,
) -> PublishedSites:
    """A publisher for each site, over one *table*."""

    def show_rules(prefix: bytes, document: bytes) -> None:
        """Tell workers of rules that are no entries."""
        if not writer.put_template(prefix + ADDRESSES, b"", b"", document):
            _log.error("the rules of addresses do not fit into the table's memory; give --arena-mib more")

    sites = config.sites
    prefixes = [site.prefix.encode("ascii") for site in sites]
    with_files = [prefix for prefix, site in zip(prefixes, sites, strict=True) if site.webroot is not None]
    gathering = Gathering(table, prefixes, with_files)
    made = []
    for site, prefix in zip(sites, prefixes, strict=True):
        seen = SiteTable(gathering, prefix) if len(sites) > 1 or prefix else table
        settings = publish_settings(config, site)
        show = partial(show_rules, prefix)
        publisher = Publisher(settings, store, bodies, seen, slices, reactor, prefix, show)
        made.append(
            PublishedSite(site.name, prefix, publisher, AutoPublisher(publisher, config.watch, reactor))
        )
    return PublishedSites(made, table)


def _site_of(config: Config, application: str) -> str | None:
    """The prefix of the site of *application*; None: with several sites, an unknown one may be of any."""
    alone = "" if len(config.sites) == 1 else None
    return next((one.site for one in config.applications if one.name == application), alone)


def _load_urls(config: Config, opened: Opened) -> list[tuple[bytes, Callable[[str], str]]]:
    """The sites that have load documents of their own: the prefix, and where nodes are for their browsers."""
    return [
        (site.prefix.encode("ascii"), partial(site_url, config, site, opened.listeners))
        for site in config.sites
        if site.prefix
    ]


async def _certify(workers: Workers) -> None:
    for problem in await workers.certify():
        _log.error("the certificate stays as it was: {problem}", problem=problem)


def _make_cluster(
    config: Config,
    opened: Opened,
    blobs: Blobs,
    writer: Writer,
    state: StateEntry,
    answers: AnswerStore,
    groups: Groups,
    slices: Slices,
    reactor: Any,
    told: Apply,
) -> ClusterParts | None:
    if config.gossip is None:
        return None
    # Not before the listeners are open: twisted.internet.endpoints takes LISTEN_FDS out of the
    # environment when it is imported.
    from edge.node.cluster.assembly import make_cluster

    url = public_url(config, opened.listeners)
    return make_cluster(config, url, blobs, writer, state, answers, groups, slices, reactor, told)


def _lone_lane(config: Config, answers: AnswerStore, groups: Groups, reactor: Any, told: Apply) -> GroupLane:
    from edge.node.cluster.assembly import make_lone_lane

    return make_lone_lane(config.node, answers, groups, reactor, told)


def _local_table(config: Config, writer: Writer, state: StateEntry, reactor: Any) -> LocalTable:
    return LocalTable(writer, state, config.node, int(date_of(reactor) * 1000))


def _report(problem: Problem) -> None:
    _log.warn("{problem}", problem=problem)

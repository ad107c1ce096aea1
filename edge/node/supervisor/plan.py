"""From the configuration of a node to what its parts are told."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from edge.confinement.confine import Confinement
from edge.descriptors import connection_limit, file_limit, node_connections
from edge.load.meters import Capacity
from edge.machine import cores
from edge.node.process import control
from edge.node.process.settings import SiteSettings, TraceSettings, WorkerSettings
from edge.node.supervisor.directories import SAME_USER, User
from edge.node.telemetry.sampler import nic_bps
from edge.trust.automatic import HTTP_01, TLS_ALPN_01
from edge.trust.automatic_files import AutomaticFiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.config import Config, Site
    from edge.node.supervisor.listeners import Listener


def worker_settings(
    config: Config,
    listeners: Sequence[Listener],
    index: int,
    descriptors: int,
    own_process: bool,
    user: User = SAME_USER,
) -> WorkerSettings:
    """The settings of worker *index*.

    *descriptors*: how many a process may have open.  *own_process*: it becomes *user*, and inherits its
    listeners and the folder of blobs (see :mod:`edge.node.process.control`); else it uses the supervisor's.
    """
    workers = max(config.worker_count, 1)
    wanted = None if config.connections is None else -(-config.connections // workers)
    connections = connection_limit(descriptors, wanted)
    return WorkerSettings(
        index=index,
        fast_path=config.fast_path,
        listeners=tuple(
            listener.settings(
                control.FIRST_LISTENER_FD + number if own_process else listener.socket_for(index).fileno()
            )
            for number, listener in enumerate(listeners)
        ),
        blobs=f"/proc/self/fd/{control.BLOBS_FD}" if own_process else str(config.cache_dir / "blobs"),
        connections=connections,
        connections_per_address=config.connections_per_address,
        ipv6_prefix=config.ipv6_prefix,
        files=file_limit(descriptors, connections),
        head_seconds=config.head_seconds,
        idle_seconds=config.idle_seconds,
        write_seconds=config.write_seconds,
        least_rate=config.least_rate,
        body_bytes=config.body_max_mib * 1024 * 1024,
        sites=tuple(site_settings(config, site, listeners) for site in config.sites),
        proxy_protocol=config.proxy_protocol,
        trusted_proxies=config.trusted_proxies,
        https_port=https_port(config, listeners) if config.redirect_https else None,
        tls_policy=config.tls_policy,
        hsts=config.hsts or "",
        node=config.node,
        speculation=config.speculation,
        speculation_rules=config.speculation_rules,
        status=config.status,
        link_bps=nic_bps(config.nic_mbit) / workers,
        mounts=config.mount,
        applications=config.applications,
        logs=config.access_log is not None,
        log_every=config.access_log_every if config.access_log_requests == "all" else 0,
        traces=_traces(config, control.FIRST_LISTENER_FD + len(listeners)),
        drain_seconds=float(config.drain_seconds),
        confinement=_confinement(config, user) if own_process else Confinement(),
    )


def _traces(config: Config, ring: int) -> TraceSettings | None:
    if config.traces is None:
        return None
    return TraceSettings(ring, config.traces_sample, config.traces_from)


def _confinement(config: Config, user: User) -> Confinement:
    """What a worker process gives up; with a mounted application no files, for who knows what that needs."""
    return Confinement(
        mode=config.confinement,
        uid=user.uid,
        gid=user.gid,
        restricts=not config.mount,
        readable=(f"/proc/self/fd/{control.BLOBS_FD}",),
        writable=(tempfile.gettempdir(),),
    )


def public_url(config: Config, listeners: Sequence[Listener]) -> str:
    """How browsers reach this node: as configured, or where it listens."""
    if config.public_url is not None:
        return config.public_url
    urls = [listener.url for listener in listeners if listener.url.startswith("http")]
    return urls[0] if urls else "http://localhost"


def site_settings(config: Config, site: Site, listeners: Sequence[Listener]) -> SiteSettings:
    """What workers are told of *site*."""
    url = site_url(config, site, listeners, config.node)
    return SiteSettings(
        prefix=site.prefix,
        hosts=site.hosts,
        default=site.default,
        allow_origins=tuple(dict.fromkeys((*filter(None, (url,)), *site.allow_origin))),
        url=url,
        auth=site.auth,
        access=site.access,
        rates=site.rate,
        index=site.index,
        zstd=config.zstd_level > 0,
    )


def site_url(config: Config, site: Site, listeners: Sequence[Listener], node: str) -> str:
    """How browsers reach *site* at the node named *node*; "": that depends on the host.

    As configured; else the default site is where the node is, and another one is at its first host.
    """
    own = public_url(config, listeners)
    if site.public_url is not None:
        return site.public_url.replace("{node}", node)
    if site.default:
        return own
    host = next((host for host in site.hosts if not host.startswith("*.")), "")
    parts = urlsplit(own)
    port = f":{parts.port}" if parts.port is not None else ""
    return f"{parts.scheme}://{host}{port}" if host else ""


def https_port(config: Config, listeners: Sequence[Listener]) -> int | None:
    """Where browsers find this node's HTTPS: in its public URL, or where it listens; None: nowhere."""
    secure = [listener.url for listener in listeners if listener.spec.kind == "tls"]
    if not secure:
        return None
    public = config.public_url or ""
    return urlsplit(public if public.startswith("https:") else secure[0]).port or 443


def automatic_files(config: Config) -> AutomaticFiles | None:
    """The files of the certificate that takes care of itself; None: there is none."""
    if not config.automatic_names:
        return None
    return AutomaticFiles(config.state_dir, config.acme_directory, config.automatic_names)


def challenge_kinds(listeners: Sequence[Listener]) -> list[str]:
    """The kinds of challenges that *listeners* can answer, the preferred one first."""
    plain = any(one.spec.kind in ("tcp", "systemd") and one.url.startswith("http:") for one in listeners)
    secure = any(one.spec.kind == "tls" for one in listeners)
    return [kind for kind, there in ((HTTP_01, plain), (TLS_ALPN_01, secure)) if there]


def capacity(config: Config, descriptors: int) -> Capacity:
    """What the node has to serve with: as configured, else what this machine tells."""
    connections = node_connections(descriptors, config.worker_count, config.connections)
    return Capacity(cores(), nic_bps(config.nic_mbit), connections)

"""The configuration of one node, complete and immutable; :mod:`edge.config.settings` describes its fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal

from edge.access.rules import AccessRule, AuthRule, RateRule
from edge.addresses.fields import FieldRule
from edge.addresses.pages import INDEX, TrailingSlash
from edge.addresses.redirects import AddressRule
from edge.config.applications import Application
from edge.config.paths import default_state_dir, default_webroot
from edge.endpoint import CertificateFiles, ListenSpec, parse_endpoint, quote
from edge.machine import memory, whole_cores
from edge.table.layout import MAX_WORKERS

#: The file of the automatic certificate, in the state directory (edge.trust.automatic_files).
AUTOMATIC = Path("acme/certificate.pem")
#: Gives certificates to everybody.
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
#: Strict-Transport-Security of ``security = "strict"``: a year, for this name alone.
STRICT_HSTS = "max-age=31536000"
#: What an authority gives certificates for without a challenge by DNS.
_PUBLIC_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]")


def is_public_name(host: str) -> bool:
    """Whether an authority may give a certificate for *host*: no address, no ``*.NAME``, no ``localhost``."""
    return _PUBLIC_NAME.fullmatch(host) is not None and not host.endswith(".localhost")


#: Stands for "derived from other fields" until :meth:`Config.__post_init__`.
_DERIVED = Path("\0derived")


@dataclass(frozen=True, kw_only=True)
class SiteRules:
    """What belongs to one site: of the default site on top of the file, of another one in its ``[[site]]``.

    A field here, with its row in :mod:`edge.config.settings`, is a key in both places.
    """

    #: None: only what other nodes of the cluster publish.
    webroot: Path | None = field(default_factory=default_webroot)
    follow_symlinks: bool = False
    #: Publish the smart client beside the site.
    smart_client: bool = True
    #: Globs of the pages that get the smart client's script tag.
    inject_client: tuple[str, ...] = ()
    #: (glob, Cache-Control value), the first match wins.
    cache: tuple[tuple[str, str], ...] = ()
    image_siblings: Literal["stem", "name", "off"] = "stem"
    #: (``.extension``, a name, or ``*``; media type), before those that are known.
    types: tuple[tuple[str, str], ...] = ()
    #: Globs of the folders that get a page that lists them.
    listing: tuple[str, ...] = ()
    #: Fields of answers; all that match apply.
    header: tuple[FieldRule, ...] = ()
    #: A preset of fields, see :data:`edge.addresses.fields.PRESETS`.
    security: Literal["off", "basic", "strict"] = "off"
    #: /about is about.html, which leads there.
    clean_urls: bool = False
    #: Names of files that stand for their folder, the first that is there.
    index: tuple[str, ...] = (INDEX,)
    #: See :mod:`edge.addresses.pages`.
    trailing_slash: TrailingSlash = "keep"
    #: The path that navigations are answered with where nothing is; "": none.
    fallback: str = ""
    #: //a leads to /a.
    merge_slashes: bool = True
    redirect: tuple[AddressRule, ...] = ()
    rewrite: tuple[AddressRule, ...] = ()
    #: Who may; see :mod:`edge.access.rules`.
    auth: tuple[AuthRule, ...] = ()
    access: tuple[AccessRule, ...] = ()
    rate: tuple[RateRule, ...] = ()
    #: Serialized origins, or "*".
    allow_origin: tuple[str, ...] = ()
    app: tuple[Application, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Site(SiteRules):
    """One site: which hosts it answers to, and its rules."""

    #: A site without a folder is made of its applications, and of what other nodes publish.
    webroot: Path | None = None
    #: In lower case: names, addresses, and ``*.NAME`` for what lies below a name.
    hosts: tuple[str, ...] = ()
    #: It takes the hosts that no site names.
    default: bool = False
    #: What distinguishes it, in keys and figures; "": the one on top of the file.
    name: str = ""
    #: PEM files of its own certificate, which every TLS listener shows to who asks for one of its names.
    certificate: Path | None = None
    key: Path | None = None
    #: As of :class:`Config`; ``{node}`` in it stands for the name of a node.
    public_url: str | None = None

    @property
    def prefix(self) -> str:
        """What the names of its entries begin with, before the path; "" of the default site."""
        return "" if self.default else self.name


@dataclass(frozen=True, kw_only=True)
class Config(SiteRules):
    """What a node is told.  :func:`edge.config.load` makes checked ones.

    Whoever makes one directly answers for its values; ``Config(state_dir=...)`` is complete.
    """

    # Site (and what :class:`SiteRules` has)
    watch: bool = True
    brotli_quality: int = 11
    zstd_level: int = 19
    #: Sites beside the default one; see :attr:`sites`.
    site: tuple[Site, ...] = ()

    # Serving
    #: Endpoint strings; see :attr:`endpoints`.
    listen: tuple[str, ...] = ("tcp:8080",)
    #: Scheme, host, and the port if it is not the scheme's own; no slash at the end.
    public_url: str | None = None
    #: Names of a certificate that takes care of itself; TLS listeners without files have it.
    tls_auto: tuple[str, ...] = ()
    #: Where the authority can write to; None: it cannot.
    acme_email: str | None = None
    #: URL of the authority's directory.
    acme_directory: str = LETS_ENCRYPT
    #: Of who begins each connection by the PROXY protocol; see :func:`edge.networks.networks_of`.
    proxy_protocol: tuple[str, ...] = ()
    #: The same of who writes Forwarded and X-Forwarded-For, -Proto, -Host.
    trusted_proxies: tuple[str, ...] = ()
    #: Plain HTTP over TCP only leads to HTTPS.
    redirect_https: bool = False
    #: See :data:`edge.trust.listener_certificate.POLICIES`.
    tls_policy: Literal["modern", "intermediate"] = "intermediate"
    #: Value of Strict-Transport-Security in answers over HTTPS; "": none; None: as ``security`` says.
    hsts: str | None = None
    #: Percent of utilization below which pages may be prefetched; 0: never.
    speculation: int = 0
    #: The path of the rules by which they are.
    speculation_rules: str = "/.edge/speculation-rules"
    #: Who may see ``/.edge/status`` and the dashboard.
    status: Literal["public", "local", "off"] = "public"
    #: ``/path=module:name[:argument]``; see :mod:`edge.node.resources.mounts`.
    mount: tuple[str, ...] = ()
    #: None: one per core; see :attr:`worker_count`.
    workers: int | None = None
    fast_path: Literal["auto", "native", "python", "off"] = "auto"

    # Node
    node: str = "n1"
    cluster: str = "edge"
    state_dir: Path = _DERIVED
    cache_dir: Path = _DERIVED
    #: An endpoint string; see :attr:`admin_endpoint`.
    admin: str = ""
    #: None: nobody, if root starts the node, else who starts it.
    worker_user: str | None = None
    #: See :mod:`edge.confinement`.
    confinement: Literal["auto", "required", "off"] = "auto"
    #: Mbit/s; None: as the network card says.
    nic_mbit: int | None = None

    # Cluster
    #: ADDRESS:PORT, for TCP and UDP; None: a node alone.
    gossip: str | None = None
    #: HOST:PORT of nodes to join, tried again for ever.
    peer: tuple[str, ...] = ()
    cluster_ca: Path = _DERIVED
    cluster_cert: Path = _DERIVED
    cluster_key: Path = _DERIVED
    #: For how long an entry of another node is confirmed without news of that node.
    lease_seconds: int = 10

    # Logs
    #: An absolute path, "-" for standard output, or "journal" for systemd's; None: no access log.
    access_log: str | None = None
    access_log_format: Literal["json", "combined", "common"] = "json"
    #: Of all that is answered, or only of what the fast path does not answer.
    access_log_requests: Literal["all", "handed-off"] = "all"
    #: One in this many of the fast path's requests; 0 = none.
    access_log_every: int = 1
    #: Where spans of requests are sent to, by OTLP over HTTP; None: requests are not traced.
    traces: str | None = None
    #: 0 to 1.
    traces_sample: float = 1.0
    traces_service: str = "twistd-edge"
    #: See :func:`edge.networks.networks_of`.
    traces_from: tuple[str, ...] = ()

    # Limits
    #: In the whole node; None: what the limit on descriptors allows.
    connections: int | None = None
    # A browser holds 6 connections to a host (Chromium, Firefox) and one WebSocket: this is 140 browsers
    # behind one address, more than an office has, and 1 % of what a worker holds (100,000): one
    # address alone can never fill it.
    #: In one worker, from one IPv4 address or IPv6 /64; 0 = no limit.
    connections_per_address: int = 1000
    ipv6_prefix: int = 64
    body_max_mib: int = 1
    head_seconds: int = 10
    idle_seconds: int = 75
    write_seconds: int = 30
    #: Bytes a second.
    least_rate: int = 1024
    drain_seconds: int = 10

    # Table
    table_entries: int = 1 << 20
    #: None: see :attr:`arena_bytes`.
    arena_mib: int | None = None
    body_limit_kib: int = 256

    #: What stands on top is a site of its own, beside those of :attr:`site`.
    top: bool = True
    #: The TOML file read, and what the command line said: enough to read all of it again.
    file: Path | None = None
    given: Mapping[str, bool | list[str]] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        fill = object.__setattr__
        if self.state_dir == _DERIVED:
            fill(self, "state_dir", default_state_dir(self.node).absolute())
        if self.cache_dir == _DERIVED:
            fill(self, "cache_dir", self.state_dir / "cache")
        for attribute, name in (
            ("cluster_ca", "ca.pem"),
            ("cluster_cert", f"{self.node}.pem"),
            ("cluster_key", f"{self.node}.key"),
        ):
            if getattr(self, attribute) == _DERIVED:
                fill(self, attribute, self.state_dir / "cluster" / name)
        if self.hsts is None:
            fill(self, "hsts", STRICT_HSTS if any(site.security == "strict" for site in self.sites) else "")
        if not self.admin:
            fill(self, "admin", f"unix:{quote(str(self.state_dir / 'admin.sock'))}")

    @property
    def sites(self) -> tuple[Site, ...]:
        """All that is served, the default site first if there is one; always one at least.

        What stands on top is one, too, if it names a webroot (also ``none``), applications or mounts.
        """
        if self.top or not self.site:
            rules = {one.name: getattr(self, one.name) for one in fields(SiteRules)}
            return (Site(**rules, default=True), *self.site)
        return tuple(sorted(self.site, key=lambda site: not site.default))

    @property
    def serves_nothing(self) -> bool:
        """Whether it is alone, and has neither folders nor applications, nor leads elsewhere."""
        has_any = any(site.webroot is not None or site.app or site.redirect for site in self.sites)
        return self.gossip is None and not has_any and not self.mount

    @property
    def applications(self) -> tuple[Application, ...]:
        """Those of all sites; each says of which it is."""
        return tuple(replace(one, site=site.prefix) for site in self.sites for one in site.app)

    @property
    def endpoints(self) -> tuple[ListenSpec, ...]:
        """:attr:`listen`, understood; TLS listeners have the certificates of sites, too.

        One without files has the automatic certificate, if there is one.
        """
        return tuple(map(self._with_certificates, map(parse_endpoint, self.listen)))

    @property
    def automatic_names(self) -> tuple[str, ...]:
        """Names of the automatic certificate: :attr:`tls_auto`, and those of sites without their own.

        None where no listener would have it.
        """
        if not any(spec.kind == "tls" and not spec.files for spec in map(parse_endpoint, self.listen)):
            return ()
        hosts = (host for site in self.site if site.certificate is None for host in site.hosts)
        return tuple(dict.fromkeys((*self.tls_auto, *filter(is_public_name, hosts))))

    def _with_certificates(self, spec: ListenSpec) -> ListenSpec:
        if spec.kind != "tls":
            return spec
        found = list(spec.certificates)
        if not found and self.automatic_names:
            pem = str(self.state_dir / AUTOMATIC)
            found.append(CertificateFiles(pem, pem))
        for site in self.site:
            if site.certificate is not None:
                found.append(CertificateFiles(str(site.certificate), str(site.key or site.certificate)))
        return replace(spec, certificates=tuple(found))

    @property
    def arena_bytes(self) -> int:
        """Of :attr:`arena_mib`; by default 512 MiB, but a quarter of the memory at most."""
        if self.arena_mib is not None:
            return self.arena_mib << 20
        return max(min(512 << 20, memory() // 4 >> 20 << 20), 1 << 20)

    @property
    def admin_endpoint(self) -> ListenSpec:
        """:attr:`admin`, understood: a Unix socket, or TCP on a loopback interface."""
        return parse_endpoint(self.admin)

    @property
    def worker_count(self) -> int:
        """Worker processes to start; 0 = none, the only process serves."""
        if self.workers is not None:
            return self.workers
        return min(whole_cores(), MAX_WORKERS)

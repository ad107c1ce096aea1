"""The one list of settings: options, keys of the TOML file, help and completion are made from it.

Each row describes one field of :class:`~edge.config.model.Config`;
``state_dir`` is ``--state-dir`` on the command line and ``state-dir`` or ``state_dir`` in the file.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from typing import Any

from edge.config import values
from edge.config.access import ACCESS, AUTH, RATES
from edge.config.addresses import FALLBACK, HEADERS, INDEXES, REDIRECTS, REWRITES, TRAILING_SLASHES
from edge.config.applications import APPLICATIONS
from edge.config.model import Config, SiteRules
from edge.config.sites import site_tables
from edge.config.values import Kind, choice, integer
from edge.table.layout import MAX_WORKERS

#: Sections of the help, in order.
SECTIONS = ("Site", "Serving", "Node", "Cluster", "Logs", "Limits", "Table")


@dataclass(frozen=True)
class Setting:
    """One setting: a field of :class:`Config`, as users write it and as help describes it."""

    #: As users write it: with dashes.
    name: str
    kind: Kind
    section: str
    help: str
    #: The default in words; "": the value itself says it.
    default_text: str = ""

    @property
    def attribute(self) -> str:
        """The field of :class:`Config`."""
        return self.name.replace("-", "_")

    @property
    def default(self) -> Any:
        """The field's default; None where it is derived."""
        return _DEFAULTS[self.attribute]


_DEFAULTS = {one.name: None if one.default is MISSING else one.default for one in fields(Config)}

_ROWS = (
    Setting("webroot", values.WEBROOT, "Site",
            "The folder of files to serve; none: only what other nodes of the cluster publish.",
            "the demonstration site"),
    Setting("follow-symlinks", values.FLAG, "Site",
            "Serve also what links inside the webroot point to outside of it."),
    Setting("watch", values.FLAG, "Site", "Publish changed files by themselves (inotify)."),
    Setting("smart-client", values.FLAG, "Site",
            "Publish the smart client (/sw.js and /edge/) beside the site, for pages that ask for it."),
    Setting("inject-client", values.PAGES, "Site",
            "Pages that get the script tag of the smart client as they are published, by a glob like *.html "
            "or /blog/**; the files stay as they are. Without a glob, or with **: all.", "none"),
    Setting("cache", values.CACHE_RULES, "Site",
            "Cache-Control for the files that match a glob; the first rule that matches counts. "
            "In TOML: tables [[cache]] with glob and value.",
            "max-age=31536000,immutable for names that hold a digest of the contents, no-cache for the rest"),
    Setting("header", HEADERS, "Site",
            "A field of answers where a glob like /assets/** or *.pdf matches the path or the file, or, with "
            "!Name, one that is not sent; all rules that match apply, in order. In TOML: tables [[header]] "
            "with path, set, add and remove.", "none"),
    Setting("security", choice("off", "basic", "strict"), "Site",
            "A preset of fields: basic for pages in frames and what links tell, strict also what pages of "
            "other sites may use, devices, a policy of contents that is only reported, and --hsts."),
    Setting("clean-urls", values.FLAG, "Site",
            "/about is about.html, and /about.html leads to /about (308)."),
    Setting("index", INDEXES, "Site",
            "A file that stands for its folder; of several the first that is there.", "index.html"),
    Setting("trailing-slash", choice(*TRAILING_SLASHES), "Site",
            "The slash at the end of addresses of pages: keep (folders have one, files have none), add or "
            "remove; the other form leads there (308)."),
    Setting("fallback", FALLBACK, "Site",
            "The page that navigations get where nothing is, like /index.html, for applications in the "
            "browser; a missing script or image stays a 404.", "none"),
    Setting("merge-slashes", values.FLAG, "Site",
            "A path with // leads to the one with /, where something is."),
    Setting("redirect", REDIRECTS, "Site",
            "An address that leads elsewhere, like '/old/:year/* /new/:year/:splat 301'; the first rule that "
            "matches counts, before files. 404 and 410 lead nowhere. In TOML: tables [[redirect]] with from "
            "or from-regex, to, status (308) and force.", "none"),
    Setting("rewrite", REWRITES, "Site",
            "An address that has no file of its own and is answered with another one, like '/docs/* "
            "/manual/:splat'. In TOML: tables [[rewrite]] with from or from-regex, to and force.", "none"),
    Setting("auth", AUTH, "Site",
            "Paths that need a password, by a glob, and the file of users (htpasswd -B). In TOML: tables "
            "[[auth]] with path, users and realm.", "none"),
    Setting("access", ACCESS, "Site",
            "Networks that may ask for paths, by a glob, or with ! may not; the longest that an address is "
            "in decides. In TOML: tables [[access]] with path, allow and deny.", "everybody"),
    Setting("rate", RATES, "Site",
            "How often an address may ask for paths, by a glob; then 429. In TOML: tables [[rate]] with "
            "path, requests, per (second, minute, hour or day) and burst.", "no limit"),
    Setting("brotli-quality", integer(0, 11), "Site",
            "How hard to compress: 11 takes about a second per megabyte, once, and gives 15 % fewer "
            "bytes than 5."),
    Setting("zstd-level", integer(0, 22), "Site",
            "The same for Zstandard, which clients get that do not take brotli: 19 costs a quarter of the "
            "time of brotli 11; 0: none is made, of answers of applications, too."),
    Setting("image-siblings", choice("stem", "name", "off"), "Site",
            "Which AVIF and WebP files answer for an image when they are not older: photo.webp for photo.jpg "
            "(stem), photo.jpg.webp (name), or none."),
    Setting("site", site_tables(lambda: SITE_KINDS), "Site",
            "A further site, as HOST=DIR or HOST,HOST=DIR: a folder for requests to these hosts; *.HOST is "
            "all below a name. In TOML: tables [[site]], which say more.", "none: one site for all hosts"),
    Setting("types", values.TYPES, "Site",
            "The media type of files by name: .webmanifest=application/manifest+json for all that end so, a "
            "whole name, or *=TYPE for what is not known. In TOML: a table [types].",
            "what IANA and Debian give names to; application/octet-stream for the rest"),
    Setting("listing", values.LISTINGS, "Site",
            "Folders without an index file that are listed, by a glob over their paths, like /pub/**; ** is "
            "all. In TOML: true for all.", "none"),
    Setting("listen", values.ENDPOINTS, "Serving",
            "Where to listen: tcp:PORT, tcp6:PORT, tls:PORT:privateKey=FILE:certKey=FILE, with --tls-auto "
            "tls:PORT alone, unix:PATH or systemd:domain=INET:index=0. After a PORT may stand "
            ":interface=ADDRESS; after a certificate further ones, each with its key."),
    Setting("proxy-protocol", values.PROXIES, "Serving",
            "A network, like 10.0.0.0/8, of proxies that begin each connection with a header of the PROXY "
            "protocol (v1 or v2): the address in it counts. unix: who comes over Unix sockets.", "none"),
    Setting("trusted-proxies", values.PROXIES, "Serving",
            "A network of proxies whose Forwarded or X-Forwarded-For, -Proto and -Host are believed; others "
            "may write what they like. unix: who comes over Unix sockets.", "none"),
    Setting("public-url", values.URL, "Serving", "How browsers reach this node, like https://n1.example.org.",
            "made from the first address it listens on"),
    Setting("tls-auto", values.NAMES, "Serving",
            "A name of a certificate that this node, or its cluster, gets and renews by itself (ACME). All "
            "names are in one certificate, which listeners like tls:443, without files, have.", "none"),
    Setting("acme-email", values.EMAIL, "Serving",
            "Where the authority of --tls-auto can write to.", "nowhere"),
    Setting("acme-directory", values.DIRECTORY_URL, "Serving",
            "The ACME directory that gives certificates. For trials: "
            "https://acme-staging-v02.api.letsencrypt.org/directory."),
    Setting("redirect-https", values.FLAG, "Serving",
            "Answer plain HTTP over TCP by leading to HTTPS (308), except challenges of certificate "
            "authorities."),
    Setting("tls-policy", choice("modern", "intermediate"), "Serving",
            "Versions of TLS that are spoken: modern (1.3), or intermediate (1.2, without CBC and "
            "renegotiation, too)."),
    Setting("hsts", values.HSTS, "Serving",
            "Strict-Transport-Security in answers over HTTPS, like max-age=31536000; includeSubDomains. "
            "Browsers then keep to HTTPS for so many seconds, so begin with a small number.",
            "none, and max-age=31536000 with --security strict"),
    Setting("speculation", integer(0, 100), "Serving",
            "Send Speculation-Rules with pages while this node's utilization is below so many percent: "
            "browsers then fetch pages before somebody asks for them. 0: never."),
    Setting("speculation-rules", values.SITE_PATH, "Serving",
            "Where these rules are: a path, whose answer has the type application/speculationrules+json.",
            "/.edge/speculation-rules: pages of this site, when the pointer rests on a link to them"),
    Setting("allow-origin", values.ORIGINS, "Serving",
            "An origin whose scripts may read answers (CORS), or * for every one.", "this node's own"),
    Setting("status", choice("public", "local", "off"), "Serving",
            "Who may see /.edge/status, the dashboard and the socket's topic status: everybody, this "
            "machine, or nobody. A proxy on this machine that does not pass Host on makes all local."),
    Setting("mount", values.MOUNTS, "Serving",
            "A twisted.web resource of an application at /PATH: what MODULE:NAME gives, called with "
            "ARGUMENT if there is one. Pages of other sites cannot change anything through it."),
    Setting("app", APPLICATIONS, "Serving",
            "An application that answers the tree at /PATH where no file does: module:name, which the node "
            "runs (WSGI, ASGI, twisted.web), or unix:PATH, http+unix:PATH or http://HOST:PORT, where it is "
            "already. In TOML: tables [[app]], which say more.", "none"),
    Setting("workers", integer(0, MAX_WORKERS), "Serving",
            "Worker processes; 0 = the only process serves, for development.",
            "one per core that this process may use, by its affinity and the quota of its control group"),
    Setting("fast-path", choice("auto", "native", "python", "off"), "Serving",
            "What answers from the table: C code, its Python twin, or nothing (all through Twisted). "
            "auto takes the C code where it has been built."),
    Setting("node", values.NAME, "Node", "This node's name within its cluster."),
    Setting("cluster", values.NAME, "Node", "The cluster's name."),
    Setting("state-dir", values.DIRECTORY, "Node",
            "Where the node keeps what must outlive it; one for each node.",
            "$STATE_DIRECTORY (systemd), else ~/.local/state/twistd-edge/NODE"),
    Setting("cache-dir", values.DIRECTORY, "Node",
            "Where compressed contents are kept; nodes on one machine may share it.", "STATE-DIR/cache"),
    Setting("worker-user", values.USER, "Node",
            "Whom worker processes become when root starts the node.", "nobody"),
    Setting("confinement", choice("auto", "required", "off"), "Node",
            "Workers give up capabilities, and with Landlock and seccomp the files and system calls that "
            "they do not need. auto does what the kernel can, required starts with nothing less."),
    Setting("admin", values.ADMIN, "Node",
            "Where edgectl and /.edge/metrics are: unix:PATH, or tcp:PORT with a loopback interface.",
            "unix:STATE-DIR/admin.sock"),
    Setting("nic-mbit", integer(1, 10_000_000), "Node",
            "What the network can carry, in Mbit/s: traffic is weighed against it.",
            "what the network card says, or 1000"),
    Setting("gossip", values.GOSSIP, "Cluster",
            "Where this node talks to the others, TCP and UDP; it needs a certificate from edgectl cluster "
            "cert. The others reach it at this address, so give one that they can.",
            "a node alone"),
    Setting("peer", values.PEERS, "Cluster",
            "Another node's --gossip address, or a name that resolves to several; one that runs is enough "
            "to join.", "none"),
    Setting("cluster-ca", values.FILE, "Cluster",
            "Certificates of the authorities whose nodes are let in.", "STATE-DIR/cluster/ca.pem"),
    Setting("cluster-cert", values.FILE, "Cluster", "This node's certificate.",
            "STATE-DIR/cluster/NODE.pem"),
    Setting("cluster-key", values.FILE, "Cluster", "Its private key.", "STATE-DIR/cluster/NODE.key"),
    Setting("lease-seconds", integer(1, 3600), "Cluster",
            "Seconds for which what another node published is confirmed (304) without news of that node; "
            "after them it is sent whole."),
    Setting("access-log", values.LOG_FILE, "Logs",
            "Log requests to this file or pipe; - is standard output, journal systemd's.",
            "no access log"),
    Setting("access-log-format", choice("json", "combined", "common"), "Logs",
            "A line each: a JSON object, or the Common Log Format, combined with referer and user agent."),
    Setting("access-log-requests", choice("all", "handed-off"), "Logs",
            "Log all requests, or only those that the fast path did not answer."),
    Setting("access-log-every", integer(0, 1_000_000), "Logs",
            "Of the requests that the fast path answers, log one in N; 0 = none."),
    Setting("traces", values.COLLECTOR, "Logs",
            "Send OpenTelemetry spans of the requests that the fast path does not answer to the collector at "
            "this address, by OTLP over HTTP, like http://127.0.0.1:4318. Then the fast path relays nothing "
            "to applications: what is not stored goes through Python. Needs the extra traces.",
            "requests are not traced"),
    Setting("traces-sample", values.SHARE, "Logs",
            "The share of traces that is recorded, 0 to 1, of requests that nobody has decided about who is "
            "in --traces-from."),
    Setting("traces-service", values.SERVICE, "Logs", "The service.name that traces have."),
    Setting("traces-from", values.PROXIES, "Logs",
            "A network of callers whose traceparent and tracestate are believed: they choose what is "
            "recorded. Of a proxy, which passes on what strangers send, only if it writes its own. unix: who "
            "comes over Unix sockets.", "nobody"),
    Setting("connections", integer(1, 100_000_000), "Limits",
            "Connections at once on this node, divided among its workers.",
            "what the limit on file descriptors allows"),
    Setting("connections-per-address", integer(0, 100_000_000), "Limits",
            "Connections to one worker from one IPv4 address or IPv6 /64; 0 = no limit, for a node "
            "behind a proxy."),
    Setting("ipv6-prefix", integer(16, 128), "Limits",
            "Bits of an IPv6 address that count as one client, for connections, shares and rates: 56 or 48 "
            "where attackers have more than a /64 each, 128 to tell machines of one network apart."),
    Setting("body-max-mib", integer(0, 1024), "Limits", "Largest body of a request, in MiB; above it 413."),
    Setting("head-seconds", integer(1, 3600), "Limits",
            "Seconds for a whole request head from its first byte; then 408. And for a TLS handshake."),
    Setting("idle-seconds", integer(1, 86_400), "Limits",
            "Seconds that a connection may rest between two requests."),
    Setting("write-seconds", integer(1, 3600), "Limits",
            "Seconds over which a client has to take its answer at the least rate."),
    Setting("least-rate", integer(0, 1 << 20), "Limits",
            "Bytes per second that a client has to send of a body and to take of an answer, on average over "
            "30 s and over write-seconds; below it the connection ends. 0 = any byte will do."),
    Setting("drain-seconds", integer(0, 3600), "Limits",
            "Seconds that running requests have to finish when the node stops."),
    Setting("table-entries", integer(1 << 10, 1 << 28), "Table",
            "Entries that the shared table holds; each costs 128 bytes."),
    Setting("arena-mib", integer(1, 1 << 20), "Table",
            "Shared memory for bodies, in MiB; only what is used is taken.",
            "512, and a quarter of the memory that the node may use at most"),
    Setting("body-limit-kib", integer(0, 65_536), "Table",
            "Bodies up to this size, in KiB, are served from memory, larger ones from files."),
)  # fmt: skip

#: By name, in the order of the help.
SETTINGS: dict[str, Setting] = {setting.name: setting for setting in _ROWS}

#: Keys that a table ``[[site]]`` may have besides its own.
SITE_KINDS: dict[str, Kind] = {
    name: setting.kind
    for name, setting in SETTINGS.items()
    if setting.attribute in {one.name for one in fields(SiteRules)}
}

#: Read once, when the node starts: SIGHUP does not change them.
AT_START = frozenset(
    {"app", "site", "watch", "listen", "workers", "fast-path", "node", "cluster", "state-dir", "cache-dir",
     "admin", "worker-user", "confinement", "table-entries", "arena-mib", "body-limit-kib", "gossip", "peer",
     "cluster-ca", "cluster-cert", "cluster-key", "lease-seconds", "status", "redirect-https", "tls-auto",
     "ipv6-prefix", "acme-email", "acme-directory", "traces", "traces-service"}
)  # fmt: skip


def needs_restart(old: Config, new: Config) -> tuple[str, ...]:
    """Names of the settings that differ between the two and take effect at the next start only."""
    return tuple(
        setting.name
        for setting in _ROWS
        if setting.name in AT_START and _at_start(old, setting) != _at_start(new, setting)
    )


def _at_start(config: Config, setting: Setting) -> object:
    """What of a setting is read once: of sites, which there are, their applications and certificates."""
    if setting.name == "site":
        which = [(site.name, site.default, site.app, site.certificate, site.key) for site in config.site]
        return which, config.automatic_names
    return getattr(config, setting.attribute)

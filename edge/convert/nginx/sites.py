"""From nginx's servers to the sites of a draft (sans-IO).

nginx takes a server by the port first, and then by the host; a node takes a site by the host alone.  So
servers of one host become one site, and what differs by port alone is named.  A server that only leads to
HTTPS is no site: that is ``redirect-https``.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import Any

from edge.convert.draft import Draft, SiteDraft, Table, escaped, name_applications
from edge.convert.networks import EVERYBODY
from edge.convert.networks import reach as reach_of
from edge.convert.nginx.applications import url_of
from edge.convert.nginx.directives import TAKERS
from edge.convert.nginx.finishing import finish
from edge.convert.nginx.maps import is_of_paths
from edge.convert.nginx.server import Around, Server
from edge.convert.nginx.words import NEEDLESS
from edge.convert.statements import Statement

#: What stands around servers and is not about one.
_AROUND = ("server", "upstream", "limit_req_zone", "log_format", "map")
_ADDRESSES = ("$binary_remote_addr", "$remote_addr")
#: Of ``upstream``: what needs nothing here.
_UPSTREAM_NEEDLESS = frozenset(
    (
        "server",
        "keepalive",
        "keepalive_timeout",
        "keepalive_requests",
        "keepalive_time",
        "zone",
        "least_conn",
        "random",
    )
)


def convert_nginx(statements: Sequence[Statement]) -> Draft:
    """What *statements*, of a whole nginx.conf or of one server in ``sites-available``, come to."""
    draft = Draft(is_whole=True)
    outer = list(_of_http(statements, draft))
    around = _around(outer, draft)
    common = [one for one in outer if one.name not in _AROUND]
    servers = [one for one in outer if one.name == "server"]
    if not servers:  # a snippet: the inside of a server
        server = Server(draft, around, TAKERS)
        server.take_all(common)
        sites = [server]
    else:
        sites = []
        for number, one in enumerate(servers):
            server = Server(draft, around, TAKERS, one)
            rest = [each for each in common if each.name in TAKERS.directives or not number]
            server.take(rest, server.http)
            server.take_all(one.block or ())
            sites += [server, *server.others]
    _unused_maps(outer, sites, draft)
    _secure_too(sites)
    _listeners(draft, sites)
    _put_together(draft, sites)
    name_applications(draft.sites)
    draft.remarks = list(dict.fromkeys(draft.remarks))
    return draft


def _of_http(statements: Iterable[Statement], draft: Draft) -> Iterator[Statement]:
    for one in statements:
        if one.name == "http":
            yield from one.block or ()
        elif one.name in ("stream", "mail"):
            draft.remark(one, "only HTTP is served")
        elif one.name not in NEEDLESS:
            yield one


def _around(outer: Iterable[Statement], draft: Draft) -> Around:
    around = Around()
    for one in outer:
        if one.name == "upstream" and one.args:
            around.upstreams[one.args[0]] = list(_places(one, draft))
        elif one.name == "limit_req_zone" and len(one.args) == 3 and one.args[0] in _ADDRESSES:
            zone = one.args[1].removeprefix("zone=").partition(":")[0]
            around.zones[zone] = one.args[2].removeprefix("rate=")
        elif one.name == "map" and len(one.args) == 2:
            around.maps[one.args[1]] = one
        elif one.name == "log_format" and (
            "escape=json" in one.args or "".join(one.args[1:2]).lstrip().startswith("{")
        ):
            around.json_logs.add(one.args[0])
    return around


def _places(upstream: Statement, draft: Draft) -> Iterator[str]:
    for one in upstream.block or ():
        if one.name not in _UPSTREAM_NEEDLESS:
            draft.remark(one, "places of an application are asked by turns, each visitor by any")
        if one.name != "server" or not one.args or "down" in one.args:
            continue
        if "backup" in one.args:
            draft.remark(one, "all places of an application are asked; there are no spares")
            continue
        if any(arg.startswith("weight=") and arg != "weight=1" for arg in one.args):
            draft.remark(one, "places of an application are asked alike; name one twice to ask it more often")
        yield url_of(one.args[0].removeprefix("http://"))


def _unused_maps(outer: Iterable[Statement], sites: Sequence[Server], draft: Draft) -> None:
    used = {name for site in sites for name in site.used_maps}
    for one in outer:
        is_upgrade = one.args[:1] == ("$http_upgrade",)  # WebSockets are passed on by themselves
        if one.name == "map" and not is_upgrade and not (one.args[1:] and one.args[1] in used):
            why = "write a [[redirect]] for each address" if is_of_paths(one) else "write what it comes to"
            draft.remark(one, f"nothing depends on variables here; {why}")


def _secure_too(sites: Sequence[Server]) -> None:
    """What one server says of TLS holds for all at the same endpoint."""
    secure = {endpoint for site in sites for endpoint in site.endpoints if endpoint.startswith("tls:")}
    for site in sites:
        for number, endpoint in enumerate(site.endpoints):
            kind, _, rest = endpoint.partition(":")
            same = f"tls:{rest}:interface=\\:\\:" if kind == "tcp6" else f"tls:{rest}"
            if kind in ("tcp", "tcp6") and same in secure:
                site.endpoints[number] = same


def _interface(endpoint: str) -> str:
    """The address that *endpoint* listens at; "": all of them."""
    return "unix" if endpoint.startswith("unix:") else endpoint.partition(":interface=")[2].replace("\\", "")


def _exposed(sites: Sequence[Server]) -> set[int]:
    """``id`` of servers that more visitors get to when they go by their hosts alone."""
    own = [{_interface(endpoint) for endpoint in site.endpoints or ["tcp:80"]} for site in sites]
    all_ = {interface: reach_of(interface) for interfaces in own for interface in interfaces}
    found = set()
    for site, interfaces in zip(sites, own, strict=True):
        reach = max(all_[one] for one in interfaces)
        widest = max((all_[one] for one in all_.keys() - interfaces), default=0) if reach < 2 else 0
        if widest > reach or widest == reach == 1:
            found.add(id(site))
    return found


def _listeners(draft: Draft, sites: Sequence[Server]) -> None:
    """The endpoints of all sites, each once, with the certificates of those that are there."""
    certificates: dict[str, list[str]] = {}
    for site in sites:
        for endpoint in site.endpoints or ["tcp:80"]:
            pairs = certificates.setdefault(endpoint, [])
            if endpoint.startswith("tls") and site.certificate and site.key:
                pair = f":privateKey={escaped(site.key)}:certKey={escaped(site.certificate)}"
                if pair not in pairs:
                    pairs.append(pair)
    draft.keys = {
        "listen": [endpoint + "".join(pairs) for endpoint, pairs in certificates.items()],
        **draft.keys,
    }


def _put_together(draft: Draft, sites: Sequence[Server]) -> None:
    """The sites of the draft: each host has one, whatever the port."""
    secure = {host for site in sites if site.is_secure for host in site.site.hosts}
    by_hosts: dict[frozenset[str], SiteDraft] = {}
    owners: dict[str, SiteDraft] = {}
    plain: list[Server] = []
    hsts = [site for site in sites if site.has_hsts]
    exposed = _exposed(sites)
    closed = {id(site.site) for site in sites if id(site) in exposed}
    # Those with TLS have their hosts first, and last those that not everybody gets to.
    for site in sorted(sites, key=lambda one: (id(one) in exposed, not one.is_secure)):
        done = finish(site)
        if site.leads_to_https or site.https_hosts:
            draft.keys["redirect-https"] = True
        if _only_leads_to_https(site, done, secure):
            draft.keys["redirect-https"] = True
            done.hosts = [host for host in done.hosts if host not in secure and host not in site.https_hosts]
            done.is_default = False
            if site.leads_to_https or not done.hosts:
                continue
        elif not site.is_secure and site.statement is not None:
            plain.append(site)
        if done.is_empty and draft.keys.get("redirect-https") and not site.is_secure:
            continue
        if id(site) in exposed and not done.is_empty:
            known = by_hosts.get(frozenset(done.hosts))
            if known is not None and known is not done and _is_same(known, done):
                continue
            _close(draft, site, done)
            if known is not None and id(known) not in closed:
                continue  # what everybody gets to stays as it is
        _join(draft, site, done, by_hosts, owners)
    found = list(by_hosts.values())
    _one_default(draft, sites, found, closed)
    order = {id(site.site): number for number, site in enumerate(sites)}
    draft.sites = sorted(found, key=lambda one: order[id(one)]) or [SiteDraft()]
    if draft.keys.get("redirect-https") and secure:
        for site in plain:
            answers = site.site.keys or site.site.tables.keys() - {"redirect"}
            if site.statement is not None and answers and not secure & set(site.site.hosts):
                draft.remark(
                    site.statement,
                    "redirect-https is about the whole node: who asks for this site is led to HTTPS, too",
                )
    if hsts and len(draft.sites) > 1 and any(one.is_secure and not one.has_hsts for one in sites):
        for site in hsts:
            if site.statement is not None:
                draft.remark(site.statement, "Strict-Transport-Security is hsts, which holds for all sites")


def _close(draft: Draft, site: Server, done: SiteDraft) -> None:
    """Nobody is let into a site that more visitors would get to."""
    everybody = Table(
        {"path": "/**", "deny": list(EVERYBODY)}, site.statement.place if site.statement else None
    )
    done.tables["access"] = [everybody, *done.tables.get("access", ())]
    if site.statement is not None:
        draft.remark(
            site.statement,
            "not everybody gets to where it listens, and a site is known by its host alone: "
            "nobody is let in before its [[access]] says who may, or it has a node of its own",
        )


def _only_leads_to_https(site: Server, done: SiteDraft, secure: set[str]) -> bool:
    """Whether a server without TLS does nothing else: as servers do since there is HTTPS for everybody."""
    if site.is_secure:
        return False
    if site.leads_to_https:
        return not done.tables.keys() - {"header"} and not done.types
    rules = done.tables.get("redirect", [])
    if done.tables.keys() - {"redirect", "header"} or len(rules) != 1:
        return False
    values = rules[0].values
    if site.https_hosts and set(done.hosts) <= set(
        site.https_hosts
    ):  # what is written behind it is not reached
        return bool(values.get("from") == "/*")
    led = re.fullmatch(r"https://([^/:]+)/:splat", str(values.get("to", "")))
    return values.get("from") == "/*" and led is not None and led[1].lower() in secure


def _join(
    draft: Draft,
    site: Server,
    done: SiteDraft,
    by_hosts: dict[frozenset[str], SiteDraft],
    owners: dict[str, SiteDraft],
) -> None:
    """*done* among the sites that there are; what is another one's already is named."""
    known = by_hosts.get(frozenset(done.hosts))
    if known is not None:
        if not _is_same(known, done) and site.statement is not None:
            draft.remark(
                site.statement, "a site is known by its host alone: what differs by port is put together here"
            )
        known.keys = {**done.keys, **known.keys}
        known.types = {**done.types, **known.types}
        known.is_default |= done.is_default
        for name, tables in done.tables.items():
            for table in tables:
                known.add(name, table.values, table.place)
        return
    taken = [host for host in done.hosts if host in owners]
    if taken:
        if site.statement is not None and any(not _is_same(owners[host], done) for host in taken):
            draft.remark(
                site.statement,
                f"{', '.join(taken)}: another server has this host; a site is known by its "
                "host alone, not by its port",
            )
        done.hosts = [host for host in done.hosts if host not in taken]
        if not done.hosts:
            return
    by_hosts[frozenset(done.hosts)] = done
    owners.update(dict.fromkeys(done.hosts, done))


def _is_same(one: SiteDraft, other: SiteDraft) -> bool:
    def shown(site: SiteDraft) -> tuple[Any, ...]:
        rules = {name: [table.values for table in tables] for name, tables in site.tables.items()}
        return site.keys, site.types, rules

    return other.is_empty or shown(one) == shown(other)


def _one_default(
    draft: Draft, sites: Sequence[Server], found: list[SiteDraft], exposed: Container[int]
) -> None:
    """One site takes the hosts of nobody: nginx has one for each port."""
    if len(found) < 2:
        return
    open_ = [one for one in found if id(one) not in exposed] or found
    defaults = (
        [one for one in open_ if one.is_default] or [one for one in open_ if not one.hosts] or open_[:1]
    )
    chosen = defaults[0]
    statements = {id(site.site): site.statement for site in sites}
    for one in list(found):
        one.is_default = one is chosen
        if one in defaults[1:] and (statement := statements.get(id(one))) is not None:
            draft.remark(
                statement, "a node has one default site, whatever the port; it is another server here"
            )
        if not one.hosts and one is not chosen:
            found.remove(one)
            if one not in defaults and (statement := statements.get(id(one))) is not None:
                draft.remark(statement, "no host leads here; name some by server_name")

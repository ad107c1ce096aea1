"""From the blocks of a Caddyfile to the sites of a draft (sans-IO): addresses, listeners, certificates.

Caddy tells sites apart by host, port and interface; a node by the host alone.  So one host is one site, the
one with HTTPS first; what would be reached by more visitors than in Caddy is closed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from edge.config.model import is_public_name
from edge.convert.caddy.blocks import take
from edge.convert.caddy.finishing import finish
from edge.convert.caddy.matchers import PRIVATE
from edge.convert.caddy.site import Site
from edge.convert.caddy.words import OPTIONS
from edge.convert.draft import Draft, SiteDraft, Table, escaped, name_applications
from edge.convert.networks import EVERYBODY, reach
from edge.convert.statements import Statement, number
from edge.networks import parse_network

_ADDRESS = re.compile(
    r"(?:(https?)://)?((?:\*\.)?[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]|)(?::([0-9]{1,5}))?/?"
)
_DEFAULT = re.compile(r"\{\$[^{}:]+:([^{}]*)\}")


@dataclass
class _Block:
    """A site, and where it is."""

    one: Statement
    site: Site
    #: (port, whether it speaks TLS).
    ports: list[tuple[int, bool]] = field(default_factory=list)
    #: Names for which Caddy gets certificates.
    names: list[str] = field(default_factory=list)
    interfaces: set[str] = field(default_factory=set)

    @property
    def is_secure(self) -> bool:
        """Whether it speaks TLS."""
        return any(secure for _, secure in self.ports)


def convert_caddy(statements: Sequence[Statement]) -> Draft:
    """What the *statements* of a Caddyfile come to."""
    draft = Draft(is_whole=True)
    own_files = list(dict.fromkeys(one.place.file for one in _walk(statements)))
    binds: list[str] = []
    blocks: list[_Block] = []
    routes: dict[str, Statement] = {}
    for one in _sites_of(statements, draft):
        if one.name.startswith("&("):
            routes[one.name[2:].removesuffix(")")] = one
        elif not one.name:
            binds += _of_node(draft, one)
        else:
            blocks.append(_Block(one, Site(draft, routes)))
    known = [block for block in blocks if _addresses(draft, block, len(blocks) == 1)]
    for block in known:
        site = block.site
        take(site, block.one.block or ())
        finish(site, own_files)
        block.interfaces = set(_interfaces(draft, block, site.binds or binds))
        if site.is_internal:
            block.names = []
    draft.sites = [block.site.result for block in _apart(draft, known)]
    _close_exposed(draft, known)
    _listeners(draft, known)
    hsts = [block.site.hsts for block in known]
    for said in hsts if None in hsts else ():
        if said is not None:
            draft.remark(said, "Strict-Transport-Security is hsts, which holds for all sites")
    draft.sites = draft.sites or [SiteDraft()]
    name_applications(draft.sites)
    draft.remarks = list(dict.fromkeys(draft.remarks))
    return draft


def _walk(statements: Sequence[Statement]) -> Iterator[Statement]:
    for one in statements:
        yield one
        yield from _walk(one.block or ())


def _sites_of(statements: Sequence[Statement], draft: Draft) -> Iterator[Statement]:
    """The blocks, with all their addresses, which may stand on several lines."""
    before: list[str] = []
    has_sites = False
    for at, one in enumerate(statements):
        words = (*before, one.name, *one.args)
        before = []
        if one.block is not None:
            has_sites |= bool(one.name) and not one.name.startswith("&(")
            yield Statement(words[0], tuple(words[1:]), one.place, one.block)
        elif words[-1].endswith(","):
            before = list(words)
        elif not has_sites:  # one site, without braces
            yield Statement(words[0], tuple(words[1:]), one.place, tuple(statements[at + 1 :]))
            return
        else:
            draft.remark(one, "it stands in no block: { after an address begins one")


def _addresses(draft: Draft, block: _Block, is_alone: bool) -> bool:
    """Take the addresses of *block*; False: none of them is known, and so it is left out."""
    one, site = block.one, block.site.result
    known = unknown = 0
    for word in (one.name, *one.args):
        for text in filter(None, word.split(",")):
            filled = _DEFAULT.sub(r"\1", text)
            if filled != text:
                draft.remark(one, f"{text[:60]}: taken for {filled[:60]}, which the environment may change")
            found = _ADDRESS.fullmatch(filled)
            if found is None or not filled or int(found[3] or 80) not in range(1, 65536):
                unknown += 1
                draft.remark(one, f"{text[:60]}: a site is known by its host alone; use paths in its rules")
                continue
            known += 1
            _address(draft, block, found[1], found[2].lower(), number(found[3] or ""))
    if not known and is_alone and unknown:
        block.ports.append((80, False))
    elif not known:
        draft.remark(one, "it has no host that is known here, and is left out")
        return False
    if unknown and not site.hosts and not is_alone:
        draft.remark(one, "it is left out: not all of its addresses are known")
        return False
    site.hosts = list(dict.fromkeys(site.hosts))
    return True


def _address(draft: Draft, block: _Block, scheme: str | None, host: str, port: int | None) -> None:
    is_named = bool(host) and host != "localhost"
    is_public = is_public_name(host.removeprefix("*.")) and not host.endswith(
        (".local", ".internal", ".home.arpa")
    )
    wants = scheme == "https" or port == 443 or (is_named and scheme != "http" and port != 80)
    secure = wants and is_public
    if wants and not is_public:
        draft.remark(
            block.one,
            f"{host or 'https'}: Caddy signs a certificate of its own here; name one by tls, or a "
            "public host",
        )
    if secure and host.startswith("*."):
        draft.remark(
            block.one,
            f"{host}: a certificate for all names below one is a file here: "
            'listen = ["tls:443:privateKey=FILE:certKey=FILE"]',
        )
    if wants and not secure and port == 443:
        port = None
    block.ports.append((port or (443 if secure else 80), secure))
    if host:
        block.site.result.hosts.append(host)
        block.names += [host] if secure and not host.startswith("*.") else []


def _interfaces(draft: Draft, block: _Block, binds: Sequence[str]) -> Iterator[str]:
    for word in binds or [""]:
        interface = (
            word.strip("[]")
            .partition("%")[0]
            .removeprefix("tcp4/")
            .removeprefix("tcp6/")
            .removeprefix("tcp/")
        )
        if interface.startswith("unix/"):
            yield "unix:" + interface.removeprefix("unix/").partition("|")[0]
            continue
        try:
            if interface not in ("", "localhost"):
                ip_address(interface)
        except ValueError:
            draft.remark(block.one, f'bind {word[:60]}: write listen = ["tcp:PORT:interface=ADDRESS"] for it')
            interface = "127.0.0.1"
        yield interface


def _reach(interface: str) -> int:
    return reach("unix" if interface.startswith("unix:") else interface)


def _close_exposed(draft: Draft, blocks: Sequence[_Block]) -> None:
    """Nobody is let into a site that more visitors would get to than where it listens."""
    widest = max((_reach(each) for block in blocks for each in block.interfaces), default=0)
    for block in blocks:
        if max(map(_reach, block.interfaces)) >= widest or block.site.result not in draft.sites:
            continue
        draft.remark(
            block.one,
            "not everybody gets to where it listens, and a site is known by its host alone: nobody "
            "is let in before its [[access]] says who may, or it has a node of its own",
        )
        closed = Table({"path": "/**", "deny": list(EVERYBODY)}, block.one.place)
        block.site.result.tables["access"] = [closed]


def _apart(draft: Draft, blocks: Sequence[_Block]) -> Iterator[_Block]:
    """Those that are sites here: a host has one, and so has who asks for no host that is known."""
    owners: dict[str, _Block] = {}
    only_https: set[int] = set()
    for block in sorted(blocks, key=lambda each: not each.is_secure):
        site = block.site.result
        if site.is_empty and draft.keys.get("redirect-https") and not block.is_secure and len(blocks) > 1:
            only_https.add(id(block))  # it only leads to HTTPS
            continue
        hosts = site.hosts or [""]
        if taken := [host for host in hosts if host in owners]:
            draft.remark(
                block.one,
                f"{', '.join(taken) or 'all hosts'}: another site has this host, and a site is known "
                "by its host alone, not by its port",
            )
        site.hosts = [host for host in site.hosts if host not in taken]
        if not site.hosts and (taken or "" in owners):
            only_https.add(id(block))
            continue
        owners.update(dict.fromkeys(hosts, block))
    kept = [block for block in blocks if id(block) not in only_https]
    ports = {port for block in kept for port, _ in block.ports} - {80, 443}
    for block in kept:
        block.site.result.is_default = not block.site.result.hosts
        own = {port for port, _ in block.ports}
        if (
            len(kept) > 1
            and ports
            and own <= ports
            and any({port for port, _ in each.ports} != own for each in kept)
        ):
            draft.remark(
                block.one,
                "who asks for this site at another port gets it, too: a site is known by its host "
                "alone; give it a node of its own if its port keeps visitors out",
            )
    yield from kept


def _listeners(draft: Draft, blocks: Sequence[_Block]) -> None:
    """The endpoints of all sites, each once, with the certificates of those that are there."""
    pairs: dict[str, list[str]] = {}
    names: list[str] = []
    is_secure = False
    for block in blocks:
        certificate = block.site.certificate
        lacks = block.is_secure and certificate is None and not block.names
        for port, secure in block.ports:
            secure = secure and not lacks
            is_secure |= secure
            for interface in sorted(block.interfaces):
                if interface.startswith("unix:"):
                    pairs.setdefault("unix:" + escaped(interface.removeprefix("unix:")), [])
                    continue
                suffix = ":interface=" + escaped(interface) if interface else ""
                if secure:
                    pairs.setdefault(f"tcp:80{suffix}", [])
                found = pairs.setdefault(
                    f"{'tls' if secure else 'tcp'}:{80 if lacks and port == 443 else port}{suffix}", []
                )
                if secure and certificate is not None:
                    pair = f":privateKey={escaped(certificate[1])}:certKey={escaped(certificate[0])}"
                    found += [pair] if pair not in found else []
        names += block.names if certificate is None else []
    for endpoint in [one for one in pairs if one.startswith("tls:") and "tcp" + one[3:] in pairs]:
        del pairs["tcp" + endpoint[3:]]  # what one site says of TLS holds for all at the same port
    draft.keys = {
        "listen": [endpoint + "".join(found) for endpoint, found in pairs.items()] or ["tcp:80"],
        **({"tls-auto": list(dict.fromkeys(names))} if names else {}),
        **({"redirect-https": True} if is_secure else {}),
        **draft.keys,
    }


def _of_node(draft: Draft, one: Statement) -> Iterator[str]:
    """The options in the block without an address; the addresses at which sites listen that do not say it."""
    for each in one.block or ():
        if each.name == "email" and each.args and "@" in each.args[0] and "{" not in each.args[0]:
            draft.keys["acme-email"] = each.args[0]
        elif each.name == "default_bind":
            yield from each.args
        elif each.name == "servers":
            for line in each.block or ():
                _of_servers(draft, line)
        elif each.name == "order":
            draft.remark(
                each, "directives are taken in their usual order: look whether something is open by that"
            )
        elif each.name not in OPTIONS:
            draft.remark(each, "there is nothing here that does this")


def _of_servers(draft: Draft, line: Statement) -> None:
    if line.name == "trusted_proxies" and line.args[:1] == ("static",):
        words = [word for arg in line.args[1:] for word in (PRIVATE if arg == "private_ranges" else (arg,))]
        try:
            for word in words:
                parse_network(word, strict=False)
        except ValueError:
            draft.remark(line, 'name networks: trusted-proxies = ["10.0.0.0/8"]')
            return
        draft.keys["trusted-proxies"] = words
        draft.remark(
            line, "who comes by these proxies is known by the address that they name, for remote_ip, too"
        )
    elif line.name not in (
        "timeouts",
        "max_header_size",
        "metrics",
        "protocols",
        "name",
        "log_credentials",
        "trace",
        "keepalive_interval",
        "strict_sni_host",
        "enable_full_duplex",
    ):
        draft.remark(
            line,
            "Forwarded and X-Forwarded-For of trusted-proxies are believed here: name the proxies"
            if line.name in ("trusted_proxies", "client_ip_headers", "listener_wrappers")
            else "there is nothing here that does this",
        )

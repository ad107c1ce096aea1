"""Further sites, as they are configured: ``--site blog.example.org=DIR``, or tables ``[[site]]``.

A table has keys of its own (``hosts``, ``default``, ``name``) and those of
:class:`~edge.config.model.SiteRules`, read as they are on top of the file.  Nothing is inherited from
there: a site's table says all of it.
"""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import idna

from edge.config.model import Site
from edge.config.values import FILE, FLAG, URL, WEBROOT, Kind, Wrong, WrongTables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

#: Of one site; and characters of one (RFC 1035 section 2.3.4).
MAX_HOSTS, MAX_HOST = 256, 253
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")


def read_host(text: str, base: Path) -> str:
    """A host as requests name it, in lower case, or ``*.NAME``; raises :class:`Wrong`."""
    wild, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    if not name or "*" in name:
        raise Wrong("give a name, or *. before one for all below it, like *.example.org")
    try:
        address = ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return wild + _dns_name(name)
    if wild:
        raise Wrong("nothing lies below an address; remove *.")
    return f"[{address.compressed}]" if address.version == 6 else address.compressed


def _dns_name(text: str) -> str:
    if re.fullmatch(r".*:[0-9]*", text):
        raise Wrong("a site is known by its name on every port; remove the colon and the port")
    name = text.lower().removesuffix(".")
    if not name.isascii():
        try:
            name = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise Wrong(f"this is no name of the DNS ({error}); write it as xn--...") from None
    if len(name) > MAX_HOST or not _NAME.fullmatch(name):
        raise Wrong("give a name like www.example.org, without scheme, port and path")
    return name


HOSTS = Kind("HOST", read_host, repeated=True)


def _name(text: str, base: Path) -> str:
    if not re.fullmatch(r"[A-Za-z0-9*_\[](?:[A-Za-z0-9*._:\[\]-]{0,252})", text):
        raise Wrong("give letters, digits, dots and dashes, like blog")
    return text


def _public_url(text: str, base: Path) -> str:
    URL.read(text.replace("{node}", "node"), base)
    if "{" in text.replace("{node}", "") or "}" in text.replace("{node}", ""):
        raise Wrong("only {node} stands for something: the name of a node")
    return text.rstrip("/")


#: Keys that only a site has.
OWN_KINDS: dict[str, Kind] = {
    "hosts": HOSTS,
    "default": FLAG,
    "name": Kind("NAME", _name),
    "public-url": Kind("URL", _public_url),
    "certificate": FILE,
    "key": FILE,
}


def site_tables(kinds: Callable[[], Mapping[str, Kind]]) -> Kind:
    """The kind of ``site``; *kinds*: of the keys of :class:`~edge.config.model.SiteRules`, by name."""

    def from_toml(value: object, base: Path) -> tuple[object, ...]:
        return _sites(value, base, {**OWN_KINDS, **kinds()})

    return Kind("HOST=DIR", site_of_text, repeated=True, tables=from_toml)


def site_of_text(text: str, base: Path) -> Site:
    """The site that ``HOST,HOST=DIR`` describes; raises :class:`Wrong`."""
    names, equals, folder = text.partition("=")
    if not names or not equals or not folder:
        raise Wrong("write HOST=DIR, like blog.example.org=/srv/blog")
    hosts = tuple(read_host(name.strip(), base) for name in names.split(","))
    webroot = WEBROOT.read(folder, base)
    return Site(hosts=hosts, name=hosts[0], webroot=webroot)  # type: ignore[arg-type]


def _sites(value: object, base: Path, kinds: Mapping[str, Kind]) -> tuple[Site, ...]:
    """All tables ``[[site]]``; a list of texts is read as on the command line."""
    sites: list[Site] = []
    problems: list[str] = []
    for number, item in enumerate(value if isinstance(value, list) else [value], 1):
        try:
            if isinstance(item, dict):
                sites.append(_site(item, _place(item, number), base, kinds))
            elif isinstance(item, str):
                sites.append(site_of_text(item, base))
            else:
                raise Wrong('write tables [[site]] with hosts = ["..."] and webroot = "..."')
        except WrongTables as wrong:
            problems += wrong.lines
        except Wrong as wrong:
            problems.append(f"site = {_shown(item)}: {wrong}")
    if problems:
        raise WrongTables(problems)
    return tuple(sites)


def _site(table: dict[str, Any], place: str, base: Path, kinds: Mapping[str, Kind]) -> Site:
    problems: list[str] = []
    found: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        kind = kinds.get(name)
        if kind is None:
            problems.append(f"{place}: unknown key {key!r}; {_nearest(name, kinds)}")
        elif name in found:
            problems.append(f"{place}: {key} is there in both spellings; remove one")
        else:
            found[name] = None
            try:
                found[name] = kind.from_toml(value, base)
            except WrongTables as wrong:
                problems += [f"{place}: {line}" for line in wrong.lines]
            except Wrong as wrong:
                problems.append(f"{place}: {key} = {_shown(value)}: {wrong}")
    hosts = found.get("hosts", ())
    if not problems and not hosts and not found.get("default"):
        problems.append(f'{place}: it has no hosts, so nobody reaches it; give hosts = ["example.org"]')
    if "key" in found and "certificate" not in found:
        problems.append(f"{place}: key is there without certificate; give both files")
    if hosts is not None and len(hosts) > MAX_HOSTS:
        problems.append(f"{place}: hosts has {len(hosts)} names, at most {MAX_HOSTS} are possible")
    if problems:
        raise WrongTables(problems)
    found.setdefault("name", hosts[0] if hosts else "default")
    return Site(**{key.replace("-", "_"): value for key, value in found.items()})


def _place(table: dict[str, Any], number: int) -> str:
    hosts = table.get("hosts")
    called = hosts[0] if isinstance(hosts, list) and hosts else hosts
    return f"[[site]] number {number}" + (
        f" ({called[:64]})" if isinstance(called, str) and called.isprintable() and called else ""
    )


def site_contradictions(sites: Sequence[Site]) -> Iterable[str]:
    """What of several *sites* cannot be together, a sentence each."""
    defaults = [site for site in sites if site.default]
    if len(defaults) > 1:
        named = " and ".join(
            f"[[site]] {site.name}" if site.name else "the top of the file" for site in defaults
        )
        yield (
            f"site: {named} are both the default site, which takes the hosts that no site names; "
            "keep one: remove default = true, or the webroot, apps and mounts on top"
        )
    owners: dict[str, list[str]] = {}
    for site in sites:
        for host in dict.fromkeys(site.hosts):
            owners.setdefault(host, []).append(site.name)
        for host, count in Counter(site.hosts).items():
            if count > 1:
                yield f"site {site.name}: {host} is named {count} times; once is enough"
    for host, names in owners.items():
        if len(names) > 1:
            yield f"site {host}: {' and '.join(names)} have this host; it can belong to one of them"
    for name, count in Counter(site.name for site in sites).items():
        if count > 1:
            yield f"site {name}: {count} sites have this name; give each its own, by name in [[site]]"


def overlaps(sites: Sequence[Site]) -> list[str]:
    """Hosts of one site that lie below ``*.NAME`` of another, a sentence each: the longer one counts."""
    wild = {host: site.name for site in sites for host in site.hosts if host.startswith("*.")}
    found = []
    for site in sites:
        for host in site.hosts:
            name = host.removeprefix("*.")
            above = ("*." + name[at + 1 :] for at, letter in enumerate(name) if letter == ".")
            wider = next((one for one in above if one in wild and one != host), None)
            if wider is not None and wild[wider] != site.name:
                found.append(f"{host} is of the site {site.name}, though {wider} is of {wild[wider]}")
    return found


def _nearest(name: str, kinds: Mapping[str, Kind]) -> str:
    near = difflib.get_close_matches(name, kinds, 1, 0.5)
    return f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(kinds))}"


def _shown(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."

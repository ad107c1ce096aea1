"""Which site a host belongs to, and how the names of entries tell sites apart.  Sans-IO.

A host is looked up as requests write it, in any case, with or without a port and the dot at the end: among
the exact hosts first, then among those like ``*.example.org`` (all names below it, the longest first), then
it is the default site's.  ``edge_sites.c`` is the twin.

The *name* of an entry - in the table, in gossip, in logs - is the prefix of its site and the path:
``blog.example.org/index.html``.  Paths begin with a slash; prefixes never do, nor do they have one.  The
default site's prefix is empty: with one site alone, names are paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

#: Longer ones are nobody's (RFC 1035 section 2.3.4, and a port).
MAX_HOST = 260
#: Sites and hosts that a node tells apart.
MAX_SITES, MAX_HOSTS = 1024, 4096


class SiteHosts(NamedTuple):
    """The hosts of one site, in lower case."""

    #: Of names of entries; b"" of the default site.
    prefix: bytes
    #: ``b"*.example.org"`` is all below a name.
    hosts: tuple[bytes, ...] = ()
    #: It takes what no site names.
    default: bool = False


#: What is a node's own, and what of it is a site's.
_OWN, LOAD = b"/.edge/", b"/.edge/load"
#: Bytes of a prefix.
LONGEST_PREFIX = 255
_PREFIX = re.compile(rb"(?:[A-Za-z0-9*_\[][A-Za-z0-9*._:\[\]-]{0,%d})?" % (LONGEST_PREFIX - 1))
#: One site for all hosts.
ALONE = (SiteHosts(b"", default=True),)


class Hosts:
    """The sites of a node by host."""

    def __init__(self, sites: Iterable[SiteHosts] = ALONE) -> None:
        self._sites = tuple(sites)
        self._numbers = {host: number for number, site in enumerate(self._sites) for host in site.hosts}
        defaults = [number for number, site in enumerate(self._sites) if site.default]
        #: The number of the site that takes what no site names; None: nobody does.
        self.default = defaults[0] if defaults else None

    @property
    def are_several(self) -> bool:
        """Whether it matters which host is asked for."""
        return bool(self._numbers)

    def find(self, host: bytes) -> int | None:
        """The number of the site of *host*, the value of a field Host; None: nobody's."""
        if not self._numbers:
            return self.default
        if len(host) > MAX_HOST:
            return self.default
        name = host_name(host)
        number = self._numbers.get(name)
        at = 0
        while number is None and (at := name.find(b".", at) + 1):
            number = self._numbers.get(b"*." + name[at:])
        return self.default if number is None else number

    def prefix(self, number: int) -> bytes:
        """What names of entries of site *number* begin with."""
        return self._sites[number].prefix


def counted_apart(sites: Sequence[SiteHosts]) -> int:
    """Of how many *sites* requests are counted: of all, if it matters which host is asked for; else 0."""
    return len(sites) if Hosts(sites).are_several else 0


def host_name(host: bytes) -> bytes:
    """*host*, the value of a field Host, as sites are known: lower case, no port, no dot at the end."""
    end = host.rfind(b"]") + 1 if host.startswith(b"[") else host.find(b":")
    name = (host[:end] if end > 0 else host).lower()
    return name[:-1] if name.endswith(b".") else name


def entry_name(prefix: bytes, path: bytes) -> bytes:
    """The name of the entry of *path* at the site with *prefix*, with or without a query.

    The node's own resources are the same for all sites, but the load document.
    """
    if prefix and (not path.startswith(_OWN) or path.partition(b"?")[0] == LOAD):
        return prefix + path
    return path


def is_prefix(text: bytes) -> bool:
    """Whether *text* may be the prefix of a site, in names that come from elsewhere."""
    return _PREFIX.fullmatch(text) is not None


def split_name(name: bytes) -> tuple[bytes, bytes]:
    """(prefix, path) of the name of an entry."""
    at = name.find(b"/")
    return (name[:at], name[at:]) if at > 0 else (b"", name)

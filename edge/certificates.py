"""For which hosts a connection may be asked, by the certificate that was shown on it.  Sans-IO.

Who opens a TLS connection asks for a name (SNI, RFC 6066 section 3), and is shown a certificate for it.  Over
that connection he may ask for every host of the same site, and for every other one that the certificate is
for: browsers and proxies reuse connections so.  A request for a host of another site, which has another
certificate, is *misdirected*: nothing has shown the client that this is that host.  It is answered 421, and
the client opens a connection for the host (RFC 9110 section 15.5.20).  Who asks for no name when he connects
may ask for all hosts.

``edge_certificates.c`` is the twin of :class:`Certificates`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from edge.sites import MAX_HOST, host_name


class Certificates:
    """The certificates of a listener: what is shown to whom, and what that is for."""

    def __init__(self, shown: Mapping[bytes, int], own: Iterable[Iterable[bytes]]) -> None:
        """*shown*: by name, in lower case (``*.example.org``: a label and that), a number for what is shown.

        *own*: by that number, the names that it is for for sure; number 0 is shown to who asks for another.
        """
        self.shown = dict(shown)
        self.own = tuple(map(frozenset, own))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificates) and (self.shown, self.own) == (other.shown, other.own)

    def __hash__(self) -> int:
        return hash(self.own)

    def shown_to(self, name: bytes) -> int:
        """The number of what is shown to who asks for *name*, in lower case."""
        found = _cover_of(self.shown, name) if 0 < len(name) <= MAX_HOST else None
        return 0 if found is None else self.shown[found]

    def misdirects(self, shown: int, host: bytes) -> bool:
        """Whether a request is misdirected: the connection was shown *shown*, its field Host is *host*."""
        name = host_name(host) if len(host) <= MAX_HOST else b""
        if name and _cover_of(self.own[shown], name) is not None:
            return False
        return self.shown_to(name) != shown


class Shown(NamedTuple):
    """What was shown on a connection: a number of *certificates*; *site* is what its client has asked for."""

    certificates: Certificates
    number: int
    #: Its number; None: no site has the name.
    site: int | None

    def misdirects(self, site: int | None, host: bytes) -> bool:
        """Whether a request for *host*, which is of *site*, is misdirected."""
        return site != self.site and self.certificates.misdirects(self.number, host)


def _cover_of(names: Mapping[bytes, int] | frozenset[bytes], name: bytes) -> bytes | None:
    """What covers *name* among *names*: itself, or ``*`` in place of its first label (RFC 6125 6.4.3)."""
    if name in names:
        return name
    _, dot, rest = name.partition(b".")
    wild = b"*." + rest
    return wild if dot and wild in names else None

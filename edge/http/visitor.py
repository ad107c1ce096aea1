"""Who asks through trusted proxies: ``Forwarded`` (RFC 7239), ``X-Forwarded-For``, ``-Proto``, ``-Host``.

Each proxy appends whom it has accepted.  So the list is read from the right: the first address that is no
trusted proxy's is the visitor; what stands before it, he may have written himself.  An entry that is no
address ("unknown", a pseudonym) ends the search: then the proxy that wrote it is all that is known.

A proxy that writes one of both kinds passes the other on as the visitor has sent it.  So where both are
there, they have to name the same address; else it is 400: nobody can tell which one is true.

Who comes from elsewhere is not asked for any of this: the fields mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from edge.http.errors import BadRequest
from edge.http.fields import list_members
from edge.http.grammar import HOST
from edge.networks import Networks, address_of_text

#: Members of a list that are looked at.
MOST_MEMBERS = 64
#: One pair of Forwarded; quotes and escapes within are undone below.
_PAIR = re.compile(
    rb'[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^";,\s]*)[ \t]*(;|,|\Z)', re.DOTALL
)
_NODE = re.compile(rb"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+)(?::[0-9]{1,5})?")


class Visitor(NamedTuple):
    """Who asks, as far as trusted proxies say so."""

    #: 16 bytes, see :mod:`edge.networks`.
    address: bytes
    #: Whether he came by HTTPS; None: nobody says.
    secure: bool | None = None
    #: The host that he asked for; None: nobody says.
    host: bytes | None = None


def visitor(peer: bytes, fields: Mapping[bytes, bytes], trusted: Networks) -> Visitor:
    """Who asks with *fields* (lower-case names, lines joined) over a connection of the trusted proxy *peer*.

    :raises BadRequest: the fields contradict each other, or are malformed.
    """
    forwarded, plain = fields.get(b"forwarded"), fields.get(b"x-forwarded-for")
    elements = _elements(forwarded) if forwarded is not None else []
    by_plain = _found(peer, list_members(plain), trusted) if plain is not None else None
    by_forwarded = (
        _found(peer, [_node(one.get(b"for", b"")) for one in elements], trusted) if elements else None
    )
    if by_plain is not None and by_forwarded is not None and by_plain != by_forwarded:
        raise BadRequest("Forwarded and X-Forwarded-For name different visitors.")
    last = elements[-1] if elements else {}
    scheme = last.get(b"proto") or _last(fields.get(b"x-forwarded-proto"))
    host = last.get(b"host") or _last(fields.get(b"x-forwarded-host"))
    if host is not None and not HOST.fullmatch(host):
        raise BadRequest("The host that the request was forwarded for is malformed.")
    secure = {b"https": True, b"http": False}.get((scheme or b"").lower())
    return Visitor(by_forwarded or by_plain or peer, secure, host)


def _found(peer: bytes, members: Iterable[bytes], trusted: Networks) -> bytes:
    """The first address from the right that is not trusted; else the last one that is an address."""
    address = peer
    for member in list(members)[: -MOST_MEMBERS - 1 : -1]:
        before = address_of_text(member)
        if before is None:
            break
        address = before
        if not trusted.holds(address):
            break
    return address


def _last(value: bytes | None) -> bytes | None:
    members = list_members(value) if value is not None else []
    return members[-1] if members else None


def _elements(value: bytes) -> list[dict[bytes, bytes]]:
    """The elements of Forwarded: lower-case name -> value, without quotes."""
    elements: list[dict[bytes, bytes]] = [{}]
    at = 0
    while at < len(value):
        found = _PAIR.match(value, at)
        if found is None:
            raise BadRequest("Forwarded is malformed.")
        name, text, end = found[1].lower(), found[2], found[3]
        if text.startswith(b'"'):
            text = re.sub(rb"\\(.)", rb"\1", text[1:-1], flags=re.DOTALL)
        if name in elements[-1]:
            raise BadRequest("Forwarded names something twice.")
        elements[-1][name] = text
        if end == b",":
            elements.append({})
        at = found.end()
    return elements


def _node(text: bytes) -> bytes:
    """The address in a node of Forwarded, without a port (RFC 7239 section 6); else what is none."""
    found = _NODE.fullmatch(text)
    return (found[1] or found[2]) if found is not None else b"unknown"

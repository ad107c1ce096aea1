"""What a node itself says of the visitor: ``Forwarded`` (RFC 7239) and the fields that came before it.

A node is the first server that a visitor meets, so each of them names one visitor and nobody else; what a
visitor sends under these names never passes (:mod:`edge.upstream.fields`).
"""

from __future__ import annotations

from edge.http.fields import Fields

#: RFC 9110 section 7.6.3: the received protocol, and a pseudonym.
PSEUDONYM = b"edge"
VIA = b"1.1 " + PSEUDONYM


def forwarded(peer: str, secure: bool, host: bytes) -> Fields:
    """The fields that tell who asks (*peer*, numeric; "" over a Unix socket), how, and for which *host*."""
    scheme = b"https" if secure else b"http"
    fields: Fields = []
    pairs = []
    if peer:
        address = peer.partition("%")[0].encode("ascii")
        # RFC 7239 section 6: an IPv6 address is in brackets, and therefore in quotes.
        pairs.append(b'for="[%b]"' % address if b":" in address else b"for=%b" % address)
        fields.append((b"X-Forwarded-For", address))
    if host:
        pairs.append(b'host="%b"' % host)  # no quote and no backslash is in it: edge.http.grammar.HOST
        fields.append((b"X-Forwarded-Host", host))
    pairs.append(b"proto=" + scheme)
    return [(b"Forwarded", b";".join(pairs)), *fields, (b"X-Forwarded-Proto", scheme)]


def passages(via: bytes) -> int:
    """How often a request with this *via* has come through nodes already: a circle makes it many."""
    return sum(member.split()[1:2] == [PSEUDONYM] for member in via.split(b","))

"""The field Cache-Status (RFC 9211): what this node's cache made of a request."""

from __future__ import annotations

#: The name of this cache in the field.
NAME = b"edge"
#: Of answers from the table; part of their stored lines.
HIT = b"Cache-Status: %b; hit\r\n" % NAME


def status_line(*parameters: bytes) -> bytes:
    """The whole line with *parameters*, like ``fwd=miss``."""
    return b"Cache-Status: %b\r\n" % b"; ".join((NAME, *parameters))


def status_field(*parameters: bytes) -> tuple[bytes, bytes]:
    """The same as (name, value)."""
    return b"Cache-Status", b"; ".join((NAME, *parameters))


#: Forwarded: nothing is stored.
MISS = (b"fwd=uri-miss",)
#: Forwarded: what is stored is no longer fresh.
STALE = (b"fwd=stale",)
#: And then given to be stored.
STORED = b"stored"
#: Forwarded whole, by what is known of the key.
BYPASS = (b"fwd=bypass",)
#: Another method than GET and HEAD.
METHOD = (b"fwd=method",)
#: Waited for the answer to another's question.
COLLAPSED = (b"fwd=uri-miss", b"collapsed")
#: Served although no longer fresh.
HIT_STALE = (b"hit", b"detail=stale")

"""Who may see what the node says of itself, its status and the dashboard: ``--status public|local|off``."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from edge.http.own_origins import own_origins

if TYPE_CHECKING:
    from edge.http.parser import RequestHead
    from edge.node.connection.request import EdgeRequest


def may_see_status(audience: str, request: EdgeRequest) -> bool:
    """Whether *request* is of the *audience*: everybody, this machine, nobody.

    Of this machine is who comes over a Unix socket or from a loopback address, but no page of another site in
    a browser here: such a page says so in Origin, or has led its name to us and says that in Host.
    """
    if audience != "local":
        return audience == "public"
    return is_of_this_machine(request.head, getattr(request.client, "host", ""), request.isSecure())


def is_of_this_machine(head: RequestHead, address: str, secure: bool) -> bool:
    """Whether the request with *head* is, as above; *address*: of the peer, "" over a Unix socket."""
    if address and not _is_loopback(address):
        return False
    own = own_origins(head.host, secure)
    return bool(own) and head.fields.get(b"origin", own[0]) in own


def _is_loopback(address: str) -> bool:
    parsed = ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)  # an IPv4 client of a listener on [::]
    return (mapped or parsed).is_loopback


def tell_all(prefix: bytes, target: bytes, host: str) -> bool:
    """Whether a client is told if its copy is current, where no rule says that it is not."""
    return True

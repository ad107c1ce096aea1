"""Who may change something: pages of this origin, and programs that are no browsers.

A node that runs the application has decided that before, and knows the origins of the whole cluster; so
this counts where the application runs elsewhere.  Browsers say in ``Sec-Fetch-Site`` and ``Origin`` (W3C
Fetch Metadata; RFC 6454) where a request comes from; ``Content-Type: application/json`` alone already keeps
plain forms of other sites away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.app import changes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def is_run_by_a_node() -> bool:
    """Whether this process is one of a node, which has checked where requests come from."""
    return changes.node is not None


def may_change(headers: Mapping[bytes, bytes], scheme: str, own: Collection[str] = ()) -> bool:
    """Whether a request with these *headers* may change something; *own*: origins that may, beside Host's."""
    site, origin = headers.get(b"sec-fetch-site"), headers.get(b"origin")
    if origin is None:
        return site in (None, b"same-origin", b"none")
    said = origin.decode("latin-1")
    host = headers.get(b"host", b"").decode("latin-1")
    return said in own or (bool(host) and said.lower() == f"{scheme}://{host}".lower())

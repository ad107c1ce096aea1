"""The origins of this server, as a request names it: whose pages may change something here."""

from __future__ import annotations

import re

#: Hosts that no name server can lead elsewhere: addresses, and what browsers resolve themselves (RFC 6761
#: section 6.3).
_FIXED = re.compile(
    rb"(?:\[[0-9a-f:.]+\]|[0-9]{1,3}(?:\.[0-9]{1,3}){3}|(?:[0-9a-z_-]+\.)*localhost)(?::[0-9]+)?",
    re.IGNORECASE,
)


def own_origins(host: bytes | None, secure: bool) -> tuple[bytes, ...]:
    """The origin of a page of this server that was fetched from *host*; none if that proves nothing.

    The owner of a name can have it resolved to our address while his page is open (DNS rebinding).  From
    then on his page is of the same origin as we are: Host, Origin and Sec-Fetch-Site agree.  So a name counts
    only over TLS, where the browser has found it in our certificate; over plain HTTP only an address or
    localhost does.  Other names of a node are configured (``--public-url``, ``--allow-origin``).
    """
    if secure:
        return (b"https://%b" % (host or b""),)
    return (b"http://%b" % host,) if host is not None and _FIXED.fullmatch(host) else ()

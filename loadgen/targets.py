"""The targets that may be put under load: one's own addresses.

Loopback always; any other host only when it is named with ``--i-own-this-target``.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from loadgen.errors import UsageError

_PORTS = {"http": 80, "https": 443}


class TargetError(UsageError):
    """A URL that cannot, or must not, be loaded.  The message names it and the way out."""


@dataclass(frozen=True)
class Target:
    """A target: where to connect to, and what to ask for."""

    address: tuple[str, int]
    family: socket.AddressFamily
    #: Host and port as clients name them.
    host: str
    path: str
    #: Over TLS, and this is in its certificate; "": in the clear.
    name: str = ""


def resolve(url: str, owned: tuple[str, ...] = ()) -> Target:
    """The target that *url* names; :exc:`TargetError` if it is malformed, unknown or not ours."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 80)
    except ValueError as error:
        raise TargetError(f"{url}: {error}; give a URL like http://localhost:8001/") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise TargetError(f"{url}: only http:// and https:// URLs can be loaded, like http://localhost:8001/")
    try:
        family, _, _, _, address = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise TargetError(f"{url}: {parts.hostname} cannot be resolved: {error}") from None
    if not is_ours(str(address[0]), owned) and parts.hostname not in owned:
        raise TargetError(
            f"{url}: {address[0]} is not this machine; if the target is yours, "
            f"say so with --i-own-this-target {parts.hostname}"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target((str(address[0]), port), family, parts.netloc, path, tls_name(url))


def tls_name(url: str) -> str:
    """What has to be in the certificate of *url*'s server; "": it is in the clear."""
    parts = urlsplit(url)
    return (parts.hostname or "") if parts.scheme == "https" else ""


def family_of(address: str) -> socket.AddressFamily:
    """The address family of an IP *address*."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def is_ours(address: str, owned: Collection[str] = ()) -> bool:
    """Whether the IP *address* is this machine's loopback, or was named."""
    try:
        return ipaddress.ip_address(address).is_loopback or address in owned
    except ValueError:
        return False

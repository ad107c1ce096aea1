"""Sockets of many users: addresses to come from, descriptors enough."""

from __future__ import annotations

import errno
import ipaddress
import resource
import socket
from typing import NamedTuple

#: linux/in.h; Python has no name for it.
_IP_BIND_ADDRESS_NO_PORT = 24
_LOOPBACK = int(ipaddress.IPv4Address("127.0.0.1"))
#: 127.0.0.1 .. 127.255.255.0: each of so many users has an address of its own, as real users have.
LOOPBACK_ADDRESSES = (1 << 24) - 256
#: What connect may say when all is well.
_ON_ITS_WAY = (0, errno.EINPROGRESS)


class Node(NamedTuple):
    """Where connections go."""

    family: socket.AddressFamily
    address: tuple[str, int]
    #: Connections to it may come from any address of 127.0.0.0/8.
    loopback: bool
    #: Over TLS, and this is in its certificate; "": in the clear.
    name: str = ""


def parse(host: str, port: int, name: str = "") -> Node:
    """The node at an IP address; ValueError if it is none."""
    ip = ipaddress.ip_address(host)
    if not 0 < port < 65536:
        raise ValueError(f"{port} is no port: 1 to 65535")
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    return Node(family, (str(ip), port), ip.version == 4 and ip.is_loopback, name)


def connect(node: Node, user: int) -> socket.socket:
    """A non-blocking socket on its way to *node*; OSError.

    One address has some 28,000 ports for connections to one node.  On loopback every user comes from an
    address of its own, and the port is chosen with the whole connection in view; IPv6 has only ::1, so
    there the ports end.
    """
    made = socket.socket(node.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if node.loopback:
            made.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            made.bind((str(ipaddress.IPv4Address(_LOOPBACK + user % LOOPBACK_ADDRESSES)), 0))
        error = made.connect_ex(node.address)
        if error not in _ON_ITS_WAY:
            raise OSError(error, "no connection")
    except OSError:
        made.close()
        raise
    return made


def allow_descriptors() -> int:
    """Raise the limit of open descriptors as far as it goes; what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard

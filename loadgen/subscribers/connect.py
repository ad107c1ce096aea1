"""A connection attempt: a socket that begins to connect."""

from __future__ import annotations

import socket

from loadgen.targets import Target

#: A loopback address has some 28,000 ports for connections to one port of another: they are taken in turn.
SOURCES = tuple(f"127.0.0.{number}" for number in range(2, 202))
#: ip(7): the port is chosen when the connection is made, so that one port serves for many destinations.
_IP_BIND_ADDRESS_NO_PORT = 24


def connect(node: Target, turn: int) -> int:
    """The descriptor of a socket that is being connected to *node*; :exc:`OSError` if that cannot be.

    *turn*: which of the source addresses to take, any number.
    """
    sock = socket.socket(node.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        if node.address[0].startswith("127."):
            sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind((SOURCES[turn % len(SOURCES)], 0))
        sock.connect(node.address)
    except BlockingIOError:
        pass  # it is on its way
    except OSError:
        sock.close()
        raise
    return sock.detach()

"""The port of ``--gossip``: a TCP and a UDP socket of the same number, open before all else is made."""

from __future__ import annotations

import socket

from edge.errors import EdgeError

#: Connections that wait to be accepted.
BACKLOG = 128
#: Bytes of the datagrams' receive buffer: what arrives while the reactor is busy for 50 ms.
RECEIVE_BYTES = 1 << 20


class GossipPort:
    """Both sockets, bound; *number* 0: any free one."""

    def __init__(self, host: str, number: int) -> None:
        """:class:`EdgeError` when the port cannot be had."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.host = host
        #: Listening.
        self.streams = socket.socket(family, socket.SOCK_STREAM)
        self.datagrams = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self.streams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.streams.bind((host, number))
            self.streams.listen(BACKLOG)
            self.number: int = self.streams.getsockname()[1]
            self.datagrams.bind((host, self.number))
            self.datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        except OSError as error:
            self.close()
            why = error.strerror or error
            raise EdgeError(
                f"--gossip {host}:{number}: cannot listen there ({why}); choose another one"
            ) from None
        self.streams.setblocking(False)
        self.datagrams.setblocking(False)

    def close(self) -> None:
        """Give both up."""
        self.streams.close()
        self.datagrams.close()

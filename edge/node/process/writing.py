"""What is said to an application, or to the supervisor: at once, as far as the socket takes it."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import Any


def write_at_once(transport: Any, data: bytes) -> None:
    """Send *data* on *transport*, a stream transport of Twisted; what the kernel does not take waits there.

    A write in the next turn costs two calls of epoll_ctl and a turn; most of what is said fits the socket.
    """
    if not transport.dataBuffer and not transport._tempDataBuffer and transport.connected:
        sent = transport.writeSomeData(data)
        if isinstance(sent, int) and sent > 0:
            if sent == len(data):
                return
            data = data[sent:]
    transport.write(data)

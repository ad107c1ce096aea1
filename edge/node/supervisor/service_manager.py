"""What systemd is told of a node's life: the protocol of ``Type=notify`` services (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def tell_service_manager(*states: str) -> None:
    """Send *states*, like ``READY=1``, if a service manager wants to know (``NOTIFY_SOCKET``).

    Workers inherit the environment, but say nothing: only this process is believed.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told:
        told.setblocking(False)
        told.sendto("\n".join(states).encode(), address)

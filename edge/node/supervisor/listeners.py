"""The listeners of a node: opened once by the supervisor, inherited by every worker.

A :class:`Listener` holds, for each worker, the socket that it accepts on: on TCP one of its own, on
Unix sockets and those of systemd one for all.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.endpoint import ListenSpec, systemd_index
from edge.node.process.settings import ListenerSettings
from edge.node.supervisor.sockets import inherited, open_tcp, open_unix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.trust.kept_certificate import KeptCertificate


@dataclass(frozen=True)
class Listener:
    """An endpoint that is listened on."""

    spec: ListenSpec
    #: One for each worker, or one for all.
    sockets: tuple[socket.socket, ...]
    #: With TLS: what workers show, the first to who asks for a name that none of them has.
    certificates: tuple[KeptCertificate, ...] = ()

    @property
    def shared(self) -> bool:
        """Whether several workers accept on one socket."""
        return self.spec.kind in ("unix", "systemd")

    def socket_for(self, worker: int) -> socket.socket:
        """What worker number *worker* accepts on."""
        return self.sockets[0 if self.shared else worker]

    @property
    def url(self) -> str:
        """Where clients find it: ``http://127.0.0.1:8001``, ``unix:/run/edge.sock``."""
        sock = self.sockets[0]
        if sock.family == socket.AF_UNIX:
            return f"unix:{sock.getsockname()}"
        host, port = sock.getsockname()[:2]
        if host in ("0.0.0.0", "::"):
            host = "localhost"
        scheme = "https" if self.spec.kind == "tls" else "http"
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    def settings(self, fd: int) -> ListenerSettings:
        """What a worker is told, in which the socket is descriptor *fd*."""
        return ListenerSettings(fd=fd, url=self.url, shared=self.shared, secure=self.spec.kind == "tls")

    def close(self) -> None:
        """Close the supervisor's sockets, and remove the file of a Unix socket."""
        for sock in self.sockets:
            sock.close()
        if self.spec.kind == "unix":
            with suppress(OSError):
                os.unlink(self.spec.path)


def open_listener(spec: ListenSpec, workers: int) -> Listener:
    """Listen on *spec* for that many workers; :class:`~edge.errors.ListenError` says why not."""
    text = spec.text or spec.describe()
    if spec.kind == "unix":
        return Listener(spec, (open_unix(text, spec.path, spec.mode, spec.backlog, spec.owner, spec.group),))
    if spec.kind == "systemd":
        return Listener(spec, (inherited(text, systemd_index(spec, os.environ)),))
    defer = spec.kind == "tcp"
    return Listener(spec, tuple(open_tcp(text, spec.interface, spec.port, workers, spec.backlog, defer)))


def open_listeners(specs: Sequence[ListenSpec], workers: int) -> list[Listener]:
    """Listen on all of *specs*, or on none and raise."""
    opened: list[Listener] = []
    try:
        for spec in specs:
            opened.append(open_listener(spec, workers))
    except BaseException:
        for listener in opened:
            listener.close()
        raise
    return opened

"""Connections to applications that are somewhere already: made here, and given to workers.

Workers make no connections: so none of them can reach more than what is configured, whatever is done to it.
"""

from __future__ import annotations

import os
import socket
import stat
import struct
from typing import TYPE_CHECKING

from edge.errors import NotConnected

if TYPE_CHECKING:
    from edge.config.applications import Target

#: Seconds for a connection.
CONNECT_SECONDS = 5.0


def connect(target: Target) -> int:
    """The descriptor of a new connection to *target*; :class:`NotConnected` says why there is none.

    Blocks, for :data:`CONNECT_SECONDS` at most where no name has to be looked up.
    """
    try:
        connected = _connect_unix(target.path) if target.path else _connect_tcp(target.host, target.port)
    except TimeoutError:
        raise NotConnected(f"{_named(target)}: no connection within {CONNECT_SECONDS:g} s") from None
    except OSError as error:
        why = _in_the_way(target.path) if isinstance(error, ConnectionRefusedError) else ""
        raise NotConnected(
            f"{_named(target)}: {why or (error.strerror or str(error)) + _remedy(error)}"
        ) from None
    connected.setblocking(False)
    return connected.detach()


def _connect_tcp(host: str, port: int) -> socket.socket:
    connected = socket.create_connection((host, port), CONNECT_SECONDS)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def _connect_unix(path: str) -> socket.socket:
    connected = socket.socket(socket.AF_UNIX)
    try:
        connected.settimeout(CONNECT_SECONDS)
        connected.connect(path)
        _check_peer(path, connected)
    except BaseException:
        connected.close()
        raise
    return connected


def _check_peer(path: str, connected: socket.socket) -> None:
    """:class:`NotConnected` unless who listens may be believed to be the application.

    That is root, this user, or the owner of the folder of the socket: whoever else could have put a socket
    there before the application did.
    """
    _, uid, _ = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    folder = os.stat(os.path.dirname(path))
    if uid in (0, os.geteuid()):
        return
    if uid == folder.st_uid and not (folder.st_mode & stat.S_IWOTH):
        return
    raise NotConnected(
        f"{path}: user {uid} listens there, who is neither root, nor the user of this node, nor the owner of "
        "a folder that others cannot write to; put the socket into a folder of the application's user"
    )


def _in_the_way(path: str) -> str:
    """What is at *path* that nobody can listen at; "": a socket, or nothing."""
    try:
        mode = os.stat(path).st_mode if path else 0
    except OSError:
        return ""
    if not mode or stat.S_ISSOCK(mode):
        return ""
    what = "a directory" if stat.S_ISDIR(mode) else "a file"
    return f"{what} is there, no socket; remove it, and start the application, or name another path"


def _named(target: Target) -> str:
    if target.path:
        return f"{target.kind}:{target.path}"
    return (
        f"http://[{target.host}]:{target.port}"
        if ":" in target.host
        else f"http://{target.host}:{target.port}"
    )


def _remedy(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError | FileNotFoundError):
        return "; is the application running, and does it listen there?"
    if isinstance(error, PermissionError):
        return "; the user of this node has to be permitted to write to the socket"
    if isinstance(error, socket.gaierror):
        return "; does that name exist?"
    return "; it is tried again"

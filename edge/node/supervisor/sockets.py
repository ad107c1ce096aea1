"""Listening sockets: how each kind is opened, and what to tell who cannot have it.

TCP: one socket per worker on the same port (``SO_REUSEPORT``): the kernel spreads new connections
over them, and a worker that dies leaves its queue in the supervisor's hands.  Unix: one socket that
all workers share.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import socket
import stat

from edge.errors import ListenError

#: Connections that wait to be accepted; the kernel cuts it to net.core.somaxconn (4096 by default).
BACKLOG = 4096
#: Seconds for which the kernel keeps a new connection back until its first bytes are there.
DEFER_SECONDS = 1
#: Seconds of silence after which the kernel asks whether a peer is there, and between two such questions; how
#: many of them are not answered until it is gone: two minutes in all.  Where nobody has to say anything, as
#: in streams of events and after 101, nothing else would tell that a client's network has.
_ABSENCE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 15), (socket.TCP_KEEPCNT, 4))


def notice_absence(listener: socket.socket) -> None:
    """Have the kernel end the connections of *listener* whose peers are gone; those inherit it (tcp(7))."""
    if listener.family != socket.AF_UNIX:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _ABSENCE:
            listener.setsockopt(socket.IPPROTO_TCP, option, value)


def open_tcp(
    endpoint: str, interface: str, port: int, copies: int, backlog: int, defer: bool
) -> list[socket.socket]:
    """*copies* listening sockets on one port; 0 = a free one that all share.

    *endpoint* is how the user wrote it, for messages.  *defer*: wake nobody before there are bytes
    (plain HTTP: the client speaks first).
    """
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    opened: list[socket.socket] = []
    try:
        for _ in range(copies):
            sock = socket.socket(family, socket.SOCK_STREAM)
            opened.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if len(opened) == 1:
                _check_free(family, interface, port)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind((interface, port))
            port = sock.getsockname()[1]
        for sock in opened:
            if defer:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, DEFER_SECONDS)
            notice_absence(sock)
            sock.setblocking(False)
            sock.listen(backlog)
    except OSError as error:
        for sock in opened:
            sock.close()
        raise ListenError(_tcp_problem(endpoint, interface, port, error)) from None
    return opened


def _check_free(family: int, interface: str, port: int) -> None:
    """SO_REUSEPORT would let us share the port of another server of ours: that is never wanted."""
    if port:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((interface, port))
            probe.listen(1)


def _tcp_problem(endpoint: str, interface: str, port: int, error: OSError) -> str:
    """One sentence for the user."""
    start = f"--listen {endpoint}: "
    if error.errno == errno.EADDRINUSE:
        return f"{start}port {port} is in use by another program; stop it or choose another port"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"{start}no permission to listen on port {port}; use a port from 1024, a systemd socket, "
            "or give the capability CAP_NET_BIND_SERVICE"
        )
    if error.errno in (errno.EADDRNOTAVAIL, socket.EAI_NONAME):
        return f"{start}this machine has no interface with the address {interface}; see `ip address`"
    return f"{start}{error.strerror or error}"


def open_unix(
    endpoint: str, path: str, mode: int | None, backlog: int, owner: str = "", group: str = ""
) -> socket.socket:
    """A listening Unix socket at *path*; one that a dead server left there is removed first.

    *owner*, *group*: by name or number; "" leaves them.
    """
    start = f"--listen {endpoint}: "
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(start, path)
        before = os.umask(0o777 & ~mode) if mode is not None else None
        try:
            sock.bind(path)
        finally:
            if before is not None:
                os.umask(before)
        if owner or group:
            _give(start, path, owner, group)
        sock.setblocking(False)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        if "too long" in str(error):
            raise ListenError(f"{start}the path is too long for a Unix socket (107 bytes)") from None
        raise ListenError(f"{start}{error.strerror or error}; see the directory's permissions") from None
    except ListenError:
        sock.close()
        raise
    return sock


def _give(start: str, path: str, owner: str, group: str) -> None:
    try:
        user = int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid if owner else -1
        os.chown(path, user, int(group) if group.isdigit() else grp.getgrnam(group).gr_gid if group else -1)
    except (KeyError, OSError) as error:
        os.unlink(path)
        why = error.strerror if isinstance(error, OSError) else error.args[0]
        raise ListenError(
            f"{start}it cannot be given to {owner or '-'}:{group or '-'} ({why}); name who is there and "
            "start the node as root, or leave owner and group out"
        ) from None


def _remove_stale(start: str, path: str) -> None:
    """Remove the socket file of a server that is gone; nothing else is ever removed."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ListenError(
            f"{start}there is a file at {path} that is no socket; move it or choose another path"
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass  # its queue is full: it is very much alive
    raise ListenError(f"{start}another program listens at {path}; stop it or choose another path")


def inherited(endpoint: str, index: int) -> socket.socket:
    """The listening socket number *index* (from 0) that systemd passed (sd_listen_fds(3))."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        raise ListenError(f"--listen {endpoint}: systemd passed no sockets; start this by a .socket unit")
    count = int(os.environ.get("LISTEN_FDS", "0"))
    if index >= count:
        raise ListenError(f"--listen {endpoint}: systemd passed {count} sockets, there is no number {index}")
    sock = socket.socket(fileno=os.dup(3 + index))
    notice_absence(sock)
    sock.setblocking(False)
    return sock

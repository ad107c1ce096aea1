"""The subcommand ``loadgen worker --listen HOST:PORT``: lends this machine to coordinators elsewhere.

A connection that knows the token gets a process of :mod:`loadgen.run.process` for itself, one at a time;
its job may only name targets that are this machine's, or named here with ``--i-own-this-target``.
"""

from __future__ import annotations

import argparse
import socket
import subprocess
import sys
from pathlib import Path

from loadgen.errors import UsageError
from loadgen.run.messages.addresses import PORT, parse_address
from loadgen.run.messages.handshake import HandshakeError, admit
from loadgen.run.messages.token import read_token

#: A coordinator whose machine or network has gone says nothing of it: after so many seconds its run is over.
_GONE_S = 30


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    where = f"HOST or HOST:PORT, default 127.0.0.1:{PORT}; port 0: any"
    parser.add_argument("--listen", nargs="?", const="", default="", metavar="HOST:PORT", help=where)
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="what those who use us are known by")
    parser.add_argument("--runs", type=int, default=0, metavar="N", help="end after so many (default: never)")
    parser.add_argument("--i-own-this-target", action="append", default=[], metavar="HOST",
                        help="allow runs to load a host that is not this machine")  # fmt: skip


def main(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Serve coordinators until Ctrl-C, or *runs* runs."""
    try:
        host, port = parse_address(options.listen or "127.0.0.1")
    except ValueError as error:
        parser.error(f"--listen {error}")
    token = read_token(options.token_file)
    try:
        family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise UsageError(
            f"--listen {options.listen}: {error.strerror or error}; give an address of this machine with a "
            "port that is free, like 10.0.0.7:7700"
        ) from None
    with listener:
        name, port = listener.getsockname()[:2]
        print(f"loadgen worker: listening on {name}:{port}", flush=True)
        done = 0
        while not options.runs or done < options.runs:
            connection, peer = listener.accept()
            with connection:
                if _serve(connection, str(peer[0]), token, options.i_own_this_target):
                    done += 1
    return 0


def notice_when_gone(connection: socket.socket) -> None:
    """Have *connection* fail when nobody acknowledges anything any more, sent or not."""
    for level, name, value in (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _GONE_S // 3),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _GONE_S // 6),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _GONE_S * 1000),
    ):
        connection.setsockopt(level, name, value)


def _serve(connection: socket.socket, peer: str, token: bytes, owned: list[str]) -> bool:
    """Serve one connection; whether it was a run."""
    try:
        admit(connection, token)
    except (HandshakeError, OSError) as error:
        print(f"loadgen worker: {peer} was turned away: {error}", flush=True)
        return False
    notice_when_gone(connection)
    print(f"loadgen worker: a run for {peer}", flush=True)
    descriptor = str(connection.fileno())
    process = subprocess.Popen(
        [sys.executable, "-m", "loadgen.run.process", descriptor, descriptor, *owned],
        stdin=subprocess.DEVNULL,
        pass_fds=(connection.fileno(),),
    )
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    print(f"loadgen worker: the run for {peer} has ended" + (f" with {code}" if code else ""), flush=True)
    return True

"""Where an access log goes: a file, a pipe, standard output, or systemd's journal.

An output is opened, and takes one piece after the other; what it cannot take it says by :exc:`OSError`, and
has then taken none of it, or as much as it says.  It is used in one thread, which may wait.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import stat
from typing import Protocol

from edge.errors import ConfigError, in_words

#: Where journald takes entries.
JOURNAL = "/run/systemd/journal/socket"
#: Seconds for which a pipe that is full is waited for at once.
PATIENCE_SECONDS = 0.5


class Output(Protocol):
    """What takes the pieces of a log."""

    def write(self, piece: bytes) -> bytes:
        """Take *piece*; what is left of it.  :exc:`OSError`: none of it can be taken now."""

    def close(self) -> None:
        """Take no more."""


class FileOutput:
    """A file, or a pipe that has a name.  Implements :class:`Output`."""

    def __init__(self, path: str) -> None:
        """:exc:`OSError`: it cannot be opened; ENXIO: a pipe that nobody reads."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        self._fd = os.open(path, flags, 0o640)  # addresses of clients are not for everybody
        self._is_file = stat.S_ISREG(os.fstat(self._fd).st_mode)

    def write(self, piece: bytes) -> bytes:
        try:
            written = os.write(self._fd, piece)
        except BlockingIOError:
            select.select([], [self._fd], [], PATIENCE_SECONDS)
            return piece
        if written < len(piece) and self._is_file:  # the disk is full: a line is there whole or not at all
            written = self._without_torn_line(piece, written)
            if not written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return piece[written:]

    def _without_torn_line(self, piece: bytes, written: int) -> int:
        """Take back what was written of a line that is not whole; how much of *piece* stays."""
        whole = piece.rfind(b"\n", 0, written) + 1
        end = os.lseek(self._fd, 0, os.SEEK_CUR)  # of what was appended
        if os.fstat(self._fd).st_size != end:  # somebody else has appended meanwhile
            return written
        os.ftruncate(self._fd, end - (written - whole))
        return whole

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.close(self._fd)


class StandardOutput:
    """Standard output of the process, which others may use, too.  Implements :class:`Output`."""

    def write(self, piece: bytes) -> bytes:
        _, writable, _ = select.select([], [1], [], PATIENCE_SECONDS)
        return piece[os.write(1, piece[: select.PIPE_BUF]) :] if writable else piece

    def close(self) -> None:
        """It stays open."""


class JournalOutput:
    """systemd's journal, over the socket *path*: a piece is an entry.  Implements :class:`Output`."""

    def __init__(self, path: str = JOURNAL) -> None:
        """:exc:`OSError`: nobody is there."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._socket.settimeout(PATIENCE_SECONDS)

    def write(self, piece: bytes) -> bytes:
        try:
            self._socket.send(piece)
        except TimeoutError:
            return piece
        return b""

    def close(self) -> None:
        self._socket.close()


def open_output(where: str) -> Output:
    """The output *where*: a file, a pipe, ``-``, or ``journal``; :exc:`OSError`: it is not to be had."""
    if where == "-":
        return StandardOutput()
    return JournalOutput() if where == "journal" else FileOutput(where)


def remedy(where: str, error: OSError) -> str:
    """What to do when *where* cannot be opened or written."""
    if where == "journal":
        return "is systemd-journald running? name a file, or - for standard output, if it is not"
    if error.errno in (errno.ENXIO, errno.EPIPE):
        return "it is a pipe that nobody reads; start its reader, or name a file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room; it goes on by itself"
    return "name a file in a directory that this user may write, or - for standard output"


def try_output(where: str) -> None:
    """:exc:`ConfigError` if the access log *where* cannot be written; a pipe's reader may come later."""
    try:
        open_output(where).close()
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise ConfigError(
                f"access-log {where}: cannot be opened: {in_words(error)}; {remedy(where, error)}"
            ) from None

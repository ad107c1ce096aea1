"""Consistent reads: the bytes of one state of a file, though somebody writes to it, or why there are none.

A file that is being written while it is read gives bytes that never were its contents.  So what stat says
is compared before and after, and the number of bytes with the size; if they differ, it is read again
after a short pause, and at last given up for this scan.

A file that somebody has open for writing, and has written to a moment ago, is not whole yet, even though it
rests while it is read: uploads pause.  It is left to a later scan, unless it is overdue: what grows for ever,
like a log, is published as it is.

Small files come back as bytes, larger ones as a blob (:mod:`edge.publish.blobs`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Set
from errno import EAGAIN
from fcntl import F_RDLCK, F_SETLEASE, F_SETSIG, F_UNLCK, fcntl
from hashlib import sha256
from signal import SIGURG
from stat import S_ISREG
from typing import NamedTuple

from edge.errors import PublishError
from edge.publish.blobs import Blobs, OnBytes, nothing
from edge.publish.problems import Kind, Problem, reason
from edge.publish.store import Signature
from edge.publish.walk import READ_FLAGS, Opener, SourceFile, Tree, open_file, signature_of

#: How often a changing file is read, and the pause between, in seconds.
ATTEMPTS = 4
PAUSE = 0.02
#: Seconds since the last change after which a file counts as whole, though it is open for writing: longer
#: pauses are those of programs that keep files open, like databases.
WRITING_SECONDS = 10.0
#: Seconds after which a file that is still being written is published as it is.
LONGEST_WAIT = 30.0


class Content(NamedTuple):
    """The contents of one state of a file."""

    signature: Signature
    #: SHA-256.
    digest: bytes
    length: int
    #: None: in the blob store.
    body: bytes | None


class Reader:
    """Reads the files of a tree.  Its methods may run in several threads at once."""

    def __init__(
        self,
        tree: Tree,
        blobs: Blobs,
        *,
        body_limit: int,
        sleep: Callable[[float], None],
        opener: Opener = open_file,
        now: float = 0.0,
        overdue: Set[str] = frozenset(),
        on_bytes: OnBytes = nothing,
    ) -> None:
        """*body_limit*: files of more bytes become blobs.  *sleep* makes the pause between attempts.

        *now*: Unix seconds.  *overdue*: names of files that are read although they are being written.
        *on_bytes* is told how many bytes of a large file have been read now and then, and may raise.
        """
        self._tree = tree
        self._blobs = blobs
        self._body_limit = body_limit
        self._sleep = sleep
        self._open = opener
        self._now = now
        self._overdue = overdue
        self._on_bytes = on_bytes

    def read(self, files: Iterable[SourceFile]) -> list[tuple[SourceFile, Content | Problem]]:
        """The contents of *files*, which are best ordered by directory: each is opened once."""
        results: list[tuple[SourceFile, Content | Problem]] = []
        current: str | None = None
        directory = -1
        try:
            for file in files:
                try:
                    if file.directory != current:
                        if directory >= 0:
                            os.close(directory)
                            directory, current = -1, None
                        directory, current = self._tree.open_directory(file.directory), file.directory
                    results.append((file, self._read(file, directory)))
                except OSError as error:
                    results.append((file, _problem(file, error)))
                except PublishError as error:
                    text = f"{error}; a version published before stays"
                    results.append((file, Problem(Kind.STORE, file.name, text)))
        finally:
            if directory >= 0:
                os.close(directory)
        return results

    def _read(self, file: SourceFile, directory: int) -> Content | Problem:
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(PAUSE)
            fd = self._open(file.file, READ_FLAGS, directory)
            try:
                before = os.fstat(fd)
                if not S_ISREG(before.st_mode):
                    return Problem(Kind.SPECIAL, file.name, "is no longer a file; skipped")
                if self._is_being_written(file, before, fd):
                    text = "is being written; a version published before stays until it is whole"
                    return Problem(Kind.WRITING, file.name, text)
                body: bytes | None = None
                if before.st_size <= self._body_limit:
                    body = _read_all(fd, before.st_size + 1)
                    digest, length = sha256(body).digest(), len(body)
                else:
                    digest, length = self._blobs.copy(fd, self._on_bytes)
                signature = signature_of(before)
                if length == before.st_size and signature == signature_of(os.fstat(fd)):
                    return Content(signature, digest, length, body)
            finally:
                os.close(fd)
        text = f"changed each of the {ATTEMPTS} times it was read; a version published before stays"
        return Problem(Kind.CHANGING, file.name, text)

    def _is_being_written(self, file: SourceFile, status: os.stat_result, fd: int) -> bool:
        return (
            self._now - status.st_ctime < WRITING_SECONDS
            and file.name not in self._overdue
            and has_writer(fd)
        )


def has_writer(fd: int) -> bool:
    """Whether somebody has the file open for writing that is open as *fd*, for reading only.

    A lease for reading is refused then (fcntl(2)).  Where it cannot be asked for, because the file is another
    user's or the file system has none, nothing is known: no.  Whoever opens the file in the instant that the
    lease lasts waits for its end; the signal that tells us of it is one that is ignored.
    """
    try:
        fcntl(fd, F_SETSIG, SIGURG)
        fcntl(fd, F_SETLEASE, F_RDLCK)
    except OSError as error:
        return error.errno == EAGAIN
    fcntl(fd, F_SETLEASE, F_UNLCK)
    return False


def _read_all(fd: int, limit: int) -> bytes:
    """Up to *limit* bytes; for a file, one call unless a signal or the file system cuts it short."""
    data = os.read(fd, limit)
    if len(data) in (0, limit - 1, limit):
        return data
    parts = [data]
    limit -= len(data)
    while limit and (data := os.read(fd, limit)):
        parts.append(data)
        limit -= len(data)
    return b"".join(parts)


def _problem(file: SourceFile, error: OSError) -> Problem:
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return Problem(Kind.VANISHED, file.name, "was there a moment ago and is gone; skipped")
    text = f"cannot be read ({reason(error)}); a version published before stays"
    return Problem(Kind.UNREADABLE, file.name, text)

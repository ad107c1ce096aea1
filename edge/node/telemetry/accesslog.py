"""The access log: requests out of the rings of all workers, as lines, by a thread that nobody waits for.

::

    worker 0  --- ring --.
    worker 1  --- ring ---+--->  this thread: records to lines (in C, without the GIL), lines to the output
    ...

The thread sleeps until a worker that has written wakes it (an eventfd), takes all that is there, and rests
for :data:`REST_SECONDS` or more, so that a busy node wakes it forty times a second at most.  What
cannot be written stays here, a piece of 64 KiB; the rings fill up behind it, and what finds no room there
is dropped and counted: no request ever waits for a disk.  That is said once a minute at most, with the
remedy, and when it is over.

One process opens the file and one thread writes it, so after a rotation no line is lost, torn or in the
wrong file: :meth:`AccessLog.reopen` is over when the new file is open.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from edge.errors import in_words
from edge.logs.reading import Reader, reader_of
from edge.node.process.log_memory import RING_BYTES, LogMemory
from edge.node.telemetry.log_outputs import Output, open_output, remedy

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds between two looks at rings that have something; the latter when it was less than so many bytes.
REST_SECONDS, QUIET_SECONDS = 0.025, 0.1
QUIET_BYTES = 64 * 1024
#: Seconds between two attempts at what cannot be written or opened.
RETRY_SECONDS = 1.0
#: Seconds between two reports of the same trouble.
REPORT_SECONDS = 60.0
#: Seconds that the last lines have at the end.
END_SECONDS = 2.0


class Figures(NamedTuple):
    """What the log has done so far, in requests."""

    written: int
    dropped: int


class AccessLog:
    """The access log of a node with so many *workers*.

    *where* and *log_format* (see :data:`edge.logs.lines.FORMATS`) may change while it runs; *where* None:
    what comes is thrown away.  *reactor* fires what :meth:`reopen` gives, and its clock is asked in the
    thread.
    """

    _log = Logger()

    def __init__(
        self,
        workers: int,
        where: str | None,
        log_format: str,
        reactor: Any,
        ring_bytes: int = RING_BYTES,
        open_output: Callable[[str], Output] = open_output,
    ) -> None:
        self._rings = [LogMemory.create(ring_bytes) for _ in range(workers)]
        self._reactor = reactor
        self._seconds = reactor.seconds
        self._open = open_output
        #: Workers wake the thread by it.
        self.wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()
        #: What the thread is to do, in order: called in it.
        self._orders: deque[Callable[[], None]] = deque()
        self._where, self._readers = where, self._make_readers(where, log_format)
        self._output: Output | None = None
        self._pending: deque[bytes] = deque()
        self._ending = False
        #: Bytes that were read since the last rest.
        self._moved = 0
        #: Lines that were thrown away although they had been made.
        self._thrown = 0
        self._told: float | None = None
        self._told_dropped = self._told_damaged = 0
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="access log", daemon=True)

    # In the reactor's thread

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is there, for :data:`END_SECONDS` at most, and end."""
        if self._thread.is_alive():
            self._order(self._end)
            self._thread.join(END_SECONDS)
        if not self._thread.is_alive():
            self._close()
            self._readers = []
            for ring in self._rings:
                ring.close()
            os.close(self.wake)
            self._rings = []

    def ring(self, worker: int) -> int:
        """The descriptor of the ring of a worker."""
        return self._rings[worker].fd

    def configure(self, where: str | None, log_format: str) -> None:
        """Go on elsewhere, or in another format; what was written before stays where it is."""
        self._order(lambda: self._configure(where, log_format))

    def reopen(self) -> Deferred[None]:
        """After the file was renamed: go on in a new one.  Fires when it is open, or cannot be."""
        done: Deferred[None] = Deferred()

        def reopen() -> None:
            self._reopen()
            self._reactor.callFromThread(done.callback, None)

        if self._thread.is_alive():
            self._order(reopen)
        else:
            done.callback(None)
        return done

    def figures(self) -> Figures:
        """The sums over all workers."""
        rings = [reader.ring for reader in self._readers]
        dropped = sum(ring.dropped for ring in rings) + self._thrown
        return Figures(sum(ring.written for ring in rings), dropped)

    def _order(self, what: Callable[[], None]) -> None:
        with self._lock:
            self._orders.append(what)
        os.eventfd_write(self.wake, 1)

    # In the thread

    def _run(self) -> None:
        while True:
            self._obey()
            if self._ending:  # it has just been said: nobody would wake this thread any more
                break
            try:
                moved = self._turn()
            except Exception:
                self._log.failure("access log: a mistake of ours; it goes on")
                moved, self._pending = False, deque()
            if moved:
                self._rest()
            elif self._pending:
                select.select([self.wake], [], [], RETRY_SECONDS)
            else:
                self._sleep()
        self._drain()

    def _rest(self) -> None:
        """So that many requests are one piece; not when something is to be done."""
        seconds = QUIET_SECONDS if self._moved < QUIET_BYTES else REST_SECONDS
        self._moved = 0
        if not self._orders:
            time.sleep(seconds)

    def _turn(self) -> bool:
        """Write what there is, a piece of each ring in turn; whether there was some, and it is written."""
        moved = False
        while self._write() and self._round() and not self._orders:
            moved = True
        written = self._write()
        self._report()
        return written and moved

    def _round(self) -> bool:
        """A piece out of each ring; whether there was one."""
        pieces = [piece for reader in self._readers for piece in reader.pieces()]
        if self._where is not None:
            self._pending.extend(pieces)
        self._moved += sum(map(len, pieces))
        return bool(pieces)

    def _write(self) -> bool:
        """Write what waits; whether it is written."""
        while self._pending:
            try:
                if self._output is None:
                    self._output = self._open(self._where or "-")
                left = self._output.write(self._pending[0])
            except OSError as error:
                self._fail(error)
                return False
            if len(left) == len(self._pending[0]):
                return False  # a pipe that is full
            self._pending.popleft()
            if left:
                self._pending.appendleft(left)
        if self._trouble:
            self._over()
        return True

    def _sleep(self) -> None:
        """Until something is to be read, or to be done."""
        if all([reader.ring.sleeps(True) for reader in self._readers]) and not self._orders:
            select.select([self.wake], [], [], 60.0)
        for reader in self._readers:
            reader.ring.sleeps(False)
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.wake)

    def _obey(self) -> None:
        while self._orders:
            with self._lock:
                order = self._orders.popleft()
            order()

    def _end(self) -> None:
        self._ending = True

    def _drain(self) -> None:
        until = self._seconds() + END_SECONDS
        while self._turn() or (self._pending and self._seconds() < until):
            time.sleep(REST_SECONDS)

    def _make_readers(self, where: str | None, log_format: str) -> list[Reader]:
        make = reader_of("journal" if where == "journal" else log_format)
        return [make(ring.memory, number) for number, ring in enumerate(self._rings)]

    def _configure(self, where: str | None, log_format: str) -> None:
        if where != self._where:
            self._turn()
            self._close()
            self._throw_away()
        self._where, self._readers = where, self._make_readers(where, log_format)

    def _reopen(self) -> None:
        """What was there before goes to the file as it was, if it can be written."""
        self._turn()
        where, before = self._where, self._output
        if where is None:
            return
        try:
            self._output = self._open(where)
        except OSError as error:
            self._log.error(
                "access log {where} cannot be opened anew: {why}; the old file is written on; {remedy}",
                where=where,
                why=in_words(error),
                remedy=remedy(where, error),
            )
            return
        if before is not None:
            before.close()

    def _close(self) -> None:
        if self._output is not None:
            self._output.close()
        self._output = None

    def _throw_away(self) -> None:
        self._thrown += sum(max(1, piece.count(b"\n")) for piece in self._pending)
        self._pending.clear()

    # Trouble

    def _fail(self, error: OSError) -> None:
        """It cannot be written now: open it again, and begin with a whole line."""
        self._close()
        if isinstance(error, BrokenPipeError) and self._pending:
            _, _, self._pending[0] = self._pending[0].partition(b"\n")
            self._thrown += 1
            if not self._pending[0]:
                self._pending.popleft()
        if not self._trouble:
            self._told = None
        self._trouble = f"{in_words(error)}; {remedy(self._where or '-', error)}"
        self._report()

    def _report(self) -> None:
        """Tell of what is dropped, and why, but not of the same all the time."""
        dropped, damaged = self.figures().dropped, sum(reader.ring.damaged for reader in self._readers)
        now = self._seconds()
        if self._told is not None and now - self._told < REPORT_SECONDS:
            return
        if damaged > self._told_damaged:
            self._told, self._told_damaged = now, damaged
            self._log.error(
                "access log: {n} times what a worker had written was no record, as of one that somebody has "
                "taken over; restart the node, and look for how",
                n=damaged,
            )
        if dropped > self._told_dropped or (self._trouble and self._told is None):
            self._told, self._told_dropped = now, dropped
            self._log.warn(
                "access log {where}: {n} requests so far were not written down: {why}",
                where=self._where,
                n=dropped,
                why=self._trouble
                or "they come faster than they can be written; log one in some (access-log-every), or write "
                "to a faster disk",
            )

    def _over(self) -> None:
        self._trouble, self._told = "", None
        self._told_dropped = self.figures().dropped
        self._log.info(
            "access log {where} is written again; {n} requests so far are not in it",
            where=self._where,
            n=self._told_dropped,
        )

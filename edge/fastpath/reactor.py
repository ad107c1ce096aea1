r"""Twisted's epoll reactor within the wait of a fast path.

Most of what a worker does are short answers, for which it needs no Python at all.  So the fast path's wait is
the wait of the whole process, in C and without the GIL::

    FastPath.run waits for
        its listeners and connections                      -->  answers, and waits on
        the reactor's epoll set, which is one descriptor  \
        the next timer of the reactor                      -->  returns: the reactor has its turn
        signals, and connections that go to Twisted       /

Until a fast path is attached (:meth:`FastPathReactor.wait_with`) and after it has gone, this is an ordinary
epoll reactor.  What wakes one wakes the other: threads and signals write to the reactor's waker, which is in
its set.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from twisted.internet.epollreactor import EPollReactor
from twisted.python import log

if TYPE_CHECKING:
    from collections.abc import Callable


class FastPathReactor(EPollReactor):
    """An epoll reactor that lets somebody else wait, for its own descriptors and for more."""

    _outer_wait: Callable[[float | None], object] | None = None

    def fileno(self) -> int:
        """The epoll descriptor: readable when one of the reactor's descriptors is ready."""
        return int(self._poller.fileno())

    def wait_with(self, wait: Callable[[float | None], object] | None) -> None:
        """Call *wait* with the seconds until the next timer (None: there is none) instead of waiting.

        It returns when these are over, when :meth:`fileno` is readable, or earlier.  None: wait alone again.
        """
        self._outer_wait = wait

    def wake_on_signals(self) -> None:
        """Have every signal of this process end the wait, so that its Python handler runs at once.

        Without this a signal that comes between Python's last look and the system call that waits is seen
        when something else ends the wait.  In the main thread only.
        """
        signal.set_wakeup_fd(self.waker.o, warn_on_full_buffer=False)

    # Twisted's overrides

    def doPoll(self, timeout: float | None) -> None:
        if self._outer_wait is not None:
            self._outer_wait(timeout)
            timeout = 0
        try:
            ready = self._poller.poll(-1 if timeout is None else timeout, len(self._selectables))
        except InterruptedError:
            return
        for descriptor, event in ready:
            selectable = self._selectables.get(descriptor)
            if selectable is None:  # an event before this one has ended it
                continue
            # Twisted's own wraps each of these calls in a context for lines of its former logger: a tenth of
            # what a short request costs, for a prefix that nobody prints.
            try:
                self._doReadOrWrite(selectable, descriptor, event)
            except Exception:  # as there: told, and no end of the process
                log.err()

    doIteration = doPoll

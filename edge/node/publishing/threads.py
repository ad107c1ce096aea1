"""Threads of publishing: few, and none that the end of the process waits for.

Coding one large body takes minutes and cannot be broken off, so the threads are daemons.  Those for what
takes long are *nice*: the kernel gives them what is left over (on Linux niceness is a thread's).
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread, get_native_id
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")
_Work = tuple["Callable[[], Any]", "Deferred[Any]"]


class Threads:
    """At most *count* threads, begun when they are needed; *nice*: added to the niceness of the process."""

    def __init__(self, reactor: Any, count: int, nice: int = 0) -> None:
        self._reactor = reactor
        self._count = count
        self._nice = nice
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._begun = self._busy = 0

    def run(self, work: Callable[[], _T]) -> Deferred[_T]:
        """Call *work* in a thread; its result."""
        done: Deferred[_T] = Deferred()
        self._busy += 1
        if self._begun < min(self._busy, self._count):
            self._begun += 1
            Thread(target=self._loop, name="publishing", daemon=True).start()
        self._queue.put((work, done))
        return done

    def stop(self) -> None:
        """End the threads after what they do now."""
        for _ in range(self._begun):
            self._queue.put(None)
        self._begun = self._count  # no more

    def _loop(self) -> None:
        if self._nice:
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, get_native_id(), self._nice)
        while (item := self._queue.get()) is not None:
            work, done = item
            result: Any
            try:
                result = work()
            except BaseException:
                result = Failure()
            self._reactor.callFromThread(self._finish, done, result)

    def _finish(self, done: Deferred[Any], result: Any) -> None:
        self._busy -= 1
        done.callback(result)  # a Failure begins the errbacks

"""Work that blocks for as long as a stranger likes, in threads that the end of the process does not wait for.

The reactor's own threads are joined when it stops: a server that says nothing would hold a node up that was
told to end.
"""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def in_daemon_thread(reactor: Any, work: Callable[..., T], *arguments: Any) -> Deferred[T]:
    """What *work* returns or raises, called with *arguments* in a thread of its own."""
    done: Deferred[T] = Deferred()

    def tell(result: T | Failure) -> None:
        if not done.called:  # it was cancelled meanwhile
            done.callback(result)

    def run() -> None:
        try:
            result: T | Failure = work(*arguments)
        except Exception:
            result = Failure()
        reactor.callFromThread(tell, result)

    Thread(target=run, name=getattr(work, "__name__", "work"), daemon=True).start()
    return done

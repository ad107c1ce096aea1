"""Threads of clients beside a loop that has the test's own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

#: Seconds after which a thread has hung.
_PATIENCE = 30.0


def thread_of(
    test: Any, work: Callable[[], object], failed: Callable[[], object] = lambda: None
) -> threading.Thread:
    """A thread for *work*, to be started, which ends before *test* does; what it raises fails the test.

    *failed* is called there as soon as it has.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as failure:
            failures.append(failure)
            failed()

    thread = threading.Thread(target=run)

    def join() -> None:
        thread.join(_PATIENCE)
        test.assertEqual((thread.is_alive(), failures), (False, []))

    test.addCleanup(join)
    return thread

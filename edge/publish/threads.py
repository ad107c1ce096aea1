"""A thread pool for the parts of one stage of a scan.

Reading, hashing and coding release the GIL, so threads use all cores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from typing import TypeVar

from edge.machine import whole_cores

T = TypeVar("T")


@contextmanager
def in_threads(
    executor: Executor, tasks: Iterable[tuple[Callable[..., T], tuple[object, ...]]]
) -> Iterator[Iterator[T]]:
    """The results of *tasks*, (function, arguments) each, as they come.

    When a task fails, or the caller does not want more, those not begun are cancelled.  None runs any
    longer when this is left, so what the tasks use may be closed.
    """
    futures: list[Future[T]] = [executor.submit(work, *arguments) for work, arguments in tasks]
    try:
        yield (future.result() for future in as_completed(futures))
    finally:
        for future in futures:
            future.cancel()
        wait(futures)


class AtOnce(Executor):
    """An executor that does what it is given at once, in the calling thread."""

    def submit(self, fn: Callable[..., T], /, *args: object, **kwargs: object) -> Future[T]:
        """Call *fn*; what it raises is in the future."""
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def threads_or(given: Executor | None) -> Iterator[Executor]:
    """*given*, or for the time being one thread for each core this process may use."""
    if given is not None:
        yield given
        return
    executor = ThreadPoolExecutor(whole_cores(), thread_name_prefix="publish")
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)

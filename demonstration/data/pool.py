"""Connections to a database, used again: as many as are busy at once, and no more than *most*."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from demonstration.data.store import Unavailable

Connection = TypeVar("Connection")

#: Seconds that a thread waits for one.
PATIENCE = 5.0


class Pool(Generic[Connection]):
    """Connections; one that failed is closed, and not used again."""

    def __init__(
        self,
        connect: Callable[[], Connection],
        close: Callable[[Connection], object],
        most: int,
        is_alive: Callable[[Connection], bool] = lambda _: True,
    ) -> None:
        """*is_alive*: whether one that has rested can be used."""
        self._is_alive = is_alive
        self._connect = connect
        self._close = close
        self._room = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._free: list[Connection] = []

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """A connection, for one transaction."""
        if not self._room.acquire(timeout=PATIENCE):
            raise Unavailable(f"all connections to the database have been busy for {PATIENCE:g} seconds")
        try:
            connection = self._rested() or self._connect()
            try:
                yield connection
            except BaseException:
                self._close(connection)
                raise
            with self._lock:
                self._free.append(connection)
        finally:
            self._room.release()

    def _rested(self) -> Connection | None:
        while True:
            with self._lock:
                if not self._free:
                    return None
                connection = self._free.pop()
            if self._is_alive(connection):
                return connection
            self._close(connection)

    def drop_free(self) -> None:
        """Close those that nobody uses."""
        with self._lock:
            free, self._free = self._free, []
        for connection in free:
            self._close(connection)

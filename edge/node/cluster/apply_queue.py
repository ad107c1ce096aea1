"""The queue of changes of other nodes: applied in their order and in slices of a few milliseconds."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edge.gossip.changes import Change
    from edge.node.process.slices import Slices


class ApplyQueue:
    """Changes that wait to be applied by *apply*; *applied* is called each time that none waits any more."""

    _log = Logger()

    def __init__(self, apply: Callable[[Change], None], applied: Callable[[], None], slices: Slices) -> None:
        self._apply = apply
        self._applied = applied
        self._slices = slices
        #: A Deferred fires when all before it have been applied.
        self._waiting: deque[Change | Deferred[None]] = deque()
        self._running: Deferred[None] | None = None
        self._held = self._stopped = False

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, changes: Sequence[Change]) -> Deferred[None]:
        """Apply *changes* after those that wait; fires when they have been."""
        applied: Deferred[None] = Deferred()
        self._waiting.extend(changes)
        self._waiting.append(applied)
        self._run()
        return applied

    @contextmanager
    def held(self) -> Iterator[None]:
        """Changes that come wait for the end of this."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self._run()

    def stop(self) -> None:
        """Apply nothing more."""
        self._stopped = True

    def _run(self) -> None:
        if self._waiting and not self._held and self._running is None:
            running = self._running = Deferred.fromCoroutine(self._slices.run(self._steps()))
            running.addErrback(lambda failure: self._log.failure("changes could not be applied", failure))
            running.addBoth(self._ended)

    def _ended(self, _: object) -> None:
        self._running = None
        if not self._stopped:
            self._run()  # one that could not be applied holds up none of those behind it

    def _steps(self) -> Iterator[None]:
        while self._waiting and not self._stopped:
            item = self._waiting.popleft()
            if isinstance(item, Deferred):
                item.callback(None)
            else:
                self._apply(item)
            if not self._waiting:
                self._applied()
            yield

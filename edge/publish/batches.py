"""Batches: what belongs together of what is published, in which order it is shown, and when it is whole.

A batch is what one change, start or command brought.  Of one that changes a site, what pages refer to is
shown first, then pages, and removals last (:func:`edge.resource.rank_of`): nobody gets a new page before the
assets it names.  Paths that differ are *held* until nothing of a lower rank is waited for; a removal is held
for :data:`REMOVAL_PATIENCE` at most.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable

from edge.resource import REMOVAL_RANK

#: Seconds that removals wait for the rest of their deploy.
REMOVAL_PATIENCE = 0.3


class Batch:
    """What one change, start or command brought; :attr:`is_done` when all of it is published."""

    def __init__(self, number: int, is_whole: bool, is_start: bool, after: set[Batch]) -> None:
        self.number = number
        #: It looks at everything.
        self.is_whole = is_whole
        #: Nothing was published before: nothing has to be kept whole.
        self.is_start = is_start
        #: Batches that it is not done before.
        self.after = after
        self.looks: set[str] = set()
        self.found: list[str] = []
        #: Files that are not made yet, and small ones of them by their rank.
        self.open = 0
        self.waiting: Counter[int] = Counter()
        #: Paths that differ, by the rank of their files.
        self.held: dict[int, list[bytes]] = {}
        self.removed: deque[str] = deque()
        self.removes_at: float | None = None
        self.is_done = False


class Batches:
    """The batches that are not whole yet, the oldest first."""

    def __init__(
        self,
        listed: Callable[[Batch], None],
        show: Callable[[Iterable[bytes]], None],
        take_away: Callable[[str], None],
    ) -> None:
        """*listed*: all that a batch looked at is listed, and what it found may be made.

        *show* paths that differ; *take_away* what is published under a name.
        """
        self._listed = listed
        self._show = show
        self._take_away = take_away
        self._count = 0
        self._open: dict[Batch, None] = {}
        self._finished: list[Batch] = []

    def __len__(self) -> int:
        return len(self._open)

    def new(self, is_whole: bool = False, is_start: bool = False) -> Batch:
        """A batch; one that looks at everything is not done before what has been found already is."""
        self._count += 1
        after: set[Batch] = set()
        if is_whole:  # the one before it is done after all that was found by then
            last = max((one.number for one in self._open if one.is_whole), default=0)
            after = {one for one in self._open if one.number >= last}
        batch = Batch(self._count, is_whole, is_start, after)
        self._open[batch] = None
        return batch

    def settle(self, batch: Batch) -> None:
        """See whether *batch* has come a step further, and those that wait for it."""
        waiting = deque([batch])
        while waiting:
            one = waiting.popleft()
            if self._has_become_whole(one):
                one.is_done = True
                del self._open[one]
                self._finished.append(one)
                waiting += [other for other in self._open if one in other.after]

    def _has_become_whole(self, batch: Batch) -> bool:
        if batch.is_done or batch.looks:
            return False
        self._listed(batch)
        if batch.open or batch.held or batch.removed:
            return False
        batch.after = {one for one in batch.after if not one.is_done}
        return not batch.after

    def settle_all(self) -> None:
        """See which have."""
        for batch in list(self._open):
            self.settle(batch)

    def finished(self) -> list[Batch]:
        """Batches that have become whole since the last call."""
        finished, self._finished = self._finished, []
        return finished

    def removes_at(self) -> float | None:
        """When a removal has waited long enough; None: none waits."""
        times = (one.removes_at for one in self._open if one.removes_at is not None and one.removed)
        return min(times, default=None)

    def release(self, now: float) -> bool:
        """Move to the steps what may be published now; whether that was anything."""
        for batch in list(self._open):
            if self._release_of(batch, now):
                self.settle(batch)
                return True
        return False

    def _release_of(self, batch: Batch, now: float) -> bool:
        rank = min((rank for rank, count in batch.waiting.items() if count), default=REMOVAL_RANK)
        held = min(batch.held, default=REMOVAL_RANK)
        if batch.held and held <= rank:
            self._show(batch.held.pop(held))
            return True
        if not batch.removed or batch.looks:
            return False
        if batch.removes_at is None:
            batch.removes_at = now + REMOVAL_PATIENCE
        if rank < REMOVAL_RANK and now < batch.removes_at:
            return False
        self._take_away(batch.removed.popleft())
        return True

"""Steps: which changes belong together, and at which state of the site the table of a node is.  Sans-IO.

A deploy is many changes.  Its publisher ends them with a *mark*, a change of its own log under a path of its
own (:func:`mark_path`), which is no entry of the table.  What lies between two marks is a *step*.

A node is *settled* when its table is what all publishers' logs make of it up to their last marks, and holds
nothing beyond: no part of a step whose mark is not there, no change that has come ahead of its log.  Then its
*state* is the vector of these marks, and **two nodes at the same state have the same table**.  In between it
is *open*, and says nothing.

For a state that somebody else was at, :class:`Steps` knows which paths have changed since: the newest
changes, one for each path, and of each publisher since when it knows all of them.  Let a node be at ``S``,
and this one at ``S'``, not less in any component.  A path whose change here is not newer than S is what it
was there: all that could have replaced it there, up to S, is known here, too.  So the paths to name are those
whose change is newer than S in the component of its publisher, and no others
(``tests/gossip/test_steps.py``).

The text of all this, and the answers made of it: :mod:`edge.http.changes`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container, Mapping
from hashlib import blake2b, sha256

from edge.digits import digits
from edge.gossip.changes import Change, Record
from edge.gossip.fields import MARKS
from edge.http.changes import HISTORY_BYTES, ID_LENGTH, PUBLISHERS, UNKNOWN, number, render

#: What stands under the path of a mark.
MARK_RECORDS = (Record(0, sha256(b"").digest(), 0, b"", b""),)
#: Changes that are remembered, and bytes of their lines; what is older is not told one by one.
REMEMBERED = 200
LINES_BYTES = HISTORY_BYTES - 2 * PUBLISHERS * (ID_LENGTH + 12)


def mark_path(node: str) -> bytes:
    """The path of the marks of *node*."""
    return MARKS + node.encode("ascii")


def is_mark(change: Change) -> bool:
    """Whether *change* is no entry of the table but a mark of its origin, or one that it has no right to."""
    return change.path.startswith(MARKS)


def publisher_id(node: str, generation: int, salt: bytes = b"") -> bytes:
    """The ID of the log of *node* in states; *salt*: what else makes tables differ, equal at equal nodes."""
    digest = blake2b(b"%d %b %b" % (generation, node.encode(), salt), digest_size=5).digest()
    return digits(int.from_bytes(digest, "big"), ID_LENGTH).encode("ascii")


class Steps:
    """At which state a table is, and what has changed in it lately."""

    def __init__(self, salt: bytes = b"") -> None:
        self._salt = salt
        #: By publisher: generation and position of its log, as far as all of it is in the table.
        self._positions: dict[str, tuple[int, int]] = {}
        self._marks: dict[str, int] = {}
        #: The newest change in the table.
        self._tops: dict[str, int] = {}
        #: All changes after this position are remembered.
        self._floors: dict[str, int] = {}
        #: path -> publisher and position, the oldest first.
        self._changes: OrderedDict[bytes, tuple[str, int]] = OrderedDict()
        self._bytes = 0
        #: Publishers whose newest change has come ahead of their log, as it was when that was first seen.
        self._ahead: dict[str, tuple[int, int]] = {}

    def begin(self, changes: Mapping[str, int]) -> None:
        """The table holds what an earlier life has left: by publisher, its newest change there."""
        self._tops.update(changes)
        self._floors.update(changes)

    def resalt(self, salt: bytes) -> bool:
        """Something else makes tables differ from now on; whether it is another one."""
        changed, self._salt = salt != self._salt, salt
        return changed

    # What happens to the table

    def applied(self, origin: str, sequence: int, path: bytes, is_seen: bool = True) -> None:
        """The change *sequence* of *origin* is what stands in the table under *path* from now on.

        Not *is_seen*: only the content codings are others; who has what was there before does not need it.
        """
        self._tops[origin] = max(sequence, self._tops.get(origin, 0))
        if not is_seen:
            return
        self._forget(path)
        self._changes[path] = origin, sequence
        self._bytes += _line_bytes(path)
        while self._bytes > LINES_BYTES or len(self._changes) > REMEMBERED:
            oldest = next(iter(self._changes))
            evicted, position = self._changes[oldest]
            self._floors[evicted] = max(position, self._floors.get(evicted, 0))
            self._forget(oldest)

    def marked(self, origin: str, sequence: int) -> None:
        """*origin* has ended a step with the change *sequence*."""
        self._marks[origin] = sequence

    def reached(self, positions: Mapping[str, tuple[int, int]]) -> None:
        """All of each log up to its (generation, position) is in the table."""
        for origin, (generation, sequence) in positions.items():
            before = self._positions.get(origin)
            if before is not None and before[0] != generation:
                self._begin_log(origin, sequence)
        self._positions = dict(positions)

    def _begin_log(self, origin: str, sequence: int) -> None:
        """The log of *origin* has begun anew, and is as far as *sequence*.

        Mostly its numbers go on; where they do not, changes of the one before have greater ones.
        """
        for path in [path for path, (one, _) in self._changes.items() if one == origin]:
            self._forget(path)
        if self._marks.get(origin, 0) > sequence:
            del self._marks[origin]
        self._tops[origin] = min(self._tops.get(origin, 0), sequence)
        self._floors[origin] = max(self._tops[origin], self._marks.get(origin, 0))

    def _forget(self, path: bytes) -> None:
        if self._changes.pop(path, None) is not None:
            self._bytes -= _line_bytes(path)

    def believe(self, behind: Container[str]) -> bool:
        """What has come ahead of a log that has not moved since the last call, belongs to none; whether any.

        To be called every few seconds.  It is what a repair has brought of an earlier log, unless there is
        more of that log than is here: *behind*.
        """
        ahead = {
            origin: self._positions.get(origin, (0, 0))
            for origin, top in self._tops.items()
            if top > self._positions.get(origin, (0, 0))[1] and origin not in behind
        }
        old = [origin for origin, position in ahead.items() if self._ahead.get(origin) == position]
        for origin in old:
            self._tops[origin] = ahead.pop(origin)[1]
        self._ahead = ahead
        return bool(old)

    # What it is

    def mark_of(self, origin: str) -> int:
        """The last mark of *origin* up to which all of its log is in the table; 0: none."""
        mark = self._marks.get(origin, 0)
        return mark if mark <= self._positions.get(origin, (0, 0))[1] else 0

    def is_open(self, origin: str) -> bool:
        """Whether the table holds changes of *origin* that no mark of it covers."""
        return self._tops.get(origin, 0) > self.mark_of(origin)

    @property
    def open(self) -> list[str]:
        """Publishers of which the table holds a part of a step."""
        return [origin for origin in self._tops if self.is_open(origin)]

    @property
    def state(self) -> bytes | None:
        """The state of the site here; None: there is none, or it is open."""
        if self.open:
            return None
        vector = {
            self._id(origin): number(mark) for origin in self._positions if (mark := self.mark_of(origin))
        }
        marked = sum(bool(self.mark_of(origin)) for origin in self._positions)
        return render(vector) if 0 < len(vector) == marked <= PUBLISHERS else None

    @property
    def history(self) -> bytes:
        """The state and the newest changes, as :mod:`edge.http.changes` draws them."""
        state = self.state
        if state is None:
            return UNKNOWN + b"\n"
        floors = {
            self._id(origin): number(self._floors.get(origin, 0))
            for origin in self._positions
            if self.mark_of(origin)
        }
        lines = [state, render(floors)]
        for path, (origin, sequence) in reversed(self._changes.items()):
            lines.append(b"%b%b %b" % (self._id(origin), number(sequence), path))
        return b"\n".join(lines) + b"\n"

    def _id(self, origin: str) -> bytes:
        return publisher_id(origin, self._positions[origin][0], self._salt)


def _line_bytes(path: bytes) -> int:
    """Bytes of the line of *path* in the history, at most."""
    return len(path) + 1 + ID_LENGTH + 11 + 1

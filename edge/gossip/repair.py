"""Repair (anti-entropy): two tables are compared, and each side is sent what it lacks.  Sans-IO.

::

    a  root         one hash of everything          b: the same, and that is all; or
    b  hashes       one for each of 4,096 buckets
    a  entries      paths and versions of some buckets that differ
    b  repair       what b has newer; paths: what a has newer, which a sends as a repair

So equal tables cost 15 bytes, and a difference what its bucket holds.  A message is no larger than
:data:`LARGEST`, however long paths and header lines are: the rest comes with the next comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from edge.gossip.buckets import Buckets
from edge.gossip.changes import (
    BUCKET_ENTRIES,
    CHUNK,
    Entries,
    Hashes,
    Message,
    Packer,
    Paths,
    Repair,
    Root,
)

if TYPE_CHECKING:
    from edge.gossip.proving import Proving
    from edge.gossip.rows import Rows

T = TypeVar("T")

#: Buckets whose entries are sent in one repair.
REPAIR_BUCKETS = 16
#: Bytes after which nothing is added to a message: with the last item, well below a frame.
LARGEST = 256 * 1024
#: Bytes around a path in a message, and of its version.
_AROUND = 80


class TableRepair:
    """The repair of the table of *rows*; *seal* signs what is not signed yet."""

    def __init__(self, rows: Rows, proving: Proving, seal: Callable[[], object]) -> None:
        self.buckets = Buckets()
        self._rows = rows
        self._proving = proving
        self._seal = seal
        for path, clock, origin in rows.all_clocks():
            self.buckets.toggle(path, clock, origin)

    def clear(self) -> None:
        """The table is empty."""
        self.buckets = Buckets()

    def begin(self) -> Message:
        """Are our tables equal?"""
        return Root(self.buckets.root)

    def compare(self, message: Root | Hashes | Entries | Paths) -> list[Message]:
        """What is said to who has sent *message*."""
        if isinstance(message, Root):
            return [] if message.hash == self.buckets.root else [Hashes(self.buckets.to_bytes())]
        if isinstance(message, Hashes):
            return self._entries(list(self.buckets.differing(message.hashes))[:REPAIR_BUCKETS])
        if isinstance(message, Paths):
            return self._repairs(message.paths)
        ours = {path: (clock, origin) for path, clock, origin in self._rows.bucket(message.bucket)}
        theirs = {path: (clock, origin) for path, clock, origin in message.entries}
        ahead = [path for path, version in ours.items() if version > theirs.get(path, (-1, ""))]
        behind = [path for path, version in theirs.items() if version > ours.get(path, (-1, ""))]
        messages = self._repairs(ahead[:CHUNK])
        return [*messages, Paths(tuple(_fitting(behind[:CHUNK], len)))] if behind else messages

    def _entries(self, buckets: list[int]) -> list[Message]:
        replies: list[Message] = []
        for number in buckets:
            found = _fitting(self._rows.bucket(number)[:BUCKET_ENTRIES], lambda one: len(one[0]))
            replies.append(Entries(number, tuple(found)))
        # More may differ than one round takes: go on as long as something does.
        return [*replies, self.begin()] if len(buckets) == REPAIR_BUCKETS else replies

    def _repairs(self, paths: Iterable[bytes]) -> list[Message]:
        self._seal()
        packer = Packer()
        items = []
        for path in paths:
            found = self._rows.signed(path)
            batch = None if found is None else self._rows.batch(found[1])
            if found is not None and batch is not None:
                items.append((found[0].origin, packer.pack(found[0], batch)))
            if packer.size >= LARGEST:
                break
        batches = tuple(packer.batches)
        if not items:
            return []
        return [Repair(tuple(packer.heads), tuple(items), batches, self._proving.chains_of(batches))]


def _fitting(items: list[T], size: Callable[[T], int]) -> list[T]:
    """The first *items*, as many as there is room for in a message; *size*: bytes of the path of one."""
    room = LARGEST
    for number, one in enumerate(items):
        room -= size(one) + _AROUND
        if room < 0:
            return items[:number]
    return items

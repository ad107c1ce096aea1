"""What one life of a node publishes of its files: the first publish goes by the record, later ones count.

The first publish compares each file with the record of what was published before, and with what the cluster
has (:mod:`edge.gossip.published`).  When all files have been published, what an earlier life published and no
file is there of is taken away, once.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import NamedTuple

from edge.gossip.changes import Change, Record
from edge.gossip.published import Standing
from edge.gossip.replica import Replica
from edge.gossip.steps import is_mark
from edge.resource import split_status

#: Changes read at a time.
_STEP = 200


class Put(NamedTuple):
    """What became of a file."""

    standing: Standing
    #: What counts under its path now: the change that was made, or what the cluster has.
    change: Change


class Publication:
    """The publishing of one life of the node whose replica is *replica*."""

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self._record = replica.published
        self._is_first = True
        #: Whether an earlier life left a record, and of all that this node has ever published.
        self._had_record = replica.published.is_complete and not replica.may_have_more
        self._has_compared = False

    def put(self, path: bytes, modified: int, records: tuple[Record, ...], now_ms: int) -> Put:
        """Files dated *modified* (Unix seconds) give *records* under *path*."""
        known = self._replica.get(path)
        if known is not None and known.records == records and known.modified == modified:
            self._record.note(known)
            return Put(Standing.SAME, known)
        if known is not None and self._is_first:
            standing = self._record.judge(path, modified, records, known)
            if standing is Standing.OLD:
                return Put(standing, known)
        change = self._replica.put(path, modified, records, now_ms)
        self._record.note(change)
        return Put(Standing.NEW, change)

    def remove(self, path: bytes, now_ms: int) -> Change | None:
        """Take *path* away, whoever published it; None: nothing is there."""
        self._record.forget(path)
        return self._replica.remove(path, now_ms)

    def end_first(self) -> None:
        """All files have been published: whatever the cluster has, they count from now on."""
        self._is_first = False

    def owns(self, path: bytes) -> bool:
        """Whether this node published what is under *path* now."""
        known = self._replica.get(path)
        return known is not None and known.origin == self._replica.node and not known.is_tombstone

    def vanished_rules(self, kept: Container[bytes]) -> Iterator[bytes | None]:
        """Paths of rules that this node published in an earlier life and are not *kept*; None as below.

        A rule leads elsewhere, or says that something is gone, and has no date.  What an earlier life
        published of files is left to it, and to a later one that has files again.
        """
        told: set[bytes] = set()
        for paths in self._record.paths():
            for path in paths:
                known = None if path in kept else self._replica.get(path)
                if known is not None and self._is_own_rule(known):
                    told.add(path)
                    yield path
                else:
                    yield None
        after = b""
        while not self._had_record and (changes := self._replica.paths(after, _STEP)):
            for change in changes:
                is_other = change.path in kept or change.path in told
                yield change.path if not is_other and self._is_own_rule(change) else None
            after = changes[-1].path

    def _is_own_rule(self, change: Change) -> bool:
        is_own = change.origin == self._replica.node and not (change.is_tombstone or is_mark(change))
        return is_own and not change.modified and bool(split_status(change.records[0].lines_200)[0])

    def vanished(self, files: Container[bytes]) -> Iterator[bytes | None]:
        """Paths that this node published in an earlier life and has no *files* of; None: none in this step.

        Without a record, the cluster's changes of this node are it.  Asked again, there are none.
        """
        if self._has_compared:
            return
        told: set[bytes] = set()
        for paths in self._record.paths():
            for path in paths:
                if path in files:
                    yield None
                elif self.owns(path):
                    told.add(path)
                    yield path
                else:
                    self._record.forget(path)
        after = b""
        while not self._had_record and (changes := self._replica.paths(after, _STEP)):
            for change in changes:
                is_ours = change.origin == self._replica.node and not (change.is_tombstone or is_mark(change))
                has_gone = is_ours and change.path not in files and change.path not in told
                yield change.path if has_gone else None
            after = changes[-1].path
        self._replica.compared(self._had_record)
        self._has_compared = True
        self._record.complete()  # not before: a kill in between leaves the rest to the next life

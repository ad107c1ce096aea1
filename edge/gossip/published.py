"""The record of what this node has published, by which it tells new files from old ones: not by their dates.

When a node starts, its files may be newer than what the cluster has under their paths: a deploy was made
while it was down.  Or older: they were restored from a backup, or another node has published there since.
The date of a file does not tell these apart: ``rsync -a``, ``tar``, container images and reproducible builds
keep the dates of files, or give all the same one.  What this node published last does: **a file that differs
from it is new; one that does not is as old as that was, and the later of the two versions counts.**

The record has, for each path, a fingerprint and the hybrid logical clock of what was published: of the bytes
in all media but not of their codings, so a program that compresses better makes nothing new.  It is written
in the transaction of the change itself (``replica.sqlite``), so a kill at any point loses both or neither,
and before the change is told to anybody.

=============================  =============================================================================
the record is                  then
=============================  =============================================================================
of this node                   as above; paths in it whose files have gone are removed
missing (first start, lost)    what the cluster has *of this node* is the record: whatever differs is new;
                               against what another node has published a file's date counts, for want of
                               anything better
older (restored backup)        as above: files restored with it are what it says, so they are not new, and
                               what the cluster has is later; files of a deploy since then are new
of another node (copied)       as if it were missing
begun, not completed (killed)  as above where it says something; else as if it were missing
=============================  =============================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from hashlib import blake2b

from edge.gossip.changes import Change, Record
from edge.gossip.rows import Rows
from edge.resource import Coding

#: Bytes of a fingerprint.
FINGERPRINT = 16
#: Paths read at a time.
_STEP = 500


class Standing(Enum):
    """How what files have under a path stands to what the cluster has there."""

    #: It is the same, in every byte and line.
    SAME = "same"
    #: It is to be published.
    NEW = "new"
    #: The cluster's version stays.
    OLD = "old"


class PublishedRecord:
    """What the node *node* has published of its files, kept in *rows*."""

    def __init__(self, node: str, rows: Rows) -> None:
        self._node = node
        self._rows = rows
        #: Whether a life of this node published all of its files.
        self.is_complete = rows.published(node, _COMPLETE) is not None

    def judge(
        self, path: bytes, modified: int, records: tuple[Record, ...], known: Change | None
    ) -> Standing:
        """How *records*, of files dated *modified* (Unix seconds), stand to *known*, the cluster's version.

        For the first publish of a life; later ones always count.
        """
        if known is None:
            return Standing.NEW
        if known.records == records and known.modified == modified:
            return Standing.SAME
        ours = fingerprint(records)
        if not known.is_tombstone and fingerprint(known.records) == ours:
            return Standing.NEW  # the same bytes with other header lines
        recorded = self._rows.published(self._node, path)
        if recorded is not None:
            clock, published = recorded
            is_new = published != ours or clock > known.clock
        else:
            is_new = self.is_complete or known.origin == self._node or modified * 1000 >= known.clock >> 16
        return Standing.NEW if is_new else Standing.OLD

    def note(self, change: Change) -> None:
        """This node has published *change*, or another has, and its files are the same."""
        self._rows.set_published(self._node, change.path, change.clock, fingerprint(change.records))

    def forget(self, path: bytes) -> None:
        """This node has taken *path* away: its file is new when it is there again."""
        self._rows.unset_published(self._node, path)

    def complete(self) -> None:
        """All files have been published, and all that had gone is taken away."""
        if not self.is_complete:
            self.is_complete = True
            self._rows.set_published(self._node, _COMPLETE, 0, b"")
            self._rows.forget_published_but(self._node)

    def paths(self) -> Iterator[list[bytes]]:
        """The paths in the record, some at a time; may be read while it changes."""
        after = _COMPLETE
        while found := self._rows.published_paths(self._node, after, _STEP):
            yield found
            after = found[-1]


#: In place of a path, which is never empty: the record is complete.
_COMPLETE = b""


def fingerprint(records: tuple[Record, ...]) -> bytes:
    """The bytes that *records* are of, whatever their codings and header lines."""
    digest = blake2b(digest_size=FINGERPRINT)
    for record in records:
        if record.variant % 4 == Coding.IDENTITY:
            digest.update(bytes((record.variant,)) + record.digest)
    return digest.digest()

"""A change of the replicated table, and the anti-entropy messages that carry changes (stream lane 2).

MessagePack arrays with a tag first, positions append-only::

    ["marks", [[origin, generation, sequence], ...]]      how far the sender has each log
    ["want", origin, generation, after, head, rank, sequence]
    ["changes", origin, generation, after, head, rank, sequence, done, heads, items]
    ["root", hash]  ["hashes", 32 KiB]                    repair: are our tables equal?
    ["entries", bucket, [[path, clock, origin], ...]]     what the sender has in a bucket
    ["paths", [path, ...]]                                please send what you have there
    ["repair", heads, [[origin, item], ...]]

An *item* is ``[path, sequence, clock, modified, records]``, records being nil for a tombstone or
``[[variant, digest, length, h200, h304], ...]``; header lines, which many entries share, stand once in
*heads* and are referred to by their position.

Reading a log: ``want`` names the sequence *after* which changes are wanted; the answer is a chunk of those up
to *head*, ordered by (rank, sequence), so assets before the pages that name them.  Until *done* the reader
asks for the next chunk with the (rank, sequence) of the last one.  Unasked, a node sends a chunk with its
own new changes to the others; that is taken by who has everything before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from edge.gossip.fields import Digest, Length, Lines, Path, Rank, Seconds, Variant
from edge.gossip.packet import NODES, LogPosition
from edge.gossip.schema import Decoder, GossipError
from edge.load.wire import Generation, Name, Number, Word
from edge.resource import REMOVAL_RANK, rank_of

#: Changes, and bytes, of one chunk.
CHUNK, CHUNK_BYTES = 250, 64 * 1024
#: Bytes of a message that may ride on a datagram.
URGENT_BYTES = 900
BUCKETS = 4096
#: Entries of one bucket that are compared at a time.
BUCKET_ENTRIES = 4000
#: Bytes of a message: a frame of a stream (edge.node.cluster.streams).
MAX_MESSAGE = 1 << 20

Position = Annotated[int, Meta(ge=0, lt=1 << 31)]
#: (variant, digest, length, heads of 200, of 304)
PackedRecord = tuple[Variant, Digest, Length, Position, Position]
_Records = Annotated[tuple[PackedRecord, ...], Meta(min_length=1, max_length=16)]
Item = tuple[Path, Number, Word, Seconds, _Records | None]
_Heads = Annotated[tuple[Lines, ...], Meta(max_length=32 * CHUNK)]


class Record(msgspec.Struct, frozen=True):
    """The metadata of one representation; its body is known by digest."""

    variant: int
    #: SHA-256 of the body.
    digest: bytes
    length: int
    lines_200: bytes
    lines_304: bytes


class Change(msgspec.Struct, frozen=True):
    """A write to one path of the replicated table: what stands there since *clock* (HLC)."""

    path: bytes
    origin: str
    sequence: int
    clock: int
    #: Last-Modified, Unix seconds.
    modified: int
    #: Empty: a tombstone, the path was taken away.
    records: tuple[Record, ...]

    @property
    def is_tombstone(self) -> bool:
        """Whether the path was taken away."""
        return not self.records


def rank(records: tuple[Record, ...]) -> int:
    """When a change with these records is put, within a deploy; see :func:`edge.resource.rank_of`."""
    return rank_of(records[0].lines_200) if records else REMOVAL_RANK


class VersionVector(msgspec.Struct, frozen=True, array_like=True, tag="marks"):
    """A version vector: how far the sender has each log."""

    positions: Annotated[tuple[LogPosition, ...], Meta(max_length=2 * NODES)]


class Want(msgspec.Struct, frozen=True, array_like=True, tag="want"):
    """Please send the changes of *origin* after the sequence *after*."""

    origin: Name
    generation: Generation
    after: Number
    #: 0: up to what you have; else as in the chunk before.
    head: Number = 0
    rank: Rank = 0
    sequence: Number = 0


class Changes(msgspec.Struct, frozen=True, array_like=True, tag="changes"):
    """A chunk of *origin*'s log."""

    origin: Name
    generation: Generation
    after: Number
    head: Number
    #: Of the last item.
    rank: Rank
    sequence: Number
    done: bool
    heads: _Heads
    items: Annotated[tuple[Item, ...], Meta(max_length=CHUNK)]


class Root(msgspec.Struct, frozen=True, array_like=True, tag="root"):
    """The sender's hash over all buckets: equal tables have equal ones."""

    hash: Word


class Hashes(msgspec.Struct, frozen=True, array_like=True, tag="hashes"):
    """The sender's bucket hashes, 8 bytes each, little-endian."""

    hashes: Annotated[bytes, Meta(min_length=8 * BUCKETS, max_length=8 * BUCKETS)]


class Entries(msgspec.Struct, frozen=True, array_like=True, tag="entries"):
    """The versions that the sender has in one bucket."""

    bucket: Annotated[int, Meta(ge=0, lt=BUCKETS)]
    entries: Annotated[tuple[tuple[Path, Word, Name], ...], Meta(max_length=BUCKET_ENTRIES)]


class Paths(msgspec.Struct, frozen=True, array_like=True, tag="paths"):
    """Please send the changes that count under these paths."""

    paths: Annotated[tuple[Path, ...], Meta(max_length=CHUNK)]


class Repair(msgspec.Struct, frozen=True, array_like=True, tag="repair"):
    """Changes of any origins, which the receiver lacked when buckets were compared."""

    heads: _Heads
    items: Annotated[tuple[tuple[Name, Item], ...], Meta(max_length=CHUNK)]


Message = VersionVector | Want | Changes | Root | Hashes | Entries | Paths | Repair

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: Decoder[Message] = Decoder(Message, "table message", MAX_MESSAGE)


def encode_message(message: Message) -> bytes:
    """*message* in MessagePack."""
    return _ENCODER.encode(message)


def decode_message(data: bytes) -> Message:
    """The message in *data*; :class:`GossipError`."""
    message = _DECODER.decode(data)
    if isinstance(message, Changes | Repair):
        known = len(message.heads)
        for one in message.items:
            item: Item = one[1] if isinstance(message, Repair) else one  # type: ignore[assignment]
            if any(max(packed[3], packed[4]) >= known for packed in item[4] or ()):
                raise GossipError("no table message: it refers to header lines that it does not bring")
    return message


class Packer:
    """Packs changes for one message, each head once."""

    def __init__(self) -> None:
        #: Header lines and their position.
        self.heads: dict[bytes, int] = {}
        #: Bytes so far, about.
        self.size = 0

    def pack(self, change: Change) -> Item:
        """The item of *change*."""
        self.size += len(change.path) + 24 + 48 * len(change.records)
        records = tuple(
            (r.variant, r.digest, r.length, self._head(r.lines_200), self._head(r.lines_304))
            for r in change.records
        )
        return change.path, change.sequence, change.clock, change.modified, records or None

    def _head(self, lines: bytes) -> int:
        number = self.heads.get(lines)
        if number is None:
            number = self.heads[lines] = len(self.heads)
            self.size += len(lines) + 3
        return number


def unpack(heads: tuple[bytes, ...], items: Iterable[tuple[str, Item]]) -> list[Change]:
    """The changes in (origin, item) pairs."""
    return [
        Change(
            path, origin, sequence, clock, modified,
            tuple(Record(v, digest, length, heads[a], heads[b]) for v, digest, length, a, b in records or ()),
        )
        for origin, (path, sequence, clock, modified, records) in items
    ]  # fmt: skip

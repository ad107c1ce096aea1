"""A change of the replicated table, and the anti-entropy messages that carry changes (stream lane 2).

MessagePack arrays with a tag first, positions append-only::

    ["marks", [[origin, generation, sequence], ...]]      how far the sender has each log
    ["want", origin, generation, after, head, rank, sequence]
    ["changes", origin, generation, after, head, rank, sequence, done, heads, items, batches, proof, chains]
    ["root", hash]  ["hashes", 32 KiB]                    repair: are our tables equal?
    ["entries", bucket, [[path, clock, origin], ...]]     what the sender has in a bucket
    ["paths", [path, ...]]                                please send what you have there
    ["repair", heads, [[origin, item], ...], batches, chains]

An *item* is ``[path, sequence, clock, modified, records, batch]``, records being nil for a tombstone or
``[[variant, digest, length, h200, h304], ...]``.  Header lines, which many entries share, stand once in
*heads*, signed batches (:mod:`edge.gossip.batches`) once in *batches*; both are referred to by their
position.  *proof* is the position of the batch that proves *head*, or nil.  *chains* are the certificates
of those who signed, which the receiver may not know.

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

from edge.gossip.batches import Batch, hash_of, is_hash_in
from edge.gossip.fields import Digest, Length, Lines, Path, Rank, Seconds, Variant
from edge.gossip.packet import VECTOR, LogPosition
from edge.gossip.schema import Decoder, GossipError
from edge.load.wire import Generation, Name, Number, Word
from edge.resource import REMOVAL_RANK, rank_of

#: Changes, and bytes, of one chunk.
CHUNK, CHUNK_BYTES = 250, 64 * 1024
#: Bytes of a message that may ride on a datagram.
URGENT_BYTES = 900
BUCKETS = 4096
#: Certificates of one message.
CHAINS = 64
#: Entries of one bucket that are compared at a time.
BUCKET_ENTRIES = 4000
#: Bytes of a message: a frame of a stream (edge.node.cluster.streams).
MAX_MESSAGE = 1 << 20

Position = Annotated[int, Meta(ge=0, lt=1 << 31)]
#: (variant, digest, length, heads of 200, of 304)
PackedRecord = tuple[Variant, Digest, Length, Position, Position]
_Records = Annotated[tuple[PackedRecord, ...], Meta(min_length=1, max_length=16)]
Item = tuple[Path, Number, Word, Seconds, _Records | None, Position]
_Heads = Annotated[tuple[Lines, ...], Meta(max_length=32 * CHUNK)]
_Batches = Annotated[tuple[Batch, ...], Meta(max_length=CHUNK + 1)]
#: A node's certificate and those above it (DER), at most eight rotations.
Chain = Annotated[
    tuple[Annotated[bytes, Meta(min_length=1, max_length=4096)], ...], Meta(min_length=1, max_length=9)
]
Chains = Annotated[tuple[Chain, ...], Meta(max_length=CHAINS)]


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


def change_hash(change: Change) -> bytes:
    """The hash of everything that *change* says, but for its origin, which its batch names."""
    records = [(r.variant, r.digest, r.length, r.lines_200, r.lines_304) for r in change.records]
    return hash_of((change.path, change.sequence, change.clock, change.modified, records))


def is_one_of(change: Change, batch: Batch) -> bool:
    """Whether *change* is one of those that its origin signed in *batch*."""
    return change.origin == batch.origin and is_hash_in(change_hash(change), batch.hashes)


def rank(records: tuple[Record, ...]) -> int:
    """When a change with these records is put, within a deploy; see :func:`edge.resource.rank_of`."""
    return rank_of(records[0].lines_200) if records else REMOVAL_RANK


class VersionVector(msgspec.Struct, frozen=True, array_like=True, tag="marks"):
    """A version vector: how far the sender has each log."""

    positions: Annotated[tuple[LogPosition, ...], Meta(max_length=VECTOR)]


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
    batches: _Batches
    #: Which batch proves *head*.
    proof: Position | None = None
    chains: Chains = ()


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
    batches: _Batches
    chains: Chains = ()


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
        _check_positions(message)
    return message


def _check_positions(message: Changes | Repair) -> None:
    heads, batches = len(message.heads), len(message.batches)
    for one in message.items:
        item: Item = one[1] if isinstance(message, Repair) else one  # type: ignore[assignment]
        if any(max(packed[3], packed[4]) >= heads for packed in item[4] or ()):
            raise GossipError("no table message: it refers to header lines that it does not bring")
        if item[5] >= batches:
            raise GossipError("no table message: it refers to a signature that it does not bring")
    if isinstance(message, Changes) and message.proof is not None and message.proof >= batches:
        raise GossipError("no table message: it refers to a proof that it does not bring")


class Packer:
    """Packs changes for one message, each head and each batch once."""

    def __init__(self) -> None:
        #: Header lines and their position.
        self.heads: dict[bytes, int] = {}
        #: Batches and their position.
        self.batches: dict[Batch, int] = {}
        #: Bytes so far, about.
        self.size = 0

    def pack(self, change: Change, batch: Batch) -> Item:
        """The item of *change*, which is one of *batch*."""
        self.size += len(change.path) + 26 + 48 * len(change.records)
        records = tuple(
            (r.variant, r.digest, r.length, self._head(r.lines_200), self._head(r.lines_304))
            for r in change.records
        )
        return change.path, change.sequence, change.clock, change.modified, records or None, self.add(batch)

    def add(self, batch: Batch) -> int:
        """The position of *batch*."""
        number = self.batches.get(batch)
        if number is None:
            number = self.batches[batch] = len(self.batches)
            self.size += len(batch.hashes) + len(batch.signature) + 48
        return number

    def _head(self, lines: bytes) -> int:
        number = self.heads.get(lines)
        if number is None:
            number = self.heads[lines] = len(self.heads)
            self.size += len(lines) + 3
        return number


def unpack(
    heads: tuple[bytes, ...], batches: tuple[Batch, ...], items: Iterable[tuple[str, Item]]
) -> list[tuple[Change, Batch]]:
    """The changes in (origin, item) pairs, each with the batch that is to prove it."""
    return [
        (
            Change(
                path, origin, sequence, clock, modified,
                tuple(Record(v, digest, length, heads[a], heads[b])
                      for v, digest, length, a, b in records or ()),
            ),
            batches[batch],
        )
        for origin, (path, sequence, clock, modified, records, batch) in items
    ]  # fmt: skip

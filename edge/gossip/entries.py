"""Answers of applications that nodes tell each other of, and who fills a key, on the wire (stream lane 6).

MessagePack arrays with a tag first, positions append-only::

    ["applications", [name, ...]]              what the sender asks itself
    ["want", number, application, name]        please have this key filled once, in the whole cluster
    ["waits", number]                          it is being filled
    ["fill", number]                           ask the application yourself, and say ...
    ["done", number, outcome, vector, entry, bodies]   ... what came of it
    ["told", number, outcome, holder, vector, entry, bodies]   to who waited: what came of it
    ["hot", vector, [entry, ...]]              what is asked for often here

A key's *name* is what :mod:`edge.cache.keys` makes of it.  An entry tells everything of an answer but its
bodies, which are pulled by digest from its *holder*, unless they are small and ride along: *bodies*, in the
order of the entry's records, all of them or none.  A node that does not know that field pulls them.

The *vector* says as of which changes of cache groups (:mod:`edge.gossip.invalidation`) the sender, or the
holder, vouches for the entries.  None of this is written down anywhere, or signed: a member may say what it
has, others take it for as long as it may live.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from edge.cache.record import LONGEST_NAME
from edge.gossip.fields import Digest, Grammar, Length, MaybeName, Seconds, Variant, are_answer_lines
from edge.gossip.group_messages import APPLICATIONS, ApplicationName, GroupNames
from edge.gossip.packet import NODES, LogPosition
from edge.gossip.schema import Decoder, GossipError
from edge.load.wire import Word

#: Bytes of a message, and of the entries in one message of hot ones.
MAX_MESSAGE, HOT_BYTES = 1 << 20, 64 * 1024
#: Bytes of bodies in one message, all variants together: pages of the demonstration have 25 to 75 KB, and
#: what they ask for 2 to 13.  Larger ones would keep what comes behind them on the stream waiting.
RIDING_BYTES = 96 * 1024
#: Entries of one message.
HOT_ENTRIES = 512
#: The longest time that an entry may claim, in milliseconds: a year.
_YEAR_MS = 366 * 86_400_000

STORED, PASS, FAILED, AGAIN = range(4)


_LINES = Grammar("header lines of an answer to anybody", are_answer_lines, b"Content-Type: text/html\r\n")
SharedLines = Annotated[bytes, Meta(max_length=4096, extra={"grammar": _LINES})]
_Milliseconds = Annotated[int, Meta(ge=0, le=_YEAR_MS)]
#: The name of a key.
KeyName = Annotated[bytes, Meta(min_length=1, max_length=LONGEST_NAME)]
_Validator = Annotated[bytes, Meta(max_length=512)]
#: (variant, SHA-256, length, lines of a 200, of a 304)
EntryRecord = tuple[Variant, Digest, Length, SharedLines, SharedLines]
_VARIANTS = 16
_Records = Annotated[tuple[EntryRecord, ...], Meta(min_length=1, max_length=_VARIANTS)]
_Body = Annotated[bytes, Meta(max_length=RIDING_BYTES)]
#: Of all records of an entry, in their order; or none.
Bodies = Annotated[tuple[_Body, ...], Meta(max_length=_VARIANTS)]
Vector = Annotated[tuple[LogPosition, ...], Meta(max_length=NODES)]
#: OWN_ETAG and OWN_CORS.
Flags = Annotated[int, Meta(ge=0, lt=1 << 16)]
Outcome = Annotated[int, Meta(ge=0, le=3)]


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A stored answer: everything but its bodies."""

    name: KeyName
    application: ApplicationName
    groups: GroupNames
    #: 200, or what an application says explicitly may be shared.
    status: Annotated[int, Meta(ge=200, le=599)]
    #: Milliseconds since it was made; its lifetime from then.
    age_ms: _Milliseconds
    fresh_ms: _Milliseconds
    #: Seconds beyond its lifetime.
    stale_while_revalidate: Seconds
    stale_if_error: Seconds
    #: What Date says, Unix seconds.
    date: Seconds
    #: The application's own validators, as sent.
    etag: _Validator
    last_modified: _Validator
    records: _Records
    #: See edge.table.layout.
    flags: Flags = 0


class Applications(msgspec.Struct, frozen=True, array_like=True, tag="applications"):
    """The applications of the sender: it can fill their keys."""

    names: Annotated[tuple[ApplicationName, ...], Meta(max_length=APPLICATIONS)]


class Want(msgspec.Struct, frozen=True, array_like=True, tag="want"):
    """The sender needs the key *name* of *application* filled."""

    number: Word
    application: ApplicationName
    name: KeyName


class Waits(msgspec.Struct, frozen=True, array_like=True, tag="waits"):
    """Somebody fills the key of the sender's question *number*; it will be told."""

    number: Word


class Fill(msgspec.Struct, frozen=True, array_like=True, tag="fill"):
    """The receiver fills the key of its question *number*."""

    number: Word


class Done(msgspec.Struct, frozen=True, array_like=True, tag="done"):
    """What came of the fill that the receiver gave to the sender."""

    number: Word
    outcome: Outcome
    vector: Vector = ()
    entry: Entry | None = None
    bodies: Bodies = ()


class Told(msgspec.Struct, frozen=True, array_like=True, tag="told"):
    """What came of the fill that the receiver has waited for."""

    number: Word
    outcome: Outcome
    #: Who has the bodies.
    holder: MaybeName = ""
    vector: Vector = ()
    entry: Entry | None = None
    bodies: Bodies = ()


class Hot(msgspec.Struct, frozen=True, array_like=True, tag="hot"):
    """Entries that are asked for often at the sender."""

    vector: Vector
    entries: Annotated[tuple[Entry, ...], Meta(max_length=HOT_ENTRIES)]


EntryMessage = Applications | Want | Waits | Fill | Done | Told | Hot

_ENCODER = msgspec.msgpack.Encoder()
_DECODER: Decoder[EntryMessage] = Decoder(EntryMessage, "message of entries", MAX_MESSAGE)


def encode_entry_message(message: EntryMessage) -> bytes:
    """*message* in MessagePack."""
    return _ENCODER.encode(message)


def decode_entry_message(data: bytes) -> EntryMessage:
    """The message in *data*; :class:`~edge.gossip.schema.GossipError`."""
    message = _DECODER.decode(data)
    if isinstance(message, Done | Told) and (message.outcome == STORED) != (message.entry is not None):
        raise GossipError("no message of entries: what is stored has an entry, and nothing else has")
    if isinstance(message, Done | Told) and message.bodies:
        _check_bodies(message.entry, message.bodies)
    return message


def _check_bodies(entry: Entry | None, bodies: Bodies) -> None:
    if entry is None or len(bodies) != len(entry.records) or sum(map(len, bodies)) > RIDING_BYTES:
        raise GossipError(
            f"no message of entries: {len(bodies)} bodies are not one of each record, of at most "
            f"{RIDING_BYTES} bytes together"
        )


def can_be_told(entry: Entry) -> bool:
    """Whether other nodes would take *entry* for one: an application may say what has no room in it."""
    try:
        decode_entry_message(encode_entry_message(Hot((), (entry,))))
    except GossipError:
        return False
    return True

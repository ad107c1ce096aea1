"""What workers and the supervisor say to each other of applications' answers: verdicts, outcomes, answers.

An answer on its way from the worker that asked for it to the supervisor, which alone writes the table, is
packed as a MessagePack map, its length before it (u32, little-endian), and the bodies of all its variants
behind it.  The supervisor believes nothing of it: a worker that is taken over may say what it likes, but
cannot make a table in which others read beyond a block, or heads that end early.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from edge.cache.group_changes import MOST_ADDRESSES, Change
from edge.cache.keys import LONGEST_ADDRESS
from edge.cache.record import SUFFIXES, AnswerRecord, is_entity_tag
from edge.resource import Representation
from edge.sites import is_prefix, split_name
from edge.table.layout import OWN_ETAG
from edge.table.reader import LINES_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The longest body that is stored.  Longer ones are downloads: they would push out thousands of pages, and
#: pass through as they come.
LONGEST_BODY = 4 * 1024 * 1024
#: Of an answer with all its codings, packed: coded bodies are shorter than the body.
LONGEST_PACKED = 3 * LONGEST_BODY + 128 * 1024
#: Groups of one answer.
MOST_GROUPS = 64
_LENGTH = Struct("<I")
_LINES = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: ?[\t\x20-\x7e\x80-\xff]*\r\n)*")
_ETAG = re.compile(rb"[A-Za-z0-9_-]{16}")
_VARIANTS = range(len(SUFFIXES))


class Kind(IntEnum):
    """What a worker is to do for a key that it has no fresh answer for."""

    #: Ask the clean question, and bring the answer under the token.
    FILL = 0
    #: Pass the request whole, and tell under the token whether its answer may be shared.
    FIRST = 1
    #: Look into the table again.
    LOOK = 2
    #: Pass the request whole.
    PASS = 3
    #: The application has just failed: what is there may be served stale, else nothing.
    FAILED = 4


class Verdict(NamedTuple):
    """What to do; *token* of FILL and FIRST."""

    kind: Kind
    token: int = 0


class Outcome(IntEnum):
    """What became of a question whose answer is not stored."""

    #: It may be shared: the next one who asks fills.
    SHAREABLE = 0
    #: It may not: for a while, everybody asks himself.
    PASS = 1
    #: The application failed.
    FAILED = 2
    #: Nothing is known: the visitor has gone, the body was too long, the answer came too late.
    NOTHING = 3


class _Variant(msgspec.Struct, array_like=True, frozen=True):
    variant: int
    etag: bytes
    length: int
    lines_200: bytes
    lines_304: bytes


class _Packed(msgspec.Struct, frozen=True):
    name: bytes
    status: int
    date: int
    born_ms: int
    asked_ms: int
    fresh: int
    stale_while_revalidate: int
    stale_if_error: int
    etag: bytes
    modified: bytes
    groups: tuple[str, ...]
    flags: int
    variants: tuple[_Variant, ...]


class FilledAnswer(NamedTuple):
    """An application's answer as it is to be stored."""

    record: AnswerRecord
    #: CLOCK_MONOTONIC in milliseconds: when the application made it, as its Age says; and when it was asked
    #: for it, or another node vouched for what it has.
    born_ms: int
    asked_ms: int
    #: See :mod:`edge.table.layout`.
    flags: int
    groups: tuple[str, ...]
    #: Variant 0 first, each with its body.
    representations: tuple[Representation, ...]


class _PackedChange(msgspec.Struct, array_like=True, frozen=True):
    application: str | None
    groups: tuple[str, ...] | None
    addresses: tuple[bytes, ...]


#: Bytes of a change that is told as it is; a longer one is one of everything that the application has.
_LONGEST_CHANGE = 60_000


def pack_change(change: Change) -> bytes:
    """*change* as a worker tells it."""
    change = change.as_told
    groups = None if change.groups is None else tuple(sorted(change.groups))
    packed = msgspec.msgpack.encode(_PackedChange(change.application, groups, change.addresses))
    if len(packed) <= _LONGEST_CHANGE:
        return packed
    return msgspec.msgpack.encode(_PackedChange(change.application, None, ()))


def unpack_change(packed: bytes) -> Change:
    """The change in *packed*; :class:`MalformedAnswer`.

    Whether its groups can be told is not looked at here: a change that cannot be is still a change.
    """
    try:
        found = _CHANGES.decode(packed)
    except msgspec.MsgspecError as error:
        raise MalformedAnswer(str(error)) from None
    groups, addresses = None if found.groups is None else frozenset(found.groups), found.addresses
    if found.application is None or len(addresses) > MOST_ADDRESSES or not all(map(_is_address, addresses)):
        raise MalformedAnswer("a change that no worker tells")
    return Change(found.application, groups, addresses)


def _is_address(address: bytes) -> bool:
    return 0 < len(address) <= LONGEST_ADDRESS


_CHANGES = msgspec.msgpack.Decoder(_PackedChange)


class MalformedAnswer(Exception):
    """What a worker sent is no answer; the text says why."""


def pack(answer: FilledAnswer) -> bytes:
    """*answer* as it is sent."""
    record = answer.record
    packed = _Packed(
        record.name,
        record.status,
        record.date,
        answer.born_ms,
        answer.asked_ms,
        record.fresh,
        record.stale_while_revalidate,
        record.stale_if_error,
        record.etag,
        record.modified,
        answer.groups,
        answer.flags,
        tuple(
            _Variant(one.variant, one.etag, one.length, one.lines_200, one.lines_304)
            for one in answer.representations
        ),
    )
    head = msgspec.msgpack.encode(packed)
    return b"".join([_LENGTH.pack(len(head)), head, *(one.body or b"" for one in answer.representations)])


_DECODER = msgspec.msgpack.Decoder(_Packed)


def unpack(data: bytes) -> FilledAnswer:
    """The answer that :func:`pack` made; :exc:`MalformedAnswer`."""
    if not 4 <= len(data) <= LONGEST_PACKED:
        raise MalformedAnswer(f"{len(data)} bytes")
    begin = 4 + _LENGTH.unpack_from(data)[0]
    try:
        packed = _DECODER.decode(data[4:begin])
    except msgspec.MsgspecError as error:
        raise MalformedAnswer(str(error)) from None
    _check(packed, len(data) - begin)
    representations, at = [], begin
    for one in packed.variants:
        body = data[at : at + one.length]
        at += one.length
        representations.append(
            Representation(one.variant, one.etag, b"", one.length, one.lines_200, one.lines_304, body)
        )
    record = AnswerRecord(
        packed.name,
        packed.status,
        packed.date,
        packed.fresh,
        packed.stale_while_revalidate,
        packed.stale_if_error,
        packed.etag,
        packed.modified,
        ", ".join([f'"{group}"' for group in packed.groups]).encode("ascii") if packed.groups else b"",
    )
    times = packed.born_ms, packed.asked_ms
    return FilledAnswer(record, *times, packed.flags, packed.groups, tuple(representations))


def _check(packed: _Packed, bytes_of_bodies: int) -> None:
    numbers, lengths = [], []
    for one in packed.variants:
        numbers.append(one.variant)
        lengths.append(one.length)
    if numbers != [0] and (
        numbers[:1] != [0] or len(set(numbers)) != len(numbers) or not set(numbers) <= set(_VARIANTS)
    ):
        raise MalformedAnswer(f"variants {numbers}")
    if min(lengths) < 0 or bytes_of_bodies != sum(lengths):
        raise MalformedAnswer(f"{bytes_of_bodies} bytes of bodies")
    prefix, path = split_name(packed.name)
    if not path.startswith(b"/") or not is_prefix(prefix) or not 200 <= packed.status <= 499:
        raise MalformedAnswer(f"status {packed.status} of {packed.name[:64]!r}")
    times = (packed.date, packed.stale_while_revalidate, packed.stale_if_error, packed.fresh)
    if min(times) < 0 or not 0 <= packed.flags < 1 << 16 or packed.flags & 0x0FFF:
        raise MalformedAnswer("a number out of its range")
    if len(packed.groups) > MOST_GROUPS or not all(_is_group(group) for group in packed.groups):
        raise MalformedAnswer("groups that are none")
    if packed.flags & OWN_ETAG and not is_entity_tag(packed.etag):
        raise MalformedAnswer(f"the ETag {packed.etag[:32]!r} of the application")
    for one in packed.variants:
        if not _ETAG.fullmatch(one.etag):
            raise MalformedAnswer(f"the ETag {one.etag[:32]!r}")
        if not (_are_lines(one.lines_200) and _are_lines(one.lines_304)):
            raise MalformedAnswer("header lines that are none")


@lru_cache(maxsize=128)
def _are_lines(lines: bytes) -> bool:
    """Whether they are lines of a header; many answers have the same ones."""
    return len(lines) <= LINES_LIMIT and _LINES.fullmatch(lines) is not None


def _is_group(group: str) -> bool:
    return 0 < len(group) <= 128 and group.isascii() and group.isprintable() and not set(group) & set('"\\')


def groups_fit(groups: Iterable[str]) -> bool:
    """Whether an answer can be in *groups*: they can be written down and taken back."""
    groups = list(groups)
    return len(groups) <= MOST_GROUPS and all(map(_is_group, groups))

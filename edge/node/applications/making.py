"""From an application's answer to what is stored of it: lines, validators, codings.

**ETag.**  An application's own goes out as it is, told apart by the content coding if it is strong; where
there is none, ours does, a hash of exactly the bytes, equal on all nodes.  Either confirms a copy, on the
fast path, too.

Bodies are coded in a thread, with brotli 5, gzip and Zstandard 3, and only where that is worth it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from edge.cache.group_fields import CACHE_GROUPS, GroupsError, groups_of
from edge.cache.policy import HEADS, HOP_BY_HOP, Refusal, Rules, Terms, judge
from edge.cache.record import LONGEST_ETAG, LONGEST_MODIFIED, AnswerRecord, is_entity_tag
from edge.cache.status import HIT
from edge.http.dates import parse_date
from edge.http.fields import Fields, Lines, by_name, members_of
from edge.node.process.answers import LONGEST_BODY, FilledAnswer, groups_fit
from edge.publish.coding import QUICK_BROTLI, encode, is_worth_it
from edge.publish.types import is_compressible
from edge.resource import CODING_TOKENS, Coding, Representation, etag_of
from edge.table.layout import OWN_CORS, OWN_ETAG
from edge.table.reader import LINES_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.table.reader import Answer

#: gzip's quality; as for brotli, somebody waits.
_QUICK_GZIP = 6
#: Zstandard's level: 9 us a KiB, where 6 takes 25 for 4 % fewer bytes.
_QUICK_ZSTD = 3
#: What is made, and how well.
_QUALITIES = ((Coding.GZIP, _QUICK_GZIP), (Coding.BR, QUICK_BROTLI), (Coding.ZSTD, _QUICK_ZSTD))
#: Bytes that are coded where the answer is made: brotli 5, gzip 6 and Zstandard 3 take 40 us a KiB.
_QUICKLY_CODED = 16 * 1024
#: Smaller bodies fit one packet with their head either way.
_SMALLEST = 256
#: Not stored: our own stands in their place, or the store has them elsewhere.
_OURS = HOP_BY_HOP | {b"date", b"age", b"etag", b"content-length", b"content-encoding"}
#: Characters of Cache-Groups that go out with each 200; an answer in more groups is not live in browsers.
_LONGEST_TOLD = 2048
#: What a 304 has of what the 200 had: RFC 9110 section 15.4.5.
_IN_304 = frozenset({b"cache-control", b"content-location", b"expires", b"vary"})
#: What a 304 does not change of what is stored: it is about the body that was not sent.
_OF_THE_BODY = frozenset({b"content-encoding", b"content-type", b"content-range", b"content-length"})


class Whole(NamedTuple):
    """An application's answer to GET, whole."""

    status: int
    fields: Fields
    body: bytes
    #: Seconds of the steady clock: when it was asked for, and when its head was here.
    asked: float
    here: float
    #: Unix seconds of the head.
    wall: int


def make(
    name: bytes, answer: Whole, rules: Rules, terms: Terms | Refusal | None = None
) -> FilledAnswer | Refusal:
    """What is stored of *answer*, in identity alone; or why it is not.

    *terms*: what :func:`judge` says of it, if that is known.
    """
    if terms is None:
        terms = judge(answer.status, answer.fields, rules, answer.asked, answer.here, answer.wall)
    if isinstance(terms, Refusal):
        return terms
    body = answer.body
    if len(body) > LONGEST_BODY:
        return Refusal.TOO_LONG
    head = _head_of(tuple(answer.fields), answer.wall, len(body) < _SMALLEST)
    if isinstance(head, Refusal):
        return head
    record = AnswerRecord(
        name,
        answer.status,
        head.date,
        terms.fresh,
        terms.stale_while_revalidate,
        terms.stale_if_error,
        head.etag,
        head.modified,
    )
    digest = sha256(body).digest()
    identity = Representation(0, etag_of(digest), digest, len(body), head.lines_200, head.lines_304, body)
    born_ms, asked_ms = int((answer.here - terms.age) * 1000), int(answer.asked * 1000)
    return FilledAnswer(record, born_ms, asked_ms, head.flags, head.groups, (identity,))


class _Head(NamedTuple):
    """What is stored of the fields of an answer."""

    date: int
    etag: bytes
    modified: bytes
    groups: tuple[str, ...]
    flags: int
    lines_200: bytes
    lines_304: bytes


@lru_cache(maxsize=HEADS)
def _head_of(fields: tuple[tuple[bytes, bytes], ...], wall: int, is_small: bool) -> _Head | Refusal:
    """The same for all answers of one second with these *fields*; *is_small*: their bodies are not coded."""
    lines = by_name(fields)
    try:
        groups = groups_of(lines.get(CACHE_GROUPS, ()))
    except GroupsError:
        return Refusal.GROUPS
    etag, modified = _one(lines, b"etag"), _one(lines, b"last-modified")
    if not groups_fit(groups):
        return Refusal.GROUPS
    if len(etag) > LONGEST_ETAG or len(modified) > LONGEST_MODIFIED:
        return Refusal.TOO_LONG
    date = parse_date(_one(lines, b"date"), wall)
    lines_200, lines_304 = _lines(fields, lines, not is_small and _is_coded(lines))
    if max(len(lines_200), len(lines_304)) + 32 > LINES_LIMIT:
        return Refusal.TOO_LONG
    cors = any(name.startswith(b"access-control-") for name in lines)
    flags = (OWN_ETAG if is_entity_tag(etag) else 0) | (OWN_CORS if cors else 0)
    date = wall if date is None or not 0 <= date < 2**32 else date
    return _Head(date, etag, modified, tuple(sorted(groups)), flags, lines_200, lines_304)


def coded(answer: FilledAnswer, zstd: bool = True) -> FilledAnswer:
    """*answer* with those codings that are worth it; takes a while, to be called in a thread.

    Not *zstd*: the site has no Zstandard (``zstd-level = 0``).
    """
    (identity,) = answer.representations
    body = identity.body or b""
    if not _is_to_be_coded(identity):
        return answer
    representations = [identity]
    for coding, quality in _QUALITIES if zstd else _QUALITIES[:-1]:
        data = encode(body, coding, quality)
        if not is_worth_it(len(body), len(data)):
            continue
        digest = sha256(data).digest()
        line = b"Content-Encoding: %b\r\n" % CODING_TOKENS[coding].encode("ascii")
        representations.append(
            Representation(
                int(coding),
                etag_of(digest),
                digest,
                len(data),
                line + identity.lines_200,
                identity.lines_304,
                data,
            )
        )
    return answer._replace(representations=tuple(representations))


def is_slow_to_code(answer: FilledAnswer) -> bool:
    """Whether coding it is for a thread: it takes longer than a switch to one and back."""
    identity = answer.representations[0]
    return identity.length > _QUICKLY_CODED and _is_to_be_coded(identity)


def _is_to_be_coded(identity: Representation) -> bool:
    return b"Vary: Accept-Encoding\r\n" in identity.lines_200 and identity.length >= _SMALLEST


def confirmed(answer: Answer, fields: Fields) -> Fields:
    """The fields of a stored answer after a 304 with these *fields* (RFC 9111 section 4.3.4)."""
    new = [field for field in fields if field[0].lower() not in _OF_THE_BODY]
    names = {name.lower() for name, _ in new} | {b"cache-status"}
    if answer.record.groups and CACHE_GROUPS not in names:
        new.append((b"Cache-Groups", answer.record.groups))
        names.add(CACHE_GROUPS)
    kept = [field for field in fields_of(answer.lines_200) if field[0].lower() not in names]
    if answer.record.etag and b"etag" not in names:
        kept.append((b"ETag", answer.record.etag))
    return [*kept, *new]


def reconfirmed(answer: FilledAnswer, stored: dict[int, Answer]) -> FilledAnswer:
    """*answer*, whose body was confirmed, with the codings that are *stored* of it."""
    (identity,) = answer.representations
    others = [
        replace(
            identity,
            variant=variant,
            etag=one.etag,
            length=one.length,
            lines_200=b"Content-Encoding: %b\r\n" % CODING_TOKENS[Coding(variant)].encode("ascii")
            + identity.lines_200,
            body=one.body,
        )
        for variant, one in stored.items()
        if variant
    ]
    return answer._replace(representations=(identity, *others))


def fields_of(lines: bytes) -> Fields:
    """Header lines as (name, value)."""
    return [(name, value) for name, _, value in (line.partition(b": ") for line in lines.split(b"\r\n")[:-1])]


def _one(lines: Lines, lower: bytes) -> bytes:
    return lines[lower][0] if lower in lines else b""


def _is_coded(lines: Lines) -> bool:
    """Whether a body that is long enough will be there in other codings, too."""
    media_type = _one(lines, b"content-type").partition(b";")[0].strip().lower()
    if not is_compressible(media_type.decode("latin-1")):
        return False
    said = members_of(lines.get(b"cache-control", ()))
    return not any(member.lower() == b"no-transform" for member in said)


def _lines(fields: Iterable[tuple[bytes, bytes]], lines: Lines, is_coded: bool) -> tuple[bytes, bytes]:
    """(lines of a 200, of a 304) of an answer with *fields*, which are *lines* by name."""
    dropped = _OURS
    if sum(map(len, lines.get(CACHE_GROUPS, ()))) > _LONGEST_TOLD:
        dropped = dropped | {CACHE_GROUPS}
    if is_coded:
        dropped = dropped | {b"vary"}
    kept = [field for field in fields if field[0].lower() not in dropped]
    if is_coded:
        varies = members_of(lines.get(b"vary", ()))
        others = [member for member in varies if member.lower() != b"accept-encoding"]
        kept += [(b"Vary", b"Accept-Encoding"), *((b"Vary", one) for one in others)]
    lines_200 = b"".join(b"%b: %b\r\n" % field for field in kept) + HIT
    lines_304 = b"".join(b"%b: %b\r\n" % field for field in kept if field[0].lower() in _IN_304)
    return lines_200, lines_304

"""A stored answer, given to who asked: whole, a range of it, confirmed, or its head alone.

What is decided is what :mod:`edge.node.resources.published` decides for files, by the same functions; the
order of lines is that of :func:`edge.http.answer.head_answer`, so that the fast path and its twin give the
same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge.cache.status import HIT_STALE, status_field
from edge.http.answer import cors_line
from edge.http.conditional import NOT_MODIFIED, PRECONDITION_FAILED, evaluate, parse_entity_tags
from edge.http.dates import format_date, parse_date
from edge.http.fields import combine
from edge.http.ranges import UNSATISFIABLE, Span, select_range
from edge.node.applications.making import fields_of
from edge.table.layout import OWN_CORS

if TYPE_CHECKING:
    from collections.abc import Collection

    from edge.node.applications.origin import Fields, Question, Receiver
    from edge.node.process.answers import FilledAnswer
    from edge.table.reader import Answer

_CORS: Fields = [(b"Access-Control-Allow-Origin", b"*")]
_EXPOSE: Fields = [(b"Access-Control-Expose-Headers", b"*")]


class Given(NamedTuple):
    """An answer as it is given: from the table, or just made."""

    status: int
    #: Unix seconds.
    date: int
    age: int
    etag: bytes
    lines_200: bytes
    lines_304: bytes
    body: bytes
    #: The application's own validators.
    own_etag: bytes
    own_modified: bytes
    own_cors: bool

    @classmethod
    def stored(cls, answer: Answer) -> Given:
        """From the table."""
        record = answer.record
        return cls(
            record.status,
            record.date,
            answer.age,
            answer.etag,
            answer.lines_200,
            answer.lines_304,
            answer.body,
            record.etag,
            record.modified,
            bool(answer.variants & OWN_CORS),
        )

    @classmethod
    def filled(cls, answer: FilledAnswer, variant: int, now_ms: int) -> Given:
        """Just made; *variant*: one that it has."""
        one = next(one for one in answer.representations if one.variant == variant)
        record = answer.record
        return cls(
            record.status,
            record.date,
            max(0, now_ms - answer.born_ms) // 1000,
            one.etag,
            one.lines_200,
            one.lines_304,
            one.body or b"",
            record.etag,
            record.modified,
            bool(answer.flags & OWN_CORS),
        )


def give(
    given: Given,
    question: Question,
    receiver: Receiver,
    origins: Collection[bytes],
    now: int,
    status: tuple[bytes, ...] | None = None,
) -> None:
    """Answer *question*, a GET or HEAD, with *given*.

    *origins*: those whose pages may read it; *now*: Unix seconds; *status*: parameters of Cache-Status, None:
    a plain hit, as its stored lines say.
    """
    asked = combine(question.fields)
    cors = _cors(given, question, asked, origins)
    lines = given.lines_200
    if given.status == 200:
        matched = _not_modified(given, question, asked, now)
        if matched is not None:
            fields = [*_begin(given, matched), *fields_of(given.lines_304), *cors[:1]]
            receiver.started(304, fields, None)
            receiver.ended([])
            return
        if _failed(given, question, asked, now):
            receiver.started(412, [*_begin(given, b""), *cors[:1]], 0)
            receiver.ended([])
            return
    span = None
    if given.status == 200:
        span = select_range(question.method, asked, len(given.body), given.etag)
    if span is UNSATISFIABLE:
        size = b"bytes */%d" % len(given.body)
        receiver.started(416, [(b"Date", format_date(now)), (b"Content-Range", size), *cors[:1]], 0)
        receiver.ended([])
        return
    fields = [*_begin(given, b'"%b"' % given.etag), *_with_status(fields_of(lines), status), *cors]
    body, code = given.body, given.status
    if isinstance(span, Span):
        body, code = body[span.first : span.last + 1], 206
        fields.append((b"Content-Range", b"bytes %d-%d/%d" % (span.first, span.last, len(given.body))))
    receiver.started(code, fields, len(body))
    if body and question.method != b"HEAD" and code != 204:
        receiver.data(body)
    receiver.ended([])


#: As an answer that is no longer fresh is given.
STALE = HIT_STALE


def _begin(given: Given, etag: bytes) -> Fields:
    fields = [(b"Date", format_date(given.date)), (b"Age", b"%d" % given.age)]
    return [*fields, (b"ETag", etag)] if etag else fields


def _with_status(fields: Fields, status: tuple[bytes, ...] | None) -> Fields:
    """*fields*, whose last one is our Cache-Status, with another one."""
    return fields if status is None else [*fields[:-1], status_field(*status)]


def _cors(given: Given, question: Question, asked: dict[bytes, bytes], origins: Collection[bytes]) -> Fields:
    if given.own_cors or not cors_line(question.target, asked.get(b"origin"), origins):
        return []
    return [*_CORS, *_EXPOSE]


def _not_modified(given: Given, question: Question, asked: dict[bytes, bytes], now: int) -> bytes | None:
    """The ETag, as it is written, of the copy that is still good; None: there is none."""
    modified, since = _modified(given, asked, now)
    outcome = evaluate(question.method, asked, given.etag, modified if since is None else since, None, now)
    if outcome is NOT_MODIFIED:
        return b'"%b"' % given.etag
    own = parse_entity_tags(given.own_etag) if given.own_etag else None
    listed = asked.get(b"if-none-match")
    if outcome is PRECONDITION_FAILED or not own or listed is None:
        return None
    tags = parse_entity_tags(listed) or ()
    return given.own_etag if any(opaque == own[0][1] for _, opaque in tags) else None


def _failed(given: Given, question: Question, asked: dict[bytes, bytes], now: int) -> bool:
    modified, _ = _modified(given, asked, now)
    return evaluate(question.method, asked, given.etag, modified, None, now) is PRECONDITION_FAILED


def _modified(given: Given, asked: dict[bytes, bytes], now: int) -> tuple[int | None, int | None]:
    """(Last-Modified of the answer, or else its date; If-Modified-Since, if that is no earlier).

    Of an answer of an application a later If-Modified-Since means the same as the very one: RFC 9110 13.1.3.
    """
    modified = parse_date(given.own_modified, now) if given.own_modified else given.date
    since = parse_date(asked.get(b"if-modified-since", b""), now)
    later = modified is not None and since is not None and modified <= since
    return modified, since if later else None

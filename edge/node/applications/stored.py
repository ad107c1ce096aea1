"""A stored answer, given to who asked: whole, a range of it, confirmed, or its head alone.

What is decided is what :mod:`edge.node.resources.published` decides for files, by the same functions; the
order of lines is that of :func:`edge.http.answer.head_answer`, so that the fast path and its twin give the
same bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edge.cache.record import opaque, own_tag
from edge.cache.status import HIT_STALE, status_field
from edge.http.answer import cors_line
from edge.http.conditional import CONDITIONS, NOT_MODIFIED, PRECONDITION_FAILED, PROCEED, Outcome, evaluate
from edge.http.dates import format_date, parse_date
from edge.http.ranges import UNSATISFIABLE, Span, select_range
from edge.node.applications.making import fields_of
from edge.table.layout import OWN_CORS, OWN_ETAG

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
    #: A hash of the body, without quotes.
    etag: bytes
    #: The application's own, as it is written; b"": it has none.
    own_etag: bytes
    lines_200: bytes
    lines_304: bytes
    body: bytes
    #: Last-Modified, as the application wrote it.
    modified: bytes
    own_cors: bool

    @property
    def written(self) -> bytes:
        """What ETag says."""
        return self.own_etag or b'"%b"' % self.etag

    @property
    def tags(self) -> tuple[bytes, ...]:
        """The opaque-tags that it answers to."""
        return (self.etag, opaque(self.own_etag)) if self.own_etag else (self.etag,)

    @property
    def strong(self) -> bytes:
        """The opaque-tag that stands for exactly these bytes."""
        return opaque(self.own_etag) if self.own_etag.startswith(b'"') else self.etag

    @classmethod
    def stored(cls, answer: Answer) -> Given:
        """From the table."""
        record, flags = answer.record, answer.variants
        return cls(
            record.status,
            record.date,
            answer.age,
            answer.etag,
            own_tag(record.etag, answer.variant) if flags & OWN_ETAG else b"",
            answer.lines_200,
            answer.lines_304,
            answer.body,
            record.modified,
            bool(flags & OWN_CORS),
        )

    @classmethod
    def filled(cls, answer: FilledAnswer, variant: int, now_ms: int) -> Given:
        """Just made; *variant*: one that it has."""
        one = next(one for one in answer.representations if one.variant == variant)
        record, flags = answer.record, answer.flags
        return cls(
            record.status,
            record.date,
            max(0, now_ms - answer.born_ms) // 1000,
            one.etag,
            own_tag(record.etag, variant) if flags & OWN_ETAG else b"",
            one.lines_200,
            one.lines_304,
            one.body or b"",
            record.modified,
            bool(flags & OWN_CORS),
        )


def give(
    given: Given,
    question: Question,
    asked: dict[bytes, bytes],
    receiver: Receiver,
    origins: Collection[bytes],
    now: int,
    status: tuple[bytes, ...] | None = None,
) -> None:
    """Answer *question*, a GET or HEAD, with *given*.

    *asked*: its fields, by lower-case name; *origins*: those whose pages may read it; *now*: Unix seconds;
    *status*: parameters of Cache-Status, None: a plain hit, as its stored lines say.
    """
    cors = _cors(given, question, asked, origins)
    span = None
    if given.status == 200:
        outcome = _evaluated(given, question, asked, now)
        if outcome is NOT_MODIFIED:
            receiver.answered(304, [*_begin(given), *fields_of(given.lines_304), *cors[:1]], None, b"")
            return
        if outcome is PRECONDITION_FAILED:
            receiver.answered(412, [*_begin(given), *cors[:1]], 0, b"")
            return
        span = select_range(question.method, asked, len(given.body), given.strong)
    if span is UNSATISFIABLE:
        size = b"bytes */%d" % len(given.body)
        receiver.answered(416, [(b"Date", format_date(now)), (b"Content-Range", size), *cors[:1]], 0, b"")
        return
    fields = [*_begin(given), *_with_status(fields_of(given.lines_200), status), *cors]
    body, code = given.body, given.status
    if isinstance(span, Span):
        body, code = body[span.first : span.last + 1], 206
        fields.append((b"Content-Range", b"bytes %d-%d/%d" % (span.first, span.last, len(given.body))))
    receiver.answered(code, fields, len(body), b"" if question.method == b"HEAD" or code == 204 else body)


#: As an answer that is no longer fresh is given.
STALE = HIT_STALE


def _begin(given: Given) -> Fields:
    return [(b"Date", format_date(given.date)), (b"Age", b"%d" % given.age), (b"ETag", given.written)]


def _with_status(fields: Fields, status: tuple[bytes, ...] | None) -> Fields:
    """*fields*, whose last one is our Cache-Status, with another one."""
    return fields if status is None else [*fields[:-1], status_field(*status)]


def _cors(given: Given, question: Question, asked: dict[bytes, bytes], origins: Collection[bytes]) -> Fields:
    if given.own_cors or not cors_line(question.target, asked.get(b"origin"), origins):
        return []
    return [*_CORS, *_EXPOSE]


def _evaluated(given: Given, question: Question, asked: dict[bytes, bytes], now: int) -> Outcome:
    """What the conditions mean, by whichever of its tags they mean."""
    if CONDITIONS.isdisjoint(asked):
        return PROCEED
    method = question.method
    modified = _modified(given, asked, now)
    outcomes = [evaluate(method, asked, tag, modified, None, now) for tag in given.tags]
    if NOT_MODIFIED in outcomes:
        return NOT_MODIFIED
    # A weak tag of the application matches nothing strongly.
    return (
        evaluate(method, asked, given.strong, modified, None, now) if outcomes[0] is not PROCEED else PROCEED
    )


def _modified(given: Given, asked: dict[bytes, bytes], now: int) -> int | None:
    """Last-Modified of the answer, or else its date, for what compares it.

    Of an answer of an application a later If-Modified-Since means the same as the very one: RFC 9110 13.1.3.
    """
    modified = parse_date(given.modified, now) if given.modified else given.date
    since = parse_date(asked.get(b"if-modified-since", b""), now)
    return since if modified is not None and since is not None and modified <= since else modified

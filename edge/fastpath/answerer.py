"""The answerer: request bytes in, answer bytes out, from the table alone.  The twin of ``edge_answer.c``."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from edge.access.buckets import PythonBuckets
from edge.access.patterns import Patterns, is_sure, tells
from edge.addresses.redirects import LEADING
from edge.cache.record import opaque, own_tag
from edge.fastpath import frames
from edge.fastpath.frames import Counted
from edge.fastpath.interface import Next, Settings
from edge.fastpath.opening import Audience, Opening, topics_of
from edge.fastpath.recognise import Fields, Request, Unrecognised, recognise
from edge.http import changes
from edge.http.answer import (
    cors_line,
    has_own_cors,
    head_200,
    head_304,
    head_answer,
    head_answer_304,
    head_plain,
    redirect_published,
    too_many,
    with_hsts,
    with_speculation,
)
from edge.http.dates import format_date
from edge.http.own_origins import own_origins
from edge.http.revalidation import render_stale
from edge.http.visitor import MOST_MEMBERS
from edge.http.websocket import switching
from edge.logs.record import Record
from edge.logs.ring import Ring
from edge.networks import NO_ADDRESS, address_of_text
from edge.resource import PREFERENCE, Coding, Media, variant_number
from edge.sites import Hosts, entry_name
from edge.table.counters import INDEX
from edge.table.layout import OWN_CORS, SLOT_ANSWER, SLOT_LIVE, SLOT_REDIRECT
from edge.table.reader import LINES_LIMIT, VARIANTS_MASK, Entry, Reader, Slot
from edge.table.segment import CounterBlock, Segment
from edge.table.site_counts import SiteCounts
from edge.table.site_state import find_state, state_since

if TYPE_CHECKING:
    from edge.certificates import Shown

#: Requests answered in one call, and bytes of output after which no further one is begun.
ANSWERS = 64
OUTPUT_BYTES = 256 * 1024
VALIDATORS = 1000


def monotonic_ms() -> int:
    """CLOCK_MONOTONIC in milliseconds: what leases are compared with."""
    return int(time.monotonic() * 1000)


class PythonAnswerer:
    """The answerer in Python.  Implements :class:`~edge.fastpath.interface.Answerer`."""

    def __init__(
        self,
        segment: Segment,
        worker_index: int,
        settings: Settings,
        now_ms: Callable[[], int] = monotonic_ms,
    ) -> None:
        self.reader = Reader(segment, worker_index, now_ms)
        self.counters = CounterBlock(segment, worker_index)
        self._by_site = SiteCounts(segment, worker_index)
        self.draining = False
        self._hosts = Hosts(settings.sites)
        self._sites = settings.sites
        #: By number of the site.
        self._origins = {0: frozenset(settings.allow_origins)}
        self.log = None if settings.log is None else Ring(settings.log.ring)
        self._log_every = self._log_countdown = 0 if settings.log is None else settings.log.every
        #: Of what is logged next: when it is answered, and how many microseconds that took.
        self._peer, self._client, self._now_us = NO_ADDRESS, NO_ADDRESS, 0
        self._trusted, self._is_trusted = settings.trusted, False
        self.duration: Callable[[], int] = int
        guarding = settings.guarding
        self._patterns: Sequence[Patterns] = guarding.patterns if guarding is not None else ()
        if guarding is not None:
            self._buckets = PythonBuckets(guarding.buckets, guarding.fd)
        self._now_ms = now_ms
        #: Whether the reader of the log is to be woken.
        self.log_is_awaited = False
        self._date = b""
        #: Of the request being answered: its site, and what the names of that one's entries begin with.
        self._site, self._prefix = 0, b""
        self._shown: Shown | None = None
        self._hsts = settings.hsts if settings.secure else b""
        self._speculation = b""
        self._secure = settings.secure
        self.opens, self.audience = False, Audience.OFF
        #: The WebSocket that the last call has opened, if its last answer was that.
        self.opened: Opening | None = None

    def welcome(self, opens: bool, audience: Audience) -> None:
        self.opens, self.audience = opens, audience

    def allow_origins(self, origins: Collection[bytes], site: int = 0) -> None:
        self._origins[site] = frozenset(origins)

    @property
    def needs_client(self) -> bool:
        """Whether :meth:`receive_from` matters."""
        return self.log is not None or bool(self._patterns) or bool(self._trusted)

    def speculate(self, line: bytes) -> None:
        if len(line) > 256:
            raise ValueError(f"a line of {len(line)} bytes: {line!r}")
        self._speculation = line

    def _finished(self, head: bytes) -> bytes:
        """*head* with the lines that come last."""
        return with_speculation(with_hsts(head, self._hsts), self._speculation)

    def drain(self) -> None:
        self.draining = True

    def show(self, shown: Shown | None) -> None:
        self._shown = shown

    def receive_from(self, client: bytes, unix_us: int) -> None:
        self._peer, self._now_us = client, unix_us
        self._is_trusted = self._trusted.holds(client)

    def answer(self, data: bytes, date: bytes) -> tuple[bytes, int, Next]:
        self.reader.enter()
        try:
            pieces, consumed, after = self.answer_pieces(data, date)
        finally:
            self.reader.leave()
        return b"".join(pieces), consumed, after

    def answer_pieces(self, data: bytes, date: bytes) -> tuple[list[bytes], int, Next]:
        """:meth:`answer` with the output in pieces; the caller has entered the table."""
        self._date = date
        output: list[bytes] = []
        self.opened = None
        consumed = total = answered = 0
        after = Next.RECEIVE
        while consumed < len(data):
            if answered == ANSWERS or total >= OUTPUT_BYTES:
                after = Next.ANSWER
                break
            request = recognise(data, consumed)
            if request is Unrecognised.INCOMPLETE:
                break
            if request is Unrecognised.LET_GO:
                after = Next.HAND_OFF
                break
            if request.key and answered:
                after = Next.ANSWER
                break
            site = self._hosts.find(request.fields.host)
            if site is None or not self._take_visitor(request.fields):
                after = Next.HAND_OFF
                break
            # Proxies that are trusted ask for everybody.
            if (
                self._shown is not None
                and not self._is_trusted
                and self._shown.misdirects(site, request.fields.host)
            ):
                after = Next.HAND_OFF
                break
            self._site, self._prefix = site, self._sites[site].prefix
            close = self.draining or request.fields.close
            pieces = self._answer_if_allowed(request, close)
            if pieces is None:
                after = Next.HAND_OFF
                break
            output += pieces
            size = sum(map(len, pieces))
            total += size
            consumed += request.consumed
            answered += 1
            status, sent = int(pieces[0][9:12]), size - len(pieces[0])
            self._by_site.add(site, status, sent)
            if self._log_every:
                self._log(request, status, sent)
            if self.opened is not None:
                after = Next.OPEN
                break
            if close:
                after = Next.CLOSE
                break
        if answered:
            self.counters.add(_REQUESTS, answered)
        return output, consumed, after

    def _answer_if_allowed(self, request: Request, close: bool) -> list[bytes] | None:
        """The answer; None: let go."""
        fitting = self._patterns[self._site].fitting(request.path) if self._patterns else []
        if not fitting:
            return self._answer(request, close)
        if not tells(fitting, request.path, self._client):
            return None
        rates = [one for one in fitting if one.rate is not None]
        if not all(is_sure(one, request.path) for one in rates):
            return None
        now_us = self._now_ms() * 1000
        for number, rule in filter(None, (one.rate for one in rates)):
            wait = self._buckets.take(number, self._client, now_us, rule.interval, rule.burst)
            if wait:
                return self._refuse(request, wait, close)
        pieces = self._answer(request, close)
        if pieces is None:
            for number, rule in filter(None, (one.rate for one in rates)):
                self._buckets.give(number, self._client, rule.interval)
        return pieces

    def _answer(self, request: Request, close: bool) -> list[bytes] | None:
        if request.key:
            return self._open(request)
        return self._revalidate(request, close) if request.method == b"POST" else self._get(request, close)

    def _open(self, request: Request) -> list[bytes] | None:
        """The answer to an opening handshake; None: let go."""
        if not self.opens or self.draining or self._is_trusted:
            return None
        _, mark, query = request.target.partition(b"?")
        topics = topics_of(query if mark else None, self.audience)
        own = own_origins(request.fields.host, self._secure)
        origin, allowed = request.fields.origin, self._origins.get(self._site, frozenset())
        is_own = bool(own) and (origin is None or origin in own)
        if topics is None or not (origin is None or is_own or origin in allowed or b"*" in allowed):
            return None
        self.opened = Opening(self._site, *topics, is_own)
        return [switching(request.key)]

    def _refuse(self, request: Request, wait_us: int, close: bool) -> list[bytes]:
        """429, until there is a token again."""
        self.counters.add(_REFUSED_RATE)
        head, body = too_many(self._date, -(-wait_us // 1_000_000), close)
        return [with_hsts(head, self._hsts), body if request.method != b"HEAD" else b""]

    def _take_visitor(self, fields: Fields) -> bool:
        """Note whom the request came from, as a trusted proxy says; False: that is not decided here."""
        self._client = self._peer
        if not self._is_trusted:
            return True
        lines = fields.forwarded_for
        if fields.forwarded is not None or len(lines) > 1 or fields.forwarded_host not in (None, fields.host):
            return False
        if not lines:
            return True
        if b'"' in lines[0]:
            return False
        for member in reversed(lines[0].rsplit(b",", MOST_MEMBERS - 1)):
            text = member.strip(b" \t")
            address = address_of_text(text)
            if address is None:
                return bool(text)
            self._client = address
            if not self._trusted.holds(address):
                break
        return True

    def _select(self, request: Request) -> Slot | None:
        """The slot of the variant to serve of a file; None: let go."""
        reader = self.reader
        key = reader.key_of(entry_name(self._prefix, request.path))
        found = reader.find_any(key, 0)
        if found is None or found[1][1] != SLOT_LIVE:
            return None
        slot = found[1]
        variants = slot[3]
        variant = _choose(variants, request.fields.codings, request.fields.accept) if variants != 1 else 0
        if variant is None:
            return None
        if variant:
            other = reader.find_slot(key, variant)
            if other is None or other[1] != SLOT_LIVE:
                return None
            slot = other
        return slot

    def _get(self, request: Request, close: bool) -> list[bytes] | None:
        """The answer to GET or HEAD; None: let go."""
        if request.path == changes.PATH:
            return self._changes(request, close)
        reader = self.reader
        found = reader.find_any(reader.key_of(entry_name(self._prefix, request.path)), 0)
        if found is not None and found[1][1] == SLOT_REDIRECT:
            return self._redirect(request, found[1], close)
        if found is None or found[1][1] != SLOT_LIVE:
            return self._stored(request, close)
        slot = self._select(request)
        entry = None if slot is None else reader.entry_of(slot, with_body=False)
        if entry is None:
            return None
        if _is_current(request, entry):
            self.counters.add(_NOT_MODIFIED)
            cors = self._cors(request, entry.lines_200)
            return [head_304(self._date, entry.etag, entry.lines_304, cors, close)]
        state = None
        if not request.path.startswith(b"/.edge/"):  # once more: at which state is it current?
            before = find_state(reader)
            slot = self._select(request)
            entry = None if slot is None else reader.entry_of(slot, with_body=False)
            if entry is None:
                return None
            state = state_since(reader, before)
        assert slot is not None
        body = b""
        if request.method == b"GET" and entry.length:
            whole = reader.entry_of(slot, with_body=True)
            if whole is None or whole.body is None:
                return None
            body = whole.body
        self.counters.add(_OK)
        cors = self._cors(request, entry.lines_200)
        head = head_200(
            self._date, entry.etag, entry.modified, entry.length, entry.lines_200, cors, close, state
        )
        return [self._finished(head), body]

    def _redirect(self, request: Request, slot: Slot, close: bool) -> list[bytes] | None:
        """The answer to GET or HEAD of what is elsewhere; None: let go."""
        entry = self.reader.entry_of(slot, with_body=False)
        if entry is None or entry.status not in LEADING or len(entry.lines_304) < 2:
            return None
        _, mark, query = request.target.partition(b"?")
        if len(query) + len(entry.lines_304) + len(entry.lines_200) > LINES_LIMIT:
            return None
        lines = entry.lines_200 + self._cors(request, entry.lines_200)
        head, body = redirect_published(
            entry.status, entry.lines_304, query if mark else None, self._date, lines, close
        )
        return [self._finished(head), body if request.method == b"GET" else b""]

    def _stored(self, request: Request, close: bool) -> list[bytes] | None:
        """The answer of an application to GET or HEAD of exactly this target; None: let go."""
        fields, reader = request.fields, self.reader
        key = reader.key_of(entry_name(self._prefix, request.exact))
        found = reader.find_any(key, 0)
        if found is None or found[1][1] != SLOT_ANSWER or not reader.is_fresh(found[1]):
            return None
        number, slot = found
        flags, known = slot[3], reader.age_date_and_etag(slot)
        variant = _choose(flags & VARIANTS_MASK, fields.codings, fields.accept)
        if known is None or variant is None:
            return None
        if variant:
            other = reader.find_any(key, variant)
            if other is None or other[1][1] != SLOT_ANSWER or not reader.is_fresh(other[1]):
                return None
            slot = other[1]
        entry = reader.entry_of(slot, with_body=request.method == b"GET")
        if entry is None or (entry.body is None and request.method == b"GET"):
            return None
        age, date, own = known[0], format_date(known[1]), own_tag(known[2], variant)
        etag = own or b'"%b"' % entry.etag
        tags = {entry.etag, opaque(own)} if own else {entry.etag}
        cors = b"" if flags & OWN_CORS else self._cors(request)
        if (
            request.tag in tags
            or fields.any_match
            or (fields.none_match is not None and not tags.isdisjoint(fields.none_match))
        ):
            self.counters.add(_NOT_MODIFIED)
            pieces = [head_answer_304(date, age, etag, entry.lines_304, cors, close)]
        else:
            self.counters.add(_OK)
            head = head_answer(date, age, etag, entry.length, entry.lines_200, cors, close)
            pieces = [self._finished(head), entry.body or b""]
        reader.mark_hit(number)
        self.counters.add(_ANSWERS_HIT)
        return pieces

    def _changes(self, request: Request, close: bool) -> list[bytes] | None:
        """The answer to GET or HEAD of what has changed since a state; None: let go."""
        entry = find_state(self.reader)
        if entry is None or entry.body is None or entry.length > changes.HISTORY_BYTES:
            return None
        _, _, query = request.target.partition(b"?")
        answer = changes.answer(entry.body, entry.confirmed, _is_current(request, entry), query, self._prefix)
        if answer.body is None:
            self.counters.add(_NOT_MODIFIED)
            return [head_304(self._date, entry.etag, entry.lines_304, b"", close)]
        length = len(answer.body)
        if answer.is_state:
            head = head_200(self._date, entry.etag, entry.modified, length, entry.lines_200, b"", close)
        else:
            head = head_plain(200, self._date, length, entry.lines_200, b"", close)
        self.counters.add(_OK)
        return [self._finished(head), answer.body if request.method == b"GET" else b""]

    def answer_frames(self, state: Counted, now: int, data: bytes) -> tuple[bytes, int, Next]:
        """Answer what is in *data*, as :func:`edge.fastpath.frames.answer`."""
        self.reader.enter()
        try:
            return frames.answer(self.since, state, now, data)
        finally:
            self.reader.leave()

    def since(self, site: int, state: bytes) -> bytes | None:
        """What has changed at a site since *state*, b"": nothing; None: not said here."""
        entry = find_state(self.reader)
        if entry is None or entry.body is None or entry.length > changes.HISTORY_BYTES:
            return None
        if not entry.confirmed:
            return changes.UNKNOWN + b"\n"
        return changes.since(entry.body, state, self._sites[site].prefix) or b""

    def _revalidate(self, request: Request, close: bool) -> list[bytes] | None:
        reader = self.reader
        sequence = reader.sequence
        before = find_state(reader)
        template = reader.find_key(reader.key_of(entry_name(self._prefix, request.path)), 0, with_body=False)
        if template is None or not template.template:
            return None
        stale = []
        line = -1
        for line, text in enumerate(_lines(request.body)):
            if line == VALIDATORS:
                return None
            validator = _validator(text)
            if validator is None:
                return None
            tag, path = validator
            if not self._tells(path) or not reader.is_current(entry_name(self._prefix, path), tag):
                stale.append(line)
        body = render_stale(sequence, stale, state_since(reader, before))
        self.counters.add(_REVALIDATIONS)
        self.counters.add(_VALIDATORS, line + 1)
        head = head_plain(200, self._date, len(body), template.lines_200, self._cors(request), close)
        return [self._finished(head), body]

    def _tells(self, target: bytes) -> bool:
        """Whether the client is told if its copy of *target* is current."""
        if not self._patterns:
            return True
        path = target.partition(b"?")[0]
        return tells(self._patterns[self._site].fitting(path), path, self._client)

    def _cors(self, request: Request, lines: bytes = b"") -> bytes:
        """The line that lets pages of other origins read the answer, where its *lines* say nothing of it."""
        if has_own_cors(lines):
            return b""
        return cors_line(request.path, request.fields.origin, self._origins.get(self._site, frozenset()))

    def too_slow(self, seconds: float, sent: int, date_us: int, client: bytes) -> None:
        """Count that *client* was answered 408 after so long, and write it down, whatever share is logged.

        It names no host: it is of the site that takes such.
        """
        self._by_site.add(self._hosts.default, 408, sent)
        if self.log is not None:
            duration = min(int(seconds * 1e6), 2**32 - 1)
            record = Record(date_us, 408, sent, b"-", b"-", duration, client, protocol=0)
            self.log_is_awaited |= self.log.write(record)

    def _log(self, request: Request, status: int, sent: int) -> None:
        """Write an answer down; *sent*: bytes of its body."""
        self._log_countdown -= 1
        if self._log_countdown or self.log is None:
            return
        self._log_countdown = self._log_every
        fields = request.fields
        self.log_is_awaited |= self.log.write(
            Record(
                at=self._now_us,
                status=status,
                sent=sent,
                method=request.method,
                target=request.target,
                duration=self.duration(),
                address=self._client,
                cache="" if status in (101, 429) else "hit",
                host=fields.host,
                referer=fields.referer,
                user_agent=fields.user_agent,
            )
        )


def _is_current(request: Request, entry: Entry) -> bool:
    """Whether the client's copy is current: by If-None-Match, or by the validator in the query."""
    fields = request.fields
    return entry.confirmed and (
        request.tag == entry.etag
        or fields.any_match
        or (fields.none_match is not None and entry.etag in fields.none_match)
    )


_REQUESTS, _NOT_MODIFIED, _OK = INDEX["requests"], INDEX["not_modified"], INDEX["ok"]
_ANSWERS_HIT = INDEX["answers_hit"]
_REFUSED_RATE = INDEX["refused_rate"]
_REVALIDATIONS, _VALIDATORS = INDEX["revalidations"], INDEX["validators"]


#: In a mask of variants, bits for each medium.
_BITS = variant_number(Media.WEBP, Coding.IDENTITY)
_MASK = (1 << _BITS) - 1
_ORIGINAL, _WEBP, _AVIF = map(int, Media)
#: The best of a mask of codings; identity, if none of them is there.
_BEST = tuple(
    next((coding for coding in map(int, PREFERENCE) if mask >> coding & 1), 0) for mask in range(16)
)


def _choose(variants: int, acceptable: int, accept: bytes | None) -> int | None:
    """The variant to serve, out of a mask of them; None: Accept weighs what it would take to decide.

    *acceptable*: :attr:`~edge.fastpath.recognise.Fields.codings`.
    """
    media = _ORIGINAL
    if variants >> _BITS and accept is not None:
        if b'"' in accept:  # a comma may stand inside the quotes
            return None
        avif, webp = _lists(accept, b"image/avif"), _lists(accept, b"image/webp")
        if avif is None or webp is None:
            return None
        if avif and variants >> _BITS * _AVIF & _MASK:
            media = _AVIF
        elif webp and variants >> _BITS * _WEBP & _MASK:
            media = _WEBP
    return _BITS * media + _BEST[variants >> _BITS * media & acceptable & _MASK]


def _lists(accept: bytes, media_type: bytes) -> bool | None:
    """Whether a member of *accept* is exactly *media_type*; None: it stands there with parameters."""
    result = False
    for member in accept.lower().split(b","):
        member = member.strip(b" \t")
        if member == media_type:
            result = True
        elif member.startswith(media_type):
            return None
    return result


def _lines(body: bytes) -> Iterator[bytes]:
    """Lines ended by LF or CRLF; the last end is optional."""
    if not body:
        return
    lines = body.split(b"\n")
    last = lines.pop()
    for line in lines:
        yield line[:-1] if line.endswith(b"\r") else line
    if last:
        yield last


def _validator(line: bytes) -> tuple[bytes, bytes] | None:
    """ETag and target of a line `ETAG TARGET`; None: malformed."""
    tag, space, path = line.partition(b" ")
    if tag.startswith(b'W/"'):
        tag = tag[2:]
        if len(tag) < 2:
            return None
    elif tag.startswith(b"W/"):
        return None
    if tag.startswith(b'"'):
        if len(tag) < 2 or not tag.endswith(b'"'):
            return None
        tag = tag[1:-1]
    elif not tag:
        return None
    if not space or b'"' in tag or not path.startswith(b"/") or not _visible(tag) or not _visible(path):
        return None
    return tag, path


def _visible(text: bytes) -> bool:
    return all(0x20 < byte < 0x7F for byte in text)

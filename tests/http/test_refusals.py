"""Every refusal that the parser owes, each whole, cut at every byte and with more behind it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.http.events import Limits
from tests.http.helpers import HOST, cuts, only_head, parse, run, status_of
from tests.http.refused_bodies import CHUNKED, CHUNKS, LENGTHS, OTHER, post
from tests.http.refused_heads import FIELDS, GET, HOSTS, LINES, TARGETS, field, target

REFUSALS = [
    *(
        (400, name, data)
        for table in (HOSTS, FIELDS, LENGTHS, CHUNKS, LINES, TARGETS)
        for name, data in table.items()
    ),
    *OTHER,
]


class RefusalTests(SynchronousTestCase):
    """Over the whole table."""

    def test_each_is_refused_with_its_status(self) -> None:
        for status, name, data in REFUSALS:
            self.assertEqual(status_of(data), status, name)

    def test_each_is_refused_alike_wherever_it_is_cut(self) -> None:
        for _, name, data in REFUSALS:
            if len(data) < 300:
                whole = parse(data)
                for pieces in cuts(data):
                    self.assertEqual(run(pieces)[0], whole, (name, pieces))

    def test_long_ones_are_refused_alike_by_pieces_of_any_size(self) -> None:
        for _, name, data in REFUSALS:
            if len(data) >= 300:
                whole = parse(data)
                for size in (1, 7, 1000, 4096, 8191):
                    pieces = [data[i : i + size] for i in range(0, len(data), size)]
                    self.assertEqual(run(pieces)[0], whole, (name, size))

    def test_nothing_behind_a_refusal_is_read(self) -> None:
        """The request behind it, which an attacker would like to be answered, never is."""
        hidden = b"GET /hidden HTTP/1.1\r\n" + HOST + b"\r\n"
        for _, name, data in REFUSALS:
            if status_of(data + hidden) is None:
                self.fail(name)
            events, left = run([data + hidden, hidden])
            self.assertNotIn("hidden", repr(events[:-1]), name)
            self.assertEqual([event for event in events if isinstance(event, tuple)], events[-1:], name)
            self.assertEqual(left, b"", name)

    def test_a_refusal_comes_after_the_requests_before_it(self) -> None:
        first = b"GET /first HTTP/1.1\r\n" + HOST + b"\r\n"
        for status, name, data in REFUSALS:
            if data.startswith((b"\r", b"\n")):
                continue
            events = parse(first + data)
            self.assertEqual(only_head(first), events[0], name)
            assert isinstance(events[-1], tuple)
            self.assertEqual(events[-1][0], status, name)


class LimitTests(SynchronousTestCase):
    """What is exactly at a limit is let through."""

    def accepted(self, data: bytes, limits: Limits | None = None) -> None:
        self.assertIsNone(status_of(data, limits))
        self.assertEqual(run([data], limits)[1], b"")
        self.assertTrue(parse(data, limits))

    def test_a_target_of_8_kib(self) -> None:
        self.accepted(target(b"/" + b"a" * 8191))
        self.accepted(target(b"/" + b"a" * 8191, b"OPTIONS"))

    def test_a_header_section_of_16_kib(self) -> None:
        line = b"X: " + b"a" * (16384 - len(HOST) - len(b"X: \r\n\r\n"))
        self.accepted(field(line))
        self.assertEqual(status_of(field(line + b"a")), 431)

    def test_a_hundred_fields(self) -> None:
        self.accepted(GET + HOST + b"X: a\r\n" * 99 + b"\r\n")

    def test_a_body_at_the_limit(self) -> None:
        limits = Limits(body=10)
        self.accepted(post(b"Content-Length: 10") + b"0123456789", limits)
        self.assertEqual(status_of(post(b"Content-Length: 11"), limits), 413)
        self.accepted(CHUNKED + b"5\r\n01234\r\n5\r\n01234\r\n0\r\n\r\n", limits)
        self.assertEqual(status_of(CHUNKED + b"5\r\n01234\r\n6\r\n", limits), 413)

    def test_a_chunk_line_at_the_limit(self) -> None:
        self.accepted(CHUNKED + b"1;" + b"a" * 254 + b"\r\nx\r\n0\r\n\r\n")

    def test_the_extensions_of_a_body_are_limited_together(self) -> None:
        chunk = b"1;" + b"a" * 127 + b"\r\nx\r\n"
        self.accepted(CHUNKED + chunk * 4 + b"0\r\n\r\n")
        self.assertEqual(status_of(CHUNKED + chunk * 5 + b"0\r\n\r\n"), 400)

    def test_trailers_at_the_limit(self) -> None:
        self.accepted(CHUNKED + b"0\r\nA: " + b"b" * (4096 - 7) + b"\r\n\r\n")
        self.assertEqual(status_of(CHUNKED + b"0\r\nA: " + b"b" * (4096 - 6) + b"\r\n\r\n"), 431)

    def test_hopeless_spaces_take_no_quadratic_time(self) -> None:
        """Each of these once was slow somewhere; a quadratic parser would not come back."""
        spaces = b" \t" * 8000
        self.assertEqual(status_of(field(b"X:" + spaces + b"\x01")), 400)
        self.assertEqual(status_of(field(b"X" + spaces + b": a")), 400)
        self.accepted(field(b"X:" + spaces))
        self.assertEqual(status_of(CHUNKED + b"1" + spaces[:250] + b"\r\n"), 400)

"""Range and If-Range."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.http.dates import format_date
from edge.http.ranges import UNSATISFIABLE, WHOLE, Selection, Span, select_range

ETAG = b"abcdefghijklmnop"
MODIFIED = 1_700_000_000


def selected(
    value: bytes,
    length: int = 100,
    if_range: bytes | None = None,
    method: bytes = b"GET",
) -> Span | Selection:
    fields = {b"range": value}
    if if_range is not None:
        fields[b"if-range"] = if_range
    return select_range(method, fields, length, ETAG)


class RangeTests(SynchronousTestCase):
    def test_one_range(self) -> None:
        for value, first, last in (
            (b"bytes=0-0", 0, 0),
            (b"bytes=10-19", 10, 19),
            (b"bytes=90-", 90, 99),
            (b"bytes=0-", 0, 99),
            (b"bytes=99-", 99, 99),
            (b"bytes=50-1000", 50, 99),
            (b"bytes=50-" + b"9" * 5000, 50, 99),
            (b"bytes=-1", 99, 99),
            (b"bytes=-100", 0, 99),
            (b"bytes=-1000", 0, 99),
            (b"bytes=-" + b"9" * 5000, 0, 99),
            (b"Bytes=0-0", 0, 0),
            (b"bytes=, 1-2 ,", 1, 2),
            (b"bytes=0000000000000000000001-02", 1, 2),
        ):
            span = selected(value)
            self.assertEqual(span, Span(first, last), value)
            assert isinstance(span, Span)
            self.assertEqual(span.length, last - first + 1)

    def test_ranges_that_lie_outside(self) -> None:
        for value in (b"bytes=100-", b"bytes=100-200", b"bytes=-0", b"bytes=" + b"9" * 5000 + b"-"):
            self.assertIs(selected(value), UNSATISFIABLE, value)
        self.assertIs(selected(b"bytes=0-", length=0), UNSATISFIABLE)
        self.assertIs(selected(b"bytes=0-0", length=0), UNSATISFIABLE)

    def test_a_suffix_of_nothing_is_the_whole_nothing(self) -> None:
        self.assertIs(selected(b"bytes=-5", length=0), WHOLE)

    def test_what_is_no_range_is_ignored(self) -> None:
        for value in (
            *(
                b"",
                b"bytes",
                b"bytes=",
                b"bytes=-",
                b"bytes=a-b",
                b"bytes=1",
                b"bytes=2-1",
                b"bytes=1-2-3",
                b"bytes 0-1",
            ),
            *(
                b"bytes=--1",
                b"bytes=+1-2",
                b"bytes=0x1-2",
                b"bytes=1 - 2",
                b"bytes:0-1",
                b"bytes =0-1",
                b"lines=0-1",
            ),
            *(b"bytes=0-1;a", b"=0-1", b"bytes==0-1", b"bytes=\xb2-", b"bytes=0-1, bytes=2-3"),
        ):
            self.assertIs(selected(value), WHOLE, value)

    def test_several_ranges_are_answered_with_the_whole(self) -> None:
        for value in (
            b"bytes=0-0,-1",
            b"bytes=0-1, 2-3",
            b"bytes=200-,300-",
            b"bytes=" + b"0-," * 1000 + b"0-",
        ):
            self.assertIs(selected(value), WHOLE, value)

    def test_only_get_has_ranges(self) -> None:
        for method in (b"HEAD", b"POST", b"PUT"):
            self.assertIs(selected(b"bytes=0-0", method=method), WHOLE)
        self.assertIs(select_range(b"GET", {}, 10, ETAG), WHOLE)

    @given(st.integers(0, 30), st.integers(0, 40), st.integers(0, 40))
    def test_a_span_lies_inside_the_representation(self, length: int, a: int, b: int) -> None:
        for value in (b"bytes=%d-%d" % (a, b), b"bytes=%d-" % a, b"bytes=-%d" % a):
            span = selected(value, length)
            if isinstance(span, Span):
                self.assertTrue(0 <= span.first <= span.last < length)


class IfRangeTests(SynchronousTestCase):
    def test_the_current_strong_tag_lets_the_range_count(self) -> None:
        self.assertEqual(selected(b"bytes=0-0", if_range=b'"abcdefghijklmnop"'), Span(0, 0))
        self.assertIs(selected(b"bytes=100-", if_range=b'"abcdefghijklmnop"'), UNSATISFIABLE)

    def test_any_other_tag_means_the_whole(self) -> None:
        for value in (
            *(
                b'W/"abcdefghijklmnop"',
                b'"x"',
                b"abcdefghijklmnop",
                b"*",
                b"",
                b'"abcdefghijklmnop", "x"',
                b"nonsense",
            ),
        ):
            self.assertIs(selected(b"bytes=0-0", if_range=value), WHOLE, value)
            self.assertIs(selected(b"bytes=100-", if_range=value), WHOLE, value)

    def test_a_date_never_lets_the_range_count(self) -> None:
        """Not even the very Last-Modified: another version may have had it."""
        for shift in (-1, 0, 1):
            date = format_date(MODIFIED + shift)
            self.assertIs(selected(b"bytes=0-0", if_range=date), WHOLE)
            self.assertIs(selected(b"bytes=100-", if_range=date), WHOLE)
        self.assertIs(selected(b"bytes=0-0", if_range=b"Tuesday, 14-Nov-23 22:13:20 GMT"), WHOLE)

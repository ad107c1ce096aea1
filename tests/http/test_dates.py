"""HTTP-date in and out."""

from __future__ import annotations

from calendar import timegm
from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.http.dates import format_date, parse_date

RFC_EXAMPLE = 784111777
NOW = timegm((2026, 11, 23, 0, 0, 0))


class DateTests(SynchronousTestCase):
    def test_the_examples_of_the_rfc(self) -> None:
        for text in (
            b"Sun, 06 Nov 1994 08:49:37 GMT",
            b"Sunday, 06-Nov-94 08:49:37 GMT",
            b"Sun Nov  6 08:49:37 1994",
        ):
            self.assertEqual(parse_date(text, NOW), RFC_EXAMPLE)
        self.assertEqual(format_date(RFC_EXAMPLE), b"Sun, 06 Nov 1994 08:49:37 GMT")

    @given(st.integers(0, 2**32))
    def test_what_is_written_is_read_again(self, unix: int) -> None:
        text = format_date(unix)
        self.assertEqual(text, formatdate(unix, usegmt=True).encode())
        self.assertEqual(len(text), 29)
        self.assertEqual(parse_date(text, NOW), unix)

    def test_two_digits_of_a_year_are_at_most_50_years_ahead(self) -> None:
        for year, expected in (
            (b"26", 2026),
            (b"27", 2027),
            (b"75", 2075),
            (b"77", 1977),
            (b"99", 1999),
            (b"00", 2000),
        ):
            expected_unix = timegm((expected, 1, 2, 3, 4, 5))
            self.assertEqual(parse_date(b"Friday, 02-Jan-" + year + b" 03:04:05 GMT", NOW), expected_unix)

    def test_fifty_years_are_counted_to_the_second(self) -> None:
        limit = NOW + 50 * 31_556_952
        for unix, century in ((limit, 0), (limit + 1, 1)):
            day, month, year, clock = format_date(unix)[5:25].split(b" ")
            text = b"Monday, %b-%b-%b %b GMT" % (day, month, year[2:], clock)
            parsed = parse_date(text, NOW)
            assert parsed is not None
            self.assertEqual(format_date(parsed)[12:16], b"%d" % (int(year) - 100 * century))

    def test_a_leap_day_belongs_to_a_leap_year(self) -> None:
        self.assertIsNotNone(parse_date(b"Thu, 29 Feb 2024 00:00:00 GMT", NOW))
        self.assertIsNone(parse_date(b"Wed, 29 Feb 2023 00:00:00 GMT", NOW))
        self.assertIsNone(parse_date(b"Wednesday, 29-Feb-23 00:00:00 GMT", NOW))
        self.assertEqual(
            parse_date(b"Tuesday, 29-Feb-00 00:00:00 GMT", timegm((1999, 1, 1, 0, 0, 0))),
            None,
            "1900 was none",
        )

    def test_a_leap_second_is_the_next_minute(self) -> None:
        self.assertEqual(
            parse_date(b"Sat, 31 Dec 2016 23:59:60 GMT", NOW),
            parse_date(b"Sun, 01 Jan 2017 00:00:00 GMT", NOW),
        )

    def test_what_is_no_date(self) -> None:
        for text in (
            *(b"", b"0", b"784111777", b"sun, 06 nov 1994 08:49:37 gmt", b"Sun, 06 Nov 1994 08:49:37 UTC"),
            *(
                b"Sun, 06 Nov 1994 08:49:37 +0000",
                b"Sun, 6 Nov 1994 08:49:37 GMT",
                b"Sun, 06 Nov 94 08:49:37 GMT",
            ),
            *(
                b"Sun, 32 Nov 1994 08:49:37 GMT",
                b"Sun, 00 Nov 1994 08:49:37 GMT",
                b"Sun, 06 Nov 0000 08:49:37 GMT",
            ),
            *(
                b"Sun, 06 Nov 1994 24:00:00 GMT",
                b"Sun, 06 Nov 1994 08:60:00 GMT",
                b"Sun, 06 Nov 1994 08:49:61 GMT",
            ),
            *(
                b"Sun, 06 Nov 1994 08:49:37 GMT ",
                b" Sun, 06 Nov 1994 08:49:37 GMT",
                b"06 Nov 1994 08:49:37 GMT",
            ),
            *(b"Sun, 06 Nov 1994 08:49:37", b"Sun Nov 6 08:49:37 1994", b"Sun, 06-Nov-94 08:49:37 GMT"),
            *(
                b"Sunday, 06-Nov-1994 08:49:37 GMT",
                b"Sun, 06 Nov 1994 08:49:37 GMT\n",
                b"Xun, 06 Nov 1994 08:49:37 GMT",
            ),
            b"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        ):
            self.assertIsNone(parse_date(text, NOW), text)

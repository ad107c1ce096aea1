"""Preconditions: lists, comparison, dates, precedence."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.http.conditional import (
    NOT_MODIFIED,
    PRECONDITION_FAILED,
    PROCEED,
    Outcome,
    evaluate,
    parse_entity_tags,
)
from edge.http.dates import format_date
from tests.http.helpers import HOST, only_head

ETAG = b"abcdefghijklmnop"
MODIFIED = 1_700_000_000
NOW = MODIFIED + 1000
BEFORE, SAME, AFTER = (format_date(MODIFIED + n) for n in (-1, 0, 1))


def outcome(
    *lines: bytes,
    method: bytes = b"GET",
    etag: bytes | None = ETAG,
    tag: bytes | None = None,
    at: int | None = MODIFIED,
) -> Outcome:
    """Of a request with these header lines, as the parser combines them."""
    head = only_head(
        method + b" / HTTP/1.1\r\n" + HOST + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
    )
    return evaluate(method, head.fields, etag, at, tag, NOW)


class NoneMatchTests(SynchronousTestCase):
    def test_values_that_match(self) -> None:
        for value in (
            *(
                b'"abcdefghijklmnop"',
                b'W/"abcdefghijklmnop"',
                b"*",
                b'"x", "abcdefghijklmnop"',
                b'"abcdefghijklmnop","x"',
            ),
            *(b',, "abcdefghijklmnop" ,,', b'"a,b" , W/"abcdefghijklmnop"', b'"","abcdefghijklmnop"'),
            *(b'"\xe9", "abcdefghijklmnop"', b'"x"\t,\t"abcdefghijklmnop"'),
        ):
            self.assertIs(outcome(b"If-None-Match: " + value), NOT_MODIFIED, value)
            self.assertIs(outcome(b"If-None-Match: " + value, method=b"HEAD"), NOT_MODIFIED, value)
            self.assertIs(outcome(b"If-None-Match: " + value, method=b"PUT"), PRECONDITION_FAILED, value)

    def test_values_that_do_not_match(self) -> None:
        for value in (b'"x"', b'W/"x"', b'""', b'"ABCDEFGHIJKLMNOP"', b'"abcdefghijklmnop "'):
            self.assertIs(outcome(b"If-None-Match: " + value), PROCEED, value)

    def test_a_list_that_cannot_be_parsed_matches_nothing(self) -> None:
        for value in (
            *(
                b"",
                b",",
                b"abcdefghijklmnop",
                b'w/"abcdefghijklmnop"',
                b'W/ "abcdefghijklmnop"',
                b'"abcdefghijklmnop',
            ),
            *(
                b'"abcdefghijklmnop" "x"',
                b'"abcdefghijklmnop", x',
                b'*, "abcdefghijklmnop"',
                b'"abcdefghijklmnop", *',
            ),
            *(
                b"'abcdefghijklmnop'",
                b'"abcdefghijklmnop";q=1',
                b'"abcdefghijklmnop" x',
                b"* *",
                b'"a b", "abcdefghijklmnop"',
            ),
        ):
            self.assertIs(outcome(b"If-None-Match: " + value), PROCEED, value)
            self.assertIs(outcome(b"If-None-Match: " + value, b"If-Modified-Since: " + SAME), PROCEED, value)

    def test_repeated_lines_are_one_list(self) -> None:
        self.assertIs(outcome(b'If-None-Match: "x"', b'if-none-match: "abcdefghijklmnop"'), NOT_MODIFIED)
        self.assertIs(outcome(b'If-None-Match: "x"', b'If-None-Match: "y"'), PROCEED)

    def test_it_overrides_if_modified_since(self) -> None:
        self.assertIs(outcome(b'If-None-Match: "x"', b"If-Modified-Since: " + AFTER), PROCEED)
        self.assertIs(outcome(b"If-None-Match: *", b"If-Modified-Since: " + BEFORE), NOT_MODIFIED)

    def test_nothing_there_matches_nothing(self) -> None:
        self.assertIs(outcome(b"If-None-Match: *", method=b"PUT", etag=None, at=None), PROCEED)
        self.assertIs(outcome(method=b"PUT", etag=None, tag=ETAG, at=None), PROCEED)

    def test_the_validator_in_the_query_is_one_more_line(self) -> None:
        self.assertIs(outcome(tag=ETAG), NOT_MODIFIED)
        self.assertIs(outcome(tag=ETAG, method=b"POST"), PRECONDITION_FAILED)
        self.assertIs(outcome(tag=b"x"), PROCEED)
        self.assertIs(outcome(b'If-None-Match: "x"', tag=ETAG), NOT_MODIFIED)
        self.assertIs(outcome(b'If-None-Match: "abcdefghijklmnop"', tag=b"x"), NOT_MODIFIED)
        self.assertIs(outcome(b"If-None-Match: nonsense", tag=ETAG), NOT_MODIFIED)
        self.assertIs(outcome(b"If-Modified-Since: " + AFTER, tag=b"x"), PROCEED)


class MatchTests(SynchronousTestCase):
    def test_comparison_is_strong(self) -> None:
        for value, expected in (
            (b'"abcdefghijklmnop"', PROCEED),
            (b'"x", "abcdefghijklmnop"', PROCEED),
            (b"*", PROCEED),
            (b'W/"abcdefghijklmnop"', PRECONDITION_FAILED),
            (b'W/"abcdefghijklmnop", "abcdefghijklmnop"', PROCEED),
            (b'"x"', PRECONDITION_FAILED),
            (b"nonsense", PRECONDITION_FAILED),
            (b"", PRECONDITION_FAILED),
        ):
            self.assertIs(outcome(b"If-Match: " + value), expected, value)
            self.assertIs(outcome(b"If-Match: " + value, method=b"DELETE"), expected, value)

    def test_nothing_there_fails(self) -> None:
        self.assertIs(outcome(b"If-Match: *", method=b"PUT", etag=None, at=None), PRECONDITION_FAILED)

    def test_it_overrides_if_unmodified_since(self) -> None:
        self.assertIs(outcome(b"If-Match: *", b"If-Unmodified-Since: " + BEFORE), PROCEED)
        self.assertIs(outcome(b'If-Match: "x"', b"If-Unmodified-Since: " + AFTER), PRECONDITION_FAILED)

    def test_if_none_match_comes_after_it(self) -> None:
        self.assertIs(outcome(b"If-Match: *", b"If-None-Match: *"), NOT_MODIFIED)
        self.assertIs(outcome(b'If-Match: "x"', b"If-None-Match: *"), PRECONDITION_FAILED)


class DateTests(SynchronousTestCase):
    def test_if_unmodified_since(self) -> None:
        for value, expected in (
            (BEFORE, PRECONDITION_FAILED),
            (SAME, PROCEED),
            (AFTER, PROCEED),
            (b"x", PROCEED),
        ):
            self.assertIs(outcome(b"If-Unmodified-Since: " + value), expected, value)
            self.assertIs(outcome(b"If-Unmodified-Since: " + value, method=b"PUT"), expected, value)

    def test_if_modified_since_names_the_very_last_modified(self) -> None:
        """After a rollback a client's date is later than ours, and its copy is another one."""
        for value, expected in (
            (BEFORE, PROCEED),
            (SAME, NOT_MODIFIED),
            (AFTER, PROCEED),
            (b"x", PROCEED),
        ):
            self.assertIs(outcome(b"If-Modified-Since: " + value), expected, value)
            self.assertIs(outcome(b"If-Modified-Since: " + value, method=b"HEAD"), expected, value)
            self.assertIs(outcome(b"If-Modified-Since: " + value, method=b"POST"), PROCEED, value)

    def test_every_format_counts(self) -> None:
        for value in (b"Tuesday, 14-Nov-23 22:13:20 GMT", b"Tue Nov 14 22:13:20 2023"):
            self.assertIs(outcome(b"If-Modified-Since: " + value), NOT_MODIFIED)

    def test_two_lines_with_a_date_count_as_none(self) -> None:
        self.assertIs(outcome(b"If-Modified-Since: " + SAME, b"If-Modified-Since: " + SAME), PROCEED)

    def test_without_a_date_of_ours_dates_are_ignored(self) -> None:
        self.assertIs(outcome(b"If-Modified-Since: " + AFTER, at=None), PROCEED)
        self.assertIs(outcome(b"If-Unmodified-Since: " + BEFORE, at=None), PROCEED)

    def test_both_dates_in_order(self) -> None:
        self.assertIs(outcome(b"If-Unmodified-Since: " + SAME, b"If-Modified-Since: " + SAME), NOT_MODIFIED)
        self.assertIs(
            outcome(b"If-Unmodified-Since: " + BEFORE, b"If-Modified-Since: " + SAME), PRECONDITION_FAILED
        )


class OtherTests(SynchronousTestCase):
    def test_methods_that_select_nothing_have_no_conditions(self) -> None:
        for method in (b"OPTIONS", b"TRACE"):
            self.assertIs(outcome(b'If-Match: "x"', b"If-None-Match: *", method=method, tag=ETAG), PROCEED)

    def test_no_condition_at_all(self) -> None:
        self.assertIs(outcome(), PROCEED)

    def test_tags_of_a_list(self) -> None:
        self.assertEqual(
            parse_entity_tags(b' W/"a" ,,"b,c",""'), [(True, b"a"), (False, b"b,c"), (False, b"")]
        )
        self.assertIsNone(parse_entity_tags(b" "))

    def test_hopeless_lists_take_no_quadratic_time(self) -> None:
        for value in (b"," * 16000, b'"a' * 8000, b", " * 8000 + b"x", b'"a",' * 4000 + b"x"):
            self.assertIsNone(parse_entity_tags(value))

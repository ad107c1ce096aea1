"""Field sections and lists."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.http.errors import BadRequest, HeadTooLarge
from edge.http.fields import combine, lines_of, list_members, lower_name, parse_fields


class FieldTests(SynchronousTestCase):
    def test_names_and_values_as_sent_in_order(self) -> None:
        self.assertEqual(
            parse_fields(b"B: 1\r\na:\t2 3 \r\nb:\r\n", 3), [(b"B", b"1"), (b"a", b"2 3"), (b"b", b"")]
        )
        self.assertEqual(parse_fields(b"", 0), [])

    def test_repeated_lines_are_one_list(self) -> None:
        fields = [(b"A", b"1"), (b"B", b""), (b"a", b"2"), (b"b", b"")]
        self.assertEqual(combine(fields), {b"a": b"1, 2", b"b": b", "})
        self.assertEqual(lines_of(fields, b"a"), [b"1", b"2"])

    def test_names_that_are_no_token_have_no_lower_case(self) -> None:
        for name in (b"", b" ", b"a b", b"a:", b"\xe9", b"x" * 100 + b"/"):
            self.assertEqual(lower_name(name), b"")
        self.assertEqual(lower_name(b"X-" + b"Y" * 100), b"x-" + b"y" * 100)

    def test_what_is_wrong_is_said(self) -> None:
        for block, words in (
            (b" A: b\r\n", "before the first"),
            (b"A: b\r\n c\r\n", "obs-fold"),
            (b"A : b\r\n", "its colon"),
            (b": b\r\n", "empty name"),
            (b"A\r\n", "no colon"),
            (b"A/: b\r\n", "no token"),
            (b"A: \x00\r\n", "NUL"),
            (b"A: \r\r\n", "bare CR"),
            (b"A: b\nC: d\r\n", "LF"),
        ):
            problem = self.assertRaises(BadRequest, parse_fields, block, 9)
            self.assertIn(words, problem.explanation)

    def test_what_is_remembered_of_lines_changes_nothing_is_bounded_and_is_nobodys(self) -> None:
        from edge.http import fields as module

        block = b"A: 1\r\nUser-Agent: x\r\na: 2\r\n"
        self.assertEqual(parse_fields(block, 9), parse_fields(block, 9))
        for _ in range(2):
            self.assertRaises(BadRequest, parse_fields, b"A/: b\r\n", 9)
        parse_fields(b"".join(b"N%d: %d\r\n" % (one, one) for one in range(3000)), 3000)
        self.assertLessEqual(module._remembered_field.cache_info().currsize, 1024)
        before = module._remembered_field.cache_info()
        secret = [b"Cookie: a=b", b"COOKIE:a", b"authorization: Basic x", b"Proxy-Authorization: x"]
        for line in (*secret, b"X: " + b"y" * 200):
            self.assertEqual(parse_fields(line + b"\r\n", 1)[0][0], line.partition(b":")[0])
        self.assertEqual(module._remembered_field.cache_info(), before)

    def test_too_many_are_refused(self) -> None:
        self.assertRaises(HeadTooLarge, parse_fields, b"A: b\r\n" * 4, 3)


class ListTests(SynchronousTestCase):
    def test_members(self) -> None:
        for value, members in (
            (b"", []),
            (b" , ,", []),
            (b"a", [b"a"]),
            (b" a\t, b,c ", [b"a", b"b", b"c"]),
            (b'a;b="c,d", e', [b'a;b="c,d"', b"e"]),
            (b'"a\\",b",c', [b'"a\\",b"', b"c"]),
            (b'a"b,c', [b'a"b,c']),
        ):
            self.assertEqual(list_members(value), members)

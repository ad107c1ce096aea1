from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.directives import LONGEST, Contradiction, cache_control, seconds, targeted, targeted_seconds


class CacheControlTests(SynchronousTestCase):
    def read(self, *lines: bytes) -> int | None:
        return seconds(cache_control(lines), b"max-age")

    def test_a_lifetime_is_read_however_it_is_written(self) -> None:
        for line in (b"max-age=60", b"MaX-AgE=60", b'max-age="60"', b"public,max-age=060", b", max-age=60 ,"):
            self.assertEqual(self.read(line), 60, line)
        self.assertEqual(self.read(b"public", b"max-age=60"), 60)

    def test_a_malformed_lifetime_is_zero_and_an_absent_one_none(self) -> None:
        for line in (
            b"max-age",
            b"max-age=-1",
            b"max-age=1.5",
            b"max-age='60'",
            b"max-age =60",
            b"max-age= 60",
        ):
            self.assertEqual(self.read(line), 0, line)
        for line in (b"", b"public", b"x-max-age=60", b'foo="max-age=60"', b'foo="a, max-age=60"'):
            self.assertIsNone(self.read(line), line)

    def test_more_than_an_integer_holds_is_for_ever(self) -> None:
        self.assertEqual(self.read(b"max-age=2147483649"), LONGEST)
        self.assertEqual(self.read(b"max-age=" + b"9" * 5000), LONGEST)
        self.assertEqual(self.read(b"max-age=" + b"0" * 5000 + b"7"), 7)

    def test_two_values_of_one_directive_contradict_each_other(self) -> None:
        self.assertEqual(self.read(b"max-age=60, max-age=60"), 60)
        for lines in ((b"max-age=60, max-age=0",), (b"max-age=0", b"max-age=60"), (b"no-store, no-store=x",)):
            with self.assertRaises(Contradiction):
                cache_control(lines)

    @given(st.lists(st.binary(max_size=60), max_size=4))
    def test_whatever_comes_it_is_read_or_contradicts_itself(self, lines: list[bytes]) -> None:
        try:
            found = cache_control(lines)
        except Contradiction:
            return
        for name in found:
            self.assertEqual(name, name.lower())
            self.assertIn(seconds(found, name), range(LONGEST + 1))


class TargetedTests(SynchronousTestCase):
    def read(self, *lines: bytes) -> int | None:
        found = targeted(lines)
        return None if found is None else targeted_seconds(found, b"max-age")

    def test_it_is_a_dictionary(self) -> None:
        for line in (
            b"max-age=60",
            b" max-age=60 ",
            b"a, max-age=60;b=1",
            b"max-age=1, max-age=60",
            b"a=(b c), max-age=60",
        ):
            self.assertEqual(self.read(line), 60, line)
        self.assertEqual(self.read(b"no-transform", b"max-age=60"), 60)
        self.assertEqual(targeted([b"private, no-cache=?0"]), {b"private": b""})

    def test_what_is_malformed_counts_as_absent(self) -> None:
        for line in (
            b"",
            b"max-age=&60",
            b"max-age=60,",
            b"Max-Age=60",
            b"max-age =60",
            b"max-age= 60",
            b"a b",
            b"=1",
        ):
            self.assertIsNone(targeted([line]), line)

    def test_a_lifetime_that_is_no_integer_says_nothing(self) -> None:
        for line in (b'max-age="60"', b"max-age=60.0", b"max-age", b"max-age=sixty"):
            self.assertIsNotNone(targeted([line]), line)
            self.assertIsNone(self.read(line), line)
        self.assertEqual(self.read(b"max-age=-5"), 0)
        self.assertEqual(self.read(b"max-age=99999999999"), LONGEST)

    @given(st.lists(st.binary(max_size=80), max_size=3))
    def test_whatever_comes_it_is_read_or_does_not_count(self, lines: list[bytes]) -> None:
        found = targeted(lines)
        if found is not None:
            self.assertTrue(found or b"?0" in b"".join(lines))
            for value in found.values():
                self.assertRegex(value, rb"\A(?:-?[0-9]{1,15})?\Z")

    def test_what_is_too_long_is_not_read(self) -> None:
        self.assertIsNone(targeted([b"max-age=60;" + b"a" * 2048]))

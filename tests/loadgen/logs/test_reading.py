"""Logs as files: compressed, damaged, endless lines, several of them; memory and cost are bounded."""

from __future__ import annotations

import bz2
import gzip
import io
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.errors import UsageError
from loadgen.logs.account import Account
from loadgen.logs.lines import MOST_BYTES, Lines
from loadgen.logs.reading import read

LINE = b'192.0.2.1 - - [14/Nov/2023:22:%02d:%02d +0000] "GET /p%d HTTP/1.1" 200 5\n'


def log(count: int, first: int = 0) -> bytes:
    return b"".join(LINE % (number // 60 % 60, number % 60, number) for number in range(first, first + count))


class LinesTests(SynchronousTestCase):
    """Pieces as lines."""

    @given(st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"bb", b""]), max_size=20), st.integers(1, 5))
    @settings(max_examples=60, deadline=None)
    def test_any_split_gives_the_same_lines(self, parts: list[bytes], size: int) -> None:
        data = b"".join(parts)
        whole, split = Lines(), Lines()
        expected = [*whole.receive(data), *whole.end()]
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        found = [one for piece in pieces for one in split.receive(piece)] + split.end()
        self.assertEqual(found, expected)

    def test_an_endless_line_is_told_once_and_costs_no_memory(self) -> None:
        lines = Lines()
        piece = b"a" * 100_000
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        found = [one for _ in range(300) for one in lines.receive(piece)]
        self.assertEqual(found, [(1, None)])
        self.assertLess(tracemalloc.get_traced_memory()[1], 10 * MOST_BYTES)
        self.assertEqual(lines.receive(b"end\nnext\n"), [(2, b"next")])


class ReadingTests(SynchronousTestCase):
    """Whole logs."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.account = Account()

    def file(self, data: bytes, name: str = "access.log") -> str:
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def targets(self, *paths: str) -> list[str]:
        return [entry.target.decode() for _, entry in read(paths, self.account)]

    def test_gzip_in_several_members_and_plain_files_in_the_order_of_their_times(self) -> None:
        new = self.file(log(5, 20))
        old = self.file(gzip.compress(log(10)) + gzip.compress(log(10, 10)), "access.log.1.gz")
        self.assertEqual(self.targets(new, old), [f"/p{number}" for number in range(25)])
        self.assertEqual((self.account.lines, self.account.skipped), (25, 0))

    def test_what_stands_before_damage_is_used_and_that_is_said(self) -> None:
        packed = gzip.compress(log(5000))
        cut = self.targets(self.file(packed[: len(packed) // 2]))
        self.assertTrue(0 < len(cut) < 5000)
        self.assertTrue(any("ends in the middle" in said for said in self.account.said()))
        broken = bytearray(packed)
        broken[len(broken) // 2] ^= 0xFF
        self.account = Account()
        self.assertTrue(self.targets(self.file(bytes(broken), "b.gz")))
        self.assertTrue(any("damaged" in said for said in self.account.said()))

    def test_garbage_is_counted_by_reason_and_said_once_with_its_line(self) -> None:
        garbage = [b"\n", b"\x00\xff\n" * 5, b"a" * 200_000 + b"\n", b"{not json}\n"]
        found = self.targets(self.file(log(3) + b"".join(garbage) + log(3, 3)))
        self.assertEqual(found, [f"/p{number}" for number in range(6)])
        said = list(self.account.said())
        self.assertEqual(len(said), 4)
        self.assertEqual(self.account.skipped, 8)
        self.assertIn("5 lines left out: it is neither of the common or combined format nor JSON", said[0])
        self.assertIn("the first is line 5", said[0])

    def test_standard_input_is_a_log(self) -> None:
        self.patch(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(log(3))))
        self.assertEqual(self.targets("-"), ["/p0", "/p1", "/p2"])
        with self.assertRaises(UsageError):
            self.targets("-", "other")

    def test_what_is_no_log_is_named_with_the_way_out(self) -> None:
        for path, said in (
            (str(self.folder / "none"), "No such file"),
            (str(self.folder), "Is a directory"),
            (self.file(b"", "empty"), "it is empty"),
            (self.file(b"hello\n" * 3, "text"), "3 lines left out"),
            (self.file(bz2.compress(log(3)), "a.bz2"), "bzip2 -dc"),
        ):
            with self.assertRaises(UsageError) as caught:
                self.targets(path)
            self.assertIn(path, str(caught.exception))
            self.assertIn(said, str(caught.exception))

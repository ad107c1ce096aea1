"""What processes write: lines, long ones, too many."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.node.supervisor.hosting.output import BURST, MAX_LINE, Output


class OutputTests(SynchronousTestCase):
    """:mod:`edge.node.supervisor.hosting.output`."""

    def setUp(self) -> None:
        self.lines: list[str] = []
        self.now = 0.0
        self.output = Output(self.lines.append, lambda: self.now)

    def test_lines_come_whole_and_the_last_one_at_the_end(self) -> None:
        for data in (b"a", b"b\nc\n\nd\xff", b"e"):
            self.output.receive(data)
        self.assertEqual(self.lines, ["ab", "c", ""])
        self.output.end()
        self.assertEqual(self.lines[-1], "d\\xffe")

    def test_a_line_without_an_end_comes_in_parts_and_is_not_kept(self) -> None:
        for _ in range(10):
            self.output.receive(b"x" * 10_000)
        self.assertEqual([len(line) for line in self.lines], [MAX_LINE] * (100_000 // MAX_LINE))
        self.assertLess(len(self.output._partial), MAX_LINE)

    def test_too_many_are_counted_and_that_is_said(self) -> None:
        self.output.receive(b"x\n" * 5000)
        self.assertEqual(len(self.lines), BURST)
        self.now = 1.0
        self.output.receive(b"y\n")
        self.assertEqual(self.lines[BURST:], ["(4000 lines left out: more than 100 a second)", "y"])
        self.output.receive(b"z\n" * 200)
        self.output.end()
        self.assertEqual(self.lines[-1], "(101 lines left out: more than 100 a second)")

"""The live view: what is on the screen, what is written where there is none, and that neither stops a run."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

from rich.console import Console
from twisted.trial.unittest import SynchronousTestCase

from loadgen.charts.numbers import duration
from loadgen.live import JsonLines, Live, Totals
from loadgen.live.formatting import milliseconds, sparkline
from loadgen.live.screen import MOST_NODES, line, screen
from loadgen.live.state import State
from loadgen.results import Second
from tests import processes
from tests.loadgen.test_results import result


def second(at: int, **fields: object) -> Second:
    """One in which much happened."""
    plain: dict[str, object] = {
        "planned": 25_000,
        "sent": 24_990,
        "answered": 24_980,
        "statuses": {"304": 22_482, "200": 2_498},
        "confirmed": 22_482,
        "bodies": 2_498,
        "bytes_in": 5_000_000,
        "bytes_out": 12_000_000,
        "nodes": {"n1": 15_000, "n2": 10_000},
        "latency_ms": [0.31, 0.9, 4.2, 18.25, 44.7],
        "active": 83_211,
        "connections": 12_345,
    }
    return Second(at=at, **{**plain, **fields})  # type: ignore[arg-type]


def state(*seconds: Second, title: str = "returning-readers", **fields: object) -> State:
    """After *seconds*; *fields* of the totals."""
    made = State(title, 300, 100_000)
    totals = Totals(**fields)  # type: ignore[arg-type]
    for one in seconds:
        totals.count(one)
        made.take(one, totals)
    return made


def shown(of: State, width: int = 80) -> list[str]:
    """The lines on a terminal."""
    console = Console(file=io.StringIO(), record=True, width=width, height=24, force_terminal=True)
    console.print(screen(of))
    return [one.rstrip() for one in console.export_text().splitlines()]


class ScreenTests(SynchronousTestCase):
    """The view on a terminal."""

    def test_it_fits_a_small_terminal_with_everything_on_it(self) -> None:
        """80 columns, 24 lines, also with many nodes, errors of many kinds and long words."""
        seconds = second(
            11,
            nodes={f"node-with-a-long-name-{at}": 100 for at in range(40)},
            statuses={str(status): 10_000_000 for status in range(200, 220)},
            errors={f"a reason that is long, number {at}": 1_000_000 for at in range(9)},
            pushes=100_000,
            push_ms=12.5,
        )
        lines = shown(
            state(seconds, title="t" * 200, invalid=["why " * 40, "b" * 200, "c"], counts={"bodies": 1})
        )
        self.assertTrue(all(len(one) <= 80 for one in lines), lines)
        self.assertLess(len(lines), 24, "\n".join(lines))
        self.assertIn(f"{40 - MOST_NODES} more", "\n".join(lines))

    def test_it_says_what_happened(self) -> None:
        """Progress, rates, statuses, percentiles, shares, bytes, users, the generator itself."""
        counts = {"not_modified": 900, "bodies": 100}
        text = "\n".join(
            shown(state(second(99), second(119), latency_ms=[0.3], lag_p99_ms=0.21, counts=counts))
        )
        for words in (
            "returning-readers",
            "2:00 of 5:00, 3:00 left",
            "planned 25,000",
            "sent 24,990",
            "answered 24,980",
            "304 90.0 %  200 10.0 %",
            "confirmed 90.0 %",
            "p50 0.31  p90 0.9   p99 4.2   p99.9 18.2  max 44.7",
            "p50 0.3   p90 -",
            "n1 ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇ 60.0 %",
            "in 5M",
            "out 24M",
            "active 83,211",
            "connections 12,345",
            "lag 0.21 ms",
            "offered 100.0 %",
            "errors       none",
        ):
            self.assertIn(words, text)

    def test_before_the_first_second_it_is_empty_not_wrong(self) -> None:
        """No division by nothing; also for a run of no length."""
        self.assertIn("0:00 of 5:00, 5:00 left", "\n".join(shown(state())))
        self.assertIn("0:00 of 0:00", "\n".join(shown(State("t", 0, 0))))

    def test_a_run_that_turns_invalid_says_so_at_once(self) -> None:
        """With the reason."""
        self.assertNotIn("INVALID", "\n".join(shown(state(second(1)))))
        self.assertIn("INVALID  its lag", "\n".join(shown(state(second(1), invalid=["its lag"]))))

    def test_names_from_the_cluster_cannot_move_the_cursor(self) -> None:
        """Escape sequences, and rich's own markup, stay text."""
        hostile = state(
            second(
                1,
                nodes={"\x1b[2J[red]n1": 1},
                notes=["\x1b[2J"],
                statuses={"\x1b]0;x\x07": 1},
                errors={"\x1b[H": 1},
            ),
            title="\x1b[31m[bold]t",
            invalid=["\x1b[2J"],
        )
        console = Console(file=io.StringIO(), width=80, no_color=True, force_terminal=False)
        console.print(screen(hostile))
        assert isinstance(console.file, io.StringIO)
        self.assertNotIn("\x1b", console.file.getvalue() + line(hostile))
        self.assertIn("[red]n1", console.file.getvalue())

    def test_the_last_note_stays_until_the_next(self) -> None:
        """With its time; a line shows those of its own second."""
        noted = state(second(7, notes=["n3 was killed"]), second(8))
        self.assertIn("0:07  n3 was killed", shown(noted))
        self.assertIn("n3 was killed", line(state(second(9, notes=["n3 was killed"]))))

    def test_a_node_that_has_gone_still_has_its_line(self) -> None:
        """With an empty bar."""
        text = "\n".join(shown(state(second(1), second(2, nodes={"n1": 5}))))
        self.assertIn("n2 ▏", text)
        self.assertIn("0.0 %", text)

    def test_words_of_numbers(self) -> None:
        """Times, sparklines, latencies that are not there."""
        self.assertEqual(
            [duration(at) for at in (0, 59.6, 3599, 3723, -1)], ["0:00", "1:00", "59:59", "1:02:03", "0:00"]
        )
        self.assertEqual((sparkline([]), sparkline([0, 0]), sparkline([0, 5, 10])), ("", "▁▁", "▁▅█"))
        self.assertEqual(milliseconds([1.5, 0.0]), ["1.5", "-", "-", "-", "-"])


class ViewTests(SynchronousTestCase):
    """Who shows it."""

    def test_without_a_terminal_a_line_is_written_every_few_seconds(self) -> None:
        """Plain text, the last second's figures in it."""
        out = io.StringIO()
        view = Live("t", 12, 5, Console(file=out))
        for at in range(12):
            view.update(second(at), Totals(errors={"timeout": 3}, invalid=["lag"] if at > 8 else []))
        view.close()
        lines = out.getvalue().splitlines()
        self.assertEqual([one.split()[0] for one in lines], ["0:05", "0:10"])
        self.assertIn(
            "answered 24,980/s  confirmed 90.0 %  p50 0.31 p99 4.2 p99.9 18.2 ms  errors 3", lines[0]
        )
        self.assertTrue(lines[1].endswith("INVALID: lag"))

    def test_on_a_terminal_the_view_renews_itself(self) -> None:
        """And the cursor is given back."""
        out = io.StringIO()
        view = Live("t", 2, 5, Console(file=out, force_terminal=True, width=80, _environ={"TERM": "xterm"}))
        view.update(second(0), Totals())
        view.close()
        view.close()
        self.assertIn("24,980", out.getvalue())
        self.assertTrue(out.getvalue().endswith("\x1b[?25h"), out.getvalue()[-40:])

    def test_json_has_an_object_for_each_second_and_the_result(self) -> None:
        """Each on its own line."""
        out = io.StringIO()
        view = JsonLines("t", 2, 5, out)
        view.update(second(0), Totals(sent=7))
        view.close(result(series=[second(0)]))
        view.update(second(1), Totals())
        begin, one, last = map(json.loads, out.getvalue().splitlines())
        self.assertEqual(begin, {"event": "begin", "title": "t", "seconds": 2, "users": 5})
        self.assertEqual((one["second"]["planned"], one["totals"]["sent"]), (25_000, 7))
        self.assertEqual((last["result"]["verdict"], "series" in last["result"]), ("ok", False))

    def test_a_closed_pipe_does_not_end_the_run(self) -> None:
        """Nor does it make the process complain when it ends."""
        script = (
            "import sys; from loadgen.live import *; from loadgen.results import Second\n"
            "for view in (JsonLines('t', 9, 1), Live('t', 9, 1)):\n"
            "    for at in range(3000): view.update(Second(at=at), Totals())\n"
            "    view.close()\n"
            "print('lived', file=sys.stderr)\n"
        )
        reading, writing = os.pipe()
        os.close(reading)
        ended = processes.run(
            [sys.executable, "-c", script],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
        os.close(writing)
        self.assertEqual((ended.returncode, ended.stderr), (0, "lived\n"))

"""What happens during a run: words in their time, programs that are started, looked after and ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from loadgen.results import Second
from loadgen.run.coordinator.events import GRACE_S, Events
from loadgen.run.messages.scenario import Event


def python(code: str) -> tuple[str, ...]:
    """A program."""
    return (sys.executable, "-c", code)


class EventTests(SynchronousTestCase):
    """Seconds are the test's."""

    def start(self, *events: Event, grace_s: float = GRACE_S) -> Events:
        made = Events(events, grace_s)
        self.addCleanup(made.close)
        return made

    def wait(self, events: Events) -> None:
        """For all programs to end."""
        for _, process in events.running:
            process.wait(30)

    def test_words_come_once_in_the_order_of_their_times(self) -> None:
        events = self.start(Event(at_s=5, say="b"), Event(at_s=1, say="a"), Event(at_s=5, say="c"))
        self.assertEqual(
            [events.pass_time(second) for second in (0, 0.99, 1, 4, 5, 6)],
            [[], [], ["a"], [], ["b", "c"], []],
        )

    def test_a_look_that_comes_late_finds_all_that_was_missed(self) -> None:
        events = self.start(Event(at_s=1, say="a"), Event(at_s=2, say="b"))
        self.assertEqual(events.pass_time(10), ["a", "b"])

    def test_a_program_is_started_when_it_is_due(self) -> None:
        made = Path(self.mktemp())
        events = self.start(Event(at_s=2, say="now", command=python(f"open({str(made)!r}, 'w')")))
        self.assertEqual(
            [events.is_command_due(second) for second in (0, 1.9, 2, 3)], [False, False, True, True]
        )
        said = events.pass_time(2)
        self.assertEqual((said[0], said[1].split()[:2]), ("now", ["started:", sys.executable]))
        self.assertFalse(events.is_command_due(3))
        self.wait(events)
        self.assertTrue(made.exists())
        self.assertEqual(events.pass_time(3), [])

    def test_words_alone_are_no_command(self) -> None:
        self.assertFalse(self.start(Event(at_s=0, say="x")).is_command_due(5))

    def test_one_that_fails_is_told_once(self) -> None:
        events = self.start(Event(at_s=0, command=python("raise SystemExit(3)")))
        events.pass_time(0)
        self.wait(events)
        self.assertEqual(events.pass_time(1), [f"{sys.executable} failed with exit code 3"])
        self.assertEqual(events.pass_time(2), [])

    def test_one_that_does_not_start_is_told_with_the_reason(self) -> None:
        for command, why in (
            (("/nowhere/to/be/found",), "No such file or directory"),
            ((str(Path.cwd()),), "Permission denied"),
            (("a\0b",), "null byte"),
        ):
            (said,) = self.start(Event(at_s=0, command=command)).pass_time(0)
            self.assertIn("does not start: ", said)
            self.assertIn(why, said)

    def test_what_still_runs_at_the_end_is_ended(self) -> None:
        events = self.start(Event(at_s=0, command=python("import time; time.sleep(600)")))
        events.pass_time(0)
        ((_, process),) = events.running
        events.close()
        self.assertEqual(process.returncode, -15)

    def test_also_what_does_not_listen(self) -> None:
        ready, told = os.pipe()
        code = "import os, signal, time; signal.signal(15, signal.SIG_IGN);"
        code += f"os.write({told}, b'x'); time.sleep(600)"
        popen = subprocess.Popen
        self.patch(subprocess, "Popen", lambda *given, **named: popen(*given, **named, pass_fds=(told,)))
        events = self.start(Event(at_s=0, command=python(code)), grace_s=0.01)
        events.pass_time(0)
        os.read(ready, 1)
        ((_, process),) = events.running
        events.close()
        self.assertEqual(process.returncode, -9)
        os.close(ready)
        os.close(told)

    def test_programs_neither_read_nor_write_the_terminal(self) -> None:
        events = self.start(
            Event(at_s=0, command=python("import sys; sys.exit(len(sys.stdin.read()) + sys.stdout.isatty())"))
        )
        events.pass_time(0)
        self.wait(events)
        self.assertEqual(events.pass_time(1), [])

    def problems(self, events: Events, *series: Second) -> list[str]:
        """Why events say nothing; "" for those that do."""
        return [one.problem for one in events.outcomes(series)]

    def test_one_that_is_not_due_before_the_end_did_not_happen(self) -> None:
        events = self.start(Event(at_s=10, say="a deploy"), Event(at_s=1, say="hello"))
        events.pass_time(8)
        self.assertEqual(
            self.problems(events),
            ["", "the event at 10 s (a deploy) did not happen: the run ended before"],
        )

    def test_one_whose_program_fails_or_does_not_start_did_not_happen(self) -> None:
        events = self.start(
            Event(at_s=0, command=python("raise SystemExit(3)")), Event(at_s=0, command=("/nowhere",))
        )
        events.pass_time(0)
        self.wait(events)
        failed, missing = self.problems(events)
        self.assertIn("did not happen", failed)
        self.assertIn("exit code 3", failed)
        self.assertIn("did not happen: '/nowhere' does not start: No such file", missing)

    def test_a_program_that_the_end_of_the_run_ends_has_happened(self) -> None:
        events = self.start(Event(at_s=0, command=python("import time; time.sleep(600)")))
        events.pass_time(0)
        events.close()
        self.assertEqual(self.problems(events), [""])

    def test_an_effect_has_to_be_seen_from_its_time_on(self) -> None:
        events = self.start(
            Event(at_s=2.5, say="x", effect="version"), Event(at_s=3, say="kill", effect="failure")
        )
        events.pass_time(4)
        before = [Second(at=1, versions=1, node_errors={"n1": 2})]
        self.assertEqual(
            self.problems(events, *before, Second(at=3)),
            [
                "the event at 2.5 s (x) had no effect: after it no user was given a new version of a file",
                "the event at 3 s (kill) had no effect: after it no node failed",
            ],
        )
        after = Second(at=2, versions=3), Second(at=3, node_errors={"n2": 1})
        self.assertEqual(self.problems(events, *before, *after), ["", ""])

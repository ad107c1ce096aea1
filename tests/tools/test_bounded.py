"""A command of ``make test`` ends in time, and nothing that it started lives on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tools import bounded

ROOT = Path(__file__).resolve().parents[2]
#: Seconds for what takes a moment.
PATIENCE = 60.0
#: A process in a session of its own whose parent has gone, that hears no SIGTERM and holds the output open.
DAEMON = "(trap '' TERM; setsid sh -c 'sleep 987 & echo $!; wait' &) ; sleep 0.2"


def command(seconds: float, *words: str) -> list[str]:
    """``bounded.py`` of *words*."""
    return [sys.executable, bounded.__file__, str(seconds), *words]


def run(seconds: float, *words: str) -> tuple[int, str]:
    """Exit code and output of *words*; that the output ends says that nobody holds it open."""
    done = subprocess.run(
        command(seconds, *words),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TEST_GRACE": "0.3", "PYTHONFAULTHANDLER": "1"},
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout


def runs(pid: int) -> bool:
    """Whether a process *pid* runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class BoundedTests(SynchronousTestCase):
    """What it says, and what runs afterwards."""

    def test_a_command_that_ends_is_as_it_is_alone(self) -> None:
        self.assertEqual(run(PATIENCE, "sh", "-c", "echo out; echo err >&2; exit 3"), (3, "out\nerr\n"))
        self.assertEqual(run(PATIENCE, "sh", "-c", "kill -9 $$"), (-9 % 256, ""))

    def test_one_that_cannot_start_is_told(self) -> None:
        code, output = run(PATIENCE, "/no/such/program")
        self.assertEqual(code, 127)
        self.assertIn("bounded: /no/such/program does not start: No such file", output)

    def test_one_that_hangs_shows_its_stack_and_ends_with_all_that_it_started(self) -> None:
        program = f"import os, time\nos.system({DAEMON!r})\ndef hanging(): time.sleep(999)\nhanging()"
        code, output = run(1.5, sys.executable, "-c", program)
        self.assertEqual(code, bounded.BROKE_OFF)
        self.assertIn("bounded: broke off: it has not ended after 1.5 seconds\n", output)
        self.assertIn("in hanging\n", output)
        self.assertFalse(runs(int(output.split()[0])))

    def test_what_is_left_running_is_named_and_ended(self) -> None:
        code, output = run(PATIENCE, "sh", "-c", f"{DAEMON}; exit 5")
        self.assertEqual(code, 5)
        pid = int(output.split()[0])
        self.assertIn(f"bounded: left running: {pid} sleep 987\n", output)
        self.assertFalse(runs(pid))

    def test_what_ends_by_itself_a_moment_later_is_not_left(self) -> None:
        self.assertEqual(run(PATIENCE, "sh", "-c", "(sleep 0.05 &)"), (0, ""))

    def test_all_end_with_it_when_it_is_told_to_end(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.start() as process:
                pid = self.pid_of(process)
                process.send_signal(number)
                self.assertEqual(process.wait(PATIENCE), bounded.BROKE_OFF)
                self.assertFalse(runs(pid))

    def test_all_end_when_who_started_it_is_killed(self) -> None:
        program = (
            f"import subprocess; subprocess.run({command(PATIENCE, 'sh', '-c', DAEMON + '; sleep 999')})"
        )
        with self.start(program) as process:
            pid = self.pid_of(process)
            process.kill()
            process.wait(PATIENCE)
            until = time.monotonic() + PATIENCE
            while runs(pid) and time.monotonic() < until:
                time.sleep(0.02)
            self.assertFalse(runs(pid))

    def start(self, program: str = "") -> subprocess.Popen[bytes]:
        words = (
            [sys.executable, "-c", program] if program else command(999, "sh", "-c", f"{DAEMON}; sleep 999")
        )
        environment = {**os.environ, "TEST_GRACE": "0.3"}
        process = subprocess.Popen(words, stdout=subprocess.PIPE, env=environment)
        self.addCleanup(process.kill)
        return process

    def pid_of(self, process: subprocess.Popen[bytes]) -> int:
        """What the daemon has said of itself."""
        assert process.stdout is not None
        return int(process.stdout.readline())

"""Standard output whose reader goes, or that is full: what is calculated and measured is not lost by it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from loadgen.cli import main
from loadgen.output import printable
from loadgen.results import load
from tests import processes
from tests.commands import run_command
from tests.loadgen.run.coordinator.serving import Server

ROOT = Path(__file__).parents[2]
#: It fits.
PLAN = ("plan", "plans/small-team.toml")
SIMULATION = ("simulate", "--users", "1000", "--hours", "0.01", "--policy", "one")


def call(stdout: int, arguments: tuple[str, ...]) -> tuple[int, str]:
    """Exit code and standard error."""
    done = processes.run(
        [sys.executable, "-m", "loadgen.cli", *arguments], stdout=stdout, stderr=subprocess.PIPE, cwd=ROOT
    )
    return done.returncode, done.stderr.decode()


class PrintableTests(SynchronousTestCase):
    """What strangers say, on a terminal."""

    def test_nothing_in_an_error_tells_a_terminal_what_to_do(self) -> None:
        """A server may say it in a status line or a Location."""
        self.assertEqual(printable("f\u00fcr\n\x1b]0;x\x07\r\u202e"), "f\u00fcr\n\\x1b]0;x\\x07\\r\\u202e")
        server = Server()
        self.addCleanup(server.close)
        server.raw["/"] = b"\x1b[2J\r\n"
        code, _, err = run_command(main, "run", "--plain", server.url)
        self.assertEqual(code, 1)
        self.assertIn("no answer: \\x1b[2J", err)
        self.assertNotIn("\x1b", err)


class OutputTests(SynchronousTestCase):
    """By real processes."""

    def gone(self, *arguments: str) -> tuple[int, str]:
        """The reader has gone."""
        reading, writing = os.pipe()
        os.close(reading)
        self.addCleanup(os.close, writing)
        return call(writing, arguments)

    def full(self, *arguments: str) -> tuple[int, str]:
        """No space is left."""
        with open("/dev/full", "wb") as file:
            return call(file.fileno(), arguments)

    def test_a_reader_that_goes_is_no_error(self) -> None:
        for arguments in (PLAN, (*PLAN, "--json", "-"), SIMULATION, (*SIMULATION, "--json", "-")):
            self.assertEqual(self.gone(*arguments), (0, ""), arguments)

    def test_a_full_disk_is_one_and_gets_a_line(self) -> None:
        for arguments in (PLAN, (*PLAN, "--json", "-"), SIMULATION, (*SIMULATION, "--json", "-")):
            code, err = self.full(*arguments)
            said = f"loadgen {arguments[0]}: standard output: it cannot be written: No space left on device\n"
            self.assertEqual((code, err), (1, said), arguments)

    def test_a_run_goes_on_and_its_result_is_saved(self) -> None:
        server = Server()
        self.addCleanup(server.close)
        server.bodies = {"/a": b"a"}
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(1_700_000_000))
        log = folder / "access.log"
        log.write_text(f'192.0.2.1 - - [{when}] "GET /a HTTP/1.1" 200 5 "-" "M"\n')
        replay = ("replay", str(log), "--to", server.url)
        for name, way, codes in (("gone", self.gone, (0, 3)), ("full", self.full, (1,))):
            code, err = way(*replay, "--out", str(folder / name))
            self.assertIn(code, codes, err)
            self.assertNotIn("Traceback", err)
            self.assertEqual(load(folder / name).counts["requests"], 1)

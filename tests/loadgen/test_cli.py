"""The command ``loadgen``: which subcommands there are."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from loadgen.cli import COMMANDS, main
from tests.commands import run_command


class CommandTests(SynchronousTestCase):
    """What is typed, and what is said to it."""

    def test_help_names_every_command(self) -> None:
        code, out, _ = run_command(main, "--help")
        self.assertEqual(code, 0)
        for name in COMMANDS:
            self.assertIn(f"\n    {name} ", out)

    def test_a_command_that_is_gone_says_what_to_use_instead(self) -> None:
        code, out, err = run_command(main, "flood", "http://localhost:8001/", "-c", "3")
        self.assertEqual((code, out), (2, ""))
        self.assertEqual(
            err,
            "loadgen flood is no more; wrk does the same, one request again and again in a closed loop: "
            "wrk -c 64 -d 10 URL; what users would feel says loadgen run\n",
        )

    def test_a_command_that_never_was_is_refused_with_those_there_are(self) -> None:
        code, _, err = run_command(main, "fly")
        self.assertEqual(code, 2)
        self.assertIn("'fly'", err)
        self.assertIn("simulate", err)

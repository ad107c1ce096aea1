"""``twistd edge``: its options, and its help in a real process."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

import edge
from edge.config import SETTINGS
from edge.errors import ConfigError
from edge.tap import Options, makeService
from tests import processes

ROOT = Path(edge.__file__).parents[1]


def twistd(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``twistd edge`` in a process of its own."""
    start = "from twisted.scripts.twistd import run; run()"
    return processes.run(
        [sys.executable, "-c", start, "edge", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


class Base(SynchronousTestCase):
    """A folder of our own."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.common = [
            f"--webroot={self.folder}",
            f"--state-dir={self.folder}",
            "--admin=tcp:0:interface=127.0.0.1",
            "--listen=tcp:0:interface=127.0.0.1",
        ]

    def parsed(self, *arguments: str) -> Options:
        options = Options()
        options.parseOptions([*self.common, *arguments])
        return options


class OptionTests(Base):
    """From arguments to a configuration."""

    def test_every_setting_is_an_option(self) -> None:
        known = {name.rstrip("=") for name in Options().longOpt}
        own = {
            "no-clean-urls",
            "no-merge-slashes",
            "no-watch",
            "no-follow-symlinks",
            "no-smart-client",
            "no-redirect-https",
            "config",
            "check",
            "help",
            "version",
        }
        self.assertEqual({*SETTINGS, *own}, known)

    def test_options_make_the_configuration(self) -> None:
        flags = ["--no-watch", "--follow-symlinks"]
        config = self.parsed("--listen=tcp:1", "--cache=*.pdf=no-store", "--allow-origin=*", *flags).config
        self.assertEqual(config.listen, ("tcp:0:interface=127.0.0.1", "tcp:1"))
        self.assertEqual((config.cache, config.allow_origin), ((("*.pdf", "no-store"),), ("*",)))
        self.assertEqual((config.watch, config.follow_symlinks), (False, True))

    def test_the_command_line_wins_over_the_file(self) -> None:
        file = self.folder / "edge.toml"
        file.write_text('node = "file"\nwatch = false\n')
        config = self.parsed("--config", str(file), "--watch", "--node", "line").config
        self.assertEqual((config.node, config.watch), ("line", True))

    def test_pages_that_get_the_client_are_all_or_those_of_globs(self) -> None:
        for arguments, globs in (
            ((), ()),
            (("--inject-client",), ("**",)),
            (("--inject-client", "--watch"), ("**",)),
            (("--inject-client", "/blog/**", "--inject-client=*.htm"), ("/blog/**", "*.htm")),
        ):
            self.assertEqual(self.parsed(*arguments).config.inject_client, globs)
        with self.assertRaisesRegex(usage.UsageError, "empty glob"):
            self.parsed("--inject-client=")
        with self.assertRaisesRegex(usage.UsageError, "nothing that the tag could name"):
            self.parsed("--inject-client", "--no-smart-client")

    def test_a_wrong_value_is_a_usage_error(self) -> None:
        error = self.assertRaises(usage.UsageError, self.parsed, "--workers", "x")
        self.assertEqual(str(error), "--workers x: give a whole number from 0 to 64")

    def test_an_unknown_option_is_told_with_the_name_that_was_meant(self) -> None:
        for wrong, told in (
            ("--webrot=x", "--webrot: there is no such option; did you mean --webroot?"),
            ("--no-wach", "--no-wach: there is no such option; did you mean --no-watch?"),
            ("--qqqqqqqq", "--qqqqqqqq: there is no such option"),
            ("--pidfile=", "--pidfile: this is an option of twistd itself; write it before edge"),
            ("-n", "-n: this is an option of twistd itself; write it before edge"),
            ("--webroot", "--webroot: its value is missing; write --webroot DIR|none"),
            ("--watch=5", "--watch: it takes no value; write --watch, or its opposite with or without no-"),
        ):
            self.assertEqual(str(self.assertRaises(usage.UsageError, self.parsed, wrong)), told)

    def test_flags_that_contradict_each_other(self) -> None:
        error = self.assertRaises(usage.UsageError, self.parsed, "--watch", "--no-watch")
        self.assertIn("contradict", str(error))

    def test_an_argument_that_is_no_option(self) -> None:
        error = self.assertRaises(usage.UsageError, self.parsed, "site")
        self.assertIn("--webroot site", str(error))

    def test_under_twistd_a_wrong_option_is_a_line_and_not_the_whole_help(self) -> None:
        ended = twistd("--webrot=x")
        self.assertEqual((ended.returncode, ended.stdout), (1, ""))
        self.assertEqual(
            ended.stderr,
            "twistd edge: --webrot: there is no such option; did you mean --webroot?\n"
            "twistd edge --help tells all options\n",
        )

    def test_all_options_are_completed_by_shells(self) -> None:
        actions = Options.compData.optActions
        wanted = {name for name, setting in SETTINGS.items() if setting.kind.metavar}
        self.assertEqual(set(actions), wanted | {"config"})
        script = io.BytesIO()
        from twisted.python._shellcomp import ZshArgumentsGenerator

        ZshArgumentsGenerator(Options(), "twistd edge", script).write()
        self.assertIn(b"--fast-path", script.getvalue())

    def test_twisted_knows_the_plugin(self) -> None:
        self.patch(sys, "path", [str(ROOT), *sys.path])
        makers = {maker.tapname: maker for maker in getPlugins(IServiceMaker)}
        self.assertIs(makers["edge"].makeService, makeService)
        self.assertIs(makers["edge"].options, Options)


class CheckTests(Base):
    """``--check`` ends the program."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(sys, "stdout", io.StringIO())
        self.patch(sys, "stderr", io.StringIO())

    def checked(self, *arguments: str) -> int | str | None:
        return self.assertRaises(SystemExit, self.parsed, "--check", *arguments).code

    def test_a_good_configuration_exits_with_0_and_a_summary(self) -> None:
        self.assertEqual(self.checked(), 0)
        self.assertTrue(sys.stdout.getvalue().startswith("configuration is valid\n"))

    def test_an_application_that_cannot_be_loaded_is_a_warning(self) -> None:
        self.assertEqual(self.checked("--app", "/=no_such_module:app"), 0)
        self.assertIn("warning: app no_such_module: there is no module no_such_module", sys.stderr.getvalue())

    def test_wrong_values_exit_with_1_and_a_line_each(self) -> None:
        self.assertEqual(self.checked("--workers", "x", "--node", "?"), 1)
        self.assertEqual(len(sys.stderr.getvalue().splitlines()), 2)

    def test_what_would_not_work_here_exits_with_1(self) -> None:
        self.assertEqual(self.checked("--listen", "tcp:0:interface=192.0.2.1"), 1)
        self.assertIn("192.0.2.1", sys.stderr.getvalue())


class StartTests(Base):
    """From options to a service."""

    def test_what_keeps_a_node_from_starting_is_said_without_a_traceback(self) -> None:
        import edge.node.supervisor.signals
        import edge.node.supervisor.supervisor

        def fail(config: object, user: object, reactor: object) -> None:
            raise ConfigError("--state-dir /s: in use")

        self.patch(edge.node.supervisor.signals, "ignore_while_starting", lambda: None)
        self.patch(edge.node.supervisor.supervisor, "make_supervisor", fail)
        error = self.assertRaises(SystemExit, makeService, self.parsed())
        self.assertEqual(error.code, "twistd edge: --state-dir /s: in use")


class ProcessTests(Base):
    """A real twistd."""

    def test_help_fits_the_terminal_and_names_every_option(self) -> None:
        ended = twistd("--help", COLUMNS="100")
        self.assertEqual(ended.returncode, 0, ended.stderr)
        for name in SETTINGS:
            self.assertRegex(ended.stdout, rf"\n  --(\[no-\])?{name}\b")
        self.assertEqual([line for line in ended.stdout.splitlines() if len(line) > 100], [])

    def test_check_starts_nothing(self) -> None:
        ended = twistd(*self.common, "--check")
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))
        self.assertIn("configuration is valid", ended.stdout)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_wrong_option_fails_and_says_why(self) -> None:
        ended = twistd("--workers", "many")
        self.assertEqual(ended.returncode, 1)
        self.assertIn("--workers many: give a whole number from 0 to 64", ended.stderr.splitlines()[0])

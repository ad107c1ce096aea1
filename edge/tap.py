"""``twistd edge``: from its options to a service.  The only module that picks the real reactor.

The options are made from :data:`edge.config.SETTINGS`; besides them there are ``--config`` and ``--check``.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import pwd
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, ClassVar

from twisted.application.service import IService
from twisted.python import usage

from edge.config import SETTINGS, Config, Setting, find_exposed, find_problems, load, placed, summarize
from edge.config.settings import SECTIONS
from edge.errors import ConfigError, EdgeError, in_words, plain
from edge.node.exporter.trying import trace_problems
from edge.node.resources.mount_check import mount_problems
from edge.node.supervisor.hosting.check import application_problems

_OWN = {
    "config": ("FILE", "TOML file with settings: the same names as here, without the dashes in front. "
               "What stands on the command line wins."),
    "check": ("", "Say whether all of this would work here and now, start nothing, exit with 0 or 1."),
    "version": ("", "Print the versions of twistd edge and of Twisted."),
    "help": ("", "Print this."),
}  # fmt: skip


def _is_flag(setting: Setting) -> bool:
    return setting.kind.type is bool


def _completion(setting: Setting) -> Any:
    kind = setting.kind
    if kind.choices:
        return usage.CompleteList(list(kind.choices))
    if kind.completes == "directory":
        return usage.CompleteDirs()
    return usage.CompleteFiles() if kind.completes == "file" else usage.Completer(kind.metavar)


class Options(usage.Options):
    """The command line of ``twistd edge``; after parsing, :attr:`config` holds what it means."""

    optFlags: ClassVar = [
        *(
            [prefix + name, None, setting.help]
            for name, setting in SETTINGS.items()
            if _is_flag(setting)
            for prefix in ("", "no-")
        ),
        ["check", None, _OWN["check"][1]],
    ]
    optParameters: ClassVar = [
        *([name, None, None, setting.help] for name, setting in SETTINGS.items()
          if not _is_flag(setting) and not setting.kind.repeated),
        ["config", "c", None, _OWN["config"][1]],
    ]  # fmt: skip
    compData = usage.Completions(
        descriptions={name: setting.help for name, setting in SETTINGS.items()},
        multiUse=[name for name, setting in SETTINGS.items() if setting.kind.repeated],
        mutuallyExclusive=[(name, f"no-{name}") for name, setting in SETTINGS.items() if _is_flag(setting)],
        optActions={
            **{name: _completion(setting) for name, setting in SETTINGS.items() if not _is_flag(setting)},
            "config": usage.CompleteFiles("*.toml"),
        },
    )
    config: Config

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._repeated: dict[str, list[str]] = {}

    def parseOptions(self, options: Any = None) -> None:
        """Under ``twistd`` a wrong option is told in a line, on standard error, without the whole help."""
        try:
            super().parseOptions(_with_glob(options))  # type: ignore[no-untyped-call]
        except usage.UsageError as error:
            told = _without_getopt(str(error))
            if self.parent is None:
                raise usage.UsageError(told) from None
            lines = "".join(f"twistd edge: {line}\n" for line in told.splitlines())
            raise SystemExit(f"{lines}twistd edge --help tells all options") from None

    def parseArgs(self, *arguments: str) -> None:
        if arguments:
            raise usage.UsageError(
                f"{arguments[0]}: only options may stand here; to serve a folder: --webroot {arguments[0]}"
            )

    def opt_version(self) -> None:
        """Print the versions."""
        try:
            ours = version("twistd-edge")
        except PackageNotFoundError:
            ours = "from a checkout that is not installed"
        print(f"twistd edge {ours}")
        super().opt_version()  # type: ignore[no-untyped-call]

    def postOptions(self) -> None:
        self._do_without_pid_file()
        file = Path(self["config"]) if self["config"] is not None else None
        try:
            self.config = load(self._given(), file)
        except ConfigError as error:
            if self["check"]:
                _exit_with(str(error).splitlines())
            raise usage.UsageError(str(error)) from None
        if self["check"]:
            problems = find_problems(self.config) + mount_problems(self.config.mount)
            # Without an application or a collector a node serves everything else, and the check stands
            # before its start.
            warnings = application_problems(self.config.applications) + trace_problems(self.config)
            for warning in warnings + find_exposed(self.config):
                print(f"twistd edge: warning: {plain(warning)}", file=sys.stderr)
            _exit_with(problems, self.config)

    def _do_without_pid_file(self) -> None:
        """In the foreground nobody needs one, and the working directory need not be writable."""
        twistd: Any = self.parent
        if twistd is None or any(argument.startswith("--pidfile") for argument in sys.argv):
            return
        if twistd["nodaemon"]:
            twistd["pidfile"] = ""
        elif not os.access(".", os.W_OK):
            raise usage.UsageError(
                f"{Path.cwd()}: twistd cannot write {twistd['pidfile']} here; name another file with "
                "--pidfile before edge, or stay in the foreground with --nodaemon"
            )

    def getUsage(self, width: int | None = None) -> str:
        width = min(width or 100, 100)
        lines = []
        for section in SECTIONS:
            lines.append(f"{section}:")
            for setting in SETTINGS.values():
                if setting.section == section:
                    lines += _described(_head(setting), _help(setting), width)
            lines.append("")
        lines.append("Other:")
        for name, (metavar, help) in _OWN.items():
            lines += _described(f"--{name} {metavar}".rstrip(), help, width)
        return "\n".join(lines) + "\n"

    def user(self) -> tuple[int, int]:
        """Numbers of the user and the group that twistd's own ``--uid`` and ``--gid`` name, -1: none."""
        twistd: Mapping[str, int | None] = self.parent or {}
        uid, gid = twistd.get("uid"), twistd.get("gid")
        if uid is not None and gid is None:
            gid = pwd.getpwuid(uid).pw_gid  # as twistd does
        return -1 if uid is None else uid, -1 if gid is None else gid

    def _given(self) -> dict[str, bool | list[str]]:
        """What the command line said, by name."""
        given: dict[str, bool | list[str]] = dict(self._repeated)
        for name, setting in SETTINGS.items():
            if _is_flag(setting):
                if self[name] and self[f"no-{name}"]:
                    raise usage.UsageError(f"--{name} and --no-{name} contradict each other; remove one")
                if self[name] or self[f"no-{name}"]:
                    given[name] = bool(self[name])
            elif not setting.kind.repeated and self[name] is not None:
                given[name] = [self[name]]
        return given


def _repeatable(setting: Setting) -> Any:
    """The method of :class:`Options` that notes each value of a *setting* that may be given several times."""

    def note(self: Options, text: str) -> None:
        self._repeated.setdefault(setting.name, []).append(text)

    note.__doc__ = setting.help
    return note


for _setting in SETTINGS.values():
    if _setting.kind.repeated:
        setattr(Options, f"opt_{_setting.attribute}", _repeatable(_setting))


def makeService(options: Options) -> IService:
    """The service that ``twistd edge`` runs: a supervisor, with the real reactor."""
    from twisted.internet import reactor

    from edge.node.process.clocks import measure_steadily
    from edge.node.supervisor.directories import User
    from edge.node.supervisor.signals import ignore_while_starting
    from edge.node.supervisor.supervisor import make_supervisor

    measure_steadily(reactor)
    ignore_while_starting()
    try:
        return make_supervisor(options.config, User(*options.user()), reactor)
    except EdgeError as error:
        told = [placed(options.config, line) for line in str(error).splitlines()]
        raise SystemExit("\n".join(f"twistd edge: {line}" for line in told)) from None
    except OSError as error:
        raise SystemExit(f"twistd edge: {in_words(error)}") from None


def _with_glob(options: Sequence[str] | None) -> list[str]:
    """*options*, or those of the program, with the glob that ``--inject-client`` alone stands for."""
    given = list(sys.argv[1:] if options is None else options)
    for number, option in enumerate(given):
        if option == "--inject-client" and (number + 1 == len(given) or given[number + 1].startswith("-")):
            given[number] += "=**"
    return given


def _without_getopt(told: str) -> str:
    """*told* in our words, of an option that does not exist with the name that was probably meant."""
    missing = re.fullmatch(r"option --?([^ =]+) requires argument", told)
    if missing is not None:
        setting = SETTINGS.get(missing[1])
        metavar = setting.kind.metavar if setting is not None else "VALUE"
        return f"--{missing[1]}: its value is missing; write --{missing[1]} {metavar}"
    flag = re.fullmatch(r"option --?([^ =]+) must not have an argument", told)
    if flag is not None:
        return f"--{flag[1]}: it takes no value; write --{flag[1]}, or its opposite with or without no-"
    unknown = re.fullmatch(r"option --?([^ =]+).* not recognized", told)
    if unknown is None:
        return told
    if _is_of_twistd(unknown[1]):
        given = f"-{unknown[1]}" if len(unknown[1]) == 1 else f"--{unknown[1]}"
        return f"{given}: this is an option of twistd itself; write it before edge"
    names = [name for setting in SETTINGS.values() for name in _names(setting)]
    near = difflib.get_close_matches(unknown[1], [*names, *_OWN], 1, 0.5)
    meant = f"; did you mean --{near[0]}?" if near else ""
    return f"--{unknown[1]}: there is no such option{meant}"


def _is_of_twistd(name: str) -> bool:
    """Whether *name*, one letter or a word, is an option of twistd itself."""
    from twisted.scripts.twistd import ServerOptions  # type: ignore[attr-defined]

    options = ServerOptions()
    return name in (*options.shortOpt.replace(":", ""), *(one.rstrip("=") for one in options.longOpt))


def _names(setting: Setting) -> tuple[str, ...]:
    return (setting.name, f"no-{setting.name}") if _is_flag(setting) else (setting.name,)


def _exit_with(problems: Iterable[str], config: Config | None = None) -> None:
    """The end of ``--check``."""
    problems = [placed(config, one) if config is not None else one for one in problems]
    for problem in problems:
        print(f"twistd edge: {plain(problem)}", file=sys.stderr)
    if config is not None and not problems:
        with contextlib.suppress(BrokenPipeError):  # whoever reads may have seen enough, like head
            print(plain("configuration is valid\n" + summarize(config)), flush=True)
    raise SystemExit(1 if problems else 0)


def _head(setting: Setting) -> str:
    if not _is_flag(setting):
        return f"--{setting.name} {setting.kind.metavar}"
    return f"--[no-]{setting.name}"


def _help(setting: Setting) -> str:
    """Help, whether it may be repeated, and the default."""
    default = setting.default_text or setting.default
    if _is_flag(setting):
        default = "on" if setting.default else "off"
    elif isinstance(default, tuple):
        default = ", ".join(default)
    again = " Repeatable." if setting.kind.repeated else ""
    return f"{setting.help}{again} [{default}]"


def _described(head: str, help: str, width: int) -> list[str]:
    """One option: its head, and its help beside or below it."""
    indent = 26
    body = textwrap.wrap(help, width - indent, break_on_hyphens=False)
    first = f"  {head}"
    if len(first) < indent - 1:
        return [first.ljust(indent) + body[0], *(" " * indent + line for line in body[1:])]
    return [first, *(" " * indent + line for line in body)]

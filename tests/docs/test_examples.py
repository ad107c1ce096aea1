"""Examples in the documents are understood by what they are written for."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from importlib import import_module

from twisted.trial.unittest import SynchronousTestCase

from docs._ext.commands import leaves
from edge.config import SETTINGS
from edge.config.settings import SITE_KINDS
from edge.config.sites import OWN_KINDS
from edge.edgectl.main import make_parser
from loadgen.cli import COMMANDS
from tests.docs.pages import ROOT, sources

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BLOCK = re.compile(r"^[ ]*```(\w*)[^\n]*\n(.*?)^[ ]*```", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"(?:^|[\s;(])(?:\S*/)?(twistd|edgectl|loadgen) ([^;&|#)\n]+)")
_OPTION = re.compile(r"(?<![\w-])--([a-z][\w-]+)")
#: Of twistd itself.
_TWISTD = {"nodaemon", "pidfile", "logfile"}


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """(place, text) of every fenced block that says *language*."""
    for page in sources():
        for found, text in _BLOCK.findall(page.read_text("utf-8")):
            if found == language:
                yield str(page.relative_to(ROOT)), text


def options_of(*parsers: argparse.ArgumentParser) -> set[str]:
    """Names of the long options."""
    actions = [action for parser in parsers for action in parser._actions]
    return {name[2:] for action in actions for name in action.option_strings if name.startswith("--")}


def known() -> dict[str, set[str]]:
    """Program, or ``loadgen SUBCOMMAND``: its options."""
    flags = {f"no-{name}" for name, setting in SETTINGS.items() if setting.kind.type is bool}
    edgectl = make_parser()
    found = {
        "twistd": {*SETTINGS, *flags, *_TWISTD, "config", "check", "help", "version"},
        "edgectl": options_of(edgectl, *(parser for parser, _ in leaves(edgectl))),
    }
    for name, (path, _) in COMMANDS.items():
        parser = argparse.ArgumentParser()
        import_module(path).configure(parser)
        found[f"loadgen {name}"] = options_of(parser)
    return found


class ExampleTests(SynchronousTestCase):
    """Commands, configuration files, rules of the smart client."""

    def test_commands_use_options_that_exist(self) -> None:
        options, wrong, count = known(), [], 0
        for place, text in blocks(""):
            for program, rest in _COMMAND.findall(text.replace("\\\n", " ")):
                name = f"loadgen {rest.split()[0]}" if program == "loadgen" else program
                count += 1
                if name not in options:
                    wrong.append(f"{place}: {name}")
                    continue
                given = set(_OPTION.findall(rest))
                wrong += [f"{place}: {name} --{option}" for option in sorted(given - options[name])]
        self.assertGreater(count, 50)
        self.assertEqual(wrong, [])

    def test_subcommands_of_edgectl_exist(self) -> None:
        names = {parser.prog for parser, _ in leaves(make_parser())}
        words = {name.split()[1] for name in names}
        wrong = []
        for page in sources():
            for rest in re.findall(r"\bedgectl ((?:--[\w-]+ \S+ )*[a-z]+)", page.read_text("utf-8")):
                word = rest.split()[-1]
                if word not in words:
                    wrong.append(f"{page.relative_to(ROOT)}: edgectl {rest}")
        self.assertEqual(wrong, [])

    def test_configuration_files_have_keys_that_exist(self) -> None:
        wrong, count = [], 0
        for place, text in blocks("toml"):
            for key, value in tomllib.loads(text).items():
                count += 1
                setting = SETTINGS.get(key)
                if setting is None:
                    wrong.append(f"{place}: {key}")
                elif key == "site":  # its folders are not here
                    known = {*OWN_KINDS, *SITE_KINDS}
                    wrong += [f"{place}: site.{one}" for table in value for one in table if one not in known]
                elif setting.kind.tables is not None:
                    setting.kind.tables(value, ROOT)  # raises what is wrong with a table
                else:
                    values = value if setting.kind.repeated and isinstance(value, list) else [value]
                    wrong += [f"{place}: {key}" for one in values if type(one) is not setting.kind.type]
        self.assertGreater(count, 10)
        self.assertEqual(wrong, [])

    def test_json_is_json(self) -> None:
        found = [json.loads(text) for _, text in blocks("json")]
        self.assertGreater(len(found), 0)

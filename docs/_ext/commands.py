"""The commands ``edgectl`` and ``loadgen``, from the parsers of their command lines."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from importlib import import_module

from docs._ext.markdown import code, prose, table
from edge.edgectl.main import make_parser
from loadgen.cli import COMMANDS
from loadgen.verdict.thresholds import MEASURES


def edgectl() -> str:
    """``edgectl`` and its subcommands."""
    parser = make_parser()
    own = f"{_usage(parser)}{arguments(parser)}"
    return own + "".join(_section(one, about) for one, about in leaves(parser))


def loadgen() -> str:
    """The subcommands of ``loadgen``, each of which has a parser of its own."""
    text = ""
    for name, (path, about) in COMMANDS.items():
        parser = argparse.ArgumentParser(prog=f"loadgen {name}")
        import_module(path).configure(parser)
        text += _section(parser, about)
    return text


def measures() -> str:
    """What a threshold of ``loadgen run`` may compare."""
    return table(("measure", "unit and meaning"), ((code(name), text) for name, text in MEASURES.items()))


def leaves(parser: argparse.ArgumentParser) -> Iterator[tuple[argparse.ArgumentParser, str]]:
    """The subcommands that have none themselves, each with its line of help."""
    for action in parser._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
        for name, below in action.choices.items():
            found = list(leaves(below))
            yield from found or [(below, helps.get(name, ""))]


def _section(parser: argparse.ArgumentParser, about: str) -> str:
    sentence = about[:1].upper() + about[1:]
    if sentence and sentence[-1] not in ".?":
        sentence += "."
    return f"## {parser.prog}\n\n{prose(sentence)}\n\n{_usage(parser)}{arguments(parser)}"


def _usage(parser: argparse.ArgumentParser) -> str:
    parser.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=80)
    return f"```text\n{parser.format_usage().strip()}\n```\n\n"


def arguments(parser: argparse.ArgumentParser) -> str:
    """What is given to it, one line each; ``--help`` is everywhere and told nowhere."""
    rows = []
    for action in parser._actions:
        hidden = action.help == argparse.SUPPRESS or isinstance(action, argparse._HelpAction)
        if hidden or isinstance(action, argparse._SubParsersAction):
            continue
        text = (action.help or "") % {"default": action.default, "prog": parser.prog} if action.help else ""
        rows.append((code(_name(action)), prose(text)))
    return table(("argument", "meaning"), rows) if rows else ""


def _name(action: argparse.Action) -> str:
    """As one writes it: options with what stands for their values."""
    value = action.metavar or (action.dest if not action.option_strings else action.dest.upper())
    if action.choices is not None and action.metavar is None:
        value = "|".join(map(str, action.choices))
    if isinstance(value, tuple):
        value = " ".join(value)
    if not action.option_strings:
        return str(value)
    names = ", ".join(action.option_strings)
    if action.nargs == 0:
        return names
    return f"{names} {' '.join([str(value)] * (action.nargs if isinstance(action.nargs, int) else 1))}"

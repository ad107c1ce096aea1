"""The options of each command that loads servers: which ones it may load, how, and by how many processes."""

from __future__ import annotations

import argparse

from loadgen import trust

_MOST_PROCESSES = 256


def configure(parser: argparse.ArgumentParser, sharing: str) -> None:
    """Add the options; *sharing*: of what each process has a part."""
    parser.add_argument(
        "--processes", type=int, metavar="N",
        help=f"that share {sharing} (default: as many as it takes, a core each at most)",
    )  # fmt: skip
    trust.configure(parser)
    parser.add_argument(
        "--wire", choices=("auto", "native", "python"), default="auto", help=argparse.SUPPRESS
    )
    parser.add_argument("--i-own-this-target", action="append", default=[], metavar="HOST",
                        help="allow a host that is not this machine")  # fmt: skip


def check(options: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """End with a usage error where the options make no sense."""
    if options.processes is not None and not 1 <= options.processes <= _MOST_PROCESSES:
        parser.error(f"--processes {options.processes}: give 1 to {_MOST_PROCESSES}")

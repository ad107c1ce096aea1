"""The command of the data: ``python -m demonstration.data backup FILE``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from demonstration.data.backup import backup
from demonstration.data.store import StoreError
from demonstration.settings import read_settings


def main(arguments: list[str] | None = None) -> int:
    """Carry out the command; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m demonstration.data",
        description="The data of the demonstration; where they are says DEMONSTRATION_DATA.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("backup", help="copy the data, whole and of one moment, while they are used")
    one.add_argument("file", type=Path, help="one that is there is replaced when the new one is whole")
    options = parser.parse_args(arguments)
    where = read_settings().data
    try:
        size = backup(where, options.file)
    except StoreError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.file}: {size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())

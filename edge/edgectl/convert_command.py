"""``edgectl convert``: a configuration of nginx, Caddy or Apache, as the TOML file of a node."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from edge.convert import LANGUAGES, convert


def add_commands(subparsers: Any) -> None:
    """Add ``convert`` to the commands of ``edgectl``."""
    command = subparsers.add_parser(
        "convert", help="print the TOML for an nginx.conf, a Caddyfile or an .htaccess; asks no node"
    )
    command.add_argument("file", metavar="FILE", help="the configuration; what it includes is read as well")
    command.add_argument(
        "--from",
        dest="language",
        choices=LANGUAGES,
        default="",
        help="its language (default: by its name; nginx, if that says nothing)",
    )


def run(options: argparse.Namespace) -> int:
    """Print the TOML, and on standard error each line that was not understood; 1 if there are some."""
    draft = convert(options.file, options.language)
    if options.json:
        remarks = [
            {"file": one.place.file, "line": one.place.line, "text": one.text, "why": one.why}
            for one in draft.remarks
        ]
        print(json.dumps({"toml": draft.toml(), "remarks": remarks}))
    else:
        sys.stdout.write(draft.toml())
        for remark in draft.remarks:
            print(remark, file=sys.stderr)
    return 1 if draft.remarks else 0

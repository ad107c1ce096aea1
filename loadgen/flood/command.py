"""The command line of ``loadgen flood``."""

from __future__ import annotations

import argparse
import json
import re
import socket

from rich.console import Console
from rich.table import Table

from loadgen.errors import LoadgenError
from loadgen.flood.figures import Figures
from loadgen.flood.loop import Load
from loadgen.flood.processes import flood
from loadgen.targets import Target, resolve

_LIMITS = {"connections": 10_000, "pipeline": 64, "duration": 3_600, "processes": 64}
_CONNECT_SECONDS = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    parser.add_argument("url", help="like http://localhost:8001/")
    parser.add_argument("-c", "--connections", type=int, default=64, help="connections held (default 64)")
    parser.add_argument(
        "-d", "--duration", type=float, default=10.0, metavar="S", help="seconds (default 10)"
    )
    parser.add_argument(
        "-p", "--pipeline", type=int, default=1, metavar="N", help="requests sent at once (default 1)"
    )
    parser.add_argument(
        "--processes", type=int, default=1, metavar="N", help="share the connections (default 1)"
    )
    parser.add_argument(
        "--validator", metavar="ETAG", help="send If-None-Match with this ETag, without quotes"
    )
    parser.add_argument(
        "--header", action="append", default=[], metavar="LINE", help="another header line; repeatable"
    )
    parser.add_argument("--wire", choices=("auto", "native", "python"), default="auto",
                        help="which build sends (default auto: native if there is one)")  # fmt: skip
    parser.add_argument("--i-own-this-target", action="append", default=[], metavar="HOST",
                        help="allow a host that is not this machine")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def main(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Exit codes: 0 done, 1 no connection, no answer or errors during the run, 130 Ctrl-C."""
    for name, most in _LIMITS.items():
        if not 0 < getattr(options, name) <= most:
            parser.error(f"--{name} {getattr(options, name):g}: give a number above 0 and up to {most:,}")
    if options.processes > options.connections:
        parser.error(f"--processes {options.processes}: there are only {options.connections} connections")
    for text in [*options.header, options.validator or "", options.url]:
        if any(ord(character) < 32 or ord(character) > 255 for character in text):
            parser.error(f"{text!r}: control characters cannot be sent in a request")
    for line in options.header:
        if not re.match(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:", line):
            parser.error(f"--header {line!r}: give a line like 'Accept: text/html'")
    target = resolve(options.url, tuple(options.i_own_this_target))
    _probe(options.url, target)
    load = Load(
        *target.address,
        _request(target.host, target.path, options.validator, options.header),
        options.connections,
        options.pipeline,
    )
    figures = flood(options.wire, load, options.duration, options.processes)
    if not figures.requests and not figures.errors and not figures.interrupted:
        raise LoadgenError(f"{options.url}: no answer within {options.duration:g} s; is the node stopped?")
    _print(options.url, figures, options.json)
    return 130 if figures.interrupted else 1 if figures.errors else 0


def _probe(url: str, target: Target) -> None:
    """Whether somebody listens there at all: said at once, and with the kernel's reason."""
    try:
        with socket.socket(target.family) as probe:
            probe.settimeout(_CONNECT_SECONDS)
            probe.connect(target.address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise LoadgenError(f"{url}: no connection: {reason}; is the node running?") from None


def _request(host: str, path: str, validator: str | None, lines: list[str]) -> bytes:
    fields = [f"Host: {host}", *([f'If-None-Match: "{validator}"'] if validator else []), *lines]
    text = "".join([f"GET {path} HTTP/1.1\r\n", *(f"{line}\r\n" for line in fields), "\r\n"])
    return text.encode("latin-1")


def _print(url: str, figures: Figures, as_json: bool) -> None:
    summary = figures.summary()
    if as_json:
        print(json.dumps(summary))
        return
    table = Table(title=f"loadgen flood {url}", show_header=False)
    for name, value in summary.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key}: {count:,}" for key, count in value.items()) or "none"
        table.add_row(name.replace("_", " "), f"{value:,}" if isinstance(value, (int, float)) else str(value))
    Console().print(table)

"""The command ``loadgen``."""

from __future__ import annotations

import argparse
import json
import sys

from rich.console import Console
from rich.table import Table

from loadgen.flood import Flood, flood
from loadgen.targets import TargetError, resolve

_LIMITS = {"connections": 10_000, "pipeline": 64, "duration": 3_600}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loadgen", description="Puts load on your own node, and says what came back."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    one = commands.add_parser("flood", help="the same request in a closed loop over keep-alive connections")
    one.add_argument("url", help="like http://localhost:8001/")
    one.add_argument("-c", "--connections", type=int, default=64, help="connections held (default 64)")
    one.add_argument("-d", "--duration", type=float, default=10.0, metavar="S", help="seconds (default 10)")
    one.add_argument(
        "-p", "--pipeline", type=int, default=1, metavar="N", help="requests sent at once (default 1)"
    )
    one.add_argument("--validator", metavar="ETAG", help="send If-None-Match with this ETag (without quotes)")
    one.add_argument(
        "--header", action="append", default=[], metavar="LINE", help="another header line; repeatable"
    )
    one.add_argument("--i-own-this-target", action="append", default=[], metavar="HOST",
                     help="allow a host that is not this machine")  # fmt: skip
    one.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _request(host: str, path: str, validator: str | None, lines: list[str]) -> bytes:
    fields = [f"Host: {host}", *([f'If-None-Match: "{validator}"'] if validator else []), *lines]
    return "".join([f"GET {path} HTTP/1.1\r\n", *(f"{line}\r\n" for line in fields), "\r\n"]).encode(
        "latin-1"
    )


def _summary(result: Flood) -> dict[str, object]:
    seconds = result.seconds or 1.0
    return {
        "requests": result.requests,
        "seconds": round(result.seconds, 3),
        "requests_per_second": round(result.requests / seconds, 1),
        "statuses": {str(status): count for status, count in sorted(result.statuses.items())},
        "bytes_in": result.bytes_in,
        "bytes_out": result.bytes_out,
        "batch_latency_ms": {
            f"p{share:g}": round(result.percentile(share / 100) * 1e3, 3) for share in (50, 99, 99.9)
        },
        "errors": dict(result.errors),
    }


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 done, 1 no connection or errors during the run, 2 wrong usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for name, most in _LIMITS.items():
        if not 0 < getattr(options, name) <= most:
            parser.error(f"--{name} {getattr(options, name):g}: give a number above 0 and up to {most:,}")
    for line in [*options.header, options.validator or "", options.url]:
        if any(ord(character) < 32 or ord(character) > 255 for character in line):
            parser.error(f"{line!r}: control characters cannot be sent in a request")
    try:
        target = resolve(options.url, tuple(options.i_own_this_target))
    except TargetError as error:
        parser.error(str(error))
    request = _request(target.host, target.path, options.validator, options.header)
    try:
        result = flood(target, request, options.connections, options.duration, options.pipeline)
    except OSError as error:
        print(
            f"loadgen: {options.url}: no connection: {error.strerror or error}; is the node running?",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("loadgen: interrupted", file=sys.stderr)
        return 130
    summary = _summary(result)
    if options.json:
        print(json.dumps(summary))
    else:
        table = Table(title=f"loadgen flood {options.url}", show_header=False)
        for name, value in summary.items():
            table.add_row(
                name.replace("_", " "), f"{value:,}" if isinstance(value, (int, float)) else str(value)
            )
        Console().print(table)
    return 1 if result.errors or not result.requests else 0


if __name__ == "__main__":
    sys.exit(main())

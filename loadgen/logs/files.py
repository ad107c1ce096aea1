"""Log files, compressed ones and standard input among them, as pieces of bytes."""

from __future__ import annotations

import argparse
import contextlib
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from loadgen.errors import UsageError
from loadgen.logs.account import Account
from loadgen.logs.entries import LineError, parse
from loadgen.logs.lines import Lines

STANDARD_INPUT = "-"
_PIECE = 256 * 1024
#: What one piece of a compressed file may become at once.
_UNPACKED = 1 << 16
_GZIP = b"\x1f\x8b"
_OTHERS = {b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"BZh": "bzip2"}
#: Bytes of a file that are looked through for a first time.
_LOOK = 1 << 20


def configure(parser: argparse.ArgumentParser) -> None:
    """The argument of each command that reads logs."""
    parser.add_argument(
        "logs", nargs="+", metavar="LOG",
        help="access logs: common, combined or JSON, gzip too; - is standard input",
    )  # fmt: skip


def pieces(path: str, account: Account) -> Iterator[bytes]:
    """The bytes of the file *path*, unpacked; :exc:`UsageError` if it cannot be read."""
    try:
        with _opened(path) as file:
            first = file.read(_PIECE)
            for magic, program in _OTHERS.items():
                if first.startswith(magic):
                    raise UsageError(
                        f"{path}: it is packed by {program}; {program} -dc {path} | loadgen ... -"
                    )
            packed = first.startswith(_GZIP)
            yield from _unpacked(file, first, path, account) if packed else _plain(file, first)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; name an access log, or - for standard input") from None


def in_order(paths: Sequence[str]) -> list[str]:
    """*paths* by the time of their first line: shells name rotated logs newest first."""
    if STANDARD_INPUT in paths:
        if len(paths) > 1:
            raise UsageError("-: standard input is a log by itself; name files, or it alone")
        return list(paths)
    return sorted(paths, key=_first_time) if len(paths) > 1 else list(paths)


def _first_time(path: str) -> float:
    lines, read = Lines(), 0
    for piece in pieces(path, Account()):
        for _, line in lines.receive(piece):
            with contextlib.suppress(LineError):
                return parse(line or b"").at
        read += len(piece)
        if read > _LOOK:
            break
    for _, line in lines.end():
        with contextlib.suppress(LineError):
            return parse(line or b"").at
    return 0.0


@contextlib.contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if path == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    with Path(path).open("rb", buffering=0) as file:
        yield file


def _plain(file: BinaryIO, first: bytes) -> Iterator[bytes]:
    piece = first
    while piece:
        yield piece
        piece = file.read(_PIECE)


def _unpacked(file: BinaryIO, first: bytes, path: str, account: Account) -> Iterator[bytes]:
    """The content of one gzip member or several (RFC 1952); what was read before damage stays."""
    member, is_begun = zlib.decompressobj(wbits=31), False
    try:
        for piece in _plain(file, first):
            rest = piece
            while rest:
                is_begun = True
                unpacked = member.decompress(rest, _UNPACKED)
                if unpacked:
                    yield unpacked
                rest = member.unconsumed_tail
                if member.eof:
                    # Between members, and behind the last one, there may be zeros.
                    rest = member.unused_data.lstrip(b"\0")
                    member, is_begun = zlib.decompressobj(wbits=31), False
    except zlib.error as error:
        account.note(f"{path}: its compressed data is damaged ({error}); what stands before it is used")
        return
    if is_begun:
        account.note(f"{path}: its compressed data ends in the middle; what stands before it is used")

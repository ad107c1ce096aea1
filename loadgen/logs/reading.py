"""Logs as entries with the seconds since the first, in order; what is left out stands in the account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from loadgen.errors import UsageError
from loadgen.logs.account import Account
from loadgen.logs.entries import Entry, LineError, parse
from loadgen.logs.files import STANDARD_INPUT, in_order, pieces
from loadgen.logs.lines import MOST_BYTES, Lines
from loadgen.logs.timeline import Timeline


def read(paths: Sequence[str], account: Account) -> Iterator[tuple[float, Entry]]:
    """The entries of the files *paths*; :exc:`UsageError` when there is none at all."""
    timeline = Timeline(account)
    for path in in_order(paths):
        name = "line " if path == STANDARD_INPUT or len(paths) == 1 else f"{PurePath(path).name}, line "
        for number, line in _lines(path, account):
            account.lines += 1
            place = f"{name}{number:,}"
            if line is None:
                account.skip(f"it is longer than {MOST_BYTES:,} bytes", place)
                continue
            try:
                entry = parse(line)
            except LineError as error:
                account.skip(str(error), place)
                continue
            account.entries += 1
            yield from timeline.add(entry, place)
    yield from timeline.end()
    if not account.entries:
        why = "; ".join(account.said()) or "it is empty"
        raise UsageError(f"{', '.join(paths)}: no line of an access log in it: {why}")


def _lines(path: str, account: Account) -> Iterator[tuple[int, bytes | None]]:
    lines = Lines()
    for piece in pieces(path, account):
        yield from lines.receive(piece)
    yield from lines.end()

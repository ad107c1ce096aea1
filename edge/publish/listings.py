"""Listings: pages that show what is in a folder which has no index file.

A listing is made of what stat says, whenever its folder is looked at, and published like a file: in codings,
with an ETag, confirmed before each use.  Its orders are pages of their own, and so are the parts of a folder
of more than :data:`PAGE` entries, so that each costs what a hit costs.  Their names begin with a dot, as no
published file's does:

=======================  ==============================================
``/pub/``                by name, the first part
``/pub/.name.2``         by name, the second part
``/pub/.newest``         the newest first; ``.newest.2``, ...
=======================  ==============================================

A folder of several parts has fewer orders: a page for each part of each of the six, again with every change,
is more than anybody asks for.  Above :data:`MOST` entries the rest is counted, not shown.

What may stand in a name is anybody's guess, so it is escaped: ``./`` before the address, or ``a:b`` would be
a scheme; ``bdi`` around the text, or a name could turn the line around.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from html import escape
from os import fsencode
from pathlib import Path
from typing import Any, NamedTuple

from edge.addresses import Glob, decoded
from edge.publish.walk import Listing, Place

#: Entries on one page: some 150 kB, which are 15 coded.
PAGE = 1000
#: Entries of a folder that are shown.
MOST = 100_000


class Entry(NamedTuple):
    """What one line shows."""

    #: Its canonical segment, with a slash behind it if it is a folder.
    segment: str
    #: Text.
    name: str
    #: Bytes, and when it was changed, in Unix seconds; None of a folder.
    size: int | None = None
    modified: int | None = None


class Order(NamedTuple):
    """An order of the lines."""

    name: str
    key: Callable[[Entry], Any]
    reverse: bool = False


def _by_name(entry: Entry) -> tuple[str, str]:
    return entry.name.casefold(), entry.name


#: Folders stand before files whatever the order; the first one has no name in addresses.  Below the first
#: three the same the other way round.
ORDERS = (
    Order("name", _by_name),
    Order("newest", lambda entry: -(entry.modified or 0)),
    Order("largest", lambda entry: -(entry.size or 0)),
    Order("name-down", _by_name, True),
    Order("oldest", lambda entry: entry.modified or 0),
    Order("smallest", lambda entry: entry.size or 0),
)


class _Counts(NamedTuple):
    """Entries of a folder that are shown, and that are not."""

    shown: int
    left: int


class Page(NamedTuple):
    """One page of a listing."""

    #: Behind the path of its folder; "" is the folder itself.
    name: str
    body: bytes


class Listings:
    """Which folders are listed."""

    def __init__(self, globs: Sequence[str]) -> None:
        """*globs*: over their paths; a slash at the end may be left out."""
        self._globs = [Glob(glob) for glob in globs]

    def has(self, prefix: bytes) -> bool:
        """Whether the folder whose paths begin with *prefix* is listed, if it has no index file."""
        path = decoded(prefix)
        names = (path, path[:-1]) if len(path) > 1 else (path,)
        return any(glob.matches(name) for glob in self._globs for name in names)


def entries_of(listing: Listing, hidden: frozenset[str]) -> list[Entry]:
    """The entries of a directory but those files named in *hidden*."""
    folders = [
        Entry(_last(place.prefix[:-1]) + "/", _shown(place.name.rpartition("/")[2]))
        for place in listing.places
    ]
    files = [
        Entry(_last(file.path), _shown(name), file.signature[2], file.signature[3] // 1_000_000_000)
        for name, file in listing.files.items()
        if name not in hidden
    ]
    return folders + files


def pages_of(place: Place, entries: Sequence[Entry]) -> Iterator[Page]:
    """The pages that list *entries* as those of the folder at *place*."""
    title = decoded(place.prefix)
    shown = sorted(entries, key=_by_name)[:MOST]
    counts = _Counts(len(shown), len(entries) - len(shown))
    parts = max(-(-len(shown) // PAGE), 1)
    for order in _orders(parts):
        lines = sorted(shown, key=order.key, reverse=order.reverse)
        lines.sort(key=_is_file)
        for part in range(parts):
            these = lines[part * PAGE : (part + 1) * PAGE]
            yield Page(_name_of(order, part), _page(title, these, order, part, parts, counts))


def modified_of(listing: Listing, now: float) -> int:
    """Last-Modified of a listing, Unix seconds: when something was added, removed or changed last."""
    times = [listing.modified, *[file.signature[3] for file in listing.files.values()]]
    return min(max(times) // 1_000_000_000, int(now))


def _orders(parts: int) -> Sequence[Order]:
    return ORDERS if parts == 1 else ORDERS[:3]


def _is_file(entry: Entry) -> bool:
    return entry.size is not None


def _last(path: bytes) -> str:
    return path[path.rfind(b"/") + 1 :].decode("ascii")


def _shown(name: str) -> str:
    """*name* without what has no shape, and without bytes that are no text."""
    text = fsencode(name).decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _name_of(order: Order, part: int) -> str:
    if part:
        return f".{order.name}.{part + 1}"
    return "" if order is ORDERS[0] else f".{order.name}"


# ---- the page ----

_STYLE = (Path(__file__).parent / "listing.css").read_text(encoding="utf-8")
_HEAD = (
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width">\n'
)
#: Of the columns: what it is called, its order, and the same the other way round.
_COLUMNS = (("Name", 0, 3, "ascending"), ("Size", 2, 5, "descending"), ("Changed (UTC)", 1, 4, "descending"))


def _page(title: str, lines: Sequence[Entry], order: Order, part: int, parts: int, counts: _Counts) -> bytes:
    text = escape(_shown(title))
    orders = _orders(parts)
    out = [
        _HEAD,
        f"<title>{text}</title>\n<style>\n{_STYLE}</style>\n<h1><bdi>{text}</bdi></h1>\n",
        "<table>\n<thead><tr>",
        *[_column(column, order, orders) for column in _COLUMNS],
        "</tr></thead>\n<tbody>\n",
    ]
    if title != "/" and not part:
        out.append('<tr><td><a href="../" rel="up">../</a></td><td></td><td></td></tr>\n')
    out += map(_line, lines)
    out.append("</tbody>\n</table>\n")
    if not counts.shown:
        out.append("<p>This folder is empty.</p>\n")
    if parts > 1:
        out.append(_parts(order, part, parts))
    if counts.left:
        out.append(f"<p>{counts.shown:,} entries are shown; there are {counts.left:,} more.</p>\n")
    return "".join(out).encode("utf-8", "replace")


def _column(column: tuple[str, int, int, str], order: Order, orders: Sequence[Order]) -> str:
    called, first, second, direction = column
    ways = [ORDERS[one] for one in (first, second)]
    is_sorted = order in ways
    other = ways[1] if order is ways[0] and ways[1] in orders else ways[0]
    if is_sorted and order is ways[1]:
        direction = "ascending" if direction == "descending" else "descending"
    mark = {"ascending": " ▲", "descending": " ▼"}[direction] if is_sorted else ""
    sort = f' aria-sort="{direction}"' if is_sorted else ""
    return f'<th scope="col"{sort}><a href="./{_name_of(other, 0)}">{called}</a>{mark}</th>'


def _line(entry: Entry) -> str:
    slash = "" if _is_file(entry) else "/"
    link = f'<tr><td><a href="./{escape(entry.segment)}"><bdi>{escape(entry.name)}</bdi>{slash}</a></td>'
    if entry.size is None or entry.modified is None:
        return link + "<td></td><td></td></tr>\n"
    date, time = _date(entry.modified)
    when = f'<time datetime="{date}T{time}Z">{date} <span>{time}</span></time>'
    return f'{link}<td title="{entry.size} bytes">{_size(entry.size)}</td><td>{when}</td></tr>\n'


def _parts(order: Order, part: int, parts: int) -> str:
    near = [one for one in range(parts) if one in (0, parts - 1) or abs(one - part) < 3]
    out, before = [], -1
    for one in near:
        if one > before + 1:
            out.append("…")
        before = one
        out.append(
            f"<b>{one + 1}</b>" if one == part else f'<a href="./{_name_of(order, one)}">{one + 1}</a>'
        )
    return f'<nav aria-label="Parts">{" ".join(out)}</nav>\n'


_UNITS = ("kB", "MB", "GB", "TB", "PB")


def _size(size: int) -> str:
    if size < 1000:
        return f"{size} B"
    power = min((len(str(size)) - 1) // 3, len(_UNITS))
    value = size / 1000**power
    return f"{value:.{value < 10:d}f} {_UNITS[power - 1]}"


def _date(seconds: int) -> tuple[str, str]:
    """Date and time, UTC; times that the calendar does not have are its begin or end."""
    moment = datetime.fromtimestamp(min(max(seconds, 0), 253_402_300_799), timezone.utc)
    return moment.strftime("%Y-%m-%d"), moment.strftime("%H:%M")

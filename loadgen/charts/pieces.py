"""Pieces of a page that are no charts: tables, key figures, a verdict, headings."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Literal, NamedTuple

from loadgen.charts.numbers import plain

#: How a verdict looks: green, amber, red.
Tone = Literal["good", "warn", "bad"]
_SIGNS: dict[Tone, str] = {"good": "✓", "warn": "!", "bad": "✕"}


class Card(NamedTuple):
    """A key figure: what it is, its value in words, and what it means or where it is from."""

    name: str
    value: str
    note: str = ""


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; columns of numbers stand on the right.  Without headings it has no head."""
    numeric = [
        bool(rows) and all(_is_number(row[column]) for row in rows if column < len(row))
        for column in range(max(map(len, [headings, *rows])))
    ]

    def cells(kind: str, row: Sequence[object]) -> str:
        made = []
        for column, cell in enumerate(row):
            right = ' class="number"' if column < len(numeric) and numeric[column] else ""
            made.append(f"<{kind}{right}>{escape(plain(cell))}</{kind}>")
        return f"<tr>{''.join(made)}</tr>"

    head = f"<thead>{cells('th', headings)}</thead>" if headings else ""
    body = "\n".join(cells("td", row) for row in rows)
    return f'<div class="table"><table>{head}<tbody>{body}</tbody></table></div>\n'


def cards(figures: Sequence[Card]) -> str:
    """Key figures side by side."""
    made = "".join(
        f'<div class="card"><dt>{escape(one.name)}</dt><dd><b>{escape(one.value)}</b>'
        + (f"<small>{escape(one.note)}</small>" if one.note else "")
        + "</dd></div>"
        for one in figures
    )
    return f'<dl class="cards">{made}</dl>\n'


def banner(tone: Tone, words: str, lead: str = "", items: Sequence[tuple[Tone, str]] = ()) -> str:
    """A verdict: *words* that can be read from afar, a line about what they are of, and what they rest on."""
    listed = "".join(f'<li class="{of}">{_sign(of)}{escape(text)}</li>' for of, text in items)
    return (
        f'<section class="banner {tone}"><p class="verdict">{_sign(tone)}{escape(words)}</p>'
        + (f"<p>{escape(lead)}</p>" if lead else "")
        + (f"<ul>{listed}</ul>" if listed else "")
        + "</section>\n"
    )


def heading(text: str, note: str = "") -> str:
    """A heading above what belongs together."""
    return f"<div><h2>{escape(text)}</h2>{f'<p>{escape(note)}</p>' if note else ''}</div>\n"


def panel(*parts: tuple[str, str]) -> str:
    """A panel narrow enough to stand beside a chart: titles, each with its content such as a small table."""
    content = "".join(f"<h3>{escape(title)}</h3>{html}" for title, html in parts)
    return f'<section class="panel">{content}</section>\n'


def _sign(tone: Tone) -> str:
    """The sign of a *tone*: colour alone would not say it to everybody."""
    return f'<span class="sign" aria-hidden="true">{_SIGNS[tone]}</span>'


def _is_number(cell: object) -> bool:
    return isinstance(cell, (int, float)) and not isinstance(cell, bool)

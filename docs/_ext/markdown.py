"""Pieces of Markdown that the generators put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def cell(text: str) -> str:
    """*text* as it may stand in a table's cell."""
    return text.replace("|", "\\|").replace("\n", " ")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, an empty line after it."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell(text) for text in line)} |\n" for line in lines) + "\n"


def code(text: str) -> str:
    """*text* as code; "" for nothing."""
    return f"`{text}`" if text else ""


def prose(text: str) -> str:
    """Help text: what Markdown or reStructuredText would take for markup stands as it is."""
    for sign in ("*", "<", "_"):
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\\_\\_", "__")

"""Statements: what configurations of other servers are read into, whatever their language."""

from __future__ import annotations

import re
from typing import NamedTuple

from edge.errors import EdgeError

#: Characters: what is looked into by patterns is bounded.
LONGEST_ARGUMENT = 4096
TOO_LONG = f"an argument has at most {LONGEST_ARGUMENT} characters"


class Unreadable(EdgeError):
    """A file that is not what it should be; the message names file, line and reason."""


class Place(NamedTuple):
    """Where a statement stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def shown(text: str) -> str:
    """*text* on one line, without what a terminal would obey."""
    return "".join(character if character.isprintable() else "?" for character in text)


def number(text: str) -> int | None:
    """The number that *text* is, of at most nine digits; None: it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def directives(text: str) -> str:
    """The value of a field like Strict-Transport-Security, with one space behind each semicolon."""
    return "; ".join(part.strip() for part in text.split(";") if part.strip())


class Statement(NamedTuple):
    """A name, its arguments, and what stands in its block."""

    name: str
    args: tuple[str, ...]
    place: Place
    #: None: it has no block.
    block: tuple[Statement, ...] | None = None

    @property
    def is_too_long(self) -> bool:
        """Whether an argument is longer than any that is meant."""
        return any(len(arg) > LONGEST_ARGUMENT for arg in self.args)

    @property
    def text(self) -> str:
        """It, on one line, shortened, and without what a terminal would obey."""
        text = " ".join(part[:200] for part in (self.name, *self.args[:20])) + (
            " { ... }" if self.block is not None else ""
        )
        text = shown(text)
        return text if len(text) <= 120 else text[:117] + "..."

"""Statements: what configurations of other servers are read into, whatever their language."""

from __future__ import annotations

from typing import NamedTuple

from edge.errors import EdgeError


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


class Statement(NamedTuple):
    """A name, its arguments, and what stands in its block."""

    name: str
    args: tuple[str, ...]
    place: Place
    #: None: it has no block.
    block: tuple[Statement, ...] | None = None

    @property
    def text(self) -> str:
        """It, on one line, shortened, and without what a terminal would obey."""
        text = " ".join((self.name, *self.args)) + (" { ... }" if self.block is not None else "")
        text = shown(text)
        return text if len(text) <= 120 else text[:117] + "..."

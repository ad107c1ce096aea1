"""What the benchmarks print: rows of one table, and what each of them is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One line of the printed table."""

    work: str
    ours: str
    reference: str
    result: str
    goal: str
    reached: bool


@dataclass(frozen=True)
class Place:
    """Where a benchmark works."""

    #: For itself alone; exists.
    directory: Path
    #: The files that servers serve, see :func:`benchmarks.client.site`.
    webroot: Path
    #: For a look, not for figures.
    quick: bool

    def either(self, quick: float, whole: float) -> float:
        """One of them."""
        return quick if self.quick else whole

    def some(self, quick: int, whole: int) -> int:
        """One of them."""
        return quick if self.quick else whole

    @property
    def seconds(self) -> float:
        """Seconds for which a client runs in each round."""
        return self.either(1.0, 4.0)

    @property
    def rounds(self) -> int:
        """How many rounds are interleaved when two servers are compared."""
        return self.some(1, 3)

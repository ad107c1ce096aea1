"""Requests and bytes by site, in each worker's memory behind its block.

A row is written by its worker alone; readers sum over workers.  There is a row for each site that is
configured, and one for hosts of nobody: how many there are does not depend on what strangers ask for.
"""

from __future__ import annotations

from typing import NamedTuple

from edge.table.layout import SITE_ROW_BYTES
from edge.table.segment import Segment

_CELLS = SITE_ROW_BYTES // 8
_CLASSES, _SENT = 5, 5
_MASK = 2**64 - 1


class SiteAnswers(NamedTuple):
    """What was answered at one site."""

    #: Answers by class of status: 1xx to 5xx.
    by_class: tuple[int, ...] = (0,) * _CLASSES
    #: Bytes of their bodies.
    sent: int = 0


class SiteCounts:
    """The rows of one worker."""

    def __init__(self, segment: Segment, worker_index: int) -> None:
        block = segment.block(worker_index)
        self._cells = memoryview(block.memory)[block.site_rows_offset :].cast("Q")
        self._sites = segment.counted_sites

    def add(self, site: int | None, status: int, sent: int) -> None:
        """Count an answer at *site* (None: nobody's), with so many bytes of a body."""
        row = self._sites if site is None else site
        if not self._sites or row > self._sites:
            return
        at = row * _CELLS
        kind = at + min(max(status // 100, 1), _CLASSES) - 1
        self._cells[kind] = (self._cells[kind] + 1) & _MASK
        self._cells[at + _SENT] = (self._cells[at + _SENT] + sent) & _MASK

    def read(self) -> list[SiteAnswers]:
        """By number of the site, and last what was nobody's; []: they are not counted apart."""
        count = self._sites + 1 if self._sites else 0
        rows = [self._cells[row * _CELLS : (row + 1) * _CELLS].tolist() for row in range(count)]
        return [SiteAnswers(tuple(row[:_CLASSES]), row[_SENT]) for row in rows]


def total(segment: Segment) -> list[SiteAnswers]:
    """What all workers have answered, as :meth:`SiteCounts.read` of one."""
    workers = [SiteCounts(segment, index).read() for index in range(segment.worker_count)]
    return [
        SiteAnswers(
            tuple(map(sum, zip(*(one.by_class for one in rows), strict=True))), sum(one.sent for one in rows)
        )
        for rows in zip(*workers, strict=True)
    ]

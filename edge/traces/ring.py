"""The ring in shared memory that one worker writes its spans into, and the exporter reads.

It is :mod:`edge.logs.ring` with other records (:mod:`.span`), and four more words, which are the reader's::

     144  u64 spans taken out of the ring         160  u64 spans that were lost after that
     152  u64 spans that the collector has        168  u64 1 = what was sent last, it did not take

They lie in the ring, so that they outlive an exporter that is killed: what it had taken, and neither given on
nor counted as lost, is lost (:meth:`SpanRing.take_over`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.logs.ring import MASK, Ring
from edge.traces.span import MOST, Span, pack, unpack

if TYPE_CHECKING:
    import mmap

_TAKEN, _EXPORTED, _LOST, _FAILING = 18, 19, 20, 21  # in words of 8 bytes
#: Bytes of the least record.
_LEAST = 16


class SpanRing(Ring):
    """A ring of spans in *memory*, as :func:`edge.logs.ring.make_ring` made it; either end."""

    def __init__(self, memory: mmap.mmap) -> None:
        super().__init__(memory, _LEAST, MOST)

    def write_span(self, span: Span) -> None:
        """Write *span*, or count it as dropped."""
        self.put(pack(span))

    def read_span(self) -> Span | None:
        """The next span; None: there is none.  What is none is skipped."""
        while (packed := self.read()) is not None:
            self._count(_TAKEN, 1)
            span = unpack(packed)
            if span is not None:
                return span
            self.damaged += 1
            self.lose(1)
        return None

    def take_over(self) -> None:
        """Another reader has gone: what it had in hand is lost."""
        words = self._words
        self.lose(max(0, words[_TAKEN] - words[_EXPORTED] - words[_LOST]))

    def give(self, count: int) -> None:
        """The collector has *count* more."""
        self._count(_EXPORTED, count)

    def lose(self, count: int) -> None:
        """There are *count* that the collector will never have."""
        self._count(_LOST, count)

    def _count(self, word: int, count: int) -> None:
        """Add to a word in which its writer may have put anything."""
        self._words[word] = (self._words[word] + count) & MASK

    @property
    def exported(self) -> int:
        """Spans that the collector has."""
        return self._words[_EXPORTED]

    @property
    def lost(self) -> int:
        """Spans that the collector did not take."""
        return self._words[_LOST]

    @property
    def is_failing(self) -> bool:
        """Whether what was sent last, the collector did not take."""
        return bool(self._words[_FAILING])

    @is_failing.setter
    def is_failing(self, failing: bool) -> None:
        self._words[_FAILING] = failing

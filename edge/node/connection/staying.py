"""Whether a connection stays on the Twisted side for its next request, instead of returning to the fast path.

The way there and back costs a fifth of a request that an application answers.  Who asks applications for one
thing after another saves it by staying for a moment; who then asks for a file does not get it from the fast
path, or keeps a few kilobytes for nothing.  Which of the two visitors do is different for each site, so it is
learned: each stay has paid or not.
"""

from __future__ import annotations

#: For how long a connection stays: the requests of one page come closer together.
STAY_SECONDS = 1.0
#: The share of stays that has to pay, of about the latest so many.
WORTH, LATEST = 0.3, 32


class Staying:
    """What is known of all connections of a process."""

    __slots__ = ("_rate", "_skipped")

    def __init__(self) -> None:
        self._rate = 1.0
        self._skipped = 0

    def worth_it(self) -> bool:
        """Whether the next connection should stay; one in :data:`LATEST` does anyway, to learn."""
        if self._rate >= WORTH:
            return True
        self._skipped += 1
        return self._skipped % LATEST == 0

    def stayed(self, paid: bool) -> None:
        """A connection stayed, and the next request was for an application (*paid*), for a file, or none."""
        self._rate += (paid - self._rate) / LATEST

"""The replay window: a sliding bitmap against replayed datagrams, as in RFC 4303 section 3.4.3 (IPsec ESP).

Numbers of one sender only grow.  A number above the window moves it; one within it is taken once; one
below it is refused, since it cannot be known whether it has been there.
"""

from __future__ import annotations

#: Numbers remembered: at 10,000 datagrams a second, what a network may hold back for 100 ms.
WINDOW = 1024
_MASK = (1 << WINDOW) - 1


class ReplayWindow:
    """Which numbers of one sender have been there."""

    __slots__ = ("_highest", "_seen")

    def __init__(self) -> None:
        self._highest = -1
        self._seen = 0  # bit i: highest - i has been there

    def is_new(self, number: int) -> bool:
        """Whether *number* may be taken; changes nothing."""
        back = self._highest - number
        return back < 0 or (back < WINDOW and not self._seen >> back & 1)

    def note(self, number: int) -> None:
        """*number* has been there; only for datagrams that are authentic."""
        ahead = number - self._highest
        if ahead > 0:
            self._seen = (self._seen << min(ahead, WINDOW) | 1) & _MASK
            self._highest = number
        elif -ahead < WINDOW:
            self._seen |= 1 << -ahead

"""How far the clocks of other nodes are from this one's: bounds that no delay can make wrong.

A node writes its date into each acknowledgement of a probe.  The probe was sent before that and the
acknowledgement came after it, so the other date must lie between the two dates here; by as much as it lies
outside, at least, the two clocks differ.  What waited in a queue, or a process that was stopped, only widens
the bounds.  Two probes in a row have to say the same: a date may be set between them.

What a wrong date does to the order of changes is told in :mod:`edge.gossip.clock`: nothing lasting.  It is
told of because certificates, logs and caches go by it, and because a clock that nobody sets gets worse.
"""

from __future__ import annotations

#: Milliseconds of difference that are told: a hundred times what NTP leaves.
LIMIT_MS = 5000


class ClockDifferences:
    """The differences between the clock of this node and those of others."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._known: dict[str, int] = {}

    def note(self, name: str, theirs_ms: int, elapsed_ms: int, now_ms: int) -> None:
        """*name* had the date *theirs_ms* at some time within the last *elapsed_ms*, and it is *now_ms*."""
        found = max(theirs_ms - now_ms, 0) or min(theirs_ms - (now_ms - elapsed_ms), 0)
        before = self._last.get(name, 0)
        self._last[name] = found
        agreed = min(abs(before), abs(found)) if before * found > 0 else 0
        self._known[name] = agreed if found > 0 else -agreed

    def forget(self, name: str) -> None:
        """*name* is not there any more."""
        self._last.pop(name, None)
        self._known.pop(name, None)

    def of(self, name: str) -> int | None:
        """Milliseconds by which *name* is ahead at least, below 0: behind; None: it is not known."""
        return self._known.get(name)

    def wrong(self) -> dict[str, int]:
        """The nodes whose clocks differ by :data:`LIMIT_MS` or more."""
        return {name: found for name, found in self._known.items() if abs(found) >= LIMIT_MS}


def told(name: str, difference_ms: int) -> str:
    """The difference to *name* as a sentence, with the remedy."""
    seconds = abs(difference_ms) / 1000
    amount = f"{seconds:,.0f} s" if seconds < 3600 else f"{seconds / 3600:,.1f} h"
    where = "ahead of" if difference_ms > 0 else "behind"
    return f"the clock of {name} is {amount} {where} this node's: have NTP set both (see timedatectl)"

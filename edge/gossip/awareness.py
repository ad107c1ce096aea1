"""Local health awareness (Lifeguard, section 4.1): a node that is overloaded blames itself first.

A score from 0 (well) to :data:`WORST`.  It rises when an own probe fails, when somebody who was asked for
an indirect probe does not even say that it is there, when the node has to refute a suspicion, and when its
reactor comes late; it falls with each answered probe.  Probe timeouts and periods are multiplied by
(score + 1): a node that cannot keep up waits longer before it accuses others.
"""

from __future__ import annotations

WORST = 8
#: Reactor lag that counts against oneself, milliseconds: the lowest probe timeout.
LAG_MS = 50.0


class Awareness:
    """The local health multiplier of this node; *on* False: always 0, as in plain SWIM."""

    def __init__(self, on: bool = True) -> None:
        self.score = 0
        self._on = on

    def note(self, change: int) -> None:
        """Worse (above 0) or better (below)."""
        if self._on:
            self.score = min(WORST, max(0, self.score + change))

    @property
    def factor(self) -> int:
        """What timeouts are multiplied by."""
        return self.score + 1

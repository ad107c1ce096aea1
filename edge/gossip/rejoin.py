"""The rejoin probe: a node that was declared dead shows that its link works before it refutes.

A node with a bad link (80 % loss, or one direction only) is declared dead, hears of it now and then,
refutes, is declared dead again: the cluster's view would flap for as long as the link is bad.  Therefore a
node that was declared *dead* (not merely suspected) refutes only after a rejoin probe: :data:`PINGS` pings,
:data:`GAP` seconds apart, to up to :data:`WITNESSES` others, of which one must have answered
:data:`NEEDED`.  With a loss of 80 % each way that has a probability of 1e-5, with 10 % of 0.76 (and the
probe is repeated).
"""

from __future__ import annotations

PINGS, NEEDED = 5, 4
GAP = 0.1
WITNESSES = 3
#: Seconds for the last answer, and between two probes.
PATIENCE = 0.4
PAUSE = 1.0


class RejoinProbe:
    """Pings of the *witnesses*, begun at the time *at*, and how many were answered."""

    def __init__(self, at: float, witnesses: list[str]) -> None:
        self.witnesses = witnesses
        self.next_at = at
        self._sent = 0
        self._answers = dict.fromkeys(witnesses, 0)

    def due(self, now: float) -> bool:
        """Whether the next pings are to be sent now; call until False."""
        if self._sent >= PINGS or now < self.next_at:
            return False
        self._sent += 1
        self.next_at += GAP if self._sent < PINGS else PATIENCE
        return True

    def is_over(self, now: float) -> bool:
        """Whether no more answers are waited for."""
        return self._sent >= PINGS and now >= self.next_at

    def answered(self, witness: str) -> None:
        """One ping was answered."""
        if witness in self._answers:
            self._answers[witness] += 1

    @property
    def passed(self) -> bool:
        """Whether this node is fit."""
        return any(count >= NEEDED for count in self._answers.values())

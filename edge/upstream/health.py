"""How one server or process does: taken out when it fails, tried again after a while, taken back.

Passive: every question that was asked is an outcome.  A failure is no answer (nobody there, garbage, closed
early, too late) or one that says so itself (502, 503, 504).  Active, where a path for that is configured: a
probe is an outcome like another, so a server that nobody asks is known to be back.

It is *taken out* after :data:`FAILURES` failures in a row, or when more than half of its latest outcomes,
about :data:`LATEST`, are failures; for a second at first, twice as long each time, a minute at most.  Then
it is *on trial*: one question at a time, until one is answered.  Whether it may be taken out at all is
decided where all are known: :mod:`edge.upstream.dispatch`.
"""

from __future__ import annotations

#: Failures in a row.
FAILURES = 3
#: Outcomes that the rate of failures looks back on, about; and before which it says nothing.
LATEST = 10
#: The rate of failures above which it is an outlier.
OUTLIER = 0.5
#: Seconds for which it is taken out the first time, and at most.
FIRST_REST, LONGEST_REST = 1.0, 60.0

#: Answers in which a server says that it cannot answer: RFC 9110 sections 15.6.3 to 15.6.5.
FAILURE_STATUSES = (502, 503, 504)


class Health:
    """The outcomes of one server or process."""

    __slots__ = ("_in_a_row", "_outcomes", "_until", "on_trial", "rate", "times_out")

    def __init__(self) -> None:
        self._in_a_row = 0
        self._outcomes = 0
        self._until = 0.0
        #: Share of failures among the latest outcomes, 0 to 1.
        self.rate = 0.0
        #: How often it was taken out since it last answered.
        self.times_out = 0
        #: It was taken out, and has not answered since.
        self.on_trial = False

    def is_out(self, now: float) -> bool:
        """Whether it is taken out at *now*."""
        return now < self._until

    @property
    def is_well(self) -> bool:
        """Whether its last outcome was an answer, or there was none."""
        return not self._in_a_row and not self.on_trial

    @property
    def fails(self) -> bool:
        """Whether its outcomes say that it should be taken out."""
        outlier = self._outcomes >= LATEST and self.rate > OUTLIER
        return self._in_a_row >= FAILURES or outlier or (self.on_trial and self._in_a_row > 0)

    def answered(self) -> None:
        """It has answered."""
        self._count(0.0)
        self._in_a_row = 0
        if self.on_trial:
            self.on_trial = False
            self.times_out = 0
            self.rate, self._outcomes = 0.0, 0
        self._until = 0.0

    def failed(self) -> None:
        """It has failed."""
        self._count(1.0)
        self._in_a_row += 1

    def take_out(self, now: float) -> float:
        """Take it out; until when."""
        self._until = now + min(LONGEST_REST, FIRST_REST * 2 ** min(self.times_out, 16))
        self.times_out += 1
        self.on_trial = True
        self._in_a_row = 0
        return self._until

    def _count(self, outcome: float) -> None:
        self._outcomes = min(self._outcomes + 1, LATEST)
        self.rate += (outcome - self.rate) / self._outcomes

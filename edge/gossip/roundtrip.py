"""Probe timeouts from smoothed round-trip times, as TCP's retransmission timeout (RFC 6298 section 2)."""

from __future__ import annotations

#: Seconds.  Below the lowest, a garbage collection of the other side would count as loss; above the
#: highest, the indirect probes would not fit into a period of 0.5 s.
LOWEST, HIGHEST = 0.05, 0.25
#: Before anything has been measured.
INITIAL = 0.2


class RoundTrip:
    """The smoothed round-trip time of one member, and its variation."""

    __slots__ = ("_variation", "smoothed")

    def __init__(self) -> None:
        #: Seconds; None before the first measurement.
        self.smoothed: float | None = None
        self._variation = 0.0

    def note(self, seconds: float) -> None:
        """One more was measured."""
        if self.smoothed is None:
            self.smoothed, self._variation = seconds, seconds / 2
        else:
            self._variation += (abs(self.smoothed - seconds) - self._variation) / 4
            self.smoothed += (seconds - self.smoothed) / 8

    @property
    def timeout(self) -> float:
        """Seconds to wait for an answer."""
        if self.smoothed is None:
            return INITIAL
        return min(HIGHEST, max(LOWEST, self.smoothed + 4 * self._variation))

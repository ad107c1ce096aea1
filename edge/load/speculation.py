"""Whether pages may be prefetched: only while the node has nothing better to do.

A browser that is told ``Speculation-Rules`` fetches pages that nobody may ever look at.  So pages carry the
field only while the utilization of the node has been below a threshold for :data:`CALM_SECONDS`; it goes at
once when the utilization is above the threshold by half, or nobody knows it.  In between all stays as it is,
so that the requests which the field causes do not switch it.
"""

from __future__ import annotations

#: Seconds below the threshold before pages carry the field.
CALM_SECONDS = 5.0
#: Times the threshold: from there on they do not.
_TOO_MUCH = 1.5


class Speculation:
    """The decision of one worker; *threshold*: utilization, 0..1."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._calm_since: float | None = None
        self.is_on = False

    def observe(self, now: float, utilization: float | None) -> bool:
        """The node's *utilization* at *now* (seconds), None: unknown; whether pages carry the field now."""
        if utilization is None or utilization >= self._threshold * _TOO_MUCH:
            self._calm_since, self.is_on = None, False
        elif utilization >= self._threshold:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = now
        elif now - self._calm_since >= CALM_SECONDS:
            self.is_on = True
        return self.is_on

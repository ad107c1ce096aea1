"""The retry budget of a user: retries and hedges may be a share of its requests, no more (``budget.js``).

Both multiply load, just when there is too much of it.  Hardly anybody ever spends something, so what is kept
is only who did: the tokens that were left, and how many requests had been made by then.
"""

from __future__ import annotations


class RetryBudgets:
    """Token buckets of all users for one purpose, filled by their requests."""

    def __init__(self, share: float, most: float, first: float) -> None:
        """*share* of the requests, saved up to *most*; *first*: at the beginning."""
        self._share, self._most, self._first = share, most, first
        self._left: dict[int, tuple[float, int]] = {}

    def __len__(self) -> int:
        """Users who are remembered: who has spent something."""
        return len(self._left)

    def spend(self, user: int, requests: int) -> bool:
        """Whether *user*, who has made *requests* requests so far, may have one more; it is spent then."""
        left, then = self._left.get(user, (self._first, 0))
        tokens = min(self._most, left + self._share * (requests - then))
        if tokens < 1 - 1e-9:  # sums of fifths
            return False
        self._left[user] = tokens - 1, requests
        return True


def retries() -> RetryBudgets:
    """The budget of retries: 20 % of the requests, 32 at first, 64 at most."""
    return RetryBudgets(0.2, 64, 32)


def hedges() -> RetryBudgets:
    """The budget of hedged requests: 5 % of the requests, 1 at first, 4 at most."""
    return RetryBudgets(0.05, 4, 1)

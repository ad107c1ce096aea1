"""Retries and hedges multiply load, so each user has a budget for them: a share of its requests
(``budget.js``).

Hardly anybody ever spends something, so what is kept is only who did: the tokens that were left, and how
many requests had been made by then.
"""

from __future__ import annotations


class RetryBudgets:
    """Of all users, for one purpose."""

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
        if tokens < 1:
            return False
        self._left[user] = tokens - 1, requests
        return True


def retries() -> RetryBudgets:
    """20 % of the requests."""
    return RetryBudgets(0.2, 64, 32)


def hedges() -> RetryBudgets:
    """5 % of the requests."""
    return RetryBudgets(0.05, 4, 1)

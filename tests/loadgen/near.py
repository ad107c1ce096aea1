"""Numbers that come from random ones: near what is expected, by no more than so much."""

from __future__ import annotations


def assert_near(value: float, expected: float, by: float, what: str = "") -> None:
    """*value* is within *by* of *expected*."""
    assert abs(value - expected) <= by, f"{what} {value} is not {expected} +/- {by}"

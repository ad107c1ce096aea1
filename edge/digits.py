"""Numbers as short text for URLs and header fields: digits of base 64, in the order of ASCII."""

from __future__ import annotations

#: In ascending order, of value and of ASCII; the same characters as base64url has.
DIGITS = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"


def digits(value: int, count: int) -> str:
    """The last *count* digits of *value*, the lowest first: for what has no order, like a digest."""
    return "".join(DIGITS[value >> 6 * place & 63] for place in range(count))

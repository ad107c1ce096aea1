"""What msgspec says of a value that does not fit, as a sentence that says what does."""

from __future__ import annotations

import re

_WORDS = {
    "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "array": "a list",
    "object": "a table", "null": "nothing", "bytes": "text", "datetime": "a time", "date": "a date",
}  # fmt: skip
_PARTS = {"str": "characters", "array": "things", "bytes": "bytes"}
_BOUNDS = {">=": "of {} or more", ">": "above {}", "<=": "of {} or less", "<": "below {}"}
_AT = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)
_KIND = re.compile(r"Expected `(.+?)`(?:, got `(\w+)`)?")
_BOUND = re.compile(r"Expected `(\w+)` (>=|>|<=|<) (\S+)")
_LENGTH = re.compile(r"Expected `(\w+)` of length (>=|<=|==)? ?(\d+)(?:, got (\d+))?")
_PATTERN = re.compile(r"Expected `str` matching regex (.+)")
_MISSING = re.compile(r"Object missing required field `(.+)`")
_NO_CHOICE = re.compile(r"Invalid enum value (.+)")


def place_and_problem(text: str) -> tuple[str, str]:
    """Where the value is ("": it is the whole), and what msgspec's *text* has to say of it."""
    match = _AT.fullmatch(text)
    what, place = (match[1], match[2]) if match else (text, "")
    return re.sub(r"\[\.\.\.\]", "", place), _sentence(what)


def sentence(text: str) -> str:
    """The same in one: ``session.think.mean_s: give a number above 0``."""
    place, problem = place_and_problem(text)
    return f"{place}: {problem}" if place else problem


def _sentence(text: str) -> str:
    if match := _MISSING.fullmatch(text):
        return f"{match[1]} is missing"
    if match := _NO_CHOICE.fullmatch(text):
        return f"there is no {match[1]}"
    if match := _BOUND.fullmatch(text):
        return f"give {_words(match[1])} {_BOUNDS[match[2]].format(_number(match[3]))}"
    if match := _LENGTH.fullmatch(text):
        least = {">=": "at least ", "<=": "at most "}.get(match[2] or "", "")
        got = f", not {match[4]}" if match[4] else ""
        return f"give {_words(match[1])} of {least}{match[3]} {_PARTS.get(match[1], 'parts')}{got}"
    if match := _PATTERN.fullmatch(text):
        return f"write it as the pattern {match[1]} says"
    if match := _KIND.fullmatch(text):
        got = "one with a fraction" if (match[1], match[2]) == ("int", "float") else _words(match[2] or "")
        return f"give {_words(match[1])}" + (f", not {got}" if got else "")
    return text


def _words(kinds: str) -> str:
    return " or ".join(_WORDS.get(kind.strip(), kind.strip()) for kind in kinds.split("|"))


def _number(text: str) -> str:
    """Without the zero that a whole number has as a float."""
    return text.removesuffix(".0")

"""Search: characters whose names have all the words that were given."""

from __future__ import annotations

from functools import cache

from demonstration.services.characters import ALGORITHMIC, blocks, name_of, read_code

#: Characters that are found at most, and the text that is looked at.
MAX_FOUND = 60
MAX_TEXT = 80


@cache
def _names() -> tuple[tuple[str, int], ...]:
    """(name between spaces, code point) of what is worth searching, by code points."""
    named = ((name_of(code), code) for block in blocks() for code in block.characters)
    return tuple((f" {name} ", code) for name, code in named if not ALGORITHMIC.match(name))


def search(text: str) -> list[int]:
    """Code points found, best first: the character itself, its number, then whole words before beginnings."""
    text = text.strip()[:MAX_TEXT]
    if not text:
        return []
    found: dict[int, None] = {}
    if len(text) == 1 and read_code(f"{ord(text):x}") is not None:
        found[ord(text)] = None
    number = read_code(text.upper().removeprefix("U+"))
    if number is not None and len(text) > 1:
        found[number] = None
    words = text.upper().replace("-", " ").split()
    for code in _by_words(words):
        found[code] = None
        if len(found) >= MAX_FOUND:
            break
    return list(found)


def _by_words(words: list[str]) -> list[int]:
    """Those whose names have a word that begins with each of *words*; names that say little else first."""
    hits = []
    for name, code in _names():
        plain = name.replace("-", " ")
        if all(f" {word}" in plain for word in words):
            missed = sum(f" {word} " not in plain for word in words)
            hits.append((missed, len(plain), code))
    return [code for _, _, code in sorted(hits)[:MAX_FOUND]]

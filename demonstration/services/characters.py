"""The characters of Unicode: what Python's :mod:`unicodedata` knows of them, by block.

They never change while a process lives, so nothing here asks a store.  Names of blocks are in
``unicode_blocks.txt``: Python does not have them.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

#: Names made of the code point: not worth searching.
ALGORITHMIC = re.compile(r"(CJK UNIFIED|CJK COMPATIBILITY|TANGUT|KHITAN SMALL SCRIPT|NUSHU|HANGUL SYLLABLE)")
CATEGORIES = {
    "Lu": "uppercase letter", "Ll": "lowercase letter", "Lt": "titlecase letter", "Lm": "modifier letter",
    "Lo": "letter", "Mn": "combining mark", "Mc": "spacing mark", "Me": "enclosing mark", "Nd": "digit",
    "Nl": "letter number", "No": "number", "Pc": "connector", "Pd": "dash", "Ps": "opening punctuation",
    "Pe": "closing punctuation", "Pi": "opening quote", "Pf": "closing quote", "Po": "punctuation",
    "Sm": "mathematical symbol", "Sc": "currency symbol", "Sk": "modifier symbol", "So": "symbol",
    "Zs": "space", "Zl": "line separator", "Zp": "paragraph separator", "Cc": "control character",
    "Cf": "format character",
}  # fmt: skip
#: Neither assigned, nor private, nor halves of a pair: not characters of their own.
_NO_CHARACTERS = ("Cn", "Co", "Cs")
#: Those have no shape, and are shown as a dot.
_SHAPELESS = ("Cc", "Cf", "Zl", "Zp", "Zs")
#: Characters of one page of a block.
PER_PAGE = 256
#: Blocks whose characters the fonts of a plain Debian have (DejaVu), by how they look on the entry.
FEATURED = (
    "arrows", "miscellaneous-symbols", "mathematical-operators", "geometric-shapes", "dingbats",
    "box-drawing", "block-elements", "braille-patterns", "letterlike-symbols", "number-forms",
    "supplemental-arrows-a",
    "yijing-hexagram-symbols", "tai-xuan-jing-symbols", "greek-and-coptic", "cyrillic", "georgian",
    "armenian", "tifinagh", "ogham", "ipa-extensions", "latin-extended-a", "superscripts-and-subscripts",
    "general-punctuation",
)  # fmt: skip
#: Characters to vote for where nobody has voted yet, of those blocks: heart, umbrella, notes, arrow, ...
SUGGESTED = (0x2665, 0x2602, 0x266B, 0x2192, 0x3A9, 0x221E, 0x2605, 0x262F)
_CODE = re.compile(r"[0-9a-fA-F]{1,6}")


@dataclass(frozen=True, eq=False)
class Block:
    """A block and those of its code points that are characters."""

    first: int
    last: int
    name: str
    characters: tuple[int, ...]

    @cached_property
    def slug(self) -> str:
        """Name of the block in addresses."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def pages(self) -> int:
        """Pages that its characters fill."""
        return -(-len(self.characters) // PER_PAGE)

    @cached_property
    def sample(self) -> str:
        """Three of its characters, from within."""
        letters = [code for code in self.characters if unicodedata.category(chr(code))[0] in "LNSP"]
        codes = letters or list(self.characters)
        return "".join(map(glyph_of, codes[len(codes) // 3 :][:3]))


@cache
def blocks() -> tuple[Block, ...]:
    """All blocks with at least one character that this Python knows, by code points."""
    found = []
    for line in Path(__file__).with_name("unicode_blocks.txt").read_text("ascii").splitlines():
        if line.startswith("#"):
            continue
        first, last, name = line.split(" ", 2)
        span = range(int(first, 16), int(last, 16) + 1)
        characters = tuple(code for code in span if is_character(code))
        if characters:
            found.append(Block(span[0], span[-1], name, characters))
    return tuple(found)


@cache
def blocks_by_slug() -> dict[str, Block]:
    """The blocks by their names in addresses."""
    return {block.slug: block for block in blocks()}


def block_of(code: int) -> Block | None:
    """The block that *code* is in."""
    at = bisect_right(blocks(), code, key=lambda block: block.first) - 1
    return blocks()[at] if at >= 0 and code <= blocks()[at].last else None


def is_character(code: int) -> bool:
    """Whether *code* is a character that this Python knows."""
    return 0 <= code < 0x110000 and unicodedata.category(chr(code)) not in _NO_CHARACTERS


def read_code(text: str) -> int | None:
    """The code point that *text* names in hexadecimal, as "41"; None: there is no such character."""
    if not _CODE.fullmatch(text):
        return None
    code = int(text, 16)
    return code if is_character(code) and block_of(code) else None


def name_of(code: int) -> str:
    """The character's name; control characters have none."""
    return unicodedata.name(chr(code), f"CONTROL CHARACTER {code:04X}")


def glyph_of(code: int) -> str:
    """The character as text: marks on a dotted circle, a dot for what has no shape."""
    category = unicodedata.category(chr(code))
    if category in _SHAPELESS:
        return "·"
    return ("\u25cc" if category.startswith("M") else "") + chr(code)


def facts(code: int) -> dict[str, str]:
    """Facts of a character that are known of it: name, category, case, decomposition, value."""
    character = chr(code)
    known = {
        "name": name_of(code),
        "category": CATEGORIES[unicodedata.category(character)],
        "bidirectional": unicodedata.bidirectional(character),
        "decomposition": unicodedata.decomposition(character),
        "upper": character.upper() if character.upper() != character else "",
        "lower": character.lower() if character.lower() != character else "",
        "numeric": f"{unicodedata.numeric(character, -1):g}",
    }
    return {name: value for name, value in known.items() if value and (name, value) != ("numeric", "-1")}

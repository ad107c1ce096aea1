"""What is made of texts that come again and again, remembered: in so much memory and no more (sans-IO).

Texts of strangers are short, but for those of who wants to fill a memory: he sends ever new ones of 8 KiB,
and what remembers some thousands of any length holds them all.  Here long ones are made anew.
"""

from __future__ import annotations

from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bytes of a text that is remembered: paths, and values of fields, of nearly all requests have less.
LONGEST = 256

More = ParamSpec("More")
Made = TypeVar("Made")


def remembered(
    most: int, longest: int = LONGEST
) -> Callable[[Callable[Concatenate[bytes, More], Made]], Callable[Concatenate[bytes, More], Made]]:
    """A decorator of functions of a text, and of more that is hashable: the *most* last ones are remembered.

    A text of more than *longest* bytes is not among these.
    """

    def decorate(make: Callable[Concatenate[bytes, More], Made]) -> Callable[Concatenate[bytes, More], Made]:
        kept = lru_cache(maxsize=most)(make)

        @wraps(make)
        def made(text: bytes, /, *args: More.args, **more: More.kwargs) -> Made:
            return (kept if len(text) <= longest else make)(text, *args, **more)  # type: ignore[arg-type]

        return made

    return decorate

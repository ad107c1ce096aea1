"""What is said while the site is crawled: a line from the first moment on, renewed on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

_EVERY_S = 0.25


class CrawlProgress:
    """A line about the crawl of *url*, written to *out*."""

    def __init__(self, url: str, out: TextIO, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url, self._out, self._monotonic = url, out, monotonic
        self._is_terminal = out.isatty()
        self._next = 0.0
        self._begun = False

    def looking(self, found: int) -> None:
        """Say how much was *found* so far, if that is due."""
        now = self._monotonic()
        if not self._is_terminal and not self._begun:
            print(f"loadgen run: looking what {self._url} has", file=self._out, flush=True)
        elif self._is_terminal and (not self._begun or now >= self._next):
            self._next = now + _EVERY_S
            text = f"\r\x1b[Klooking what {self._url} has: {found:,} found"
            print(text, end="", file=self._out, flush=True)
        self._begun = True

    def close(self) -> None:
        """Clear the line on a terminal."""
        if self._is_terminal and self._begun:
            print("\r\x1b[K", end="", file=self._out, flush=True)

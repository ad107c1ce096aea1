"""Addresses of workers: HOST or HOST:PORT, IPv6 in brackets."""

from __future__ import annotations

import re

#: Where workers listen unless something else is said.
PORT = 7700

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\s\[\]]+)(?::([0-9]{1,5}))?")


def parse_address(text: str) -> tuple[str, int]:
    """The (host, port) that *text* says; :exc:`ValueError` with a sentence."""
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match[2] or PORT) > 65_535:
        raise ValueError(f"{text}: write HOST or HOST:PORT, like 10.0.0.7:{PORT}")
    return match[1].strip("[]"), int(match[2] or PORT)

"""What ``--check`` tells of addresses and fields of a site: what a 304 will weigh, what rules say in vain.

A 304 is at most 200 bytes as long as the site says nothing that makes it longer.  What does, is told with the
rule and the number of bytes, so that who pays for them knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from edge.addresses.fields import PROMISED_304, FieldRule, changed, of_304, weight_of_304
from edge.addresses.files import HEADERS, LARGEST, REDIRECTS, read_headers
from edge.config.addresses import address_settings
from edge.publish.rules import IMMUTABLE, lines_200, vary

if TYPE_CHECKING:
    from pathlib import Path

    from edge.config.model import SiteRules

#: Rules that are told one by one.
_TOLD = 10


def told_of_addresses(rules: SiteRules) -> Iterator[tuple[str, str]]:
    """(what it is about, a sentence), in the order in which it is told."""
    redirects, headers = (_read(rules.webroot, name) for name in (REDIRECTS, HEADERS))
    found, _ = read_headers(headers)
    places = [f"[[header]] number {number}" for number in range(1, len(rules.header) + 1)]
    places += [f"{HEADERS}, {one.path}" for one in found]
    yield from _weights(rules.cache, (*rules.header, *found), places)
    _, wrong = address_settings(rules).addressing(redirects, headers)
    yield from (("in vain", sentence) for sentence in wrong)


def _weights(
    cache: Sequence[tuple[str, str]], rules: Sequence[FieldRule], places: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """What a 304 weighs with each rule that makes it longer than it is without any."""
    told = []
    for number, (glob, value) in enumerate(cache, 1):
        weight = weight_of_304(of_304(changed(_lines(value.encode("ascii")), ())))
        told.append((weight, f"[[cache]] number {number}", glob))
    for rule, place in zip(rules, places, strict=True):
        lines = of_304(changed(_lines(IMMUTABLE), rule.changes))
        if lines != of_304(changed(_lines(IMMUTABLE), ())):
            told.append((weight_of_304(lines), place, rule.path))
    long = sorted((one for one in told if one[0] > PROMISED_304), reverse=True)
    most = long[0][0] if long else PROMISED_304
    yield "304", f"at most {most} bytes" + ("" if long else ", whatever the rules say")
    for weight, place, path in long[:_TOLD]:
        yield "", f"{weight} of them where {place} ({path}) applies: {PROMISED_304} are what it has without"
    if len(long) > _TOLD:
        yield "", f"and with {len(long) - _TOLD} more rules"


def _lines(cache_control: bytes) -> bytes:
    """The lines of a page, which is negotiated."""
    return lines_200(b"text/html; charset=utf-8", "br", vary(media=False, coding=True), cache_control)


def _read(webroot: Path | None, name: str) -> bytes:
    """What the file *name* of the site holds; nothing where it cannot be read."""
    if webroot is None:
        return b""
    try:
        with (webroot / name).open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError:
        return b""

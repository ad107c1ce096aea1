"""Which variant of a resource a request gets: RFC 9110 section 12.

A resource publishes a mask: bit ``media * 4 + coding`` is set for each variant that it has (see
:mod:`edge.resource`; the numbers are repeated here so that this folder stands alone).  The
media variant comes first, then a content coding among those of that media variant.

* An image variant (AVIF, WebP) is only for clients whose Accept names it with a weight above 0: a
  wildcard promises nothing (``image/*`` came from browsers that knew neither).
  Of two, the heavier; of equals AVIF.
* A content coding: the heaviest that Accept-Encoding allows, of equals br, zstd, gzip, identity.  Without
  that field: identity.  (The RFC would allow any coding, but clients that leave it out decode none.)
* Identity is acceptable if nothing forbids it; when nothing at all is acceptable, it is sent
  (section 12.5.3 allows that) instead of 406, which helps nobody.
* A member that is malformed is ignored, alone.
"""

from __future__ import annotations

from edge.http.fields import list_members
from edge.http.grammar import QVALUE, TOKEN
from edge.remembered import remembered

_IDENTITY, _GZIP, _BR, _ZSTD = 0, 1, 2, 3
_ORIGINAL, _WEBP, _AVIF = 0, 1, 2
_CODINGS_BY_PREFERENCE = (_BR, _ZSTD, _GZIP, _IDENTITY)
_MEDIA_BY_PREFERENCE = ((_AVIF, b"image/avif"), (_WEBP, b"image/webp"))
#: RFC 9110 section 8.4.1.3.
_ALIASES = {b"x-gzip": b"gzip"}
#: Weights are in thousandths.  Acceptable without being listed: behind all that is.
_UNLISTED_IDENTITY = 0.5


def choose_variant(mask: int, accept: bytes | None, accept_encoding: bytes | None) -> int:
    """The number of the variant, out of *mask*, for these field values (None: field absent).

    Repeated lines come joined by commas.  Bit 0 of *mask* is always set; a media variant that is
    there has its identity coding.
    """
    media = _ORIGINAL
    if accept is not None and mask >> 4:
        media = _choose_media(mask, accept)
    codings = mask >> 4 * media & 0b1111
    if accept_encoding is None or codings == 1:
        return media * 4
    weights = _coding_weights(accept_encoding)
    best, chosen = 0.0, _IDENTITY
    for coding in _CODINGS_BY_PREFERENCE:
        if codings >> coding & 1 and weights[coding] > best:
            best, chosen = weights[coding], coding
    return media * 4 + chosen


def _choose_media(mask: int, accept: bytes) -> int:
    best, chosen = 0, _ORIGINAL
    for media, name in _MEDIA_BY_PREFERENCE:
        if mask >> 4 * media & 0b1111:
            weight = _media_weight(accept, name)
            if weight > best:
                best, chosen = weight, media
    return chosen


@remembered(256)  # browsers send a handful of values
def _media_weight(accept: bytes, name: bytes) -> int:
    """Thousandths of the weight that Accept gives the type *name* itself; 0: not listed, or 0."""
    best = 0
    for member in list_members(accept):
        if member[: len(name)].lower() != name:  # a list may have thousands
            continue
        kind, *parameters = (part.strip(b" \t") for part in member.split(b";"))
        if kind.lower() == name:
            best = max(best, _weight(parameters) or 0)
    return best


@remembered(256)
def _coding_weights(accept_encoding: bytes) -> tuple[float, ...]:
    """Weights of identity, gzip, br and zstd in thousandths; 0: not acceptable."""
    listed: dict[bytes, int] = {}
    for member in set(list_members(accept_encoding)):  # a list may have thousands
        name, *parameters = (part.strip(b" \t") for part in member.split(b";"))
        weight = _weight(parameters)
        if weight is None or not TOKEN.fullmatch(name):
            continue
        name = name.lower()
        name = _ALIASES.get(name, name)
        listed[name] = max(weight, listed.get(name, 0))
    others = listed.get(b"*")
    unlisted = 0 if others is None else others
    identity = _UNLISTED_IDENTITY if others is None else others
    return (
        listed.get(b"identity", identity),
        *[listed.get(name, unlisted) for name in (b"gzip", b"br", b"zstd")],
    )


def _weight(parameters: list[bytes]) -> int | None:
    """Thousandths of the weight in *parameters*: none is 1000; None: malformed, or more than a weight."""
    if not parameters:
        return 1000
    name, _, value = parameters[0].partition(b"=")
    if len(parameters) > 1 or name.lower() != b"q" or not QVALUE.fullmatch(value):
        return None
    whole, _, fraction = value.partition(b".")
    return int(whole) * 1000 + int(fraction.ljust(3, b"0"))

"""Addresses: what a rule of the configuration says of a path, and where it leads (sans-IO).

* ``globs.py``: :class:`Glob`, the ``path`` of a rule; :class:`GlobRules`, many of them, found by a path
* ``patterns.py``: ``from`` of redirects and rewrites, with captures; ``to``, which they are put into

Both work on *decoded* paths (:func:`decoded`): ``/caf%C3%A9`` is ``/café``.  Whatever a visitor sends,
matching costs time in proportion to its length: there is no backtracking.
"""

from __future__ import annotations

from edge.addresses.globs import Glob, GlobRules, decoded
from edge.addresses.patterns import Pattern, RegexPattern, SegmentPattern, Template, pattern_of

__all__ = [
    "Glob",
    "GlobRules",
    "Pattern",
    "RegexPattern",
    "SegmentPattern",
    "Template",
    "decoded",
    "pattern_of",
]

"""Addresses: what a rule of the configuration says of a path, and where it leads (sans-IO).

* ``globs.py``: :class:`Glob`, the ``path`` of a rule; :class:`GlobRules`, many of them, found by a path
* ``patterns.py``: ``from`` of redirects and rewrites, with captures; ``to``, which they are put into
* ``redirects.py``: :class:`AddressRule` and many of them; ``pages.py``: clean URLs, index files, slashes
* ``fields.py``: what rules change of the fields of answers; presets
* ``files.py``: ``_redirects`` and ``_headers``, in the format of Netlify and Cloudflare
* ``navigation.py``: whether a request goes to a page

Globs and patterns work on *decoded* paths (:func:`decoded`): ``/caf%C3%A9`` is ``/café``.  Whatever a visitor
sends, matching costs time in proportion to its length: there is no backtracking.
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

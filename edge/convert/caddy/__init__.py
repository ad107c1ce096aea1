"""Caddy: what the directives of a Caddyfile mean, as Caddy documents them.

Caddy sorts the directives of a block, and the first that answers a request ends it.  So they are gone through
in that order, and what was answered before is remembered (``claimed``): files are served where a
``file_server`` gets to, and nowhere else.  What Caddy does not show stays closed where paths and networks can
say it, be it that a directive closes it or that one leads elsewhere that is not understood.

* ``reading.py``: files and what they import, as statements; all else is sans-IO
* ``matchers.py``: whom a directive is about; ``guards.py``: who may, as rules in order
* ``site.py``: a site on its way, and how a part of it is closed
* ``blocks.py``: directives in Caddy's order, and what takes each: ``shown.py`` (files and fields),
  ``applications.py``, ``addresses.py``, ``who_may.py`` and ``listeners.py``
* ``words.py``: the order of directives, and what has no counterpart
* ``finishing.py``: what is known when the last directive was taken
* ``sites.py``: sites put together: their addresses and listeners
"""

from edge.convert.caddy.reading import read_caddy
from edge.convert.caddy.sites import convert_caddy

__all__ = ["convert_caddy", "read_caddy"]

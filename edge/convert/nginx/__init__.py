"""nginx: what its directives mean, as nginx's own documentation tells it.

A server becomes a site.  Of its locations nginx takes one; here the first ``[[redirect]]``, ``[[auth]]`` and
``[[access]]`` that matches counts, and all ``[[header]]`` rules apply in order.  So those are written
strongest first, and fields in the opposite order (:mod:`edge.convert.headers`).

* ``reading.py``: files and what they include, as statements; all else is sans-IO
* ``server.py``: a server on its way to a site, and the blocks of it; ``places.py``: its locations, and which
  of two counts
* ``directives.py``: what takes each directive
* what takes them: ``listeners.py``, ``shown.py`` (files, their types and fields), ``addresses.py``,
  ``applications.py``, ``guards.py`` (who may) and ``whole_node.py``
* ``maps.py``: ``map`` as rules; ``words.py``: what needs nothing here, or has no counterpart
* ``finishing.py``: the rules of all places of a server put in order
* ``sites.py``: servers put together to sites
"""

from edge.convert.nginx.reading import read_nginx
from edge.convert.nginx.sites import convert_nginx

__all__ = ["convert_nginx", "read_nginx"]

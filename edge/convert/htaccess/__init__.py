"""Apache: what the directives of an ``.htaccess`` mean, as Apache's documentation says.

* ``reading.py``: the file, as statements; all else is sans-IO
* ``site.py``: the site on its way
* ``directives.py``: what takes each directive
* ``rewriting.py``: addresses that lead elsewhere
* ``who.py``: who may by address
"""

from edge.convert.htaccess.directives import convert_htaccess
from edge.convert.htaccess.reading import read_htaccess

__all__ = ["convert_htaccess", "read_htaccess"]

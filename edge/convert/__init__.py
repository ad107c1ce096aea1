"""Moving in: configurations of nginx, Caddy and Apache, as the TOML file of a node.

What is understood becomes a key or a table, with the line that it comes from; each line that is not is named,
with the way out.  Meaning is kept apart from reading: what reads files bounds them, whatever they hold.

* ``files.py``: reading them: how large, how many, how deep
* ``statements.py``: what they are read into
* ``nginx_files.py``, ``caddy_files.py``, ``htaccess_files.py``: the three languages read
* ``nginx.py``, ``caddy.py``, ``htaccess.py``: what their statements mean (sans-IO)
* of nginx: ``nginx_places.py``: locations, and which of two counts; ``nginx_maps.py``: tables of addresses;
  ``nginx_servers.py``: servers put together to sites; ``nginx_words.py``: what needs nothing here, or has no
  counterpart
* of Caddy: ``caddy_matchers.py``: whom a directive is about; ``caddy_guards.py``: who may, as rules in order;
  ``caddy_sites.py``: addresses and listeners; ``caddy_words.py``: the order of directives, and
  what has no counterpart
* ``types.py``: extensions of media types
* ``networks.py``: networks that lie in one another
* ``headers.py``: fields of the place that matches best, as rules that all apply
* ``draft.py``: the TOML file on its way; ``settling.py``: what a node would not take of it
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from edge.convert.caddy_files import read_caddy
from edge.convert.caddy_sites import convert_caddy
from edge.convert.draft import Draft
from edge.convert.htaccess import convert_htaccess
from edge.convert.htaccess_files import read_htaccess
from edge.convert.nginx_files import read_nginx
from edge.convert.nginx_servers import convert_nginx
from edge.convert.settling import settle
from edge.convert.statements import Statement, Unreadable

#: What reads each language, and what makes a draft of its statements.
_LANGUAGES: dict[
    str, tuple[Callable[[str], tuple[Statement, ...]], Callable[[Sequence[Statement]], Draft]]
] = {
    "nginx": (read_nginx, convert_nginx),
    "caddy": (read_caddy, convert_caddy),
    "htaccess": (read_htaccess, convert_htaccess),
}
LANGUAGES = tuple(_LANGUAGES)


def language_of(name: str) -> str:
    """The language of a configuration by the *name* of its file."""
    last = os.path.basename(name).lower()
    if "caddyfile" in last:
        return "caddy"
    return "htaccess" if "htaccess" in last else "nginx"


def convert(name: str, language: str = "") -> Draft:
    """What the configuration in the file *name* comes to; :class:`Unreadable` if it is none."""
    try:
        read, draft_of = _LANGUAGES[language or language_of(name)]
        statements = read(name)
        draft = draft_of(statements)
        settle(draft, statements)
        return draft
    except RecursionError:
        raise Unreadable(f"{name}: its blocks lie too deep one inside the other; is this one?") from None


__all__ = ["LANGUAGES", "Draft", "Unreadable", "convert", "language_of"]

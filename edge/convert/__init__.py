"""Moving in: configurations of nginx, Caddy and Apache, as the TOML file of a node.

What is understood becomes a key or a table, with the line that it comes from; each line that is not is named,
with the way out.  Meaning is kept apart from reading: what reads files bounds them, whatever they hold.

* ``files.py``: reading them: how large, how many, how deep
* ``statements.py``: what they are read into
* ``nginx/``, ``caddy/``, ``htaccess/``: the three languages read, and what their statements mean
* ``types.py``: extensions of media types
* ``patterns.py``: regular expressions, and what RE2 takes of them
* ``networks.py``: networks that lie in one another
* ``telling.py``: what applications are told of visitors
* ``headers.py``: fields of the place that matches best, as rules that all apply
* ``draft.py``: the TOML file on its way; ``settling.py``: what a node would not take of it
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from edge.convert.caddy import convert_caddy, read_caddy
from edge.convert.draft import Draft
from edge.convert.htaccess import convert_htaccess, read_htaccess
from edge.convert.nginx import convert_nginx, read_nginx
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

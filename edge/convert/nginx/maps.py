"""nginx's ``map``, where it is a table of addresses or of lifetimes by type: as rules (sans-IO)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from edge.convert.nginx.words import expires
from edge.convert.statements import Statement, number
from edge.convert.types import EXTENSIONS

#: What is no key of a map.
_WORDS = ("default", "hostnames", "volatile", "include")
_PATHS = ("$uri", "$request_uri", "$document_uri")
_TYPES = ("$sent_http_content_type", "$upstream_http_content_type")
_STATUS = {"permanent": 301, "redirect": 302}
_HOST = re.compile(r"\A(?:\$scheme|https?)://\$(?:host|http_host|server_name)(?=/|\$)")


def asks_for(args: Sequence[str]) -> bool:
    """Whether the condition *args* says that a variable has a value."""
    return tuple(args) in ((args[0],), (args[0], "!=", "")) if args else False


def redirects(table: Statement, only: Statement) -> Iterator[tuple[Statement, dict[str, Any] | None]]:
    """Each line of the map *table*, and the redirect that *only* makes of it; None: that is none."""
    variable, text = table.args[1], only.args[1] if len(only.args) > 1 else ""
    status = number(only.args[0]) if only.name == "return" else _STATUS.get(only.args[-1], 302)
    text = _HOST.sub("", re.sub(r"\A([^$]*)\$\{" + re.escape(variable[1:]) + r"\}", rf"\1{variable}", text))
    for one in table.block or ():
        if one.name in _WORDS:
            continue
        to = text.replace(variable, one.args[0] if one.args else "")
        to = re.sub(r"\$([0-9])", r":\1", re.sub(r"(?<!\Ahttp)(?<!\Ahttps):(?!//)", "%3A", to))
        regex = re.match(r"~\*?", one.name)
        pattern = one.name[regex.end() :] if regex is not None else one.name.removeprefix("\\")
        is_good = (
            table.args[0] in _PATHS
            and status in (301, 302, 303, 307, 308)
            and re.match(r"/|https?://[^/$:]+", to) is not None
            and "$" not in to
            and (regex is not None or (pattern.startswith("/") and not re.search(r"[?*: ]", pattern)))
            and not re.search(r"\(\?(?:[=!]|<[=!])|\\[1-9?]|[*+?]\+", pattern)
        )
        if not is_good:
            yield one, None
        elif regex is None:
            yield one, {"from": pattern, "to": to, "status": status}
        else:
            yield one, {"from-regex": "(?i)" * (regex[0] == "~*") + pattern, "to": to, "status": status}


def is_of_paths(table: Statement) -> bool:
    """Whether *table* is about paths, or types of answers: somebody may make rules of it."""
    return len(table.args) == 2 and table.args[0] in (*_PATHS, *_TYPES)


def lifetimes(table: Statement) -> Iterator[tuple[Statement, tuple[str, ...], str | None]]:
    """Each line of the map *table* of types: the globs of its files, and their Cache-Control ("": none)."""
    lines = [one for one in table.block or () if one.name not in _WORDS[1:]]
    for one in sorted(lines, key=lambda line: line.name != "default"):  # later rules win
        value = expires(one.args[0]) if len(one.args) == 1 else None
        if one.name == "default":
            yield one, ("/**",), value
            continue
        begin = re.fullmatch(r"~\*?\^?([a-z]+)/", one.name)
        words = [
            word
            for type_, extensions in EXTENSIONS.items()
            if type_ == one.name or (begin is not None and type_.startswith(begin[1] + "/"))
            for word in extensions
        ]
        yield one, tuple(f"*.{word}" for word in dict.fromkeys(words)), value if words else None


def is_of_types(table: Statement) -> bool:
    """Whether *table* goes by the type of the answer."""
    return len(table.args) == 2 and table.args[0] in _TYPES

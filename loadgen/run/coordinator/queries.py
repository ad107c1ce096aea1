"""The queries of a site: what scripts of which pages ask an application for, as the scenario says.

A query is an address with a query string, or a trusted document of GraphQL, whose address the application
tells (``[site] documents``: JSON, name -> address).  What ``*`` stands for in the glob of its pages fills in
``{1}``, ``{2}`` ...
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from loadgen.errors import UsageError
from loadgen.run.messages.scenario import Query

#: What encodeURIComponent leaves as it is, beside letters and digits.
_LEFT = "!'()*-._~"
_PLACE = re.compile(r"\{(\d)\}")


def addresses(queries: Sequence[Query], documents: Mapping[str, str], page: str) -> Iterable[str]:
    """The addresses that *page* (a path) asks for; *documents*: by name."""
    for query in queries:
        found = _pattern(query.pages).fullmatch(page.partition("?")[0])
        if found is not None:
            yield address(query, documents, found.groups())


def address(query: Query, documents: Mapping[str, str], stars: Sequence[str]) -> str:
    """The address of *query*; *stars*: what each ``*`` of its pages stands for."""

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            return _PLACE.sub(lambda place: _star(query, stars, int(place[1])), value)
        return value

    if not query.document:
        return str(filled(query.path))
    if query.document not in documents:
        known = ", ".join(sorted(documents)) or "none; name [site] documents"
        raise UsageError(f"site.queries: there is no document {query.document}; there are {known}")
    if not query.variables:
        return documents[query.document]
    # RFC 8785, as far as variables go: sorted keys, no spaces.
    variables = {name: filled(value) for name, value in sorted(query.variables.items())}
    text = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    return f"{documents[query.document]}?variables={quote(text, safe=_LEFT)}"


def _star(query: Query, stars: Sequence[str], number: int) -> str:
    if not 1 <= number <= len(stars):
        raise UsageError(f"site.queries: {{{number}}}, but the pages {query.pages} have {len(stars)} *")
    return stars[number - 1]


def _pattern(glob: str) -> re.Pattern[str]:
    """``*`` is anything but a slash."""
    return re.compile("([^/]*)".join(map(re.escape, glob.split("*"))))

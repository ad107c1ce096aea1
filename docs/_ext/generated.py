"""Sphinx extension: parts of the reference that are made from the code while the site is built.

A page says where such a part stands by a comment of its own line::

    <!-- generated: NAME ARGUMENT... -->

so that the page can be read in the repository, too.  The generators return Markdown, which is parsed as
though it had been written there: headings, anchors and the table of contents included.

* ``options.py``: the settings of ``twistd edge``
* ``metrics.py``: what the Prometheus exposition renders
* ``commands.py``: ``edgectl`` and ``loadgen``, from their parsers
* ``structs.py``: the keys of a file or document that a ``msgspec`` struct describes
* ``messages.py``: what nodes send each other
* ``edge_json.py``: the keys of ``/edge.json``
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docs._ext import commands, edge_json, messages, metrics, options, structs

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
MARKER = re.compile(r"^<!-- generated: ([a-z-]+)((?: \S+)*) -->$", re.MULTILINE)

#: Name in a marker: what gives the Markdown, called with the marker's arguments.
GENERATORS: dict[str, Callable[..., str]] = {
    "options": options.markdown,
    "metrics": metrics.markdown,
    "edgectl": commands.edgectl,
    "loadgen": commands.loadgen,
    "struct": structs.markdown,
    "messages": messages.markdown,
    "measures": commands.measures,
    "edge-json": edge_json.markdown,
}


def fill(text: str) -> str:
    """*text* with every marker replaced by what it asks for; :exc:`KeyError` for an unknown one."""
    return MARKER.sub(lambda match: GENERATORS[match[1]](*match[2].split()), text)


def _on_source_read(app: Sphinx, docname: str, source: list[str]) -> None:
    if not MARKER.search(source[0]):
        return
    source[0] = fill(source[0])
    # Incremental builds: whatever of ours was imported for it may change it.
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and name.partition(".")[0] in ("edge", "loadgen", "docs"):
            app.env.note_dependency(path)
    app.env.note_dependency(str(edge_json.SOURCE))


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("source-read", _on_source_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

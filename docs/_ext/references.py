"""Names of Python objects in docstrings: those without an entry here must exist all the same.

A reference to something of this project that the site does not describe stands as its plain name, if
it can be imported; if not, it stays unresolved, and Sphinx warns of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

OURS = ("edge", "loadgen", "simulation", "ops")


def exists(name: str) -> bool:
    """Whether the dotted *name* is a module, or something in one, down to fields of classes."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            fields = {**getattr(found, "__dataclass_fields__", {}), **getattr(found, "__annotations__", {})}
            if not hasattr(found, part) and part not in fields:
                return False
            found = getattr(found, part, None)
        return True
    return False


def _on_missing(app: Sphinx, env: BuildEnvironment, node: pending_xref, shown: Element) -> Element | None:
    target = node.get("reftarget", "")
    if node.get("refdomain") == "py" and target.partition(".")[0] in OURS and exists(target):
        return shown
    return None


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("missing-reference", _on_missing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

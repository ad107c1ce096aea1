"""Renders what it is told to, a line of JSON each; for tests in which a browser renders the same.

``{"render": [name, props, key]}`` is answered by ``{"html": ...}`` or ``{"error": ...}``, and ``{"page":
[piece, ...], "data": {name: data}, "documents": {...}}`` by the whole page.  A piece is a string, or
``[component, props, key]``, or null for the state.  A query without data fails.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from edge.app.rendering import STATE, Components, Part, RenderingError


def answered(components: Components, asked: dict[str, Any]) -> dict[str, str]:
    """The answer to one line."""
    try:
        if "render" in asked:
            return {"html": components.render_now(*asked["render"])}
        return {"html": asyncio.run(page(components, asked))}
    except RenderingError as error:
        return {"error": str(error)}


async def page(components: Components, asked: dict[str, Any]) -> str:
    """A page, whole."""

    async def ask(name: str, variables: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = asked["data"][name]
        return found

    pieces = [
        STATE if one is None else one if isinstance(one, str) else Part(one[0], one[1], one[2])
        for one in asked["page"]
    ]
    stream = components.page(pieces, ask, asked["documents"])
    return b"".join([piece async for piece in stream]).decode()


if __name__ == "__main__":
    made = Components(sys.argv[1])
    for line in sys.stdin:
        print(json.dumps(answered(made, json.loads(line))), flush=True)

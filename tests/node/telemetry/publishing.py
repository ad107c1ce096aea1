"""What the publishers of load and status publish to, for tests."""

from __future__ import annotations

import json
from typing import Any

from edge.resource import Resource


class Table:
    """Keeps what was put last, by path."""

    def __init__(self) -> None:
        self.resources: dict[bytes, Resource] = {}
        self.templates: dict[bytes, bytes] = {}

    def put(self, resource: Resource, *, counts: bool) -> None:
        """See :class:`edge.node.telemetry.documents.DocumentTable`."""
        assert not counts, "a node's own documents are no changes of the site"
        self.resources[resource.path] = resource

    def put_template(self, path: bytes, lines_200: bytes, lines_304: bytes) -> None:
        """See :class:`edge.node.telemetry.documents.DocumentTable`."""
        self.templates[path] = lines_200

    def statistics(self) -> dict[str, int | float | bool]:
        """See :class:`edge.node.telemetry.status_publisher.StatusTable`."""
        return {"entries": 7, "slots": 64, "arena_bytes": 1000, "arena_free_bytes": 900, "complete": True}

    def document(self, path: bytes) -> Any:
        """The JSON that was put under *path*."""
        body = self.resources[path].representations[0].body
        assert body is not None
        return json.loads(body)

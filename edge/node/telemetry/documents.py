"""What the supervisor publishes of itself, as entries of the table: JSON documents that are true now.

They are ordinary entries, so that the fast path serves them.  ``/.edge/revalidate`` is a template: it lends
its header lines to the answers of that POST, and with them the node's load in the ORCA field.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Protocol

from edge.node.process.own_resources import CORS, NO_STORE, REVALIDATE, json_lines
from edge.resource import Representation, Resource, etag_of
from edge.table.site_state import StateEntry


class DocumentTable(Protocol):
    """Where documents go: a :class:`edge.table.writer.Writer`."""

    def put(self, resource: Resource, *, counts: bool) -> object:
        """Publish *resource*; without *counts* it is no change of the site."""

    def put_template(self, path: bytes, lines_200: bytes, lines_304: bytes) -> object:
        """Publish header lines that belong to no entity."""


def put_document(table: DocumentTable, path: bytes, document: bytes, orca: bytes, now: int) -> None:
    """Put *document* (JSON) under *path*; *orca*: a header line, see :mod:`edge.load.orca`."""
    digest = sha256(document).digest()
    lines = json_lines(orca)
    one = Representation(0, etag_of(digest), digest, len(document), lines, NO_STORE + CORS, document)
    table.put(Resource(path, now, (one,)), counts=False)


def put_batch_lines(table: DocumentTable, orca: bytes, cache_control: bytes = NO_STORE) -> None:
    """Put the header lines of the answers to batch revalidations."""
    table.put_template(REVALIDATE, json_lines(orca, cache_control=cache_control), b"")


def show_state(state: StateEntry, orca: bytes, cache_control: bytes = NO_STORE) -> None:
    """Put the header lines of the answers that tell what has changed since a state of the site."""
    lines_200 = json_lines(orca, b"text/plain; charset=utf-8", cache_control)
    state.show(lines_200, cache_control + CORS)

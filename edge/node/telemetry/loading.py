"""The load document and the ORCA header, as entries of the table.

Both change four times a second.  ``/.edge/load`` is an ordinary entry, so that the fast path serves
it; ``/.edge/revalidate`` is a template: it lends its lines to the answers of that POST.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from edge.resource import Representation, Resource, etag_of

if TYPE_CHECKING:
    from edge.table.writer import Writer

LOAD = b"/.edge/load"
REVALIDATE = b"/.edge/revalidate"
#: Seconds between two versions of the load document.
LOAD_SECONDS = 0.25

_FRESH = b"Cache-Control: no-store\r\n"
_CORS = b"Access-Control-Allow-Origin: *\r\n"


def lines_of_load(orca: bytes) -> bytes:
    """The lines of a 200 with JSON that is true now; *orca*: a line, see :mod:`edge.load.orca`."""
    return (
        b"Content-Type: application/json\r\n" + _FRESH + b"X-Content-Type-Options: nosniff\r\n" + _CORS + orca
    )


def publish_load(writer: Writer, document: bytes, orca: bytes, now: int) -> None:
    """Put the load *document* (JSON) and the lines of the batch answer into the table."""
    lines = lines_of_load(orca)
    digest = sha256(document).digest()
    one = Representation(0, etag_of(digest), digest, len(document), lines, _FRESH + _CORS, document)
    writer.put(Resource(LOAD, now, (one,)), counts=False)
    writer.put_template(REVALIDATE, lines, b"")

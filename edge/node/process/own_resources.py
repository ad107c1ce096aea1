"""A node's own resources under ``/.edge/``: paths of those that lie in the table, and lines of their heads.

The supervisor puts them into the table, workers answer from it.
"""

from __future__ import annotations

import re

#: The load document, :mod:`edge.load.document`.
LOAD = b"/.edge/load"
#: A template: its header lines are those of the answers to batch revalidations.
REVALIDATE = b"/.edge/revalidate"
#: What one node says of itself alone, :mod:`edge.node.telemetry.status_publisher`.
STATUS = b"/.edge/status"
#: The same where not everybody may read it: no canonical path holds a NUL, so the fast path never finds it.
KEPT_STATUS = b"/.edge/status\0"

#: A template whose body are rules of the site (:class:`edge.publish.addressing.Document`); likewise.
ADDRESSES = b"/.edge/addresses\0"

#: Where an authority looks for what proves that a name is ours (RFC 8555 section 8.3).
CHALLENGES = b"/.well-known/acme-challenge/"
_KEY_AUTHORIZATION = re.compile(rb"(?:\A|\n)Key-Authorization: ([A-Za-z0-9_.-]+)\r\n")

#: Pages of every origin may read them.
CORS = b"Access-Control-Allow-Origin: *\r\n"
#: They are true now and no longer.
NO_STORE = b"Cache-Control: no-store\r\n"


def key_authorization_line(shown: bytes) -> bytes:
    """The header line in which an entry under :data:`CHALLENGES` and a name says what is to be shown for it.

    A line, because lines are replicated with the entry, whereas a body would have to be fetched first.
    """
    return b"Key-Authorization: %b\r\n" % shown


def key_authorization(lines_200: bytes) -> bytes | None:
    """What is to be shown, by the lines of such an entry."""
    found = _KEY_AUTHORIZATION.search(lines_200)
    return found[1] if found else None


def status_path(audience: str) -> bytes:
    """Where the status lies in the table for this *audience* (``--status``)."""
    return STATUS if audience == "public" else KEPT_STATUS


def json_lines(
    orca: bytes, content_type: bytes = b"application/json", cache_control: bytes = NO_STORE
) -> bytes:
    """The header lines of a 200 with JSON; *orca*: the line of the node's load, see :mod:`edge.load.orca`."""
    return b"Content-Type: %b\r\n%bX-Content-Type-Options: nosniff\r\n%b%b" % (
        content_type,
        cache_control,
        CORS,
        orca,
    )

"""The body server: bodies for the other nodes, named by digest (content-addressed).

``GET /.edge/body/<SHA-256 in hex>?path=<quoted>&variant=N``.  A body is named by its digest, so that an
answer never grows stale.  *path* and *variant* say where this node may look for it.  ``Range: bytes=N-``
resumes (206).  To be served to authenticated peers.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import os
import re
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, Protocol

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from edge.http import answer
from edge.http.ranges import UNSATISFIABLE, Span, select_range
from edge.node.cluster.peer_endpoints import MOST_BYTES
from edge.node.connection.body import FileBody
from edge.node.connection.site import EdgeSite
from edge.node.process.channel_limits import ChannelLimits
from edge.resource import etag_of

if TYPE_CHECKING:
    from edge.node.connection.request import EdgeRequest

_DIGEST = re.compile(rb"[0-9a-fA-F]{64}")
_VARIANT = re.compile(rb"1[0-5]|[0-9]")


class Bodies(Protocol):
    """Where bodies are looked for: :class:`edge.node.bodies.store.BodyStore`."""

    def find(self, digest: bytes, path: bytes, variant: int) -> bytes | str | None:
        """The body, the path of its file, or None: not here."""


class BodyResource(Resource):
    """Answers with one body, whole or from a byte on."""

    isLeaf = True

    def __init__(self, bodies: Bodies) -> None:
        super().__init__()
        self._bodies = bodies

    # Twisted's overrides

    def render(self, request: EdgeRequest) -> int:
        if request.method != b"GET":
            request.refuse(405, "", b"Allow: GET\r\n")
            return NOT_DONE_YET
        args = request.args or {}
        names = request.postpath or []
        name = names[0] if len(names) == 1 else b""
        paths, variants = args.get(b"path", []), args.get(b"variant", [])
        if not _DIGEST.fullmatch(name):
            request.refuse(400, "A body is named by the 64 hexadecimal digits of its SHA-256.")
        elif len(paths) != 1 or b"/" not in paths[0]:
            request.refuse(400, "The parameter path has to be one absolute path.")
        elif len(variants) != 1 or not _VARIANT.fullmatch(variants[0]):
            request.refuse(400, "The parameter variant has to be one number from 0 to 15.")
        else:
            self._answer(request, bytes.fromhex(name.decode("ascii")), paths[0], int(variants[0]))
        return NOT_DONE_YET

    def _answer(self, request: EdgeRequest, digest: bytes, path: bytes, variant: int) -> None:
        etag = etag_of(digest)
        found = self._bodies.find(digest, path, variant)
        file: IO[bytes]
        try:
            if found is None:
                raise FileNotFoundError
            file = BytesIO(found) if isinstance(found, bytes) else open(found, "rb")  # noqa: SIM115
        except FileNotFoundError:
            request.refuse(404, "This node does not hold that body.")
            return
        length = len(found) if isinstance(found, bytes) else os.fstat(file.fileno()).st_size
        span = select_range(b"GET", request.head.fields, length, etag)
        if span is UNSATISFIABLE:
            file.close()
            request.write_answer(416, *answer.head_416(length, request.site.date(), b"", request.closes))
            return
        count = length
        if isinstance(span, Span):
            count = span.length
            file.seek(span.first)
            request.setResponseCode(206)
            request.setHeader(b"Content-Range", b"bytes %d-%d/%d" % (span.first, span.last, length))
        request.setHeader(b"Content-Type", b"application/octet-stream")
        request.setHeader(b"ETag", b'"%b"' % etag)
        request.setHeader(b"Content-Length", b"%d" % count)
        if count:
            FileBody(request, file, count).start()
        else:
            file.close()
            request.finish()


def make_peer_site(bodies: Bodies, secrets: Resource, reactor: Any) -> EdgeSite:
    """Answers ``/.edge/body/`` and ``/.edge/secrets`` for peers, and nothing else."""
    root, edge = Resource(), Resource()
    root.putChild(b".edge", edge)
    edge.putChild(b"body", BodyResource(bodies))
    edge.putChild(b"secrets", secrets)
    return EdgeSite(root, reactor, limits=ChannelLimits(body_bytes=MOST_BYTES))

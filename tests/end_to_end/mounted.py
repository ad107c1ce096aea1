"""An application for tests, mounted into a node: it tells what it was sent, and how."""

from __future__ import annotations

import hashlib
from typing import Any

from twisted.web.resource import Resource


class Mirror(Resource):
    """Answers with the length and SHA-256 of what it was sent, and whether the connection is secure."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return b"secure" if request.isSecure() else b"plain"

    def render_POST(self, request: Any) -> bytes:
        body = request.content.read()
        return b"%d %s" % (len(body), hashlib.sha256(body).hexdigest().encode())

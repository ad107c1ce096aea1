"""An application that leads to another site: mounted beside a site with ``--mount``."""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.web.resource import Resource
from twisted.web.util import redirectTo

if TYPE_CHECKING:
    from edge.node.connection.request import EdgeRequest


class Leading(Resource):
    """``GET /out?to=URL`` leads there."""

    isLeaf = True

    def render_GET(self, request: EdgeRequest) -> bytes:
        """Answer with 302 to the URL in the query."""
        return redirectTo(request.args[b"to"][0], request)

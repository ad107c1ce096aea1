"""Plain HTTP that only leads to HTTPS: ``--redirect-https``.

What comes over plain TCP is answered ``308`` with the same host, path and query under ``https``; method and
body stay (RFC 9110 section 15.4.9).  Two things are let through: challenges of certificate authorities, which
ask over plain HTTP (RFC 8555 section 8.3), and Unix sockets, on which a proxy may have ended TLS.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.address import UNIXAddress
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from edge.http import answer

if TYPE_CHECKING:
    from twisted.web.resource import IResource

    from edge.node.connection.request import EdgeRequest

_CHALLENGES = [b".well-known", b"acme-challenge"]


class HTTPSOnly(Resource):
    """Lets through to *inner* what came over TLS; *port*: where browsers find this node's HTTPS."""

    def __init__(self, inner: IResource, port: int) -> None:
        super().__init__()
        self._inner = inner
        self._port = port

    # Twisted's overrides

    def getChildWithDefault(self, path: bytes, request: EdgeRequest) -> IResource:
        if (
            request.isSecure()
            or isinstance(request.getClientAddress(), UNIXAddress)
            or [path, *(request.postpath or [])[:1]] == _CHALLENGES
        ):
            return self._inner.getChildWithDefault(path, request)  # type: ignore[no-any-return]
        return _Elsewhere(self._port)


class _Elsewhere(Resource):
    """Answers every request with the address under HTTPS."""

    isLeaf = True

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port

    def render(self, request: EdgeRequest) -> int:
        head = request.head
        if not head.host:
            request.refuse(400, "This host is served over HTTPS; name it in the field Host.")
            return NOT_DONE_YET
        made = answer.redirect_to_https(
            head.host, self._port, head.path, head.query, request.site.date(), request.closes
        )
        request.write_answer(308, *made)
        return NOT_DONE_YET

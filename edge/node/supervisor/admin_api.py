"""The admin API: HTTP with JSON, on a listener of its own, for ``edgectl`` and for monitoring.

::

    GET  /status         the node, its workers, table, site and load
    POST /publish        {"webroot": null | "/dir", "site": null | "blog.example.org"}
                         -> {"puts", "removes", "unchanged", "problems", "sequence"}
    POST /purge          {"paths": ["/a.html", "blog.example.org/b.html", ...]}
                         -> {"purged", "unknown", "sequence"}
                         {"groups": ["ranking", ...], "application": null | "shop"}: stored answers, on all
                         nodes -> {"groups", "applications", "unsettled"}
    POST /drain          -> {"state": "draining"}
    GET  /members        {"node", "health", "members": [{"name", "state", "rtt_ms", "behind", ...}]}
    GET  /log            {"logs": [{"origin", "sequence", "behind", "lease_s"}], "lag_p99_ms", ...}
    GET  /certificates   {"certificates": [...]}: edge.node.supervisor.certificate_report
    POST /renew          -> {"state": "ordering"}: a new automatic certificate, now
    GET  /revocations    {"revoked": [{"serial", "name", "since"}], "own"}
    POST /revocations    {"list": a CRL in PEM form} -> {"new", ...} as above; it is passed on to all nodes
    GET  /tickets        {"keys": ["1f0e...", ...], "age_s"}: names of the keys, the one that seals first
    POST /tickets        {"forget": false}: a new key of session tickets; true: and none of before counts
                         -> as GET
    GET  /applications   {"applications": [{"name", "at", "run", "to", "kind", "problem",
                          "processes": [{"index", "pid", "state", "restarts", "leaving", "running",
                                         "memory_bytes", "cpu_seconds"}]}]}
    POST /applications/reload  {"name": "shop"} -> {"replaced": 2, "problems": [sentences]}
    POST /applications/explain {"url": "/ranking?page=2"}: why is it answered from the table, or not?
                         -> {"target", "application", "sentence", "keys": [{"sentence", "stored", ...}]}
    POST /try {"url": "/news/?page=2", "method": "GET", "fields": {"Accept": "text/html"}}
                         -> {"status", "steps": [{"what", "says"}], "fields", "bytes"}: by which rules
    GET  /check          {"ok", "checks": [{"name", "ok", "detail"}]}
    GET  /security       {"ok", "checks": [{"name", "ok", "detail"}]}
    GET  /.edge/metrics  Prometheus text

Errors are ``{"error": "a sentence"}`` with a 4xx or 5xx status.  Who may use it: on a Unix socket
(mode 0600) whoever the file system lets in; on TCP (loopback) who shows the token of ``admin.token``
in the state directory as ``Authorization: Bearer TOKEN``.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from edge.errors import EdgeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from edge.node.cluster.clusterview import ClusterView
    from edge.node.connection.request import EdgeRequest
    from edge.node.supervisor.administration import Administration
    from edge.node.supervisor.inspection import Inspection

#: Bytes of a request body: enough for 10,000 paths.
BODY_BYTES = 1024 * 1024


class AdminBadRequest(EdgeError):
    """The body of a request to the admin API is not what it should be."""


class NodeAlone(EdgeError):
    """A question about the cluster, to a node that is in none."""


class AdminResource(Resource):
    """The root of the admin API.

    *cluster* is None for a node alone; *token* None: the mode of the Unix socket is protection enough.
    """

    def __init__(
        self,
        inspection: Inspection,
        administration: Administration,
        cluster: ClusterView | None,
        token: str | None,
    ) -> None:
        super().__init__()
        self._token = token
        self._cluster = cluster
        edge = Resource()
        edge.putChild(b"metrics", _Metrics(inspection))
        self.putChild(b".edge", edge)
        self.putChild(b"status", _Get(_later(inspection.status)))
        self.putChild(b"check", _Get(inspection.check))
        self.putChild(b"certificates", _Get(_later(inspection.certificates)))
        self.putChild(b"renew", _Post(lambda body: _later(administration.renew)()))
        self.putChild(b"security", _Get(_later(inspection.security)))
        self.putChild(b"tickets", _Tickets(inspection, administration))
        self.putChild(b"members", _Get(_later(lambda: self._reports().members())))
        self.putChild(b"log", _Get(_later(lambda: self._reports().log())))
        self.putChild(b"revocations", _Revocations(self._reports))
        self.putChild(b"applications", _applications(inspection, administration))
        self.putChild(b"drain", _Post(lambda body: _later(administration.drain)()))
        self.putChild(b"publish", _Post(lambda body: administration.publish(*_webroot(body))))
        self.putChild(b"try", _Post(lambda body: _try(administration, body)))
        self.putChild(b"purge", _Post(lambda body: _purge(administration, body)))

    def _reports(self) -> ClusterView:
        if self._cluster is None:
            raise NodeAlone("this node is alone; --gossip and --peer make it one of a cluster")
        return self._cluster

    # Twisted's overrides

    def getChildWithDefault(self, name: bytes, request: EdgeRequest) -> Resource:
        if self._token is not None and not _shows(request, self._token):
            return _Unauthorized()
        found: Resource = super().getChildWithDefault(name, request)
        return found

    def getChild(self, name: bytes, request: EdgeRequest) -> Resource:
        return _Unknown()


def _shows(request: EdgeRequest, token: str) -> bool:
    """Whether *request* carries the bearer *token*."""
    given = request.getHeader(b"Authorization") or b""
    return hmac.compare_digest(given, b"Bearer " + token.encode("ascii"))


def _later(answer: Callable[[], dict[str, Any]]) -> Callable[[], Awaitable[dict[str, Any]]]:
    """*answer* as an asynchronous function."""

    async def run() -> dict[str, Any]:
        return answer()

    return run


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object in *body*; an empty body is an empty one."""
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise AdminBadRequest("the body is not JSON") from None
    if not isinstance(found, dict):
        raise AdminBadRequest("the body is not a JSON object")
    return found


def _webroot(body: bytes) -> tuple[str | None, str | None]:
    """(directory, name of the site)."""
    found = _object(body)
    webroot, site = found.get("webroot"), found.get("site")
    if webroot is not None and not isinstance(webroot, str):
        raise AdminBadRequest('"webroot" is neither null nor the name of a directory')
    if site is not None and not isinstance(site, str):
        raise AdminBadRequest('"site" is neither null nor the name of a site')
    return webroot, site


def _name(body: bytes) -> str:
    name = _object(body).get("name")
    if not isinstance(name, str):
        raise AdminBadRequest('"name" is not the name of an application')
    return name


def _list(body: bytes) -> bytes:
    found = _object(body).get("list")
    if not isinstance(found, str):
        raise AdminBadRequest('"list" is not a list of revoked certificates (CRL) in PEM form')
    return found.encode()


def _forget(body: bytes) -> bool:
    forget = _object(body).get("forget", False)
    if not isinstance(forget, bool):
        raise AdminBadRequest('"forget" is neither true nor false')
    return forget


def _url(body: bytes) -> str:
    url = _object(body).get("url")
    if not isinstance(url, str) or not url:
        raise AdminBadRequest('"url" is not a URL, or a path')
    return url


async def _try(administration: Administration, body: bytes) -> dict[str, Any]:
    found = _object(body)
    method, fields, visitor = found.get("method", "GET"), found.get("fields", {}), found.get("address", "")
    texts = [*fields, *fields.values()] if isinstance(fields, dict) else [None]
    if (
        not isinstance(method, str)
        or not isinstance(visitor, str)
        or not all(isinstance(one, str) for one in texts)
    ):
        raise AdminBadRequest('"method" and "address" are texts, and "fields" an object of texts')
    asked = {name.lower().encode(): value.encode() for name, value in fields.items()}
    return administration.try_request(_url(body), method, asked, visitor)


def _purge(administration: Administration, body: bytes) -> Awaitable[dict[str, Any]]:
    found = _object(body)
    if "groups" not in found:
        return administration.purge(_paths(body))
    groups, application = found["groups"], found.get("application")
    if not isinstance(groups, list) or not groups or not all(isinstance(one, str) for one in groups):
        raise AdminBadRequest('"groups" is not a list of names of cache groups')
    if application is not None and not isinstance(application, str):
        raise AdminBadRequest('"application" is not the name of an application')
    return administration.purge_groups(groups, application)


def _paths(body: bytes) -> list[str]:
    paths = _object(body).get("paths")
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise AdminBadRequest('"paths" is not a list of paths')
    return paths


def send_json(request: EdgeRequest, status: int, content: dict[str, Any]) -> None:
    """Answer *request* with *content* as JSON."""
    body = json.dumps(content).encode() + b"\n"
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", b"application/json")
    request.setHeader(b"Cache-Control", b"no-store")
    request.setHeader(b"Content-Length", b"%d" % len(body))
    request.write(body)
    request.finish()


class _JSON(Resource):
    """A resource whose answer is the JSON that a coroutine returns, unless the client has gone meanwhile."""

    isLeaf = True
    _log = Logger()

    def _answer(self, request: EdgeRequest, work: Callable[[], Awaitable[dict[str, Any]]]) -> object:
        gone: list[object] = []
        request.notifyFinish().addErrback(gone.append)

        async def run() -> None:
            try:
                status, content = 200, await work()
            except AdminBadRequest as error:
                status, content = 400, {"error": str(error)}
            except EdgeError as error:
                status, content = 409, {"error": str(error)}
            except Exception:
                self._log.failure("the admin API failed at {path}", path=request.path)
                status, content = 500, {"error": "the node failed at this; its log says more"}
            if not gone:
                send_json(request, status, content)

        Deferred.fromCoroutine(run())
        return NOT_DONE_YET


class _Get(_JSON):
    def __init__(self, work: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        super().__init__()
        self._work = work

    def render_GET(self, request: EdgeRequest) -> object:
        return self._answer(request, self._work)


class _Post(_JSON):
    def __init__(self, work: Callable[[bytes], Awaitable[dict[str, Any]]]) -> None:
        super().__init__()
        self._work = work

    def render_POST(self, request: EdgeRequest) -> object:
        body = request.content.read()

        async def run() -> dict[str, Any]:
            return await self._work(body)

        return self._answer(request, run)


def _applications(inspection: Inspection, administration: Administration) -> Resource:
    listed = _Get(_later(inspection.applications))
    listed.isLeaf = False
    listed.putChild(b"reload", _Post(lambda body: administration.reload_application(_name(body))))
    listed.putChild(b"explain", _Post(lambda body: administration.explain(_url(body))))
    return listed


class _Revocations(_JSON):
    def __init__(self, cluster: Callable[[], ClusterView]) -> None:
        super().__init__()
        self._cluster = cluster

    def render_GET(self, request: EdgeRequest) -> object:
        return self._answer(request, _later(lambda: self._cluster().revocations()))

    def render_POST(self, request: EdgeRequest) -> object:
        body = request.content.read()
        return self._answer(request, _later(lambda: self._cluster().announce(_list(body))))


class _Tickets(_JSON):
    def __init__(self, inspection: Inspection, administration: Administration) -> None:
        super().__init__()
        self._inspection = inspection
        self._administration = administration

    def render_GET(self, request: EdgeRequest) -> object:
        return self._answer(request, _later(self._inspection.tickets))

    def render_POST(self, request: EdgeRequest) -> object:
        body = request.content.read()

        async def run() -> dict[str, Any]:
            self._administration.change_ticket_keys(_forget(body))
            return self._inspection.tickets()

        return self._answer(request, run)


class _Metrics(Resource):
    isLeaf = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__()
        self._inspection = inspection

    def render_GET(self, request: EdgeRequest) -> bytes:
        content_type, text = self._inspection.metrics()
        request.setHeader(b"Content-Type", content_type)
        return text


class _Unauthorized(Resource):
    isLeaf = True

    def render(self, request: EdgeRequest) -> object:
        request.setHeader(b"WWW-Authenticate", b"Bearer")
        send_json(request, 401, {"error": "this needs the token of admin.token in the state directory"})
        return NOT_DONE_YET


class _Unknown(Resource):
    isLeaf = True

    def render(self, request: EdgeRequest) -> object:
        send_json(request, 404, {"error": "the admin API has nothing under this path"})
        return NOT_DONE_YET

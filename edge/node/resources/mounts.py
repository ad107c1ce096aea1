"""Resources of an application beside the published site: ``--mount /path=module:name[:argument]``.

The factory *name* of *module* is called in each worker, with *argument* if there is one, and gives a
:class:`twisted.web.resource.Resource`.  Requests that change something (all methods but GET, HEAD and
OPTIONS) reach it only from pages of our own origins (:func:`edge.http.own_origins.own_origins` and
``--public-url``), of the cluster's nodes and of ``--allow-origin``: what another site's page sends with the
visitor's browser is refused with 403 (by Sec-Fetch-Site and Origin;
programs that are no browsers send neither).
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from edge.config.values import MOUNT
from edge.errors import ConfigError
from edge.node.resources.origins import FOREIGN, SAFE, is_foreign

if TYPE_CHECKING:
    from collections.abc import Collection

    from edge.node.connection.request import EdgeRequest


class Mount(NamedTuple):
    """The resource *name* of the module *module*, mounted at *path*."""

    #: First segment of the addresses, without slashes.
    path: str
    module: str
    name: str
    argument: str | None


def parse_mount(text: str) -> Mount:
    """The mount that *text* describes, which :mod:`edge.config` has checked."""
    match = MOUNT.fullmatch(text)
    if match is None:
        raise ConfigError(f"mount {text!r}: write /path=module:name or /path=module:name:argument")
    return Mount(**match.groupdict())


def open_mount(mount: Mount) -> IResource:
    """The application's resource; :exc:`ConfigError` if there is none."""
    where = f"mount /{mount.path}: "
    try:
        factory = getattr(import_module(mount.module), mount.name)
    except ImportError as error:
        raise ConfigError(
            f"{where}{mount.module} cannot be imported: {error}; install it beside the node, or name its "
            "folder in PYTHONPATH"
        ) from error
    except AttributeError:
        raise ConfigError(
            f"{where}{mount.module} has no {mount.name}; name what makes the resource"
        ) from None
    try:
        resource = factory() if mount.argument is None else factory(mount.argument)
    except Exception as error:
        raise ConfigError(
            f"{where}{mount.name} failed: {error}; it is called once in each worker, before that serves"
        ) from error
    if not IResource.providedBy(resource):
        raise ConfigError(
            f"{where}{mount.name} gave no twisted.web resource, but {type(resource).__name__}; name what "
            "makes one"
        )
    return resource


class Broken(Resource):
    """The resource in place of an application that cannot be opened any more: 503."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()

    # Twisted's overrides

    def render(self, request: EdgeRequest) -> int:
        request.refuse(503, "This application cannot be opened now; the node's log says why.")
        return NOT_DONE_YET


class Guarded(Resource):
    """Lets through to *inner* what no other site's page has sent."""

    def __init__(self, inner: IResource, allowed: Collection[bytes]) -> None:
        super().__init__()
        self._inner = inner
        self._allowed = allowed
        self.isLeaf = bool(inner.isLeaf)

    # Twisted's overrides

    def getChildWithDefault(self, path: bytes, request: EdgeRequest) -> IResource:
        if self._is_foreign(request):
            return self
        return self._inner.getChildWithDefault(path, request)  # type: ignore[no-any-return]

    def render(self, request: EdgeRequest) -> int:
        if self._is_foreign(request):
            request.refuse(403, FOREIGN)
            return NOT_DONE_YET
        return self._inner.render(request)  # type: ignore[no-any-return]

    def _is_foreign(self, request: EdgeRequest) -> bool:
        head = request.head
        return head.method not in SAFE and is_foreign(head, request.isSecure(), self._allowed)

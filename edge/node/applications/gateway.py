"""Which requests an application answers, and which application: the way from a worker's channels to origins.

In this order:

1. ``/.edge/...`` is the node's own, and so are the mounts.
2. Of a path that some other program could take for another path, nobody answers: ``.`` and ``..`` segments,
   NUL and backslashes, encoded or not, are 404 before an application sees them.  Empty segments and encoded
   slashes mean to applications what they like.
3. What is published wins: a file of the webroot, and the folder that a path without its slash names.
4. Else the application answers whose ``at`` is the longest prefix of the path, read as its canonical form: as
   ``/%73hop/`` is the same as ``/shop/``, nobody chooses by it who answers.  The application gets the bytes
   that the visitor sent.

Requests that change something, and those that ask for another protocol, are refused to pages of other sites
(:func:`edge.node.resources.origins.is_foreign`).  What comes over plain HTTP is not taken where that only
leads to HTTPS.

Who asks from this machine with the field ``Edge-Timing`` is told in ``Server-Timing`` what the answer took;
strangers are not, for whom it would tell apart what differs in time alone.
"""

# Much of Twisted has no annotations.
# mypy: allow-untyped-calls

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.address import UNIXAddress
from twisted.logger import Logger

from edge.config.applications import is_under
from edge.http.target import canonical_path, unambiguous_path
from edge.node.applications.application_request import ApplicationRequest
from edge.node.applications.timing import Timing
from edge.node.connection.refused import Refused
from edge.node.process.counted_log import CountedLog
from edge.node.resources.audience import is_of_this_machine
from edge.node.resources.origins import FOREIGN, SAFE, is_foreign
from edge.sites import Hosts
from edge.upstream.forwarded import passages

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from edge.http.parser import RequestHead
    from edge.node.applications.origin import Origin
    from edge.node.connection.request import EdgeRequest
    from edge.node.connection.streamed import StreamChannel, StreamedRequest
    from edge.table.reader import Reader

#: A request that has come through so many nodes goes in a circle: an application's ``to`` leads back to a
#: node.
PASSAGES = 8


#: Paths of which it is remembered that nothing is published there.
MOST_UNPUBLISHED = 1024


class Place(NamedTuple):
    """An application and its place among the paths."""

    #: "/" or like "/shop".
    at: bytes
    origin: Origin
    #: What the application is told as Host; b"": what the visitor sent.
    host: bytes = b""
    #: The number of its site.
    site: int = 0


class Gateway:
    """The applications of a worker; implements :class:`~edge.node.connection.streamed.Streams`."""

    _log = Logger()

    def __init__(
        self,
        places: Iterable[Place],
        reader: Reader,
        clock: Any,
        allowed: Sequence[Collection[bytes]],
        mounts: Collection[bytes] = (),
        https_only: bool = False,
        hosts: Hosts | None = None,
        is_ruled: Callable[[int, bytes], bool] = lambda site, path: False,
    ) -> None:
        """*allowed*: by number of the site, origins whose pages may change something there.

        *mounts*: first segments that are not ours, at the default site; *hosts*: None, there is one site.
        *is_ruled*: whether a rule of the site of that number says what a path is where nothing is published.
        """
        #: The longest first.
        self.places = sorted(places, key=lambda place: -len(place.at))
        self._hosts = hosts or Hosts()
        self._reader = reader
        self._allowed = allowed
        self._mounts = frozenset(mounts)
        self._https_only = https_only
        self._is_ruled = is_ruled
        #: Path -> the sequence of the table at which nothing was published under it.
        self._unpublished: dict[bytes, int] = {}
        self._clock = clock
        self._said = CountedLog(self._log, clock)

    def take(self, channel: StreamChannel, head: RequestHead) -> StreamedRequest | None:
        """Who answers the request with *head* as it comes; None: it is for the resources."""
        if self._https_only and not (channel.isSecure() or isinstance(channel.getPeer(), UNIXAddress)):
            return None
        path, place = self._place_of(head)
        if place is None:
            return None
        if path is not None:
            prefix = self._hosts.prefix(place.site)
            published = self._is_published(path, prefix)
            if published or not self._reader.complete or self._is_ruled(place.site, path):
                return None  # or it is not known: the resources ask, and come back by take_whole
            return self._guarded(channel, head, place, self._unpublished.get(prefix + path))
        return self._guarded(channel, head, place)

    def take_whole(self, request: EdgeRequest) -> bool:
        """Have an application answer *request*, for which nothing is published; whether one does."""
        _, place = self._place_of(request.head)
        if place is None:
            return False
        channel: Any = request.channel
        made = self._guarded(channel, request.head, place)
        request.content.seek(0)
        channel.stream(made, request.content)
        return True

    def place_at(self, site: int, path: bytes) -> Place | None:
        """Where a GET of *path* is answered, under which nothing is published at *site*.

        None: nowhere, or it is for the resources to say.
        """
        if not self._reader.complete or canonical_path(path) != path or self._is_ruled(site, path):
            return None
        return self._place_under(site, path)

    def _guarded(
        self, channel: StreamChannel, head: RequestHead, place: Place, unpublished: int | None = None
    ) -> StreamedRequest:
        """What asks the application at *place*, or says why it must not; *unpublished*: as of a question."""
        if head.method == b"TRACE":  # it would show the visitor's page what it must not know (RFC 9110 9.3.8)
            return Refused(channel, head, 405, "", b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n")
        if channel.span is not None:
            channel.span.routed(place.at)
        changes = head.method not in SAFE or b"upgrade" in head.fields
        if changes and is_foreign(head, channel.isSecure(), self._allowed[place.site]):
            return Refused(channel, head, 403, FOREIGN)
        via = head.fields.get(b"via")
        if via is not None and passages(via) >= PASSAGES:
            name = place.origin.name
            self._said.warn("circle", f"{name}: requests go in a circle; `to` leads back to a node")
            return Refused(channel, head, 508, "The request goes in a circle.")
        timing = None
        if b"edge-timing" in head.fields:
            address = getattr(channel.getPeer(), "host", "")
            if is_of_this_machine(head, address, channel.isSecure()):
                timing = Timing(self._clock)
        return ApplicationRequest(channel, head, place.origin, place.host, self._said, timing, unpublished)

    def _place_of(self, head: RequestHead) -> tuple[bytes | None, Place | None]:
        """(canonical form of the path, or None; whose it is where nothing is published, or None)."""
        path, site = canonical_path(head.path), self._hosts.find(head.host or b"")
        route = path if path is not None else unambiguous_path(head.path)
        if route is None or site is None:
            return path, None
        return path, self._place_under(site, route)

    def _place_under(self, site: int, route: bytes) -> Place | None:
        first = route[1:].partition(b"/")[0]
        if first == b".edge" or (first in self._mounts and not self._hosts.prefix(site)):
            return None
        places = (place for place in self.places if place.site == site and is_under(route, place.at))
        return next(places, None)

    def _is_published(self, path: bytes, prefix: bytes) -> bool:
        path = prefix + path
        reader = self._reader
        sequence = reader.sequence  # before it is looked for: what is published later has another one
        if self._unpublished.get(path) == sequence:
            return False
        if reader.is_file(path) or (not path.endswith(b"/") and reader.is_file(path + b"/")):
            return True
        if len(self._unpublished) >= MOST_UNPUBLISHED:
            self._unpublished.clear()
        self._unpublished[path] = sequence
        return False

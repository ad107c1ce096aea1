"""Entries of a log as what users did: page views, sessions, pages and their parts.

A **page view** is a GET of a document that was given or confirmed (200, 304) and whose path is no file of
another kind, nor one of the node's own.  What a smart client confirms in a batch, or asks for the changes
since a state, is a view of a page that the log does not name: it counts for sessions, not for popularity.
A **part** of a page is what its client asked for with the page as referer, or, where the log has no
referers, within :data:`PART_S` of it.
"""

from __future__ import annotations

import re
from collections import OrderedDict

from loadgen.logs.entries import Entry
from loadgen.logs.private import is_private
from loadgen.record.clients import Clients
from loadgen.record.pages import Pages
from loadgen.record.rates import Bins
from loadgen.record.sessions import BESIDE_S, IDLE_S, ONE_VIEW_S, Sessions

#: After a page, in logs without referers.
PART_S = 5.0
_GIVEN = (200, 206, 304)
_DOCUMENT = re.compile(rb"(?:/[^/.]*|\.(?:html?|xhtml|php|aspx?|jsp))$", re.IGNORECASE)
#: Of our own nodes: what a smart client asks at a page view, and what nobody views.
_ASKED = (b"/.edge/revalidate", b"/.edge/changes")
_OWN = (b"/.edge/", b"/.well-known/")
#: Of smart clients, fetched beside pages.
_BESIDE = (b"/sw.js", b"/edge.json")
_MOST_CLIENTS = 50_000


class Traffic:
    """What users did; feed it entries in the order of time."""

    def __init__(self, with_bots: bool = False, idle_s: float = IDLE_S) -> None:
        self._with_bots = with_bots
        self.begins = Bins()
        self.sessions = Sessions(self.begins.add, idle_s)
        self.pages = Pages()
        self.clients = Clients()
        self.requests = self.bots = self.views = self.unnamed = 0
        #: Addresses that had a query string, and those left out as private.
        self.queries = self.private = 0
        #: First requests of a client in a session that were confirmed: it had been here before.
        self.first_views = self.warm = 0
        self.span = 0.0
        self.in_whole_seconds = True
        #: Clients and their last page.
        self._latest: OrderedDict[int, tuple[float, bytes]] = OrderedDict()
        self._known = Clients()

    def add(self, second: float, entry: Entry) -> None:
        """Count *entry*, which came at *second*."""
        self.span = max(self.span, second)
        if entry.is_bot and not self._with_bots:
            self.bots += 1
            return
        self.requests += 1
        self.clients.add(entry.client)
        if entry.at != int(entry.at):
            self.in_whole_seconds = False
        path, mark, _ = entry.target.partition(b"?")
        self.queries += bool(mark)
        if path in _ASKED:
            self._view(second, entry, b"", is_warm=True)
        elif entry.method == b"GET" and entry.status in _GIVEN and not path.startswith(_OWN):
            if path in _BESIDE:
                return
            is_page = _DOCUMENT.search(path) is not None
            if is_private(path):
                self.private += 1
                path = b""
            if is_page:
                self._view(second, entry, path, is_warm=entry.status == 304)
            elif path:
                self._part(second, entry, path)

    def end(self) -> None:
        """The log is over."""
        self.sessions.end()

    def _view(self, second: float, entry: Entry, path: bytes, is_warm: bool) -> None:
        near = ONE_VIEW_S if path else BESIDE_S
        if not self.sessions.view(second, entry.client, self.in_whole_seconds, near):
            return
        self.views += 1
        if not self._knows(entry.client):
            self.first_views += 1
            self.warm += is_warm
        if not path:
            self.unnamed += 1
            return
        self.pages.view(path, entry.client)
        self._latest.pop(entry.client, None)
        self._latest[entry.client] = second, path
        if len(self._latest) > _MOST_CLIENTS:
            self._latest.popitem(last=False)

    def _knows(self, client: int) -> bool:
        before = self._known.count
        self._known.add(client)
        return self._known.count == before

    def _part(self, second: float, entry: Entry, path: bytes) -> None:
        page = entry.referer.partition(b"?")[0]
        if not page:
            at, latest = self._latest.get(entry.client, (0.0, b""))
            page = latest if second - at <= PART_S else b""
        if page:
            self.pages.part(page, path)

    @property
    def warm_share(self) -> float:
        """Share of the clients whose first view was one of a page that they had."""
        return self.warm / self.first_views if self.first_views else 0.0

"""What readers of one site can learn of another one's paths and groups: nothing, whatever they ask."""

from __future__ import annotations

import json
import os
from urllib.parse import quote

import msgspec
from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection as Frames
from wsproto.connection import ConnectionType
from wsproto.events import BytesMessage, Event, TextMessage

from edge.cache.group_changes import Stamp
from edge.cache.group_history import GroupChange, group_hash
from edge.node.process.group_news import GroupNews, pack, unpack
from edge.node.process.own_resources import ADDRESSES
from edge.publish.addressing import Document, OpenRule
from edge.sites import SiteHosts
from edge.table.site_state import StateEntry
from tests.node.serving import Connection
from tests.node.tables import Site, representation

SITES = (SiteHosts(b"", default=True), SiteHosts(b"blog.example", (b"blog.example",)))
#: Of each site, by host: a path and a group that only it has.
PATHS = {b"shop.example": b"/hats/secret-of-shop", b"blog.example": b"/posts/secret-of-blog"}
GROUPS = {b"shop.example": "stock", b"blog.example": "drafts"}
OPENING = (
    b"GET /.edge/socket?topics=changed,load,status HTTP/1.1\r\nHost: %b\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
HISTORY = b"aaaaaa3\naaaaaa\n" + b"".join(
    b"aaaaaa%d %b%b\n" % (number, prefix, path)
    for number, (prefix, path) in enumerate(zip((b"", b"blog.example"), PATHS.values(), strict=True), 1)
)


class SitesApartTests(SynchronousTestCase):
    """A node with a shop, which is its default site, and a blog."""

    def setUp(self) -> None:
        directory = self.mktemp()
        os.mkdir(directory)
        self.site = Site(directory)
        self.addCleanup(self.site.close)
        for prefix, path in zip((b"", b"blog.example"), PATHS.values(), strict=True):
            self.site.put(prefix + path, representation(0, path))
            rules = Document((OpenRule("/all/*", "", "/:splat", 200, False),))
            assert self.site.writer.put_template(prefix + ADDRESSES, b"", b"", msgspec.msgpack.encode(rules))
        state = StateEntry(self.site.writer)
        state.show(b"Content-Type: text/plain\r\n", b"")
        state.settle(HISTORY, 0)

    def connect(self) -> Connection:
        connection = self.site.connect(sites=SITES, with_rules=True)
        self.addCleanup(self.site.pushing.stop)
        return connection

    def other(self, host: bytes) -> bytes:
        return next(one for one in PATHS if one != host)

    def read(self, host: bytes, request: bytes) -> bytes:
        """All that is answered to *request* at *host*."""
        connection = self.connect()
        connection.send(request)
        connection.turn(20)
        return bytes(connection.transport.written)

    def assert_nothing_told(self, host: bytes, told: bytes) -> None:
        other = self.other(host)
        self.assertNotIn(PATHS[other], told)
        self.assertNotIn(group_hash(GROUPS[other]).encode(), told)

    def test_no_resource_of_the_node_names_what_another_site_has(self) -> None:
        names = ["changes", "changes?since=aaaaaa", "status", "load", "client", "", "metrics", "addresses"]
        spelt = [f"/.edge/{name}" for name in names]
        spelt += ["/%2eedge/changes", "//.edge/changes", "/./.edge/changes", "/x/../.edge/changes"]
        spelt += [
            "/all/.edge/changes",
            "/all/%2eedge/changes",
            "/all/.edge/addresses%00",
            "/.edge/changes%00",
        ]
        for host in PATHS:
            for target in spelt:
                for lines in (b"", b"Range: bytes=0-\r\n"):
                    with self.subTest(host=host, target=target):
                        asked = b"GET %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (target.encode(), host, lines)
                        self.assert_nothing_told(host, self.read(host, asked))

    def test_each_hears_of_its_own_changes(self) -> None:
        for host, path in PATHS.items():
            asked = b"GET /.edge/changes?since=aaaaaa HTTP/1.1\r\nHost: %b\r\n\r\n" % host
            self.assertIn(path, self.read(host, asked))

    def test_no_copy_of_another_site_is_confirmed(self) -> None:
        for host in PATHS:
            for own in (True, False):
                path = PATHS[host if own else self.other(host)]
                for target in (path, b"/" + self.other(host) + path, b"/all" + path):
                    tag = representation(0, path).etag
                    body = b"%b %b" % (tag, quote(target).encode())
                    told = self.read(
                        host,
                        b"POST /.edge/revalidate HTTP/1.1\r\nHost: %b\r\nContent-Type: text/plain\r\n"
                        b"Content-Length: %d\r\n\r\n%b" % (host, len(body), body),
                    )
                    is_current = b'"stale":[]' in told
                    self.assertEqual(is_current, own and target == path, (host, target, told))

    def test_a_socket_hears_of_the_groups_of_its_own_site_alone(self) -> None:
        for host in PATHS:
            connection = self.connect()
            connection.send(OPENING % host)
            self.news(1)
            state = self.site.pushing._history.state
            both = [group_hash(group) for group in GROUPS.values()]
            self.say(connection, TextMessage(json.dumps({"type": "follow", "groups": both})))
            self.news(2)
            self.say(connection, BytesMessage(b"\3\1" + state))
            self.say(connection, BytesMessage(b"\1\2aaaaaa"))
            connection.pass_time(2)
            told, own = bytes(connection.transport.written), group_hash(GROUPS[host]).encode()
            now = self.site.pushing._history.state
            with self.subTest(host=host):
                self.assert_nothing_told(host, told)
                self.assertIn(b'"g": ["%b"]' % own, told)
                self.assertIn(b"\x83\1%b\n%b\n" % (now, own), told)
                self.assertIn(b"\x81\2aaaaaa3\n%b\n" % PATHS[host], told)

    def test_a_socket_hears_of_what_is_doubtful_of_its_own_site_alone(self) -> None:
        connections = {}
        for host in PATHS:
            connections[host] = self.connect()
            connections[host].send(OPENING % host)
            self.say(connections[host], TextMessage(json.dumps({"type": "follow", "groups": ["7m-zFnsC"]})))
        doubt = GroupChange(None, "n1", 7, 9, "blog.example")
        self.site.pushing.tell_groups(unpack(pack(GroupNews([doubt], {"n1": Stamp(7, 9)}))))
        told = []
        for connection in connections.values():
            connection.pass_time(2)
            told.append(b'"g": null' in bytes(connection.transport.written))
        self.assertEqual(sorted(told), [False, True])

    def news(self, edition: int) -> None:
        """Both sites' applications have changed what they have."""
        changes = [
            GroupChange((group_hash(group),), "n1", 7, 2 * edition + number, prefix)
            for number, (group, prefix) in enumerate(zip(GROUPS.values(), ("", "blog.example"), strict=True))
        ]
        self.site.pushing.tell_groups(unpack(pack(GroupNews(changes, {"n1": Stamp(7, 2 * edition + 1)}))))

    def say(self, connection: Connection, message: Event) -> None:
        connection.send(Frames(ConnectionType.CLIENT).send(message))
        connection.pass_time(1)

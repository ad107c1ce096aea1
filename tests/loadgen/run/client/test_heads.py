"""Requests byte for byte: the node's strict parser reads them, and none would cost a browser a preflight."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from edge.http.events import Data, EndOfMessage, RequestHead
from edge.http.parser import NEED_DATA, RequestParser
from loadgen.run.client.heads import Heads
from loadgen.run.messages.sitemap import KINDS
from tests.loadgen.run.samples import URLS

#: Header lines that scripts cannot set, or that browsers add themselves (Fetch, "forbidden request-header";
#: two that "HTTP-network-or-cache fetch" adds where a cache is passed by, after the question of preflights).
BROWSERS_OWN = re.compile(
    rb"accept-encoding|cache-control|connection|content-length|host|origin|pragma|referer|user-agent"
    rb"|upgrade-insecure-requests|sec-.*"
)
#: Bytes that make a value one that asks for a preflight (Fetch, "CORS-unsafe request-header byte").
UNSAFE = re.compile(rb'[\x00-\x08\x0a-\x1f"():<>?@\[\\\]{}\x7f]')
FORMS = (b"application/x-www-form-urlencoded", b"multipart/form-data", b"text/plain")


def is_safelisted(name: bytes, value: bytes) -> bool:
    """Whether a script may set this line across origins unasked (Fetch, "CORS-safelisted request-header")."""
    if len(value) > 128:
        return False
    if name == b"accept":
        return not UNSAFE.search(value)
    if name in (b"accept-language", b"content-language"):
        return re.fullmatch(rb"[0-9A-Za-z *,\-.;=]*", value) is not None
    if name == b"content-type":
        return not UNSAFE.search(value) and value.partition(b";")[0].strip().lower() in FORMS
    return False


def parsed(data: bytes) -> tuple[RequestHead, bytes]:
    """The one request in *data*, and its body."""
    parser = RequestParser()
    parser.receive(data)
    head, body = parser.next_event(), b""
    assert isinstance(head, RequestHead)
    while not isinstance(event := parser.next_event(), EndOfMessage):
        assert isinstance(event, Data), event
        body += event.data
    assert not parser.trailing
    assert head.keep_alive
    parser.start_next_cycle()
    assert parser.next_event() is NEED_DATA
    return head, body


class HeadTests(SynchronousTestCase):
    """All kinds of requests, at home (node 0) and elsewhere (node 2)."""

    def setUp(self) -> None:
        self.heads = Heads(URLS)

    def all(self) -> list[tuple[int, int, bytes]]:
        """(node, home, request) of everything that can be sent to any node."""
        made = []
        for node in range(4):
            for home in range(4):
                for kind in KINDS:
                    for etag in (b"", b"aBc-_123", b"-aBc_123"):
                        for path in (b"/", b"/a?b=c"):
                            made.append((node, home, self.heads.get(node, home, path, kind, etag)))
                made.append((node, home, self.heads.post(node, home, b"/.edge/revalidate", b"abc /")))
        return made

    def test_the_node_reads_all_of_them(self) -> None:
        for node, _, request in self.all():
            head, _ = parsed(request)
            self.assertEqual(head.version, b"HTTP/1.1")
            self.assertEqual(head.fields[b"host"], URLS[node].partition("://")[2].encode())

    def test_none_that_goes_to_another_origin_asks_for_a_preflight(self) -> None:
        for node, home, request in self.all():
            head, _ = parsed(request)
            if node == home:
                continue
            self.assertIn(head.method, (b"GET", b"POST"))
            for name, value in head.headers:
                if not BROWSERS_OWN.fullmatch(name.lower()):
                    self.assertTrue(is_safelisted(name.lower(), value), (name, value))

    def test_no_line_comes_twice(self) -> None:
        for _, _, request in self.all():
            names = [name.lower() for name, _ in parsed(request)[0].headers]
            self.assertEqual(len(names), len(set(names)), request)

    def test_other_origins_learn_who_asks(self) -> None:
        for node, home, request in self.all():
            head, _ = parsed(request)
            site = b"same-origin" if node == home else b"same-site"
            self.assertEqual(head.fields[b"sec-fetch-site"], site)
            if node != home:
                self.assertEqual(head.fields[b"origin"], URLS[home].encode())
                self.assertEqual(head.fields[b"sec-fetch-mode"], b"cors")
            elif head.method == b"GET":
                self.assertNotIn(b"origin", head.fields)

    def test_a_validator_is_a_header_at_home_and_a_part_of_the_query_elsewhere(self) -> None:
        head, _ = parsed(self.heads.get(1, 1, b"/x", "style", b"abc"))
        self.assertEqual((head.target, head.fields[b"if-none-match"]), (b"/x", b'"abc"'))
        for path, target in ((b"/x", b"/x?~etag=abc"), (b"/x?y=z", b"/x?y=z&~etag=abc")):
            head, _ = parsed(self.heads.get(2, 1, path, "style", b"abc"))
            self.assertEqual(head.target, target)
            self.assertNotIn(b"if-none-match", head.fields)

    def test_without_a_copy_nothing_is_conditional(self) -> None:
        for node in (0, 1):
            head, _ = parsed(self.heads.get(node, 0, b"/x", "image"))
            self.assertEqual(head.target, b"/x")
            self.assertNotIn(b"if-none-match", head.fields)

    def test_each_kind_says_what_it_accepts_and_is_for(self) -> None:
        for kind, own in KINDS.items():
            head, _ = parsed(self.heads.get(0, 0, b"/", kind))
            self.assertEqual(head.fields[b"accept"], own.accept.encode())
            self.assertEqual(head.fields[b"sec-fetch-dest"], own.destination.encode())
            self.assertEqual(head.fields[b"sec-fetch-mode"], own.mode.encode())
            elsewhere, _ = parsed(self.heads.get(1, 0, b"/", kind))
            self.assertEqual(elsewhere.fields[b"accept"], own.accept.encode())

    def test_a_batch_is_text_and_a_mutation_what_it_says(self) -> None:
        head, body = parsed(self.heads.post(0, 0, b"/.edge/revalidate", b"abc /\ndef /x"))
        self.assertEqual((head.method, head.fields[b"content-type"]), (b"POST", b"text/plain;charset=UTF-8"))
        self.assertEqual(body, b"abc /\ndef /x")
        lines = b"Content-Type: application/json\r\nIdempotency-Key: 5-1\r\n"
        head, body = parsed(self.heads.post(0, 0, b"/cart", b"{}", lines))
        self.assertEqual(head.fields[b"content-type"], b"application/json")
        self.assertEqual((head.fields[b"idempotency-key"], body), (b"5-1", b"{}"))

    def test_what_repeats_is_made_once(self) -> None:
        self.assertEqual(self.heads.get(0, 1, b"/", "style"), self.heads.get(0, 1, b"/", "style"))
        self.assertEqual(len(self.heads.lines), 1)

"""What connections hold of the pools of their process, tried by those who want to fill them."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from edge.http import answer
from edge.node.connection.body import FileBody
from edge.node.connection.request import BODY_IN_MEMORY
from edge.shares import Pool, Pools
from tests.node.connection.test_channel import Echo
from tests.node.serving import Connection

#: Bytes of an answer that is long.
LONG = 200_000
HOARDER, OTHER = "192.0.2.9", "198.51.100.1"
_CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
_GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def chunk(size: int) -> bytes:
    """One of *size* bytes."""
    return b"%x\r\n%b\r\n" % (size, b"a" * size)


class AtOnce(Resource):
    """A long answer, written at once by who waits for nothing."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return b"a" * LONG


class OfAFile(Resource):
    """A long answer from a file."""

    isLeaf = True

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def render_GET(self, request: Any) -> int:
        file = request.open(self.path)
        request.begin_answer(200, answer.head_plain(200, request.site.date(), LONG, b"", b"", request.closes))
        FileBody(request, file, LONG).start()
        return NOT_DONE_YET


class HoldingTests(SynchronousTestCase):
    """One address takes all that it can; another one finds what it needs; at the end all is given back."""

    def setUp(self) -> None:
        self.pools = Pools(Pool(2_000_000), Pool(8), Pool(1 << 20), Pool(8))

    def crowd(self, root: Resource, *sent: bytes, secure: bool = False) -> list[Connection]:
        """Fifty connections of the hoarder, whose peers take nothing; those that were not refused."""
        first = Connection(root, pools=self.pools)
        self.first = first
        made = []
        for _ in range(50):
            connection = first.another(HOARDER, secure=secure, handshake=False)
            connection.transport.stalled = True
            connection.send(*sent)
            made.append(connection)
        self.made = made
        refused = first.counts.values["refused_share"]
        self.assertGreater(refused, 0)
        return [each for each in made if not each.transport.aborted and not each.transport.half_closed]

    def end(self, *others: Connection) -> None:
        """All connections end, and all is given back."""
        for connection in (*self.made, *others, self.first):
            connection.transport.loseConnection()
        self.assertEqual([pool.used for pool in self.pools], [0, 0, 0, 0])

    def test_partial_bodies(self) -> None:
        held = self.crowd(Echo(), _CHUNKED + chunk(BODY_IN_MEMORY))
        self.assertEqual(len(held), 1_000_000 // BODY_IN_MEMORY)
        refused = self.made[-1].transport.written
        self.assertIn(b"HTTP/1.1 503 ", refused)
        self.assertIn(b"Retry-After: 1\r\n", refused)
        other = self.first.another(OTHER)
        other.send(_CHUNKED + chunk(BODY_IN_MEMORY), chunk(BODY_IN_MEMORY), b"0\r\n\r\n")
        self.assertEqual(len(other.answers()[0].body), 5 + 2 * BODY_IN_MEMORY)
        self.end(other)

    def test_partial_heads_and_pipelined_requests(self) -> None:
        head = b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 10_000
        self.pools = Pools(Pool(200_000), Pool(8), Pool(1 << 20), Pool(8))
        self.assertEqual(len(self.crowd(Echo(), head)), 200_000 // 2 // 10_000 - 1)
        self.end()
        self.assertEqual(len(self.crowd(AtOnce(), _GET + head)), 0)  # the answer alone is too much
        self.end()

    def test_answers_that_are_not_taken(self) -> None:
        held = self.crowd(AtOnce(), _GET)
        self.assertEqual(len(held), 1_000_000 // LONG - 1)
        others = [self.first.another(f"198.51.100.{n}") for n in range(20)]
        for other in others:
            other.transport.stalled = True
            other.send(_GET)
            other.transport.take(LONG + 1000)
            self.assertEqual(len(other.answers()[0].body), LONG)
        self.end(*others)

    def test_long_bodies_go_to_files_of_which_others_get_some(self) -> None:
        held = self.crowd(Echo(), _CHUNKED, chunk(BODY_IN_MEMORY + 1))
        self.assertEqual((len(held), self.pools.files.used), (4, 4))
        self.assertLess(self.pools.buffers.used, 50 * 300)  # refusals that nobody takes
        self.assertIn(b"503 Service Unavailable: Too many long bodies", self.made[-1].transport.written)
        other = self.first.another(OTHER)
        other.send(_CHUNKED, chunk(BODY_IN_MEMORY), chunk(BODY_IN_MEMORY), chunk(5), b"0\r\n\r\n")
        self.assertEqual(len(other.answers()[0].body), 5 + 2 * BODY_IN_MEMORY + 5)
        self.assertEqual(self.pools.files.used, 4)
        self.end(other)

    def test_what_files_hold_is_a_pool_as_well(self) -> None:
        self.pools = Pools(Pool(2_000_000), Pool(100), Pool(2_000_000), Pool(8))
        held = self.crowd(Echo(), _CHUNKED, chunk(50_000), chunk(50_000), chunk(50_000), chunk(50_000))
        self.assertEqual((len(held), self.pools.spooled.used), (5, 1_000_000))
        self.assertIn(b"503 Service Unavailable: Too much of long bodies", self.made[-1].transport.written)
        other = self.first.another(OTHER)
        other.send(_CHUNKED, chunk(50_000), chunk(50_000), b"0\r\n\r\n")
        self.assertEqual(other.answers()[0].status, 200)
        self.end(other)

    def test_long_answers_come_from_files_of_which_others_get_some(self) -> None:
        path = Path(self.mktemp())
        path.write_bytes(b"a" * LONG)
        held = self.crowd(OfAFile(path), _GET)
        answered = [each for each in held if b" 200 OK" in each.transport.written]
        self.assertEqual((len(answered), self.pools.files.used), (4, 4))
        self.assertIn(b"503 Service Unavailable: Too many long bodies", self.made[-1].transport.written)
        other = self.first.another(OTHER)
        other.send(_GET)
        other.turn(20)
        self.assertEqual(len(other.answers()[0].body), LONG)
        self.end(other)

    def test_tls_handshakes(self) -> None:
        held = self.crowd(Echo(), secure=True)
        self.assertEqual(len(held), 4)
        others = [self.first.another(f"198.51.100.{n}", secure=True) for n in range(20)]
        for other in others:  # each is over before the next one begins
            other.send(_GET)
            self.assertEqual(other.answers()[0].status, 200)
        held[0].channel.handshakeCompleted()
        self.assertEqual(self.pools.handshakes.used, 3)
        self.end(*others)

    def test_clients_behind_a_proxy_are_not_told_apart(self) -> None:
        self.pools = Pools.of(8, 1 << 20, told_apart=False)
        self.assertEqual(len(self.crowd(Echo(), _CHUNKED, chunk(BODY_IN_MEMORY + 1))), 8)
        self.end()

    def test_where_there_is_no_room_for_a_body_that_is_said(self) -> None:
        def full(**_options: Any) -> tuple[int, str]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.patch(tempfile, "mkstemp", full)
        connection = Connection(Echo(), pools=self.pools)
        connection.send(_CHUNKED, chunk(BODY_IN_MEMORY + 1))
        [refused] = connection.answers()
        self.assertEqual((refused.status, self.pools.files.used), (503, 0))
        self.assertIn(b"no room for the body", refused.body)

"""What one exchange of each kind weighs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.http.websocket import accept
from loadgen.demand.exchanges import SWITCHING_BYTES, Exchanges
from loadgen.demand.wire import Wire
from tests.loadgen.plan.examples import COSTS


def exchanges(tls: float = 0.0, nodes: int = 4, head: float | None = None, resumed: float = 0.5) -> Exchanges:
    """At the costs of the example."""
    return Exchanges(COSTS, Wire(4, tls), nodes, path_bytes=40, head_bytes=head, resumed_share=resumed)


class Requests(SynchronousTestCase):
    """Heads, bodies and what wraps them."""

    def test_a_304_by_hand(self) -> None:
        found = exchanges().not_modified()
        self.assertEqual((found.asked, found.answered, found.cpu_s), (635, 128, 5e-6))
        self.assertEqual((found.inbound.bytes, found.outbound.bytes), (635 + 90 + 90, 128 + 90))

    def test_a_question_by_hand(self) -> None:
        """A 304 says that nothing has changed; else a list has a line for each path."""
        none, some = exchanges().changes(), exchanges().changes(3)
        self.assertEqual((none.asked, none.answered, none.cpu_s), (500, 128, 4e-6))
        self.assertEqual((some.asked, some.answered), (500, 200 + 3 * (40 + 12)))

    def test_a_question_over_a_websocket_by_hand(self) -> None:
        """Frames, no heads."""
        none, some = exchanges().question(), exchanges().question(3)
        self.assertEqual((none.asked, none.answered, none.cpu_s), (16, 4, 5e-5))
        self.assertEqual(some.answered - none.answered, 3 * (40 + 12))

    def test_a_batch_by_hand(self) -> None:
        """A line is its path, and 18 bytes more; a stale one is named in the answer."""
        found = exchanges().batch(10, stale=2)
        self.assertEqual((found.asked, found.answered), (655 + 10 * 58, 200 + 8))
        self.assertAlmostEqual(found.cpu_s, 8e-6 + 10 * 2e-7)

    def test_longer_heads_are_longer_for_every_request(self) -> None:
        short, long = exchanges(), exchanges(head=900)
        for name in ("not_modified", "load_poll", "upgrade"):
            one, other = getattr(short, name)(), getattr(long, name)()
            self.assertEqual(other.asked - one.asked, 300, name)
        self.assertEqual(long.body(1000).asked - short.body(1000).asked, 300)
        self.assertEqual(long.new_version(0).asked, 935)

    def test_every_node_has_its_place_in_the_load_document(self) -> None:
        """And in the word of their figures, where there is one."""
        for name, more in (("load_poll", 600), ("load_push", 6), ("upgrade", 606)):
            few, many = getattr(exchanges(nodes=2), name)(), getattr(exchanges(nodes=5), name)()
            self.assertEqual(many.answered - few.answered, more, name)
        few, many = (exchanges(nodes=nodes).load_push() for nodes in (16, 17))
        self.assertEqual((few.answered, many.answered), (20 + 15 * 2, 350 + 16 * 200))

    def test_tls_adds_to_requests_and_to_connections(self) -> None:
        plain, encrypted = exchanges(), exchanges(tls=1.0)
        self.assertAlmostEqual(encrypted.body(10).cpu_s - plain.body(10).cpu_s, 1e-4)
        self.assertEqual(encrypted.body(10).answered, plain.body(10).answered)
        self.assertGreater(encrypted.body(10).outbound.bytes, plain.body(10).outbound.bytes)
        more = encrypted.encrypted_connection().cpu_s - plain.encrypted_connection().cpu_s
        self.assertAlmostEqual(more, (5e-4 + 2e-4) / 2)


class Upgrades(SynchronousTestCase):
    """WebSockets."""

    def test_the_101_is_as_long_as_nodes_write_it(self) -> None:
        fields = {
            b"upgrade": b"websocket",
            b"connection": b"Upgrade",
            b"sec-websocket-version": b"13",
            b"sec-websocket-key": b"dGhlIHNhbXBsZSBub25jZQ==",
        }
        self.assertEqual(len(accept(b"GET", fields, (), ())), SWITCHING_BYTES)

"""Anti-entropy: who is sent what, when, and how far this node reads ahead."""

from __future__ import annotations

from random import Random
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.changes import Record, Root, Want, decode_message, encode_message
from edge.gossip.packet import LogPosition
from edge.gossip.replica import Replica
from edge.gossip.rows import Rows
from edge.gossip.schema import GossipError
from edge.node.cluster.anti_entropy import AHEAD, PUSH_AGAIN, REPAIR_AFTER, AntiEntropy
from edge.node.cluster.replication_progress import ReplicationProgress
from simulation.keyring import HashKeyring

RECORD = Record(0, bytes(32), 1, b"", b"")
NOW = 1_700_000_000.0
NOW_MS = int(NOW * 1000)


class Peers:
    """Streams to *names*; what was sent over them."""

    def __init__(self, *names: str) -> None:
        self.streams = dict.fromkeys(names)
        self.full: set[str] = set()
        self.sent: list[tuple[str, Any]] = []

    def is_full(self, name: str) -> bool:
        return name in self.full

    def send_table(self, name: str, payload: bytes) -> bool:
        self.sent.append((name, decode_message(payload)))
        return True


class Table:
    """A table that applies when the test says so."""

    def __init__(self) -> None:
        self.queue = 0
        self.applied: list[Any] = []
        self.done: list[Deferred[None]] = []

    def apply(self, changes: Any) -> Deferred[None]:
        self.applied += changes
        self.done.append(Deferred())
        return self.done[-1]


class Membership:
    """What rides on datagrams."""

    def __init__(self, events: list[str]) -> None:
        self.events = events
        self.vector: Any = ()
        self.urgent_changes: list[bytes] = []

    def set_version_vector(self, vector: Any) -> None:
        self.events.append("told")
        self.vector = vector

    def urgent(self, data: bytes) -> None:
        self.urgent_changes.append(data)


class AntiEntropyTests(SynchronousTestCase):
    """The node ``me`` with streams to ``b`` and ``c``, and the replica of ``b``."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.rightNow = NOW
        self.replica = Replica("me", Rows(":memory:", HashKeyring("me")), NOW_MS)
        self.other = Replica("b", Rows(":memory:", HashKeyring("b")), NOW_MS)
        self.peers = Peers("b", "c")
        self.table = Table()
        self.events: list[str] = []
        self.room = True
        self.membership = Membership(self.events)
        self.progress = ReplicationProgress("me", self.replica)
        log: Any = SimpleNamespace(replica=self.replica, commit=self.commit)
        peers: Any = self.peers
        table: Any = self.table
        membership: Any = self.membership
        self.exchange = AntiEntropy(log, table, membership, self.progress, peers, Random(1), self.clock)

    def commit(self) -> bool:
        self.events += ["committed"] if self.room else []
        return self.room

    def publish(self, count: int = 1, by: Replica | None = None) -> None:
        for number in range(count):
            (by or self.replica).put(b"/%d.html" % number, 0, (RECORD,), NOW_MS)

    def asked(self) -> list[Want]:
        return [message for _, message in self.peers.sent if isinstance(message, Want)]

    # To the peers

    def test_own_changes_are_on_the_disk_before_anybody_hears_of_them(self) -> None:
        """Else a kill could use a sequence number twice."""
        self.publish()
        self.exchange.push()
        self.assertEqual(self.events, ["committed", "told"])
        self.assertEqual([name for name, _ in self.peers.sent], ["b", "c"])

    def test_nobody_hears_of_changes_for_which_the_disk_has_no_room(self) -> None:
        """They go out when it has."""
        self.room = False
        self.publish()
        self.exchange.push()
        self.assertEqual((self.events, self.peers.sent, self.membership.urgent_changes), ([], [], []))
        self.room = True
        self.clock.advance(PUSH_AGAIN)
        self.assertEqual((len(self.peers.sent), len(self.membership.urgent_changes)), (2, 1))

    def test_while_the_disk_is_full_one_call_tries_again_and_none_after_the_stop(self) -> None:
        """However often something is to be pushed meanwhile."""
        self.room = False
        for _ in range(3):
            self.publish()
            self.exchange.push()
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.exchange.stop()
        self.room = True
        self.clock.advance(2 * PUSH_AGAIN)
        self.assertEqual(self.peers.sent, [])

    def test_changes_are_pushed_once(self) -> None:
        self.publish()
        for _ in range(3):
            self.exchange.push()
        self.assertEqual(len(self.peers.sent), 2)

    def test_a_peer_whose_stream_is_full_gets_all_of_it_later(self) -> None:
        self.publish()
        self.exchange.push()
        self.peers.sent.clear()
        self.peers.full.add("b")
        self.publish(2)
        self.exchange.push()
        self.assertEqual([name for name, _ in self.peers.sent], ["c"])
        self.peers.full.clear()
        self.publish()
        self.exchange.push()
        sent = {name: len(message.items) for name, message in self.peers.sent[1:]}
        self.assertEqual(sent, {"b": 2, "c": 1})

    def test_a_few_small_changes_ride_on_datagrams_many_do_not(self) -> None:
        self.publish()
        self.exchange.push()
        self.assertEqual(len(self.membership.urgent_changes), 1)
        self.publish(100)
        self.exchange.push()
        self.assertEqual(len(self.membership.urgent_changes), 1)

    def test_tables_are_compared_with_one_peer_at_a_time(self) -> None:
        self.exchange.repair()
        ((name, message),) = self.peers.sent
        self.assertIn(name, ("b", "c"))
        self.assertIsInstance(message, Root)

    def test_nothing_is_compared_while_changes_are_on_their_way_or_nobody_is_there(self) -> None:
        self.publish(by=self.other)
        self.progress.note("b", self.other.version_vector())
        self.exchange.repair()
        self.peers.streams.clear()
        self.exchange.repair()
        self.assertEqual(self.peers.sent, [])

    def test_what_went_with_a_node_for_good_keeps_nobody_from_comparing(self) -> None:
        """A burst node has told one node of its changes, and both have gone before anybody had them."""
        self.progress.note("gone", (LogPosition("burst", 5, 7),))
        self.assertEqual(self.progress.behind(), {"burst": 7})
        self.exchange.repair()
        self.assertIsInstance(self.peers.sent[-1][1], Root)

    def test_two_nodes_that_have_met_compare_their_tables_soon(self) -> None:
        self.exchange.up("b")
        self.clock.advance(REPAIR_AFTER * 0.99)
        self.assertEqual(self.peers.sent, [])
        self.clock.advance(REPAIR_AFTER * 0.01)
        self.assertEqual([(name, type(message)) for name, message in self.peers.sent], [("b", Root)])

    def test_not_when_the_stream_has_ended_meanwhile_or_this_node_has_stopped(self) -> None:
        self.exchange.up("b")
        del self.peers.streams["b"]
        self.clock.advance(REPAIR_AFTER)
        self.exchange.up("c")
        self.exchange.stop()
        self.assertEqual((self.clock.getDelayedCalls(), self.peers.sent), ([], []))

    # From the peers

    def chunk(self) -> bytes:
        """The first part of ``b``'s log, which has more."""
        self.publish(600, by=self.other)
        self.exchange.see_version_vector("b", self.other.version_vector())
        (want,) = self.asked()
        self.peers.sent.clear()
        (chunk,) = self.other.receive("me", want, NOW_MS).replies
        return encode_message(chunk)

    def test_the_next_chunk_is_asked_for_while_this_one_is_applied(self) -> None:
        self.exchange.receive("b", self.chunk())
        self.assertGreater(len(self.table.applied), 100)
        self.assertFalse(self.table.done[0].called)
        self.assertEqual(len(self.asked()), 1)

    def test_with_enough_waiting_it_is_asked_for_when_this_one_has_been_applied(self) -> None:
        """A slow node's memory is bounded, whatever the others have."""
        chunk = self.chunk()
        self.table.queue = AHEAD
        self.exchange.receive("b", chunk)
        self.assertEqual(self.asked(), [])
        self.table.done[0].callback(None)
        self.assertEqual(len(self.asked()), 1)

    def test_what_came_is_told_with_the_next_packets(self) -> None:
        self.publish(by=self.other)
        push = self.other.push("me")
        assert push is not None
        self.exchange.receive("b", encode_message(push))
        self.assertEqual({one.origin: one.sequence for one in self.membership.vector}, {"me": 0, "b": 1})

    def test_a_vector_from_somebody_without_a_stream_is_noted_and_nothing_asked(self) -> None:
        self.publish(3, by=self.other)
        del self.peers.streams["b"]
        self.exchange.see_version_vector("b", self.other.version_vector())
        self.assertEqual((self.peers.sent, self.progress.behind()), ([], {"b": 3}))

    def test_when_a_stream_ends_what_it_was_asked_for_is_asked_of_another(self) -> None:
        self.publish(3, by=self.other)
        for peer in ("b", "c"):
            self.exchange.see_version_vector(peer, self.other.version_vector())
        self.assertEqual([name for name, _ in self.peers.sent], ["b"])
        self.exchange.down("b")
        self.exchange.see_version_vector("c", self.other.version_vector())
        self.assertEqual([name for name, _ in self.peers.sent], ["b", "c"])

    def test_an_urgent_change_is_applied_once_however_often_it_comes(self) -> None:
        self.publish(by=self.other)
        (data,) = self.other.urgent()
        for _ in range(3):
            self.exchange.see_urgent("b", data)
        self.assertEqual([change.path for change in self.table.applied], [b"/0.html"])
        self.assertEqual(self.events, ["told"])

    def test_bytes_that_are_no_message_change_nothing(self) -> None:
        self.assertRaises(GossipError, self.exchange.receive, "b", b"\xc1")
        self.assertRaises(GossipError, self.exchange.see_urgent, "b", b"\xc1")
        self.assertEqual((self.table.applied, self.peers.sent, self.events), ([], [], []))

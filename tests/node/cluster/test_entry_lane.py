"""Stored answers among nodes: filled once, taken from each other, never older than a change."""

from __future__ import annotations

from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING

from msgspec.structs import replace as message_replace
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone

from edge.cache.group_changes import Change
from edge.cache.groups import Groups
from edge.cache.record import AnswerRecord
from edge.errors import EdgeError
from edge.gossip import riding as gossip_riding
from edge.gossip.coalescing import FILL_SECONDS, OWNER_SECONDS, TICK_SECONDS, Coalescing
from edge.gossip.entries import (
    RIDING_BYTES,
    STORED,
    Done,
    Entry,
    EntryMessage,
    Hot,
    Told,
    decode_entry_message,
    encode_entry_message,
)
from edge.gossip.invalidation import Invalidation
from edge.gossip.packet import DEAD
from edge.gossip.rendezvous import owner_of
from edge.gossip.riding import RIDING_A_SECOND, Riding
from edge.node.cluster.entry_lane import HOT_SECONDS, PULLS, WANTED_SECONDS, EntryLane, NotThere, Puller
from edge.node.cluster.group_lane import GroupLane, changes_to
from edge.node.process.answers import FilledAnswer, Kind, Outcome, Verdict, pack, unpack
from edge.node.supervisor.answers import FILL_SECONDS as LEASE
from edge.node.supervisor.answers import TURN_SECONDS, AnswerStore
from edge.resource import Representation, etag_of
from edge.table.segment import Segment
from edge.table.writer import Writer
from tests.node.cluster.test_group_lane import LEASE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = b"/ranking"


class Node:
    """A node's stores and lanes; its workers ask what the test has them ask."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster, self.name, clock = cluster, name, cluster.clock
        self.segment = Segment.create(64, 1 << 16)
        self.groups = Groups()
        self.answers = AnswerStore(
            Writer(self.segment), self.segment, clock, lambda: int(clock.seconds() * 1000), self.groups
        )
        self.answers.index(self.groups)
        core = Invalidation(name, 1, 0, changes_to(self.groups, self.answers), LEASE_SECONDS, clock.seconds())
        self.lane = GroupLane(  # type: ignore[arg-type]
            core, self.groups, self.answers, LEASE_SECONDS, self._sender(5), clock.seconds, clock
        )
        self.answers.changed = self.lane.changed
        coalescing = Coalescing(name, lambda key: self.entries.offer(key))
        coalescing.set_applications(["shop"])
        self.entries = EntryLane(  # type: ignore[arg-type]
            coalescing, self.groups, core, self.answers, self, lambda application, key: application == "shop",
            self._sender(6), lambda other: other in cluster.full, clock.seconds,
            lambda: int(clock.seconds() * 1000), clock,
        )  # fmt: skip
        self.answers.cluster = self.entries
        #: Workers that were told to ask: (token, key).
        self.asked: list[tuple[int, bytes]] = []
        self.told: list[Verdict] = []
        #: Who waits for a verdict.
        self.waiting: set[object] = set()

    def _sender(self, lane: int):  # type: ignore[no-untyped-def]
        def send(to: str, payload: bytes) -> bool:
            self.cluster.wires.append((self.name, to, lane, payload))
            return True

        return send

    async def pull(self, holder: str, name: bytes, variant: int, digest: bytes, length: int) -> bytes:
        """As :class:`edge.node.cluster.entry_lane.Puller` does."""
        if not length:
            return b""
        self.cluster.pulls += 1
        if self.cluster.slow_pulls is not None:
            await self.cluster.slow_pulls
        body = self.cluster.nodes[holder].answers.body_of(name, variant, digest)
        if body is None:
            raise EdgeError("it is not there any more")
        return body

    def read(self, key: bytes = KEY, share: bool = True) -> None:
        """A worker wants *key*."""

        def told(verdict: Verdict) -> None:
            self.told.append(verdict)
            self.waiting.discard(reader)
            if verdict.kind is Kind.FILL:
                self.asked.append((verdict.token, key))

        reader = object()
        self.waiting.add(reader)
        self.answers.ask(0, "shop", key, share, told)
        self.cluster.deliver()

    def refill(self, application: str, name: bytes, token: int) -> int:
        """As workers do."""
        self.asked.append((token, name))
        return 0

    def fill(self, body: bytes = b"1", *groups: str) -> bool:
        """The worker that was told to ask brings an answer."""
        token, key = self.asked.pop(0)
        stored = self.answers.store(token, "shop", pack(self.answer(key, body, groups or ("x",))))
        self.cluster.deliver()
        return stored

    def end(self, outcome: Outcome) -> None:
        self.answers.end(self.asked.pop(0)[0], outcome)
        self.cluster.deliver()

    def answer(self, key: bytes, body: bytes, groups: tuple[str, ...]) -> FilledAnswer:
        digest = sha256(body).digest()
        lines = b"Content-Type: text/plain\r\n"
        one = Representation(0, etag_of(digest), digest, len(body), lines, b"", body)
        record = AnswerRecord(key, 200, 1_700_000_000, 600)
        now_ms = int(self.cluster.clock.seconds() * 1000)
        return FilledAnswer(record, now_ms, now_ms, 0, groups, (one,))

    def stored(self, key: bytes = KEY) -> bytes | None:
        """The body that this node answers."""
        found = self.answers.told_of(key)
        return None if found is None else found[1].representations[0].body


class Cluster:
    """Nodes and what is on its way between them."""

    def __init__(self, *names: str) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.wires: list[tuple[str, str, int, bytes]] = []
        self.pulls = 0
        #: Nodes that take nothing of what they are sent.
        self.full: set[str] = set()
        #: Makes of a message on its way to other nodes what somebody in between would.
        self.forged: Callable[[EntryMessage], EntryMessage] = lambda message: message
        self.slow_pulls: Deferred[None] | None = None
        self.nodes: dict[str, Node] = {}
        for name in names:
            self.nodes[name] = Node(self, name)
        for name, node in self.nodes.items():
            node.answers.refiller = node
            node.answers.start()
            node.entries.start()
            for other in names:
                if other != name:
                    node.lane.up(other, True)
                    node.entries.up(other, True)
        self.deliver()

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def deliver(self) -> None:
        while self.wires:
            source, target, lane, payload = self.wires.pop(0)
            node = self.nodes.get(target)
            if node is None or source not in self.nodes:
                continue
            if lane == 5:
                node.lane.receive(source, payload)
            else:
                node.entries.receive(source, encode_entry_message(self.forged(decode_entry_message(payload))))

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / TICK_SECONDS)):
            self.clock.advance(TICK_SECONDS)
            self.deliver()

    def change(self, name: str, *groups: str) -> Deferred[int]:
        settled = self[name].lane.changed(Change("shop", frozenset(groups)))
        self.deliver()
        return settled

    def kill(self, name: str) -> None:
        self.nodes.pop(name)
        for node in self.nodes.values():
            node.lane.down(name)
            node.entries.down(name)
            node.lane.see(name, DEAD)
        self.deliver()


class Case(SynchronousTestCase):
    """Three nodes."""

    #: Bytes of bodies that ride with a message; none: all are pulled, as large ones are.
    riding_bytes = 0

    def setUp(self) -> None:
        self.patch(gossip_riding, "RIDING_BYTES", self.riding_bytes)
        self.cluster = Cluster("a", "b", "c")
        self.nodes = list(self.cluster.nodes.values())

    def fillers(self) -> list[str]:
        return [node.name for node in self.nodes for _ in node.asked]


class FillingTests(Case):
    """A key that several nodes want."""

    def test_one_worker_of_the_cluster_asks_and_all_have_the_answer(self) -> None:
        for node in self.nodes:
            for _ in range(3):
                node.read()
        self.assertEqual(self.fillers(), ["a"])
        self.assertTrue(self.cluster["a"].fill(b"4"))
        self.assertEqual([node.stored() for node in self.nodes], [b"4"] * 3)
        for node in self.nodes[1:]:
            self.assertEqual([one.kind for one in node.told], [Kind.LOOK] * 3)
        self.assertEqual(self.cluster.pulls, 2)

    def test_what_is_not_shared_is_passed_on_all_nodes(self) -> None:
        for node in self.nodes:
            node.read()
        self.cluster["a"].end(Outcome.PASS)
        for node in self.nodes[1:]:
            self.assertEqual([one.kind for one in node.told], [Kind.PASS])
            node.read()
            self.assertEqual(node.told[-1].kind, Kind.PASS)

    def test_where_it_failed_says_nothing_of_elsewhere(self) -> None:
        for node in self.nodes:
            node.read()
        self.cluster["a"].end(Outcome.FAILED)
        self.assertEqual(self.fillers(), ["b", "c"])
        self.assertTrue(self.cluster["b"].fill())
        self.assertTrue(self.cluster["c"].fill())

    def test_a_worker_that_dies_is_followed_by_another_and_then_by_another_node(self) -> None:
        a, b = self.cluster["a"], self.cluster["b"]
        a.read()
        a.answers.ask(1, "shop", KEY, True, a.told.append)
        b.read()
        a.answers.worker_gone(0)
        self.assertEqual(a.told[-1].kind, Kind.FILL, "the other worker of the same node")
        self.assertEqual(b.asked, [])
        a.answers.worker_gone(1)
        self.cluster.wait(2 * TURN_SECONDS)
        self.assertEqual(len(b.asked), 1)
        self.assertTrue(b.fill(b"7"))

    def test_a_node_that_dies_is_followed_by_another(self) -> None:
        for node in self.nodes:
            node.read()
        self.cluster.kill("a")
        self.cluster.wait(OWNER_SECONDS + FILL_SECONDS)
        asked = [name for name in "bc" if self.cluster[name].asked]
        self.assertTrue(asked)
        self.assertTrue(self.cluster[asked[0]].fill(b"5"))

    def test_who_has_waited_for_another_node_for_too_long_looks_again(self) -> None:
        """A slow filler is followed by another node, whose own time goes on beyond that of who waits."""
        for node in self.nodes:
            node.read()
        c = self.cluster["c"]
        c.read()
        self.cluster.wait(FILL_SECONDS + 2 * TICK_SECONDS)
        self.assertEqual([len(node.asked) for node in self.nodes], [1, 1, 0])
        self.cluster.wait(LEASE - FILL_SECONDS)
        self.assertEqual([one.kind for one in c.told], [Kind.LOOK], "the next one waits in his place")
        c.read()
        self.assertTrue(self.cluster["b"].fill(b"2"))
        self.assertEqual([one.kind for one in c.told], [Kind.LOOK] * 3)
        self.assertEqual((c.stored(), c.answers._wanted), (b"2", {}))

    def test_nor_does_anybody_wait_in_vain_for_who_has_lost_his_lease(self) -> None:
        for node in self.nodes:
            node.read()
        self.cluster.wires.clear()
        self.patch(self.cluster, "deliver", self.cluster.wires.clear)
        self.cluster.wait(LEASE + 1)
        self.assertTrue(all(node.told for node in self.nodes))

    def test_a_doubt_is_over_when_another_node_has_vouched_for_what_it_stored_before(self) -> None:
        for node in self.nodes:
            node.read()
        filler = next(node for node in self.nodes if node.asked)
        self.assertTrue(filler.fill(b"2"))
        self.cluster.clock.advance(1.0)
        owner = owner_of(KEY, [node.name for node in self.nodes])
        for node in self.nodes:
            if node.name != owner:
                node.answers.doubt(None)
                self.assertIsNone(node.stored())
                node.read()
        self.assertEqual([(node.stored(), node.asked) for node in self.nodes], [(b"2", [])] * 3)

    def test_what_is_on_its_way_to_the_owner_is_not_asked_for_again(self) -> None:
        owner = self.cluster[owner_of(KEY, [node.name for node in self.nodes])]
        filler, other = (node for node in self.nodes if node is not owner)
        filler.read()
        self.cluster.slow_pulls = Deferred()
        self.assertTrue(filler.fill(b"2"))
        owner.read()
        other.read()
        self.assertEqual((owner.stored(), owner.asked, other.asked), (None, [], []))
        self.cluster.clock.advance(2.0)
        pulls, self.cluster.slow_pulls = self.cluster.slow_pulls, None
        pulls.callback(None)
        self.cluster.deliver()
        self.assertEqual([(node.stored(), node.asked) for node in self.nodes], [(b"2", [])] * 3)
        self.assertEqual([one.kind for node in (owner, other) for one in node.told], [Kind.LOOK] * 2)
        (found,) = {node.answers.known(KEY).age for node in self.nodes}
        self.assertEqual((found, owner.entries._coming), (2.0, {}))

    def test_what_has_changed_on_its_way_to_the_owner_is_asked_for_again(self) -> None:
        owner = self.cluster[owner_of(KEY, [node.name for node in self.nodes])]
        filler = next(node for node in self.nodes if node is not owner)
        filler.read()
        self.cluster.slow_pulls = Deferred()
        self.assertTrue(filler.fill(b"2"))
        owner.lane.changed(Change("shop", frozenset({"x"})))
        self.cluster.deliver()
        owner.read()
        self.assertEqual(len(owner.asked), 1)
        self.assertTrue(owner.fill(b"3"))
        self.assertEqual(owner.stored(), b"3")

    def test_a_body_that_readers_wait_for_does_not_wait_for_others(self) -> None:
        a, b = self.cluster["a"], self.cluster["b"]
        entries = []
        for number in range(PULLS):
            a.answers.put("shop", a.answer(b"/%d" % number, b"1", ("y",)))
            entries.append((a.entries.have(b"/%d" % number) or self.fail())[0])
        self.cluster.slow_pulls = Deferred()
        b.entries.receive("a", encode_entry_message(Hot(a.entries._vector(), tuple(entries))))
        a.read()
        b.read()
        self.cluster.slow_pulls = None
        a.fill(b"2")
        self.assertEqual((b.stored(), [one.kind for one in b.told]), (b"2", [Kind.LOOK]))

    def test_a_body_that_does_not_come_in_time_is_asked_for_here(self) -> None:
        a, b = self.cluster["a"], self.cluster["b"]
        a.read()
        b.read()
        self.patch(b, "pull", lambda *about: Deferred())
        a.fill(b"2")
        self.assertEqual(b.asked, [])
        self.cluster.wait(WANTED_SECONDS)
        self.assertEqual(len(b.asked), 1)
        self.assertTrue(b.fill(b"3"))

    def test_a_refresh_is_one_for_all_too(self) -> None:
        self.cluster["a"].read()
        self.cluster["a"].fill()
        for node in self.nodes[1:]:
            node.read()
        before = self.cluster.pulls
        for _ in range(597):
            self.cluster.clock.advance(1.0)
            self.cluster.deliver()
        for node in self.nodes:
            number = node.answers._number_of(KEY)
            assert number is not None
            node.answers._refresh(number)
        self.cluster.deliver()
        self.assertEqual(len(self.fillers()), 1)
        next(node for node in self.nodes if node.asked).fill(b"2")
        self.assertEqual([node.stored() for node in self.nodes], [b"2"] * 3)
        self.assertEqual(self.cluster.pulls, before + 2)

    def test_what_the_owner_itself_has_is_not_pulled_from_itself(self) -> None:
        """It is in the table, and a worker asks all the same: as when a lease has just run out."""
        for node in self.nodes:
            node.read()
            self.cluster.deliver()
            filler = next(iter(one for one in self.nodes if one.asked), None)
            if filler is not None:
                filler.fill()
        pulls = self.cluster.pulls
        for node in self.nodes:
            self.patch(node.answers, "_is_fresh", lambda key: False)
            refused = node.entries.refused
            node.read()
            while node.asked:
                node.fill(b"2")
            self.assertEqual((node.entries.refused, node.answers._wanted), (refused, {}))
        self.assertLessEqual(self.cluster.pulls - pulls, 2)

    def test_a_body_that_cannot_be_had_is_asked_for_here(self) -> None:
        a, b = self.cluster["a"], self.cluster["b"]
        a.read()
        b.read()
        self.cluster.slow_pulls = Deferred()
        a.fill()
        number = a.answers._number_of(KEY)
        assert number is not None
        a.answers.remove([number])
        self.cluster.slow_pulls.callback(None)
        self.cluster.slow_pulls = None
        self.cluster.deliver()
        self.assertEqual(len(b.asked), 1)
        self.assertTrue(b.fill(b"9"))
        self.assertEqual(b.stored(), b"9")


class FromOthers:
    """A :class:`~edge.node.cluster.peer_endpoints.BodyClient` that gets one answer, and its connection."""

    def __init__(self, code: int, body: bytes) -> None:
        self.code, self._body = code, body
        self.transport, self.length = StringTransport(), len(body)

    async def get(self, holder: str, target: str, headers: object) -> FromOthers:
        return self

    def deliverBody(self, protocol: Protocol) -> None:
        protocol.makeConnection(self.transport)
        protocol.dataReceived(self._body)
        protocol.connectionLost(Failure(ResponseDone()))


class PullingTests(SynchronousTestCase):
    """Bodies by their digests."""

    def pull(self, client: FromOthers, body: bytes = b"12345678") -> Deferred[bytes]:
        pulling = Puller(client, Clock()).pull("b", KEY, 0, sha256(body).digest(), len(body))
        return Deferred.fromCoroutine(pulling)

    def test_what_is_not_there_any_more_costs_no_connection_and_is_no_warning(self) -> None:
        """Where much changes that is every second answer: each new handshake counts as an attempt."""
        client = FromOthers(404, b"404 Not Found: This node does not hold that body.\n")
        self.failureResultOf(self.pull(client), NotThere)
        self.assertFalse(client.transport.disconnecting or client.transport.disconnected)

    def test_a_body_is_what_was_told_or_nothing(self) -> None:
        self.assertEqual(self.successResultOf(self.pull(FromOthers(200, b"12345678"))), b"12345678")
        for body in (b"12345679", b"123456789", b"1234567"):
            why = self.failureResultOf(self.pull(FromOthers(200, body)), EdgeError)
            self.assertFalse(why.check(NotThere))


class RidingTests(Case):
    """Small bodies, which come along with what is told of an answer."""

    riding_bytes = RIDING_BYTES

    def read_everywhere(self) -> Node:
        """All nodes want the key; the node whose worker is to ask."""
        for node in self.nodes:
            node.read()
        (filler,) = (node for node in self.nodes if node.asked)
        return filler

    def test_who_waits_has_the_answer_without_a_second_trip(self) -> None:
        self.assertTrue(self.read_everywhere().fill(b"4"))
        self.assertEqual([node.stored() for node in self.nodes], [b"4"] * 3)
        self.assertEqual(self.cluster.pulls, 0)
        self.assertEqual(sorted(node.entries.ridden for node in self.nodes), [0, 1, 1])
        self.assertEqual(sorted(node.entries.taken for node in self.nodes), [0, 1, 1])

    def test_who_comes_later_has_it_from_the_owner_without_a_second_trip(self) -> None:
        owner = self.cluster[owner_of(KEY, [node.name for node in self.nodes])]
        other, late = (node for node in self.nodes if node is not owner)
        other.read()
        other.fill(b"4")
        late.read()
        self.assertEqual([node.stored() for node in self.nodes], [b"4"] * 3)
        self.assertEqual((self.cluster.pulls, late.asked), (0, []))

    def test_more_than_may_ride_is_pulled(self) -> None:
        self.patch(gossip_riding, "RIDING_BYTES", 8)
        self.assertTrue(self.read_everywhere().fill(b"123456789"))
        self.assertEqual([node.stored() for node in self.nodes], [b"123456789"] * 3)
        self.assertEqual(self.cluster.pulls, 2)

    def test_what_a_node_that_does_not_know_of_it_sends_or_gets_is_pulled(self) -> None:
        def older(message: EntryMessage) -> EntryMessage:
            return message_replace(message, bodies=()) if isinstance(message, Done | Told) else message

        self.cluster.forged = older
        self.assertTrue(self.read_everywhere().fill(b"4"))
        self.assertEqual([node.stored() for node in self.nodes], [b"4"] * 3)
        self.assertEqual(self.cluster.pulls, 2)

    def test_a_node_that_takes_nothing_gets_no_bodies(self) -> None:
        self.cluster.full = set("abc")
        sent = []

        def seen(message: EntryMessage) -> EntryMessage:
            sent.append(getattr(message, "bodies", ()))
            return message

        self.cluster.forged = seen
        self.assertTrue(self.read_everywhere().fill(b"4"))
        self.assertEqual(set(sent), {()})
        self.assertEqual([node.stored() for node in self.nodes], [b"4"] * 3)

    def test_other_bytes_than_those_told_of_are_not_believed_but_pulled(self) -> None:
        for wrong in (b"5", b"", b"44"):
            self.cluster = Cluster("a", "b", "c")
            self.nodes = list(self.cluster.nodes.values())

            def hostile(message: EntryMessage, wrong: bytes = wrong) -> EntryMessage:
                has_bodies = isinstance(message, Done | Told) and message.bodies
                return message_replace(message, bodies=(wrong,)) if has_bodies else message

            self.cluster.forged = hostile
            self.assertTrue(self.read_everywhere().fill(b"4"))
            self.assertEqual([node.stored() for node in self.nodes], [b"4"] * 3)
            self.assertEqual(self.cluster.pulls, 2)
            self.assertEqual([node.entries.ridden for node in self.nodes], [0] * 3)

    def test_what_waits_for_a_pull_holds_no_bodies_of_anybody(self) -> None:
        def hostile(message: EntryMessage) -> EntryMessage:
            has_bodies = isinstance(message, Done | Told) and message.bodies
            return message_replace(message, bodies=(b"x" * RIDING_BYTES,)) if has_bodies else message

        self.cluster.forged = hostile
        self.cluster.slow_pulls = Deferred()
        self.assertTrue(self.read_everywhere().fill(b"4"))
        coming = [told for node in self.nodes for told, _, _ in node.entries._coming.values()]
        self.assertEqual([told.bodies for told in coming], [()] * 2)

    def test_a_change_on_the_way_spoils_what_rides(self) -> None:
        """The filler has not heard of it, so its vector does not cover it."""
        filler = self.read_everywhere()
        changed = self.cluster[next(name for name in "cb" if name != filler.name)]
        changed.lane.changed(Change("shop", frozenset({"x"})))
        held, self.cluster.wires = self.cluster.wires, []
        self.assertTrue(filler.fill(b"old"))
        self.assertEqual((changed.stored(), len(changed.asked)), (None, 1))
        self.cluster.wires = held
        self.cluster.deliver()
        self.assertEqual([node.stored() for node in self.nodes], [None] * 3)
        self.assertTrue(changed.fill(b"new"))
        self.assertEqual((changed.stored(), self.cluster.pulls), (b"new", 0))

    def test_an_answer_that_is_none_is_asked_for_here(self) -> None:
        """Its bodies are its own, and yet it is none that is stored."""

        def hostile(message: EntryMessage) -> EntryMessage:
            if not isinstance(message, Done | Told) or message.entry is None:
                return message
            return message_replace(message, entry=message_replace(message.entry, last_modified=b"x" * 400))

        self.cluster.forged = hostile
        self.assertTrue(self.read_everywhere().fill(b"4"))
        self.assertEqual(len(self.fillers()), 2)
        self.assertEqual(sum(node.entries.refused for node in self.nodes), 2)
        self.assertEqual([node.stored() for node in self.nodes].count(b"4"), 1)

    def test_to_one_node_rides_so_much_a_second(self) -> None:
        riding, now = Riding(), 5.0
        told = Told(1, STORED, "a", (), self.an_entry(), (b"1" * RIDING_BYTES,))
        all_at_once = RIDING_A_SECOND // RIDING_BYTES

        def count(node: str) -> int:
            sent = [riding.fit(node, told, now) for _ in range(2 * all_at_once)]
            self.assertTrue(all(isinstance(one, Told) and one.entry == told.entry for one in sent))
            return sum(isinstance(one, Told) and one.bodies == told.bodies for one in sent)

        self.assertEqual((count("b"), count("b"), count("c")), (all_at_once, 0, all_at_once))
        now += 0.5
        self.assertIn(count("b"), (all_at_once // 2, all_at_once // 2 + 1))
        now += 100.0
        self.assertEqual(count("b"), all_at_once)
        riding.forget("b")
        self.assertEqual(riding._left.keys(), {"c"})

    def an_entry(self) -> Entry:
        """Of an answer that is stored nowhere."""
        a = self.cluster["a"]
        a.answers.put("shop", a.answer(b"/a", b"1", ("x",)))
        return (a.entries.have(b"/a") or self.fail()).entry


class ChangedTests(Case):
    """Changes between a question and its answer."""

    def test_a_fill_that_began_before_the_change_is_stored_nowhere(self) -> None:
        for node in self.nodes:
            node.read()
        settled = self.cluster.change("c", "x")
        self.assertEqual(self.successResultOf(settled), 0)
        self.assertFalse(self.cluster["a"].fill(b"old"))
        self.assertEqual([node.stored() for node in self.nodes], [None] * 3)
        self.assertEqual(self.fillers(), ["b"], "the next one asks anew")
        self.assertTrue(self.cluster["b"].fill(b"new"))
        self.assertEqual(self.cluster["c"].stored(), b"new")

    def test_what_is_stored_goes_everywhere_before_the_change_has_settled(self) -> None:
        self.cluster["a"].read()
        self.cluster["a"].fill(b"old")
        for node in self.nodes[1:]:
            node.read()
        self.assertEqual([node.stored() for node in self.nodes], [b"old"] * 3)
        self.cluster.change("b", "x")
        self.assertEqual([node.stored() for node in self.nodes], [None] * 3)

    def test_a_change_while_the_body_is_pulled_spoils_what_was_pulled(self) -> None:
        a, b = self.cluster["a"], self.cluster["b"]
        a.read()
        b.read()
        self.cluster.slow_pulls = Deferred()
        a.fill(b"old")
        self.cluster.change("c", "x")
        self.cluster.slow_pulls.callback(None)
        self.cluster.slow_pulls = None
        self.cluster.deliver()
        self.assertIsNone(b.stored())
        self.assertEqual(len(b.asked), 1)

    def test_a_change_while_a_pull_waits_for_its_place_spoils_it_too(self) -> None:
        """What has no body is not even asked of the node that told of it."""
        a, b = self.cluster["a"], self.cluster["b"]
        keys = [b"/%d" % number for number in range(PULLS + 1)]
        entries = []
        for key in keys:
            body, group = (b"", "x") if key is keys[-1] else (b"1", "y")
            a.answers.put("shop", unpack(pack(a.answer(key, body, (group,)))))
            entries.append((a.entries.have(key) or self.fail())[0])
        pulling = self.cluster.slow_pulls = Deferred()
        b.entries.receive("a", encode_entry_message(Hot(a.entries._vector(), tuple(entries))))
        self.assertEqual(self.successResultOf(self.cluster.change("a", "x")), 0)
        pulling.callback(None)
        self.assertEqual([b.stored(key) for key in keys], [b"1"] * PULLS + [None])

    def test_what_is_told_late_is_not_taken_if_a_change_is_known_here(self) -> None:
        a, b = self.cluster["a"], self.cluster["b"]
        a.read()
        a.fill(b"old")
        entry, vector, *_ = a.entries.have(KEY) or self.fail()
        b.lane.changed(Change("shop", frozenset({"x"})))  # which a has not heard of
        b.entries.receive("a", encode_entry_message(Hot(vector, (entry,))))
        self.assertIsNone(b.stored())
        self.assertEqual(b.entries.refused, 1)

    def test_a_key_that_was_written_is_spoiled_by_its_name(self) -> None:
        a, b = self.cluster["a"], self.cluster["b"]
        a.read()
        a.fill(b"old")
        entry, vector, *_ = a.entries.have(KEY) or self.fail()
        b.lane.changed(Change("shop", frozenset(), (KEY,)))
        b.entries.receive("a", encode_entry_message(Hot(vector, (entry,))))
        self.assertIsNone(b.stored())
        self.cluster.deliver()
        self.assertIsNone(a.stored())

    def test_a_node_that_has_lost_touch_vouches_for_nothing(self) -> None:
        a = self.cluster["a"]
        a.read()
        a.fill()
        self.assertIsNotNone(a.entries.have(KEY))
        self.cluster.clock.advance(LEASE_SECONDS + 1)
        self.cluster.wires.clear()
        self.assertIsNone(a.entries.have(KEY))


class HotTests(Case):
    """What the others are told ahead."""

    def test_what_is_asked_for_after_it_was_filled_is_told_once(self) -> None:
        a, b = self.cluster["a"], self.cluster["b"]
        a.read()
        a.fill(b"3")
        self.cluster.wait(HOT_SECONDS)
        self.assertIsNone(b.stored(), "nobody has asked for it since")
        number = a.answers._number_of(KEY)
        assert number is not None
        a.answers._hot[number] = 0
        a.segment.block(0).memory[4096 + a.answers.slot_of(number)] = 1  # as a worker notes a hit
        self.cluster.wait(HOT_SECONDS)
        self.assertEqual([node.stored() for node in self.nodes], [b"3"] * 3)
        told = a.entries.told
        self.cluster.wait(3 * HOT_SECONDS)
        self.assertEqual((a.entries.told, b.entries.told), (told, 0))

    def test_what_comes_slowly_replaces_nothing_newer(self) -> None:
        a, b = self.cluster["a"], self.cluster["b"]
        a.answers.put("shop", a.answer(KEY, b"old", ("x",)))
        self.cluster.clock.advance(50)
        self.cluster.deliver()
        entry, vector, *_ = a.entries.have(KEY) or self.fail()
        pulling = self.cluster.slow_pulls = Deferred()
        b.entries.receive("a", encode_entry_message(Hot(vector, (entry,))))
        b.answers.put("shop", b.answer(KEY, b"new", ("x",)))
        pulling.callback(None)
        self.assertEqual(b.stored(), b"new")

    def test_what_another_application_has_or_makes_no_sense_is_not_taken(self) -> None:
        a, b = self.cluster["a"], self.cluster["b"]
        a.read()
        a.fill()
        entry, vector, *_ = a.entries.have(KEY) or self.fail()
        record = entry.records[0]
        wrong: list[Entry] = [
            message_replace(entry, application="blog"),
            message_replace(entry, records=((1, *record[1:]),)),
            message_replace(entry, records=(record, record)),
            message_replace(entry, records=((record[0], bytes(32), *record[2:]),)),
            message_replace(entry, records=((record[0], record[1], 1 << 30, *record[3:]),)),
            message_replace(entry, name=b"no-path"),
            message_replace(entry, status=503),
            message_replace(entry, etag=b'"a"\r\nX: y', flags=1 << 15),
            message_replace(entry, last_modified=b"x" * 400),
        ]
        for one in wrong:
            b.entries.receive("a", encode_entry_message(Hot(vector, (one,))))
            self.assertEqual((b.stored(), b.stored(one.name)), (None, None), one)
        self.assertEqual(b.entries.refused, len(wrong))
        b.entries.receive("a", encode_entry_message(Hot(vector, (entry,))))
        self.assertEqual(b.stored(), b"1")

    def test_who_says_done_without_having_been_asked_changes_nothing(self) -> None:
        a, b = self.cluster["a"], self.cluster["b"]
        a.read()
        a.fill()
        entry, vector, *_ = a.entries.have(KEY) or self.fail()
        for number in range(20):
            b.entries.receive("c", encode_entry_message(Done(number, STORED, vector, entry)))
        self.assertIsNone(b.stored())


class AnyOrderTests(SynchronousTestCase):
    """Stores and lanes as they are, in random histories: nobody waits for ever, nothing old is stored."""

    def test_whatever_happens_everybody_is_told_and_what_is_stored_is_new(self) -> None:
        for seed in range(60):
            self.patch(gossip_riding, "RIDING_BYTES", RIDING_BYTES if seed % 3 else 0)
            random, cluster = Random(seed), Cluster("a", "b", "c")
            version, asked_at = 0, {}
            for _ in range(60):
                node = cluster[random.choice("abc")]
                kind = random.random()
                if kind < 0.45:
                    node.read()
                elif kind < 0.7 and node.asked:
                    token = node.asked[0][0]
                    node.fill(b"%d" % asked_at.get((node.name, token), version), "x")
                elif kind < 0.8:
                    version += 1
                    cluster.change(node.name, "x")
                elif kind < 0.85 and node.asked:
                    node.end(random.choice((Outcome.NOTHING, Outcome.FAILED)))
                elif kind < 0.9:
                    node.answers.worker_gone(0)
                    node.asked.clear()
                    node.waiting.clear()
                else:
                    cluster.wait(random.choice((0.25, 1.0, 3.0, 30.0)))
                for one in cluster.nodes.values():
                    for token, _ in one.asked:
                        asked_at.setdefault((one.name, token), version)
                    stored = one.stored()
                    self.assertIn(stored, (None, b"%d" % version), f"seed {seed}")
            for _ in range(8):
                cluster.wait(3.0)
                for one in cluster.nodes.values():
                    while one.asked:
                        one.fill(b"%d" % version, "x")
            for one in cluster.nodes.values():
                one.read()
                while one.asked:
                    one.fill(b"%d" % version, "x")
                self.assertEqual(one.waiting, set(), f"seed {seed}: a reader of {one.name} waits for ever")

"""Who fills a key in a cluster: one node; the others wait, or take over."""

from __future__ import annotations

from random import Random

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.coalescing import (
    ASK_AGAIN,
    FILL_SECONDS,
    LEASES,
    OWNER_SECONDS,
    TICK_SECONDS,
    WANTS,
    Coalescing,
    FillHere,
    NotShared,
    Offer,
    Send,
    TakeEntry,
)
from edge.gossip.entries import (
    AGAIN,
    FAILED,
    PASS,
    RIDING_BYTES,
    STORED,
    Done,
    Entry,
    EntryMessage,
    Fill,
    Hot,
    Told,
    Want,
    decode_entry_message,
    encode_entry_message,
)
from edge.gossip.packet import LogPosition
from edge.gossip.rendezvous import owner_of
from edge.gossip.schema import GossipError
from tests.gossip.hostile import Attacker

KEY = b"/ranking"
VECTOR = (LogPosition("a", 1, 5),)
BODIES = (b"12345",)


def entry(name: bytes = KEY, application: str = "shop") -> Entry:
    """An entry of a key."""
    record = (0, bytes(32), 5, b"Content-Type: text/html\r\n", b"")
    return Entry(name, application, ("x",), 200, 0, 60_000, 0, 0, 0, b'"1"', b"", (record,))


class Cluster:
    """Nodes whose messages are delivered by hand."""

    def __init__(self, *names: str) -> None:
        self.now = 50.0
        self.names = names
        #: What each node was told to do.
        self.told: dict[str, list[FillHere | TakeEntry | NotShared]] = {name: [] for name in names}
        self.kept: dict[str, dict[bytes, Entry]] = {name: {} for name in names}
        self.wires: list[tuple[str, str, EntryMessage]] = []
        self.cut: set[str] = set()
        self.nodes = {name: self.made(name) for name in names}
        for name in names:
            for other in names:
                if other != name:
                    self.nodes[name].connected(other, self.now)
        self.deliver()

    def made(self, name: str) -> Coalescing:
        def have(key: bytes) -> Offer | None:
            found = self.kept[name].get(key)
            return None if found is None else Offer(found, VECTOR, name, BODIES)

        node = Coalescing(name, have)
        node.set_applications(["shop"])
        return node

    def want(self, name: str, key: bytes = KEY) -> None:
        self.nodes[name].want("shop", key, self.now)
        self.deliver()

    def done(self, name: str, outcome: int, key: bytes = KEY) -> None:
        found = entry(key) if outcome == STORED else None
        if found is not None:
            self.kept[name][key] = found
        self.nodes[name].done(key, outcome, self.now, found, *((VECTOR, BODIES) if found else ()))
        self.deliver()

    def deliver(self) -> None:
        while True:
            for name, node in self.nodes.items():
                for output in node.outputs():
                    if isinstance(output, Send):
                        self.wires.append((name, output.to, output.message))
                        continue
                    self.told[name].append(output)
                    if isinstance(output, TakeEntry):
                        self.kept[name][output.entry.name] = output.entry
            if not self.wires:
                return
            source, target, message = self.wires.pop(0)
            if not {source, target} & self.cut and target in self.nodes:
                again = decode_entry_message(encode_entry_message(message))
                self.nodes[target].receive(source, again, self.now)

    def end(self, name: str) -> None:
        """A node dies, and the others see it."""
        del self.nodes[name]
        for node in self.nodes.values():
            node.disconnected(name, self.now)
        self.deliver()

    def wait(self, seconds: float) -> None:
        self.now += seconds
        for node in self.nodes.values():
            node.tick(self.now)
        self.deliver()

    def fillers(self) -> list[str]:
        return [name for name in self.names for one in self.told[name] if isinstance(one, FillHere)]


class CoalescingTests(SynchronousTestCase):
    """Leases that a key's owner gives to all nodes."""

    def setUp(self) -> None:
        self.cluster = Cluster("a", "b", "c", "d")
        self.owner = owner_of(KEY, "abcd")
        self.others = [name for name in "abcd" if name != self.owner]

    def test_of_all_who_want_a_key_one_fills_and_all_get_what_it_stored(self) -> None:
        cluster = self.cluster
        for _ in range(3):
            for name in (*self.others, self.owner):
                cluster.want(name)
        (filler,) = cluster.fillers()
        self.assertEqual(filler, self.others[0])
        cluster.done(filler, STORED)
        for name in "abcd":
            taken = [one for one in cluster.told[name] if isinstance(one, TakeEntry)]
            self.assertEqual(
                taken, [] if name == filler else [TakeEntry(entry(), filler, VECTOR, True, BODIES)], name
            )

    def test_who_comes_later_gets_it_from_the_owner(self) -> None:
        cluster = self.cluster
        cluster.want(self.others[0])
        cluster.done(self.others[0], STORED)
        cluster.want(self.others[1])
        self.assertEqual(cluster.told[self.others[1]], [TakeEntry(entry(), self.owner, VECTOR, True, BODIES)])
        self.assertEqual(len(cluster.fillers()), 1)

    def test_what_is_not_shared_or_failed_is_told_to_all_who_waited(self) -> None:
        for outcome in (PASS, FAILED):
            cluster = Cluster("a", "b", "c", "d")
            for name in self.others:
                cluster.want(name)
            cluster.done(self.others[0], outcome)
            for name in self.others[1:]:
                self.assertEqual(cluster.told[name], [NotShared(KEY, outcome == FAILED)])

    def test_an_answer_that_a_change_spoiled_makes_the_next_one_fill(self) -> None:
        for name in self.others:
            self.cluster.want(name)
        self.cluster.done(self.others[0], AGAIN)
        self.assertEqual(set(self.cluster.fillers()), set(self.others[:2]))

    def test_a_filler_that_dies_or_is_slow_is_followed_by_the_next(self) -> None:
        for name in self.others:
            self.cluster.want(name)
        self.cluster.end(self.others[0])
        self.assertEqual(set(self.cluster.fillers()), set(self.others[:2]))
        self.cluster.wait(FILL_SECONDS + 1)
        self.cluster.wait(0.1)
        self.assertEqual(set(self.cluster.fillers()), set(self.others))
        self.cluster.done(self.others[1], STORED)
        late = [one for one in self.cluster.told[self.others[2]] if isinstance(one, TakeEntry)]
        self.assertEqual(late, [], "too late")

    def test_when_the_owner_dies_the_next_owner_is_asked(self) -> None:
        cluster = self.cluster
        for name in self.others:
            cluster.want(name)
        cluster.end(self.owner)
        self.assertEqual(len(cluster.fillers()), 2, "who fills goes on; of those who waited one fills")
        cluster.done(cluster.fillers()[-1], STORED)
        waited = [name for name in self.others if name not in cluster.fillers()]
        self.assertTrue(any(isinstance(one, TakeEntry) for one in cluster.told[waited[0]]))

    def test_an_owner_that_says_nothing_is_done_without(self) -> None:
        self.cluster.cut = {self.owner}
        self.cluster.want(self.others[0])
        self.assertEqual(self.cluster.fillers(), [])
        self.cluster.wait(OWNER_SECONDS)
        self.assertEqual(self.cluster.fillers(), [], "what has come may not have been read")
        self.cluster.wait(TICK_SECONDS)
        self.assertEqual(self.cluster.fillers(), [self.others[0]])

    def test_who_hears_nobody_asks_alone_and_counts_that(self) -> None:
        for name in self.others:
            self.cluster.cut = set(self.cluster.nodes) - {name}
            self.cluster.want(name)
            for _ in range(int(2 * (OWNER_SECONDS + TICK_SECONDS) / TICK_SECONDS) + 1):
                self.cluster.wait(TICK_SECONDS)
        self.assertEqual(set(self.cluster.fillers()), set(self.others))
        alone = [self.cluster.nodes[name].alone for name in self.others]
        self.assertEqual(sorted(alone), [0, *[1] * (len(alone) - 1)], "of one the next owner is itself")

    def test_when_the_owner_says_nothing_still_one_fills_of_all_who_want_it(self) -> None:
        cluster = self.cluster
        cluster.cut = {self.owner}
        for name in self.others:
            cluster.want(name)
        for _ in range(10):
            cluster.wait(TICK_SECONDS)
        (filler,) = cluster.fillers()
        cluster.cut = set()
        cluster.want(self.owner)  # it is back, and knows nothing of all that
        cluster.done(filler, STORED)
        for name in self.others:
            taken = [one for one in cluster.told[name] if isinstance(one, TakeEntry)]
            self.assertEqual(len(taken), name != filler, name)

    def test_what_a_slow_owner_says_late_makes_no_second_one_fill(self) -> None:
        cluster = self.cluster
        slow = [(name, cluster.nodes[name]) for name in self.others]
        held = []
        for name, node in slow:
            node.want("shop", KEY, cluster.now)
            held += [(name, one.message) for one in node.outputs() if isinstance(one, Send)]
        for _ in range(6):
            cluster.wait(TICK_SECONDS)
        for name, message in held:
            cluster.nodes[self.owner].receive(name, message, cluster.now)
            cluster.deliver()
        for _ in range(20):
            cluster.wait(TICK_SECONDS)
        self.assertEqual(len(cluster.fillers()), 1)

    def test_what_a_slow_owner_has_is_taken_though_it_comes_late(self) -> None:
        cluster, second = self.cluster, owner_of(KEY, self.others)
        reader = next(name for name in self.others if name != second)
        cluster.kept[self.owner][KEY] = entry()
        cluster.nodes[reader].want("shop", KEY, cluster.now)
        (asked,) = [one.message for one in cluster.nodes[reader].outputs() if isinstance(one, Send)]
        cluster.cut = {second}
        for _ in range(6):
            cluster.wait(TICK_SECONDS)
        cluster.nodes[self.owner].receive(reader, asked, cluster.now)
        cluster.deliver()
        self.assertEqual(cluster.told[reader], [TakeEntry(entry(), self.owner, VECTOR, True, BODIES)])

    def test_when_nobody_says_anything_a_reader_is_served_all_the_same(self) -> None:
        cluster = self.cluster
        cluster.cut = set("abcd")
        for name in self.others:
            cluster.want(name)
        for _ in range(12):
            cluster.wait(TICK_SECONDS)
        self.assertEqual(set(cluster.fillers()), set(self.others))

    def test_who_was_forgotten_asks_again(self) -> None:
        """The owner saw a stream end that the other side did not."""
        cluster, (filler, waits, _) = self.cluster, self.others
        cluster.want(filler)
        cluster.want(waits)
        cluster.nodes[self.owner].disconnected(waits, cluster.now)
        cluster.nodes[self.owner].connected(waits, cluster.now)
        cluster.deliver()
        cluster.wait(ASK_AGAIN)
        cluster.done(filler, STORED)
        self.assertEqual([type(one) for one in cluster.told[waits]], [TakeEntry])

    def test_a_lease_for_who_wants_nothing_any_more_goes_to_the_next(self) -> None:
        cluster, (stale, waits, _) = self.cluster, self.others
        cluster.nodes[self.owner].receive(stale, Want(99, "shop", KEY), cluster.now)
        cluster.want(waits)
        self.assertEqual(cluster.fillers(), [waits])

    def test_only_nodes_that_have_the_application_own_its_keys(self) -> None:
        for node in self.cluster.nodes.values():
            if node.name != self.others[0]:
                node.set_applications(["blog"])
        self.cluster.deliver()
        self.cluster.want(self.others[0])
        self.assertEqual(self.cluster.fillers(), [self.others[0]])

    def test_an_entry_of_another_key_than_was_asked_for_is_not_taken(self) -> None:
        cluster, (filler, waits, _) = self.cluster, self.others
        cluster.want(filler)
        cluster.want(waits)
        number = next(iter(cluster.nodes[filler]._by_number))
        cluster.nodes[self.owner].receive(filler, Done(number, STORED, (), entry(b"/other")), cluster.now)
        cluster.deliver()
        self.assertEqual([one for one in cluster.told[waits] if isinstance(one, TakeEntry)], [])
        self.assertEqual(cluster.fillers(), [name for name in "abcd" if name in (filler, waits)])

    def test_what_a_stranger_to_the_question_says_is_nothing(self) -> None:
        cluster, (filler, waits, other) = self.cluster, self.others
        cluster.want(filler)
        cluster.want(waits)
        for number in range(1, 5):
            cluster.nodes[waits].receive(other, Told(number, STORED, other, (), entry()), cluster.now)
            cluster.nodes[self.owner].receive(other, Done(number, PASS), cluster.now)
        cluster.deliver()
        self.assertEqual(cluster.told[waits], [])
        self.assertEqual(cluster.fillers(), [filler])


class BoundsTests(SynchronousTestCase):
    """Whatever a member says."""

    def test_a_member_that_wants_everything_is_bounded(self) -> None:
        node = Coalescing("a", lambda name: None)
        node.connected("b", 0.0)
        for number in range(WANTS + 100):
            node.receive("b", Want(number, "shop", b"/%d" % number), 0.0)
        fills = [one for one in node.outputs() if isinstance(one, Send) and isinstance(one.message, Fill)]
        self.assertEqual(len(fills), WANTS)
        self.assertLess(WANTS, LEASES)
        node.disconnected("b", 0.0)
        self.assertEqual(len(node._leases), 0)

    def test_anything_that_decodes_does_no_harm(self) -> None:
        random = Random(12)
        attacker = Attacker(random, known=["shop", "b", KEY, 1, 2, 3, STORED, AGAIN])
        attacker.hints["name"] = [KEY, b"/a"]
        node = Coalescing("a", lambda name: Offer(entry(), VECTOR, "a", BODIES) if name == b"/a" else None)
        node.set_applications(["shop"])
        decoded = 0
        for name in "bcd":
            node.connected(name, 0.0)
        for number in range(1500):
            try:
                message = decode_entry_message(attacker.message(EntryMessage))
            except GossipError:
                continue
            decoded += 1
            node.want("shop", random.choice((KEY, b"/b")), number / 100)
            node.receive(random.choice("bcd"), message, number / 100)
            node.done(KEY, random.choice((PASS, AGAIN, FAILED)), number / 100)
            if number % 50 == 0:
                node.tick(number / 100)
            node.outputs()
        self.assertGreater(decoded, 300)
        self.assertLess(len(node._leases), decoded)

    def test_a_node_that_knows_no_bodies_takes_what_is_told_without_them(self) -> None:
        """Arrays are append-only: what comes at their end is nothing to it."""

        class OldTold(msgspec.Struct, frozen=True, array_like=True, tag="told"):
            number: int
            outcome: int
            holder: str
            vector: tuple[LogPosition, ...]
            entry: Entry

        told = Told(1, STORED, "b", VECTOR, entry(), BODIES)
        old = msgspec.msgpack.decode(encode_entry_message(told), type=OldTold)
        self.assertEqual(old, OldTold(1, STORED, "b", VECTOR, entry()))
        self.assertEqual(
            decode_entry_message(msgspec.msgpack.encode(old)), msgspec.structs.replace(told, bodies=())
        )

    def test_what_may_be_told_of_an_entry(self) -> None:
        good = entry()
        lines = (b"Set-Cookie: a=b\r\n", b"Content-Length: 4\r\n", b"A: b", b"A: b\r\nset-COOKIE: c\r\n")
        records = [((0, bytes(32), 1, one, b""),) for one in lines]
        two = msgspec.structs.replace(good, records=good.records * 2)
        wrong = [
            Done(1, STORED, (), None),
            Done(1, PASS, (), good),
            Told(1, STORED, "b"),
            Told(1, PASS, "b", (), None, BODIES),
            Told(1, STORED, "b", (), good, (*BODIES, b"")),
            Done(1, STORED, (), good, (b"1" * RIDING_BYTES, b"")),
            Done(1, STORED, (), good, (b"1" * (RIDING_BYTES + 1),)),
            Done(1, STORED, (), two, (b"1" * RIDING_BYTES, b"1")),
            *(Hot((), (msgspec.structs.replace(good, records=one),)) for one in records),
        ]
        for message in wrong:
            self.assertRaises(GossipError, decode_entry_message, encode_entry_message(message))
        for right in (Done(1, STORED, VECTOR, good), Hot(VECTOR, (good,))):
            self.assertEqual(decode_entry_message(encode_entry_message(right)), right)


class RendezvousTests(SynchronousTestCase):
    """Owners of keys."""

    def test_keys_are_spread_and_those_of_a_node_that_goes_move_alone(self) -> None:
        keys = [b"/%d" % number for number in range(4000)]
        before = {key: owner_of(key, ["n1", "n2", "n3", "n4"]) for key in keys}
        counts = [list(before.values()).count(f"n{number}") for number in range(1, 5)]
        self.assertTrue(all(800 < count < 1200 for count in counts), counts)
        after = {key: owner_of(key, ["n4", "n1", "n3"]) for key in keys}
        moved = {key for key in keys if before[key] != after[key]}
        self.assertEqual(moved, {key for key in keys if before[key] == "n2"})

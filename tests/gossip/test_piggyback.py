"""Piggybacking: what rides on a packet, in which order, and how long it waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.packet import MAX_PAYLOAD, SUSPECT, LogPosition, MembershipUpdate, Packet, Ping, encode
from edge.gossip.piggyback import LOADS, URGENT_LIMIT, URGENT_SENDS, PiggybackQueues, SignedLoad
from edge.load.report import LoadReport

PROBE = Ping(1, "b")


def report(name: str, sequence: int = 1, generation: int = 1) -> LoadReport:
    return LoadReport(name, generation, sequence, 0.5, 0.5, 10.0, 0.0, 7, 1000, 1.0, False)


def update(name: str, url: str = "") -> MembershipUpdate:
    return MembershipUpdate(name, SUSPECT, 1_700_000_000_000, 0, "10.0.0.1", 7000, url, (1, 1), "a")


def signed(one: LoadReport, at: float) -> SignedLoad:
    """As its node signed it."""
    return SignedLoad(one, at, bytes(16), bytes(72))


class PiggybackTests(SynchronousTestCase):
    """Of the node ``a``."""

    def setUp(self) -> None:
        self.queues = PiggybackQueues("a")

    def fill(self, held_against: MembershipUpdate | None = None, now: float = 100.0) -> Packet:
        packet = self.queues.fill(PROBE, held_against, 4, now)
        self.assertLessEqual(len(encode(packet)), MAX_PAYLOAD)
        return packet

    def test_of_two_reports_of_a_node_the_newest_counts_whichever_came_last(self) -> None:
        for one in (report("b", 5), report("b", 4), report("b", 5)):
            self.queues.note(signed(one, 100.0 + one.sequence))
        self.assertEqual(self.queues.load("b"), (report("b", 5), 105.0))
        self.queues.note(signed(report("b", 1, generation=2), 90.0))
        self.assertEqual(self.queues.load("b"), (report("b", 1, generation=2), 90.0))

    def test_what_is_forgotten_may_come_again_with_any_number(self) -> None:
        self.queues.note(signed(report("b", 9), 100.0))
        self.queues.forget("b")
        self.queues.forget("b")
        self.assertIsNone(self.queues.load("b"))
        self.queues.note(signed(report("b", 1), 100.0))
        self.assertEqual([one for _, one, *_ in self.fill().loads], [report("b", 1)])

    def test_own_load_goes_first_then_the_newest_of_the_others_a_few_on_each_packet(self) -> None:
        self.queues.note(signed(report("a"), 1.0))
        for number in range(20):
            self.queues.note(signed(report(f"n{number}"), 50.0 + number))
        names = [one.name for _, one, *_ in self.fill().loads]
        self.assertEqual(names, ["a", *(f"n{number}" for number in range(19, 19 - LOADS, -1))])

    def test_of_many_logs_each_packet_tells_of_its_own_and_of_others_in_turn(self) -> None:
        names = [f"node-{number}" for number in range(64)]
        for name in ("a", *names):
            self.queues.note(signed(report(name), 1.0))
        self.queues.version_vector = tuple(LogPosition(name, 1_700_000_000_000, 9) for name in ("a", *names))
        told: set[str] = set()
        for _ in range(8):
            packet = self.fill()
            self.assertEqual((packet.version_vector, packet.part[0].origin), ((), "a"))
            told |= {one.origin for one in packet.part}
        self.assertEqual(told, {"a", *names})

    def test_as_long_as_there_is_room_all_of_the_vector_rides_on_each(self) -> None:
        self.queues.version_vector = tuple(LogPosition(name, 1_700_000_000_000, 9) for name in "abcd")
        packet = self.fill()
        self.assertEqual((packet.version_vector, packet.part), (self.queues.version_vector, ()))

    def test_ages_are_in_milliseconds_and_never_negative(self) -> None:
        self.queues.note(signed(report("b"), 98.5))
        self.queues.note(signed(report("c"), 100.5))
        self.assertEqual([age for age, *_ in self.fill(now=100.0).loads], [0, 1500])

    def test_what_is_held_against_the_receiver_comes_before_all_news(self) -> None:
        for name in "cdefghijklmnopqrstuvwxyz":
            self.queues.news.add(update(name, "https://example.org/" + "x" * 60))
        packet = self.fill(update("b"))
        self.assertEqual(packet.updates[0], update("b"))
        self.assertGreater(len(packet.updates), 5)

    def test_a_full_packet_goes_without_loads_then_the_vector_then_urgent_changes(self) -> None:
        """By strict priority; nothing of what has to wait is lost, or counted as sent."""
        self.queues.note(signed(report("a"), 100.0))
        self.queues.version_vector = (LogPosition("a", 1, 1),)
        self.assertTrue(self.queues.add_urgent(b"u" * 600))
        for name in "cdefghijklmnopqrstuvwxyz":
            self.queues.news.add(update(name, "https://example.org/" + "x" * 17))
        full = self.fill()
        self.assertEqual((full.urgent, self.queues.queue), ((), 24 + 1))
        later = [self.fill() for _ in range(30)]
        self.assertFalse(self.queues.waiting)
        self.assertEqual(len(later[-1].loads), 1)
        self.assertEqual(later[-1].version_vector, self.queues.version_vector)
        self.assertEqual(sum(len(one.urgent) for one in later), URGENT_SENDS)

    def test_an_urgent_change_is_sent_four_times(self) -> None:
        self.queues.add_urgent(b"purge")
        self.assertTrue(self.queues.waiting)
        self.assertEqual([self.fill().urgent for _ in range(5)], [(b"purge",)] * 4 + [()])
        self.assertFalse(self.queues.waiting)

    def test_of_too_many_urgent_changes_the_oldest_are_left_to_the_streams(self) -> None:
        for number in range(URGENT_LIMIT + 1):
            self.queues.add_urgent(b"%d" % number)
        self.assertEqual((self.queues.queue, self.fill().urgent[0]), (URGENT_LIMIT, b"1"))

    def test_a_change_that_fits_no_packet_is_refused(self) -> None:
        self.assertFalse(self.queues.add_urgent(bytes(MAX_PAYLOAD)))
        self.assertFalse(self.queues.waiting)

    def test_bytes_are_counted_by_queue(self) -> None:
        self.fill()
        self.assertEqual((self.queues.bytes["load"], self.queues.bytes["table"]), (0, 0))
        self.queues.note(signed(report("a"), 100.0))
        self.queues.add_urgent(b"purge")
        self.fill()
        self.assertGreater(self.queues.bytes["load"], 0)
        self.assertEqual(self.queues.bytes["table"], len(b"purge") + 3)

    def test_a_stream_has_room_for_all(self) -> None:
        for number in range(20):
            self.queues.note(signed(report(f"n{number}"), 100.0))
        packet = self.queues.everything([update("b"), update("c")], 100.0)
        self.assertEqual((packet.probe, len(packet.updates), len(packet.loads)), (None, 2, 20))

    @given(
        st.lists(st.integers(0, 256), max_size=8),
        st.lists(st.integers(1, 1100), max_size=8),
        st.integers(0, 9),
        st.integers(0, 60),
        st.booleans(),
    )
    def test_no_packet_is_larger_than_a_datagram(
        self, urls: list[int], changes: list[int], loads: int, vector: int, held: bool
    ) -> None:
        """With the longest names, addresses and numbers there are."""
        self.queues, longest = PiggybackQueues("a"), "x" * 60
        for number, length in enumerate(urls):
            self.queues.news.add(update(f"{longest}{number}", "u" * length))
        for size in changes:
            self.queues.add_urgent(bytes(size))
        for number in range(loads):
            self.queues.note(signed(report(f"{longest}{number}", (1 << 53) - 1, (1 << 48) - 1), -1e6))
        self.queues.version_vector = tuple(
            LogPosition(f"{longest}{number}", (1 << 53) - 1, (1 << 48) - 1) for number in range(vector)
        )
        for _ in range(4):
            self.fill(update("b" * 63, "u" * 256) if held else None)

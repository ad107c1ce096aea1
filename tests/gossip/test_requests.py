"""Requests for change logs: who is asked, who is distrusted, where reading goes on."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.batches import Batch
from edge.gossip.changes import Want
from edge.gossip.packet import NODES
from edge.gossip.requests import DISTRUST_LIMIT_MS, DISTRUST_MS, WANT_MS, WANTS_EACH, LogRequests

NOW = 1_700_000_000_000


class RequestsTests(SynchronousTestCase):
    """One node that asks the peers a and b for the logs of others."""

    def setUp(self) -> None:
        self.counters: Counter[str] = Counter()
        self.requests = LogRequests(self.counters)

    def failed(self, times: int, peer: str = "a") -> None:
        for _ in range(times):
            self.requests.fail("x", peer, NOW)

    def test_one_peer_at_a_time_is_asked_for_a_log(self) -> None:
        self.requests.ask("x", "a", NOW)
        self.assertFalse(self.requests.may_ask("x", "b", NOW))
        self.assertTrue(self.requests.may_ask("y", "b", NOW))
        self.requests.end("x")
        self.assertTrue(self.requests.may_ask("x", "b", NOW))
        self.assertEqual(self.counters["wants"], 1)

    def test_another_one_is_asked_in_the_place_of_who_is_distrusted(self) -> None:
        self.failed(1)
        self.requests.ask("x", "a", NOW)
        self.assertTrue(self.requests.may_ask("x", "b", NOW))
        self.failed(1, "b")
        self.assertFalse(self.requests.may_ask("x", "b", NOW))

    def test_a_peer_is_asked_for_so_many_logs_at_once(self) -> None:
        for number in range(WANTS_EACH):
            self.assertTrue(self.requests.may_ask(str(number), "a", NOW))
            self.requests.ask(str(number), "a", NOW)
        self.assertFalse(self.requests.may_ask("x", "a", NOW))
        self.assertTrue(self.requests.may_ask("x", "b", NOW))

    def test_who_fails_again_is_asked_nothing_for_a_while_longer_each_time(self) -> None:
        for times, pause in ((1, 0), (2, DISTRUST_MS), (3, 2 * DISTRUST_MS), (20, DISTRUST_LIMIT_MS)):
            self.requests.trust("a")
            self.failed(times)
            self.assertTrue(self.requests.may_ask("x", "a", NOW + pause))
            if pause:
                self.assertFalse(self.requests.may_ask("x", "a", NOW + pause - 1))
        self.assertEqual(self.requests.distrusted, ["a"])

    def test_a_date_that_is_set_back_holds_nobody_up(self) -> None:
        self.failed(2)
        self.assertTrue(self.requests.may_ask("x", "a", NOW - 1))

    def test_who_says_nothing_in_time_is_distrusted_unless_it_was_not_asked_yet(self) -> None:
        self.requests.ask("x", "a", NOW)
        self.requests.ask("y", "b", NOW)
        self.requests.hold([Want("y", 1, 0)])
        self.requests.give_up_waiting(NOW + WANT_MS)
        self.assertTrue(self.requests.is_distrusted("a"))
        self.assertFalse(self.requests.is_distrusted("b"))
        self.assertEqual((self.requests.peer_of("x"), self.requests.peer_of("y")), ("", "b"))
        self.requests.release([Want("y", 1, 0)], NOW + WANT_MS)
        self.requests.give_up_waiting(NOW + 2 * WANT_MS - 1)
        self.assertFalse(self.requests.is_distrusted("b"))
        self.requests.give_up_waiting(NOW + 2 * WANT_MS)
        self.assertTrue(self.requests.is_distrusted("b"))

    def test_reading_goes_on_where_it_was_broken_off_whoever_is_asked(self) -> None:
        rest, target = Want("x", 1, 5, 9, 1, 7), Batch("x", b"s", 1, 9, b"", b"")
        self.requests.ask("x", "a", NOW)
        self.requests.go_on("a", rest, target, NOW)
        self.requests.peer_gone("a")
        self.assertEqual(self.requests.peer_of("x"), "")
        self.assertEqual(self.requests.rest("x", 1, 5), rest)
        self.assertEqual(self.requests.target("x"), target)
        for generation, after in ((2, 5), (1, 6)):
            self.assertIsNone(self.requests.rest("x", generation, after))
        self.requests.end("x")
        self.assertIsNone(self.requests.rest("x", 1, 5))

    def test_what_a_third_one_failed_at_goes_on(self) -> None:
        self.requests.ask("x", "a", NOW)
        self.requests.fail("x", "b", NOW)
        self.assertEqual(self.requests.peer_of("x"), "a")

    def test_an_answer_is_under_way_for_as_long_as_is_waited(self) -> None:
        self.assertFalse(self.requests.are_under_way(NOW))
        self.requests.ask("x", "a", NOW)
        self.assertTrue(self.requests.are_under_way(NOW + WANT_MS - 1))
        self.assertFalse(self.requests.are_under_way(NOW + WANT_MS))

    def test_ever_new_names_are_forgotten(self) -> None:
        for number in range(3 * NODES):
            self.failed(1, str(number))
        self.assertFalse(self.requests.is_distrusted(str(2 * NODES - 1)))
        self.assertTrue(self.requests.is_distrusted(str(2 * NODES)))

"""One node's membership, step by step: what comes in, what goes out."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.introductions import BURST, LIMIT, REMEMBERED
from edge.gossip.members import ROUND, DateSeen, Dial, GossipConfig, Identity, MemberChanged, Send
from edge.gossip.membership import GENERATION_STEP, LAST_INCARNATION, STEP, Membership
from edge.gossip.packet import (
    ALIVE,
    DEAD,
    LEFT,
    MAX_PAYLOAD,
    SUSPECT,
    Ack,
    LogPosition,
    MembershipUpdate,
    Nack,
    Packet,
    Ping,
    PingRequest,
    decode,
    encode,
    load_statement,
)
from edge.load.report import LoadReport
from edge.load.wire import LAST_GENERATION
from simulation.keyring import HashKeyring


def update(name: str, state: int = ALIVE, generation: int = 1, incarnation: int = 0, accuser: str = "",
          host: str = "") -> MembershipUpdate:  # fmt: skip
    """About the node *name*."""
    return MembershipUpdate(
        name, state, generation, incarnation, host or f"10.0.0.{ord(name)}", 7000, "", (1, 1), accuser
    )


class MembershipTests(SynchronousTestCase):
    """The node ``a`` of four: a, b, c, d."""

    def setUp(self) -> None:
        self.start()

    def start(self, **config: Any) -> None:
        self.now = 100.0
        me = Identity("a", 1, "10.0.0.97", 7000, "")
        self.a = Membership(me, GossipConfig(**config), HashKeyring("a"), Random(1), self.now)
        for name in "bcd":
            self.a.connected(name, 1, f"10.0.0.{ord(name)}", 7000, "", self.now)
        self.a.tick(self.now)
        self.answer()

    def answer(self, silent: str = "") -> list[Any]:
        """Everybody but *silent* answers pings, for themselves only; what went out."""
        out = self.a.outputs()
        for one in out:
            if isinstance(one, Send) and isinstance(one.packet.probe, Ping) and one.to not in silent:
                self.a.receive(one.to, Packet(Ack(one.packet.probe.number)), self.now, stream=one.stream)
        return out + self.a.outputs()

    def run_for(self, seconds: float, silent: str = "") -> list[Any]:
        """What went out meanwhile."""
        out: list[Any] = []
        until = self.now + seconds
        while self.a.next_at <= until:
            self.now = max(self.now, self.a.next_at)
            self.a.tick(self.now)
            out += self.answer(silent)
        self.now = until
        return out

    def hear(self, *updates: MembershipUpdate, sender: str = "b") -> list[Any]:
        self.a.receive(sender, Packet(updates=updates), self.now)
        return self.a.outputs()

    def state(self, name: str) -> int:
        return self.a.members[name].state

    def test_an_answer_tells_the_date_and_that_of_an_answer_to_us_is_passed_on(self) -> None:
        me = Identity("a", 1, "10.0.0.97", 7000, "")
        a = Membership(me, GossipConfig(), HashKeyring("a"), Random(1), self.now, lambda: 1_700_000_000_123)
        a.connected("b", 1, "10.0.0.98", 7000, "", self.now)
        a.receive("b", Packet(Ping(7, "a")), self.now)
        a.tick(self.now)
        sent = [one.packet.probe for one in a.outputs() if isinstance(one, Send)]
        self.assertIn(Ack(7, 1_700_000_000_123), sent)
        (ping,) = [one for one in sent if isinstance(one, Ping)]
        a.receive("b", Packet(Ack(ping.number, 1_700_000_300_000)), self.now + 0.25)
        self.assertEqual(
            [one for one in a.outputs() if isinstance(one, DateSeen)],
            [DateSeen("b", 1_700_000_300_000, 0.25)],
        )

    def test_what_a_namesake_said_is_made_void_by_a_generation_of_our_own(self) -> None:
        """Its goodbye, and its address in our generation."""
        self.hear(update("a", LEFT))
        self.assertEqual((self.a.me.generation, self.a.incarnation), (2, 0))
        self.hear(update("a", SUSPECT, generation=2, host="10.9.9.9"))
        self.assertEqual((self.a.me.generation, self.a.incarnation), (3, 0))
        self.hear(update("a", SUSPECT, generation=3))
        self.assertEqual((self.a.me.generation, self.a.incarnation), (3, 1), "a suspicion of ours is refuted")

    def test_who_comes_back_below_what_is_known_of_it_is_told_so(self) -> None:
        """It has lost its state, or a namesake said goodbye for it."""
        self.a.receive("d", Packet(updates=(update("d", LEFT, generation=9),)), self.now)
        self.a.outputs()
        self.a.connected("d", 1, "10.0.0.100", 7000, "", self.now)
        told = [one.packet.updates for one in self.a.outputs() if isinstance(one, Send) and one.stream]
        self.assertIn(9, [one.generation for updates in told for one in updates if one.name == "d"])

    def test_who_answers_stays_alive_and_the_round_trip_is_known(self) -> None:
        self.run_for(20)
        self.assertEqual({m.state for m in self.a.members.values()}, {ALIVE})
        self.assertEqual(self.a.health.score, 0)
        self.assertGreater(self.a.counters.acks, 30)
        self.assertTrue(all(m.roundtrip.smoothed is not None for m in self.a.members.values()))

    def test_only_the_one_that_is_meant_answers_a_ping(self) -> None:
        self.a.receive("b", Packet(Ping(5, "a")), self.now)
        (answer,) = [one for one in self.a.outputs() if isinstance(one, Send)]
        self.assertEqual((answer.to, answer.packet.probe), ("b", Ack(5)))
        self.a.receive("b", Packet(Ping(5, "somebody")), self.now)
        self.assertEqual([one for one in self.a.outputs() if isinstance(one, Send)], [])

    def test_no_answer_two_others_are_asked_and_the_stream_is_tried(self) -> None:
        out = self.run_for(4, silent="d")
        requests = [one for one in out if isinstance(one, Send) and isinstance(one.packet.probe, PingRequest)]
        first = [one for one in requests if one.packet.probe == requests[0].packet.probe]
        self.assertEqual(sorted(one.to for one in first), ["b", "c"])
        self.assertTrue(any(isinstance(one, Send) and one.stream and one.to == "d"
                            and isinstance(one.packet.probe, Ping) for one in out))  # fmt: skip
        self.assertEqual(self.state("d"), SUSPECT)
        # whoever talks to d says so first
        self.a.receive("d", Packet(Ping(9, "a")), self.now)
        answer = next(one for one in self.a.outputs() if isinstance(one, Send) and one.to == "d")
        self.assertEqual(answer.packet.updates[0].state, SUSPECT)

    def test_an_indirect_probe_answered_late_is_followed_by_a_nack(self) -> None:
        self.a.receive("b", Packet(PingRequest(77, "d")), self.now)
        ping = next(one for one in self.a.outputs() if isinstance(one, Send) and one.to == "d")
        out = self.run_for(0.4, silent="d")
        self.assertIn(Nack(77), [one.packet.probe for one in out if isinstance(one, Send) and one.to == "b"])
        self.a.receive("b", Packet(PingRequest(78, "d")), self.now)
        ping = next(one for one in self.a.outputs() if isinstance(one, Send) and one.to == "d")
        assert isinstance(ping.packet.probe, Ping)
        self.a.receive("d", Packet(Ack(ping.packet.probe.number)), self.now)
        self.assertIn(Ack(78), [one.packet.probe for one in self.a.outputs() if isinstance(one, Send)])

    def test_silence_of_one_is_death_sooner_when_others_say_so_too(self) -> None:
        took = []
        for accusers in ("", "bc"):
            self.start()
            self.hear(update("d", SUSPECT, accuser="a"))
            for accuser in accusers:
                self.hear(update("d", SUSPECT, accuser=accuser), sender=accuser)
            began = self.now
            while self.state("d") != DEAD:
                self.run_for(0.1, silent="d")
            took.append(self.now - began)
        self.assertGreater(took[0], 3 * took[1])

    def test_the_accused_refutes_a_suspicion_and_old_news_never_win(self) -> None:
        out = self.hear(update("a", SUSPECT, incarnation=0, accuser="b"))
        self.assertEqual(self.a.incarnation, 1)
        self.assertIn(1, [c.incarnation for one in out if isinstance(one, Send) for c in one.packet.updates])
        self.hear(update("a", SUSPECT, incarnation=0, accuser="c"))
        self.assertEqual(self.a.incarnation, 1)
        self.hear(update("b", ALIVE, incarnation=5))
        self.hear(update("b", SUSPECT, incarnation=4, accuser="c"), sender="c")
        self.assertEqual(self.state("b"), ALIVE)

    def test_who_was_declared_dead_comes_back_after_a_trial_with_the_next_round(self) -> None:
        self.hear(update("a", DEAD, incarnation=3, accuser="b"))
        self.assertEqual(self.a.incarnation, 3 | ROUND - 1)
        self.run_for(3, silent="bcd")
        self.assertEqual(self.a.incarnation, 3 | ROUND - 1)  # nobody answers: not fit
        self.run_for(4)
        self.assertEqual(self.a.incarnation, ROUND)
        self.assertGreaterEqual(self.a.counters.trials, 2)

    def test_a_death_counts_against_refutations_of_the_same_round(self) -> None:
        self.hear(update("d", DEAD, incarnation=2))
        self.hear(update("d", ALIVE, incarnation=3))
        self.assertEqual(self.state("d"), DEAD)
        self.hear(update("d", ALIVE, incarnation=ROUND))
        self.assertEqual(self.state("d"), ALIVE)

    def test_a_restart_is_a_new_generation_maybe_at_another_address(self) -> None:
        self.hear(update("d", DEAD))
        self.a.set_load(LoadReport("a", 1, 1, 0.1, 0.9, 0, 0, 0, 0, 0, False), self.now)
        later = update("d", ALIVE, generation=2, host="10.9.9.9")
        self.assertEqual(self.hear(later), [Dial("d", "10.9.9.9", 7000)])  # b says so: it may be true
        self.assertEqual((self.state("d"), self.a.members["d"].host), (DEAD, "10.0.0.100"))
        self.a.connected("d", 2, "10.9.9.9", 7000, "", self.now)
        out = self.a.outputs()
        self.assertEqual((self.state("d"), self.a.members["d"].host), (ALIVE, "10.9.9.9"))
        self.assertEqual([one.before for one in out if isinstance(one, MemberChanged)], [DEAD])

    def test_somebody_elses_later_generation_of_ourselves_is_outdone(self) -> None:
        self.hear(update("a", ALIVE, generation=9))
        self.assertEqual(self.a.me.generation, 10)

    def test_the_dead_are_dialled_and_pinged_for_ever_those_who_left_are_not(self) -> None:
        for name in "cd":
            self.a.disconnected(name, self.now)
        self.hear(update("d", DEAD), update("c", LEFT))
        out = self.run_for(20, silent="cd")
        self.assertGreater(len([1 for one in out if isinstance(one, Dial) and one.name == "d"]), 5)
        self.assertFalse([1 for one in out if isinstance(one, Dial) and one.name == "c"])
        self.run_for(60)
        self.assertNotIn("c", self.a.members)
        self.assertIn("d", self.a.members)

    def test_a_dead_node_at_whose_address_another_is_has_left_and_is_dialled_no_more(self) -> None:
        """It was renamed.  All are told; when it comes back under the old name, it is a member again."""
        self.a.disconnected("d", self.now)
        self.hear(update("d", DEAD))
        self.assertTrue(self.a.renamed("d", self.now))
        told = {
            one.to
            for one in self.run_for(5, silent="d")
            if isinstance(one, Send) and any(u.name == "d" and u.state == LEFT for u in one.packet.updates)
        }
        self.assertEqual(told, {"b", "c"})
        self.hear(update("d", DEAD), update("d", ALIVE))  # what others believed before
        self.assertEqual(self.state("d"), LEFT)
        out = self.run_for(70, silent="d")
        self.assertFalse([one for one in out if isinstance(one, Dial)])
        self.assertNotIn("d", self.a.members)
        self.hear(update("d", generation=2), sender="d")
        self.assertEqual(self.state("d"), ALIVE)

    def test_a_node_that_lives_is_not_renamed_by_who_answers_at_its_address(self) -> None:
        """A wrong address translation takes nobody out of the cluster."""
        self.assertFalse(self.a.renamed("d", self.now))
        self.hear(update("d", SUSPECT, accuser="b"))
        self.assertFalse(self.a.renamed("d", self.now))
        self.assertFalse(self.a.renamed("nobody", self.now))
        self.assertEqual(self.state("d"), SUSPECT)

    def test_a_stranger_is_dialled_and_admitted_when_it_has_shown_its_certificate(self) -> None:
        out = self.hear(update("x", DEAD), update("y", LEFT), update("z"))
        self.assertEqual(out, [Dial("z", "10.0.0.122", 7000)])
        self.assertEqual(set(self.a.members), {"b", "c", "d"})
        dials = [one for one in self.run_for(90) if isinstance(one, Dial) and one.name == "z"]
        self.assertIn(len(dials), (29, 30))  # every two seconds for a minute
        self.a.connected("z", 1, "10.0.0.122", 7000, "", self.now)
        self.assertEqual(set(self.a.members), {"b", "c", "d", "z"})

    def test_a_peer_that_invents_nodes_costs_few_dials_and_nothing_that_is_kept(self) -> None:
        dials = 0
        for turn in range(20):
            invented = tuple(
                MembershipUpdate(f"x{turn}-{i}", ALIVE, 1, 0, "10.0.0.9", 9, "") for i in range(2000)
            )
            dials += len([one for one in self.hear(*invented) if isinstance(one, Dial)])
        self.assertEqual(set(self.a.members), {"b", "c", "d"})
        self.assertLessEqual(dials, BURST)
        self.assertLessEqual(len(self.a.introductions), LIMIT)
        self.assertLess(self.a.piggyback.queue, 4)  # the members that there are
        self.run_for(2 * REMEMBERED)
        self.assertEqual(len(self.a.introductions), 0)

    def test_nobody_says_where_another_node_is_nor_in_which_life(self) -> None:
        lie = MembershipUpdate("d", ALIVE, LAST_GENERATION, 0, "10.6.6.6", 666, "http://evil")
        self.hear(lie, update("d", DEAD, generation=LAST_GENERATION), update("d", LEFT, generation=9))
        self.hear(msgspec.structs.replace(lie, generation=1, incarnation=3))
        member = self.a.members["d"]
        self.assertEqual((member.state, member.host, member.latest.url), (ALIVE, "10.0.0.100", ""))
        self.assertEqual((member.latest.generation, member.latest.incarnation), (1, 3))
        for number in ((1 << 48) - 1, STEP + 4):
            self.hear(update("d", DEAD, incarnation=number))
        self.assertEqual((self.state("d"), self.a.counters.unproved), (ALIVE, 2))

    def test_whatever_is_said_of_this_node_it_can_still_refute(self) -> None:
        for generation in (LAST_GENERATION, LAST_GENERATION - 1, GENERATION_STEP + 1):
            self.hear(update("a", DEAD, generation=generation))
        self.hear(update("a", DEAD, incarnation=(1 << 48) - 1))
        self.assertEqual((self.a.me.generation, self.a.incarnation), (1, 0))
        for _ in range(2000):
            self.hear(update("a", DEAD, incarnation=self.a.incarnation + STEP))
            self.hear(update("a", ALIVE, generation=self.a.me.generation + (1 << 30)))
        self.assertLessEqual(self.a.me.generation, 1 + GENERATION_STEP)
        self.run_for(10)
        (own,) = [
            one for one in self.sent_updates() if one.name == "a" and one.generation == self.a.me.generation
        ][-1:]
        self.assertEqual(own.state, ALIVE)
        decode(encode(Packet(updates=(own,))))

    def sent_updates(self) -> list[MembershipUpdate]:
        """What a says to a node that has just connected."""
        self.a.connected("d", 1, "10.0.0.100", 7000, "", self.now)
        return [u for one in self.a.outputs() if isinstance(one, Send) for u in one.packet.updates]

    def test_incarnations_that_are_used_up_end_with_a_new_generation(self) -> None:
        self.a.incarnation = LAST_INCARNATION
        self.hear(update("a", SUSPECT, incarnation=LAST_INCARNATION))
        self.assertEqual((self.a.me.generation, self.a.incarnation), (2, 0))

    def test_a_load_is_of_the_node_that_signed_it(self) -> None:
        report = LoadReport("d", 1, 7, 0.1, 0.9, 0, 0, 0, 0, 0, False)
        keys = HashKeyring("d")
        good = (5, report, keys.own, keys.sign(load_statement(report)))
        lie = msgspec.structs.replace(report, sequence=(1 << 48) - 1, weight=0.0)
        evil = HashKeyring("b")
        for load in (
            (5, lie, evil.own, evil.sign(load_statement(lie))), (5, lie, keys.own, good[3]),
            (5, report, keys.own, bytes(32)),
        ):  # fmt: skip
            self.a.receive("b", Packet(loads=(load,)), self.now)
            self.assertIsNone(self.a.load_of("d"))
        self.assertEqual(self.a.counters.unproved, 3)
        self.a.receive("b", Packet(loads=(good,)), self.now)
        found = self.a.load_of("d")
        assert found is not None
        self.assertEqual(found[0], report)

    def test_who_leaves_tells_all_and_says_nothing_more(self) -> None:
        self.a.leave(self.now)
        told = {one.to for one in self.a.outputs() if isinstance(one, Send)
                and one.packet.updates[0].state == LEFT}  # fmt: skip
        self.assertEqual(told, {"b", "c", "d"})
        self.assertEqual(self.hear(update("a", SUSPECT)), [])
        self.assertEqual([one for one in self.run_for(5) if isinstance(one, Send)], [])

    def test_a_process_that_was_stopped_blames_itself(self) -> None:
        self.hear(update("d", SUSPECT, accuser="b"), update("d", SUSPECT, accuser="c"))
        self.now += 30
        self.a.tick(self.now)
        self.assertEqual(self.state("d"), SUSPECT)
        self.assertEqual(self.a.counters.late_ticks, 1)
        self.assertGreater(self.a.health.score, 0)

    def test_a_late_reactor_counts_against_oneself_once_a_second(self) -> None:
        for _ in range(5):
            self.a.note_lag(200)
        self.assertEqual(self.a.health.score, 1)
        self.a.note_lag(10)
        self.assertEqual(self.a.health.score, 1)

    def test_a_full_packet_leaves_out_the_lanes_below(self) -> None:
        """Updates before loads before the version vector before urgent changes."""
        piggyback = self.a.piggyback
        self.a.set_load(LoadReport("a", 1, 1, 0.1, 0.9, 0, 0, 0, 0, 0, False), self.now)
        self.a.set_version_vector((LogPosition("a", 1, 5),))
        self.a.urgent(bytes(900))
        self.a.outputs()
        small = piggyback.fill(None, None, 4, self.now)
        self.assertTrue(small.loads and small.version_vector)
        for number in range(200):
            piggyback.news.add(update(chr(200 + number)))
        full = piggyback.fill(None, None, 4, self.now)
        self.assertGreater(len(full.updates), 10)
        self.assertEqual(full.urgent, ())
        self.assertLessEqual(len(encode(full)), MAX_PAYLOAD)
        self.assertFalse(piggyback.add_urgent(bytes(MAX_PAYLOAD)))

    def test_all_claims_of_a_thousand_joins_reach_a_packet_in_the_end(self) -> None:
        news = self.a.piggyback.news
        for number in range(1000):
            news.add(update(chr(200 + number)))
        seen = set()
        for _ in range(200):
            taken, used = news.take(1100, 4)
            self.assertLessEqual(used, 1100)
            seen |= {one.name for one in taken}
        self.assertEqual(len(seen - set("bcd")), 1000)

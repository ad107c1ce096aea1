"""The keeper of the keys of session tickets."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge import durable
from edge.node.certificates.ticket_keeper import LOOK_SECONDS, TicketKeeper
from edge.node.process.ticket_keys import pack, unpack
from edge.trust.sealed_file import SealedFile
from edge.trust.tickets import EPOCH_LIMIT, EPOCH_STEP, PERIOD, TURN, KeyRing, encode, make_key


class TicketKeeperTests(SynchronousTestCase):
    """One node, and what it is told."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.clock = Clock()
        self.clock.rightNow = 1e9
        self.live = ["a"]
        self.delivered: list[Any] = []
        self.shared = 0

    def made(self, name: str = "a", secret: bytes = b"secret") -> TicketKeeper:
        file = SealedFile(self.folder / name, "tickets", lambda: secret)

        def share() -> None:
            self.shared += 1

        keeper = TicketKeeper(
            node=name,
            file=file,
            live=lambda: self.live,
            share=share,
            deliver=lambda: self.delivered.append(keeper.keys),
            clock=self.clock.seconds,
            reactor=self.clock,
        )
        self.addCleanup(keeper.stop)
        return keeper

    def wait(self, seconds: float) -> None:
        self.clock.pump([LOOK_SECONDS] * int(seconds / LOOK_SECONDS + 1))

    def test_a_node_that_lies_uses_up_no_numbers(self) -> None:
        """After the last of them there would be no next key that the others take."""
        keeper = self.made()
        for epoch in (EPOCH_LIMIT - 1, EPOCH_STEP + 2):
            lie = encode(KeyRing((make_key(epoch, bytes),)))
            self.assertFalse(keeper.merge(lie))
        self.assertEqual(keeper.keys[0].epoch, 1)
        self.assertTrue(keeper.merge(encode(KeyRing((make_key(EPOCH_STEP + 1, bytes),)))))

    def test_the_next_key_is_made_in_time_told_and_delivered(self) -> None:
        keeper = self.made()
        first = keeper.keys
        keeper.start()
        self.wait(PERIOD - 20)
        self.assertEqual((keeper.keys, self.shared, self.delivered), (first, 0, []))
        self.wait(20)
        self.assertEqual((keeper.keys[1:], self.shared), (first, 1))
        self.assertEqual(self.delivered, [keeper.keys])
        self.assertLess(keeper.age, 20)

    def test_after_a_restart_it_goes_on_with_its_keys_and_their_age(self) -> None:
        keeper = self.made()
        keys = keeper.keys
        self.clock.advance(PERIOD - 100)
        successor = self.made()
        self.assertEqual(successor.keys, keys)
        self.assertAlmostEqual(successor.age, PERIOD - 100)
        successor.start()
        self.wait(100)
        self.assertEqual(successor.keys[1:], keys)

    def test_what_others_have_is_taken_delivered_and_not_told_again(self) -> None:
        one, other = self.made(), self.made("b")
        self.assertTrue(one.merge(other.encode()))
        self.assertEqual(set(one.keys), {one.keys[0], *other.keys} | set(one.keys))
        self.assertEqual((self.delivered, self.shared), ([one.keys], 0))
        self.assertFalse(one.merge(other.encode()))
        self.assertTrue(other.merge(one.encode()))
        self.assertEqual(one.keys, other.keys)
        self.assertEqual(self.made("b").keys, one.keys, "it is written down")

    def test_keys_are_changed_when_somebody_wants_it(self) -> None:
        keeper = self.made()
        before = keeper.keys
        keeper.change(forget=False)
        self.assertEqual((keeper.keys[1:], self.shared, len(self.delivered)), (before, 1, 1))
        other = self.made("b")
        other.merge(keeper.encode())
        keeper.change(forget=True)
        self.assertTrue(other.merge(keeper.encode()))
        self.assertEqual(other.keys, keeper.keys)
        self.assertEqual({*keeper.keys} & {*before, *self.delivered[0]}, set())

    def test_what_is_no_ring_changes_nothing(self) -> None:
        keeper = self.made()
        before = keeper.keys
        for data in (b"", b"\xc1", keeper.encode()[:-1]):
            with self.assertRaises(ValueError):
                keeper.merge(data)
        self.assertEqual((keeper.keys, self.delivered), (before, []))

    def test_a_node_that_is_not_the_first_waits_its_turn(self) -> None:
        keeper = self.made("b")
        self.live = ["a", "b"]
        keeper.start()
        self.wait(PERIOD + TURN - 20)
        self.assertEqual(self.shared, 0)
        self.wait(20)
        self.assertEqual(self.shared, 1)

    def test_another_secret_means_new_keys_and_a_full_disk_costs_the_restart_alone(self) -> None:
        keys = self.made().keys
        self.assertNotEqual(self.made(secret=b"another").keys, keys)

        def full(path: Any, content: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(durable, "write_private", full)
        self.live = ["c"]
        keeper = self.made("c")
        keeper.start()
        self.wait(PERIOD)
        self.assertEqual(len(keeper.keys), 2)

    def test_workers_get_them_whole(self) -> None:
        keeper = self.made()
        keeper.merge(encode(self.made("b")._ring.with_next(lambda count: b"x" * count)))
        got = unpack(pack(keeper.keys))
        self.assertEqual([tuple(key) for key in got], [(k.name, k.cipher, k.mac) for k in keeper.keys])
        self.assertNotIn(repr(keeper.keys[0].cipher), repr(got))

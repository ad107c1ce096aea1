"""Sealed datagrams: what is not authentic, new and for us is dropped."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.replay import WINDOW, ReplayWindow
from edge.gossip.sealing import OVERHEAD, SESSIONS_EACH, Session, Sessions

SECRET = bytes(range(64))


def pair(secret: bytes = SECRET, cluster: str = "c") -> tuple[Session, Session]:
    """The two sides of one session: a dialled b."""
    return Session.derive(secret, cluster, True, "a", "b"), Session.derive(secret, cluster, False, "b", "a")


def sessions(*some: Session) -> Sessions:
    """Of one node."""
    made = Sessions()
    for one in some:
        made.add(one)
    return made


class SealingTests(SynchronousTestCase):
    """Both directions, and everything that must not get in."""

    def test_both_directions(self) -> None:
        a, b = pair()
        of_a, of_b = sessions(a), sessions(b)
        self.assertEqual(of_b.open(a.seal(b"ping")), ("a", b"ping"))
        self.assertEqual(of_a.open(b.seal(b"ack")), ("b", b"ack"))

    def test_the_bytes_are_those_of_the_drawing(self) -> None:
        datagram = pair()[0].seal(b"ping")
        self.assertEqual(len(datagram), OVERHEAD + 4)
        self.assertEqual(datagram[0], 1)
        self.assertEqual(datagram[9:17], bytes(8))
        self.assertEqual(datagram.hex(), WORKED_EXAMPLE)

    def test_what_is_reflected_is_not_taken(self) -> None:
        a, _ = pair()
        self.assertIsNone(sessions(a).open(a.seal(b"x")))

    def test_other_clusters_names_and_secrets_open_nothing(self) -> None:
        _, b = pair()
        receiver = sessions(b)
        for stranger in (
            pair(cluster="d")[0],
            pair(bytes(64))[0],
            Session.derive(SECRET, "c", True, "c", "b"),
            Session.derive(SECRET, "c", False, "a", "b"),
        ):
            self.assertIsNone(receiver.open(stranger.seal(b"x")))

    def test_a_hundred_thousand_hostile_datagrams_of_each_kind(self) -> None:
        random = Random(1)
        a, b = pair()
        receiver = sessions(b)
        good = [a.seal(b"%d" % number) for number in range(200)]
        for one in good:
            self.assertIsNotNone(receiver.open(one))
        for _ in range(100_000):
            one = random.choice(good)
            at = random.randrange(len(one))
            forged = one[:at] + bytes([one[at] ^ (1 << random.randrange(8))]) + one[at + 1 :]
            for hostile in (one, forged, one[: random.randrange(len(one))], random.randbytes(60)):
                self.assertIsNone(receiver.open(hostile))
        refused = receiver.refused
        self.assertEqual(refused.replayed + refused.forged + refused.unknown + refused.malformed, 400_000)
        self.assertGreater(min(refused.replayed, refused.forged, refused.unknown, refused.malformed), 100)

    def test_old_sessions_are_forgotten_after_a_few(self) -> None:
        made = [pair(bytes([number]) * 64) for number in range(SESSIONS_EACH + 1)]
        receiver = sessions(*(b for _, b in made))
        self.assertIsNone(receiver.open(made[0][0].seal(b"x")))
        self.assertIsNotNone(receiver.open(made[1][0].seal(b"x")))
        receiver.forget("a")
        self.assertIsNone(receiver.open(made[-1][0].seal(b"x")))
        self.assertIsNone(receiver.seal_for("a", b"x"))


class ReplayTests(SynchronousTestCase):
    """The window."""

    @given(st.lists(st.integers(0, 3 * WINDOW)))
    def test_each_number_is_taken_once_and_none_below_the_window(self, numbers: list[int]) -> None:
        window, taken, highest = ReplayWindow(), set[int](), -1
        for number in numbers:
            expected = number not in taken and number > highest - WINDOW
            self.assertEqual(window.is_new(number), expected)
            if expected:
                window.note(number)
                taken.add(number)
                highest = max(highest, number)


WORKED_EXAMPLE = "01df2d98e98bc53f160000000000000000826a491effcff21f98856b70b1fdbdf07c74fecc"

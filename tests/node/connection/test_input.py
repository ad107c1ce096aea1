"""The incoming half of a connection: when it is read, and how much is thrown away."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from edge.node.connection.input import LINGER_BYTES, Input


class Producer:
    """A transport that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")


class InputTests(SynchronousTestCase):
    """Of one channel."""

    def setUp(self) -> None:
        self.transport = Producer()
        self.input = Input(self.transport)

    def test_the_transport_is_told_what_changes_and_nothing_twice(self) -> None:
        for wanted in (True, False, False, True, True):
            self.input.read(wanted)
        self.assertEqual(self.transport.told, ["pause", "resume"])

    def test_a_direction_that_the_peer_has_closed_is_never_read_again(self) -> None:
        """A half-closed TCP transport that is told to read would report its end for ever."""
        self.input.read(False)
        self.input.end()
        self.input.read(True)
        self.assertTrue(self.input.ended)
        self.assertEqual(self.transport.told, ["pause"])

    def test_the_whole_limit_is_thrown_away_and_with_one_byte_more_the_peer_waits(self) -> None:
        self.input.discard(LINGER_BYTES - 1)
        self.input.discard(1)
        self.assertEqual(self.transport.told, [])
        self.input.discard(1)
        self.input.discard(1)
        self.assertEqual(self.transport.told, ["pause"])

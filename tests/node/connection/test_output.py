"""What goes out of a connection: the periods in which the peer has to take it, and the application's turn."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from edge.node.connection.output import Output
from edge.node.process.channel_limits import ChannelLimits


class Peer:
    """A transport whose peer takes what the test says."""

    def __init__(self) -> None:
        self.unsent = 0
        self.bytes_taken = 0

    def write(self, data: bytes) -> None:
        self.unsent += len(data)

    def take(self, count: int) -> None:
        self.unsent -= count
        self.bytes_taken += count


class Context:
    """A clock, limits and counters."""

    def __init__(self, limits: ChannelLimits) -> None:
        self.clock = Clock()
        self.limits = limits
        self.counts: dict[str, int] = {}
        self.draining = False
        self.channels: set[Any] = set()

    def count(self, name: str, n: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + n

    def date(self) -> bytes:
        return b""

    def answered(self, address: str, method: bytes, target: bytes, status: int, sent: int) -> None:
        """None is counted here."""


class Application:
    """A producer that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


class OutputTests(SynchronousTestCase):
    """A peer that has to take 100 bytes a second, on average over 10 s."""

    def setUp(self) -> None:
        self.start(100)

    def start(self, least_rate: int) -> None:
        self.peer = Peer()
        self.context = Context(ChannelLimits(write_seconds=10.0, least_rate=least_rate))
        self.stuck: list[float] = []
        clock = self.context.clock
        self.output = Output(self.peer, self.context, lambda: self.stuck.append(clock.seconds()))

    def pass_time(self, seconds: float) -> None:
        self.context.clock.advance(seconds)

    def test_a_peer_that_takes_exactly_the_least_rate_is_waited_for(self) -> None:
        self.output.send(bytes(5000))
        for _ in range(4):
            self.peer.take(1000)
            self.pass_time(10)
        self.assertEqual(self.stuck, [])

    def test_a_peer_that_takes_a_byte_less_is_stuck_at_the_end_of_the_period(self) -> None:
        self.output.send(bytes(5000))
        self.peer.take(999)
        self.pass_time(9.99)
        self.assertEqual(self.stuck, [])
        self.pass_time(0.01)
        self.assertEqual((self.stuck, self.context.counts["timeouts_write"]), ([10.0], 1))

    def test_what_was_taken_in_one_period_does_not_count_in_the_next(self) -> None:
        self.output.send(bytes(5000))
        self.peer.take(3000)
        self.pass_time(10)
        self.peer.take(999)
        self.pass_time(10)
        self.assertEqual(self.stuck, [20.0])

    def test_more_output_gives_a_slow_peer_no_new_period(self) -> None:
        """Else an application that goes on writing would hold it open."""
        for _ in range(5):
            self.output.send(bytes(5000))
            self.pass_time(2)
        self.assertEqual(self.stuck, [10.0])

    def test_a_period_begins_when_something_begins_to_wait(self) -> None:
        """An application that writes seldom is not hurried."""
        self.output.send(bytes(10))
        self.peer.take(10)
        self.pass_time(9)
        self.output.send(bytes(10))
        self.pass_time(9)
        self.assertEqual(self.stuck, [])
        self.pass_time(1)
        self.assertEqual(self.stuck, [19.0])

    def test_a_peer_that_has_taken_everything_is_never_stuck(self) -> None:
        self.output.send(bytes(10))
        self.peer.take(10)
        self.pass_time(1000)
        self.assertEqual(self.stuck, [])

    def test_without_a_least_rate_a_single_byte_in_each_period_will_do(self) -> None:
        self.start(0)
        self.output.send(bytes(5000))
        self.peer.take(1)
        self.pass_time(10)
        self.assertEqual(self.stuck, [])
        self.pass_time(10)
        self.assertEqual(self.stuck, [20.0])

    def test_nothing_is_expected_after_an_end(self) -> None:
        self.output.send(bytes(5000))
        self.output.clear()
        self.pass_time(100)
        self.assertEqual(self.stuck, [])

    def test_bytes_are_counted_and_none_are_nothing(self) -> None:
        self.output.send(b"")
        self.assertEqual((self.context.counts, self.context.clock.getDelayedCalls()), ({}, []))
        self.output.send(b"abc")
        self.assertEqual(self.context.counts, {"twisted_bytes_out": 3})

    def test_a_producer_that_begins_while_the_peer_takes_nothing_waits(self) -> None:
        application = Application()
        self.output.pause()
        self.output.register(application, streaming=True)
        self.output.resume()
        self.assertEqual(application.told, ["pause", "resume"])

    def test_a_producer_that_is_done_is_told_nothing_more(self) -> None:
        application = Application()
        self.output.register(application, streaming=True)
        self.output.unregister()
        self.output.unregister()
        self.output.pause()
        self.output.resume()
        self.output.stop()
        self.assertEqual((application.told, self.output.full), ([], False))

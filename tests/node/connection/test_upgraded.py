"""A connection after 101: it is in its site's list, counted, drained and lost as any other."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from edge.node.connection.holding import Holding
from edge.node.connection.site import EdgeSite
from edge.node.connection.upgraded import LINGER_SECONDS, UpgradedChannel
from edge.shares import Pool
from tests.node.serving import Counts, Log
from tests.node.transports import PeerTransport


class Owner:
    """The protocol that takes it over."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def connected(self, transport: object, end: object) -> None:
        self.told.append(transport)

    def received(self, data: bytes) -> None:
        self.told.append(data)

    def drain(self) -> None:
        self.told.append("drain")

    def lost(self) -> None:
        self.told.append("lost")


class UpgradedChannelTests(SynchronousTestCase):
    """In the place of the channel that it was."""

    def setUp(self) -> None:
        self.clock = clock = Clock()
        self.counts = Counts()
        self.site = EdgeSite(Resource(), clock, self.counts, Log())
        self.transport = PeerTransport(clock)
        self.owner = Owner()
        self.channel = self.upgraded(self.transport)

    def upgraded(self, transport: Any, address: bytes = b"one") -> UpgradedChannel:
        """One whose peer is at *address*."""
        return UpgradedChannel(self.site, transport, self.owner, Holding(self.site, address))

    def test_what_comes_is_counted_and_goes_to_the_new_owner(self) -> None:
        self.transport.protocol.dataReceived(b"frame")
        self.assertEqual(self.owner.told, [b"frame"])
        self.assertEqual(self.counts.values["twisted_bytes_in"], 5)

    def test_a_drain_leaves_the_end_to_the_new_owner(self) -> None:
        """Who has to say goodbye first, as WebSocket's closing handshake does."""
        self.site.drain()
        self.assertEqual((self.owner.told, self.transport.closed), (["drain"], False))

    def test_an_aborted_one_is_gone_from_the_site_and_its_owner_knows(self) -> None:
        self.assertIn(self.channel, self.site.channels)
        self.site.abort()
        self.assertEqual((self.owner.told, self.transport.aborted), (["lost"], True))
        self.assertEqual(self.site.channels, set())

    def test_who_is_told_goodbye_has_time_to_read_it(self) -> None:
        """What it still says is discarded; with bytes unread the connection would be reset."""
        self.transport.write(b"goodbye")
        self.channel.end()
        self.channel.end()
        self.transport.protocol.dataReceived(b"frames")
        self.assertEqual((self.owner.told, self.transport.half_closed), ([], True))
        self.assertFalse(self.transport.closed or self.transport.aborted)
        self.clock.advance(LINGER_SECONDS)
        self.assertEqual((self.owner.told, self.transport.aborted), (["lost"], True))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_goodbye_waits_for_a_peer_that_still_takes_what_came_before(self) -> None:
        """At the least rate: who took a byte now and then would keep the rest for days."""
        least = int(self.site.limits.least_rate * LINGER_SECONDS)
        self.transport.stalled = True
        self.transport.write(b"much before goodbye" * least)
        self.channel.end()
        for _ in range(3):
            self.transport.take(least)
            self.clock.advance(LINGER_SECONDS)
            self.assertFalse(self.transport.aborted)
        self.transport.take(least - 1)
        self.clock.advance(LINGER_SECONDS)
        self.assertTrue(self.transport.aborted)

    def test_what_is_said_has_to_be_taken_at_the_least_rate(self) -> None:
        limits = self.site.limits
        self.transport.stalled = True
        self.channel.send(b"a" * 1_000_000)
        for _ in range(3):
            self.transport.take(int(limits.least_rate * limits.write_seconds))
            self.clock.advance(limits.write_seconds)
            self.assertFalse(self.transport.aborted)
        self.transport.take(1)
        self.clock.advance(limits.write_seconds)
        self.assertTrue(self.transport.aborted)
        self.assertEqual(self.counts.values["timeouts_write"], 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_waits_counts_for_its_address_until_it_is_taken(self) -> None:
        """One address leaves half to others, and what ends, or is taken, holds nothing."""
        self.site.pools = self.site.pools._replace(buffers=Pool(1_000_000))
        buffers, held = self.site.pools.buffers, []
        for _ in range(3):
            transport = PeerTransport(self.clock)
            channel = self.upgraded(transport)
            transport.stalled = True
            channel.send(b"a" * 200_000)
            held.append((transport, channel))
        self.assertEqual([transport.aborted for transport, _ in held], [False, False, True])
        self.assertEqual((buffers.used, self.counts.values["refused_share"]), (400_000, 1))
        other = PeerTransport(self.clock)
        other.stalled = True
        self.upgraded(other, b"another").send(b"a" * 200_000)
        self.assertEqual((other.aborted, buffers.used), (False, 600_000))
        transport, channel = held[0]
        transport.take(200_000)
        channel.taken()
        self.assertEqual(buffers.used, 400_000)
        held[1][0].abortConnection()
        other.abortConnection()
        self.assertEqual(buffers.used, 0)

    def test_within_tls_the_wrapper_above_the_socket_delivers_to_it(self) -> None:
        """And the transport below still to the wrapper."""
        below = PeerTransport(Clock())
        wrapper = ProtocolWrapper(WrappingFactory(self.site), object())  # type: ignore[no-untyped-call]
        wrapper.transport, below.protocol = below, wrapper
        channel = self.upgraded(wrapper)
        self.assertIs(wrapper.wrappedProtocol, channel)
        self.assertIs(below.protocol, wrapper)

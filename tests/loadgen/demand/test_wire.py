"""Messages on a wire: segments, frames, acknowledgements."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from loadgen.demand.wire import FRAME, LEAST_FRAME, Crossing, Wire, framed


class WireTests(SynchronousTestCase):
    """What a link carries."""

    def test_a_question_and_its_304_by_hand(self) -> None:
        """One segment each way, and the client's lone acknowledgement."""
        inbound, outbound = Wire().exchange(600, 128)
        head = 20 + 32 + 38
        self.assertEqual(inbound, Crossing(600 + head + head, 2))
        self.assertEqual(outbound, Crossing(128 + head, 1))

    def test_a_body_of_many_segments(self) -> None:
        """The last one is half full on average; every second one is acknowledged."""
        inbound, outbound = Wire().exchange(600, 9.5 * 1448)
        self.assertEqual((inbound.packets, outbound.packets), (1 + 5, 10))
        self.assertEqual(outbound.bytes, 9.5 * 1448 + 10 * 90)

    def test_a_push_has_no_question(self) -> None:
        """Only its acknowledgement comes in."""
        self.assertEqual(Wire().exchange(0, 100)[0], Wire().empty(1))

    def test_the_smallest_frame_is_84_bytes(self) -> None:
        """Preamble, head, 46 bytes of content and check: a gigabit carries 1,488,095 of them a second."""
        self.assertEqual(LEAST_FRAME, FRAME + 46)
        self.assertEqual(int(1e9 / 8 / LEAST_FRAME), 1_488_095)

    def test_no_frame_is_smaller(self) -> None:
        """An acknowledgement with timestamps is 6 bytes above it; heads of 40 bytes alone would be below."""
        self.assertEqual(Wire().empty(3), Crossing(3 * (20 + 32 + 38), 3))
        self.assertEqual(framed(0, 3, 40), Crossing(3 * 84, 3))
        self.assertEqual(framed(7, 1, 40), Crossing(20 + 20 + 7 + 38, 1))

    def test_ipv6_and_tls_cost_bytes(self) -> None:
        """20 for each packet, 22 for each record."""
        plain = Wire().exchange(600, 128)
        self.assertEqual(Wire(6).exchange(600, 128)[0].bytes - plain[0].bytes, 40)
        self.assertEqual(Wire(4, 1.0).exchange(600, 128)[1].bytes - plain[1].bytes, 22)

    @given(st.floats(0, 1e6), st.floats(0, 1e6), st.sampled_from([4, 6]), st.floats(0, 1))
    def test_nothing_gets_smaller_on_a_wire(self, asked: float, answered: float, ip: Any, tls: float) -> None:
        """Every byte above TCP crosses, and every packet has its overhead."""
        for crossing, payload in zip(Wire(ip, tls).exchange(asked, answered), (asked, answered), strict=True):
            self.assertGreaterEqual(crossing.bytes, payload)
            self.assertGreaterEqual(crossing.bytes, 84 * crossing.packets - 1e-6)

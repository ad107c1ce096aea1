"""Where frames end, however their bytes are cut: beside wsproto, which reads them whole."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection

from edge.upstream.frame_ends import FrameEnds, closing

FRAMES = st.lists(st.tuples(st.sampled_from((0, 1, 125, 126, 300, 65535, 65536)), st.booleans()), max_size=5)


def frame(size: int, masked: bool) -> bytes:
    """A binary frame with *size* bytes, as RFC 6455 section 5.2 draws it."""
    bit = 0x80 if masked else 0
    if size < 126:
        head = bytes((0x82, bit | size))
    elif size < 65536:
        head = bytes((0x82, bit | 126)) + struct.pack(">H", size)
    else:
        head = bytes((0x82, bit | 127)) + struct.pack(">Q", size)
    return head + (b"key!" if masked else b"") + b"x" * size


class FrameEndsTests(SynchronousTestCase):
    @given(FRAMES, st.data())
    def test_it_is_between_frames_exactly_where_one_ends(
        self, sizes: list[tuple[int, bool]], data: st.DataObject
    ) -> None:
        whole, ends = b"", [0]
        for size, masked in sizes:
            whole += frame(size, masked)
            ends.append(len(whole))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
        seen, at = FrameEnds(), 0
        for cut in [*cuts, len(whole)]:
            rest = min(end for end in ends if end >= at) - at
            copy = FrameEnds()
            copy.passes(whole[:at])
            self.assertEqual(copy.first_end(whole[at:cut]), min(rest, cut - at))
            seen.passes(whole[at:cut])
            at = cut
            self.assertIs(seen.is_between, at in ends)

    def test_byte_by_byte(self) -> None:
        whole = frame(300, True) + frame(0, False) + frame(70_000, False)
        seen, ends = FrameEnds(), []
        for at in range(len(whole)):
            seen.passes(whole[at : at + 1])
            if seen.is_between:
                ends.append(at + 1)
        self.assertEqual(ends, [308, 310, len(whole)])

    def test_a_goodbye_is_one_for_both_sides(self) -> None:
        for kind, masked in ((ConnectionType.CLIENT, False), (ConnectionType.SERVER, True)):
            end = Connection(kind)
            end.receive_data(frame(3, masked) + closing(1001, masked))
            message, goodbye = end.events()
            assert isinstance(message, BytesMessage) and isinstance(goodbye, CloseConnection)
            self.assertEqual(goodbye.code, 1001)

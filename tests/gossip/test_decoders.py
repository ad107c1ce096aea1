"""Bytes of other nodes: decoded right or refused with GossipError, whatever they are."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.gossip.batches import Batch, statement
from edge.gossip.changes import (
    Changes,
    Hashes,
    Paths,
    Repair,
    Root,
    VersionVector,
    Want,
    decode_message,
    encode_message,
)
from edge.gossip.entries import decode_entry_message
from edge.gossip.group_messages import Changed, decode_group_message, encode_group_message
from edge.gossip.packet import (
    LogPosition,
    MembershipUpdate,
    Packet,
    Ping,
    decode,
    encode,
)
from edge.gossip.schema import GossipError
from edge.load.report import LoadReport

LOADS = LoadReport("n2", 1, 2, 0.5, 0.5, 1.0, 0.0, 3, 4, 0.1, False)
PACKET = Packet(
    Ping(7, "n2"),
    (MembershipUpdate("n1", 0, 1, 0, "10.0.0.1", 7000, "http://n1"),),
    ((12, LOADS, bytes(16), b"signature"),),
    (LogPosition("n1", 1, 2),),
    (b"x",),
)
ITEM = (b"/a", 3, 4, 5, ((0, bytes(32), 6, 0, 1),), 0)
BATCH = Batch("n1", bytes(16), 1, 3, bytes(32), b"signature")
MESSAGES = (
    VersionVector((LogPosition("n1", 1, 2),)),
    Want("n1", 1, 2, 3, 4, 5),
    Changes("n1", 1, 2, 3, 4, 5, True, (b"A: b\r\n", b""), (ITEM,), (BATCH,), 0, ((b"certificate",),)),
    Root(12),
    Hashes(bytes(32768)),
    Paths((b"/a",)),
    Repair((b"A: b\r\n", b""), (("n1", ITEM),), (BATCH,)),
)


class DecoderTests(SynchronousTestCase):
    """Both decoders."""

    def test_what_was_encoded_is_decoded(self) -> None:
        self.assertEqual(decode(encode(PACKET)), PACKET)
        for message in MESSAGES:
            self.assertEqual(decode_message(encode_message(message)), message)

    def test_positions_are_append_only(self) -> None:
        """An older reader ignores what a newer writer appends."""
        fields = msgspec.msgpack.decode(encode(PACKET))
        self.assertEqual(decode(msgspec.msgpack.encode([*fields, "new"])), PACKET)

    def test_header_lines_that_do_not_come_along_are_refused(self) -> None:
        wrong = Changes("n1", 1, 2, 3, 4, 5, True, (b"A: b\r\n",), (ITEM,), (BATCH,))
        self.assertRaises(GossipError, decode_message, encode_message(wrong))

    def test_signatures_that_do_not_come_along_are_refused(self) -> None:
        lines = (b"A: b\r\n", b"")
        for wrong in (
            Changes("n1", 1, 2, 3, 4, 5, True, lines, (ITEM,), ()),
            Changes("n1", 1, 2, 3, 4, 5, True, lines, (ITEM,), (BATCH,), 1),
            Repair(lines, (("n1", ITEM),), ()),
        ):
            self.assertRaises(GossipError, decode_message, encode_message(wrong))

    @given(st.binary(max_size=200))
    def test_any_bytes(self, data: bytes) -> None:
        for read in (decode, decode_message, decode_group_message, decode_entry_message):
            with contextlib.suppress(GossipError):
                read(data)

    @given(st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
    def test_damaged_messages(self, at: int, damage: bytes) -> None:
        for read, data in (
            (decode, encode(PACKET)),
            *((decode_message, encode_message(m)) for m in MESSAGES),
        ):
            at %= len(data)
            with contextlib.suppress(GossipError):
                read(data[:at] + damage + data[at + len(damage) :])
            with contextlib.suppress(GossipError):
                read(data[:at])


class WorkedExampleTests(SynchronousTestCase):
    """The bytes in docs/reference/gossip.md."""

    def test_they_are_what_is_sent(self) -> None:
        text = (Path(__file__).parents[2] / "docs/reference/gossip.md").read_text()
        blocks = text[text.index("## A worked example") : text.index("## Hello")].split("```")[1::2]
        shown = [
            bytes.fromhex("".join(re.split(r" {2,}", line)[0] for line in block.splitlines()))
            for block in blocks
        ]
        suspect = MembershipUpdate("c", 1, 5, 0, "10.0.0.3", 7000, "", (1, 1), "a")
        self.assertEqual(
            shown,
            [
                encode(Packet(Ping(7, "b"), (suspect,))),
                encode_message(Want("a", 5, 3)),
                b"twistd-edge\0shop\0" + statement("a", 5, 4, bytes(range(32))),
                encode_group_message(Changed(5, 8, "shop", ("glyph:41", "ranking"))),
            ],
        )

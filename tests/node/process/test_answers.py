"""Answers on their way from workers to the supervisor."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.cache.group_changes import MOST_ADDRESSES, Change
from edge.cache.record import AnswerRecord
from edge.node.process.answers import FilledAnswer, MalformedAnswer, pack, pack_change, unpack, unpack_change
from edge.resource import Representation

ETAG = b"AAECAwQFBgcICQoL"


def answer(**changed: object) -> FilledAnswer:
    record = AnswerRecord(b"/a?x", 200, 1_700_000_000, 60, 1, 2, b'"v"', b"", b'"g", "h"')
    plain = Representation(0, ETAG, b"", 5, b"A: b\r\n", b"", b"hello")
    coded = Representation(2, ETAG, b"", 2, b"A: b\r\nC: d\r\n", b"", b"hi")
    return FilledAnswer(record, 1000, 2000, 0x8000, ("g", "h"), (plain, coded))._replace(**changed)  # type: ignore[arg-type]


def altered(**changed: object) -> bytes:
    """What a worker that is taken over might send."""
    packed = pack(answer())
    length = int.from_bytes(packed[:4], "little")
    fields = msgspec.msgpack.decode(packed[4 : 4 + length])
    for key, value in changed.items():
        if key in fields:
            fields[key] = value
        else:
            fields["variants"][0][int(key[1:])] = value
    head = msgspec.msgpack.encode(fields)
    return len(head).to_bytes(4, "little") + head + packed[4 + length :]


class PackedChangeTests(SynchronousTestCase):
    def test_a_change_is_one_whatever_its_groups_are_called(self) -> None:
        """An application may say over its socket what no field could: what cannot be told is everything."""
        for groups in ({"a\n"}, {""}, {"a" * 1000}, {f"{number}" for number in range(1000)}):
            change = Change("shop", frozenset(groups), (b"/cart",))
            self.assertEqual(unpack_change(pack_change(change)), change)

    def test_one_that_is_too_long_to_be_told_is_one_of_everything(self) -> None:
        for change in (
            Change("shop", frozenset({"a" * 100_000})),
            Change("shop", frozenset(), tuple(b"/%d" % number for number in range(MOST_ADDRESSES + 1))),
        ):
            self.assertEqual(unpack_change(pack_change(change)), Change("shop", None))

    def test_what_no_worker_tells_is_refused(self) -> None:
        for told in ([None, [], []], ["shop", [], [b""]], ["shop", [], [b"a" * 5000]], ["shop", [1], []], 7):
            with self.assertRaises(MalformedAnswer):
                unpack_change(msgspec.msgpack.encode(told))


class PackedAnswerTests(SynchronousTestCase):
    def test_what_is_packed_comes_back(self) -> None:
        self.assertEqual(unpack(pack(answer())), answer())
        self.assertEqual(unpack(altered()), answer())

    def test_what_a_worker_sends_is_not_believed(self) -> None:
        """Lines that end a head, lengths that lead outside, names that are none, numbers out of range."""
        for changed in (
            {"_3": b"A: b\r\n\r\nHTTP/1.1 200 OK\r\n"}, {"_3": b"A: b\n"}, {"_3": b"A b\r\n"},
            {"_4": b"A: \0\r\n"}, {"_3": b"A: " + b"b" * 9000 + b"\r\n"},
            {"_1": b'AAECAwQFBgcICQo"'}, {"_1": b"short"}, {"_2": 6}, {"_2": -1}, {"_2": 2**60},
            {"_0": 2}, {"_0": 9}, {"_0": 1}, {"variants": []}, {"name": b"a"},
            {"status": 99}, {"status": 500},
            {"date": -1}, {"fresh": -1}, {"flags": 1}, {"flags": 1 << 16}, {"stale_if_error": -1},
            {"groups": ['a"']}, {"groups": [""]}, {"groups": ["\u00e9"]}, {"groups": ["g"] * 65},
            {"born_ms": "x"}, {"asked_ms": None},
        ):  # fmt: skip
            with self.assertRaises(MalformedAnswer, msg=changed):
                unpack(altered(**changed))

    @given(st.binary(max_size=200))
    def test_other_bytes_are_refused(self, data: bytes) -> None:
        with self.assertRaises(MalformedAnswer):
            unpack(data)

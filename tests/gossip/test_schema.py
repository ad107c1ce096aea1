"""The schema of what nodes send: nothing in it is unlimited, and it is enforced where it is decoded."""

from __future__ import annotations

import importlib
import os
import pkgutil
from random import Random
from typing import Any

import msgspec
from msgspec import inspect
from twisted.trial.unittest import SynchronousTestCase

import edge.gossip
import edge.node.cluster
from edge.gossip.changes import decode_message
from edge.gossip.fields import are_header_lines, is_published_path
from edge.gossip.packet import decode
from edge.gossip.schema import Decoder, GossipError
from edge.publish.rules import NO_CACHE, lines_200, lines_304
from tests.gossip.hostile import Attacker, leaves


def _decoders() -> dict[str, Decoder[Any]]:
    """Every decoder of what another node sends, by what it decodes."""
    found: dict[str, Decoder[Any]] = {}
    for room in (edge.gossip, edge.node.cluster):
        for module in pkgutil.iter_modules(room.__path__, room.__name__ + "."):
            values = vars(importlib.import_module(module.name)).values()
            found.update({one.what: one for one in values if isinstance(one, Decoder)})
    return found


DECODERS = _decoders()
#: Messages for each of them.
MESSAGES = int(os.environ.get("EDGE_SCHEMA_MESSAGES", "500"))


class FieldTests(SynchronousTestCase):
    """What may stand in a field."""

    def test_every_field_of_every_message_has_a_range_or_a_grammar(self) -> None:
        self.assertLessEqual({"packet", "table message", "hello"}, set(DECODERS))
        for decoder in DECODERS.values():
            for where, leaf in leaves(inspect.type_info(decoder.schema)):
                self.assertTrue(_is_limited(leaf), f"{where} is unlimited: {leaf}")

    def test_header_lines_are_whole_lines_that_frame_nothing(self) -> None:
        good = (
            b"", b"Cache-Control: no-cache\r\n", b"A: b\r\nC:\r\n", b"A:b\r\n", "X: \u00fc\r\n".encode(),
            lines_200(b"text/html; charset=utf-8", "br", b"Accept-Encoding", NO_CACHE),
            lines_304(b"Accept", NO_CACHE),
        )  # fmt: skip
        for lines in good:
            self.assertTrue(are_header_lines(lines), lines)
        for lines in (
            b"A: b", b"A: b\n", b"A: b\r\n\r\n", b"A: b\r\n\r\nHTTP/1.1 200 OK\r\n", b"A : b\r\n", b": b\r\n",
            b"A: b\rc\r\n", b"A: b\nc: d\r\n", b"A: \x00\r\n", b"A: \x1b[2J\r\n", b" A: b\r\n",
            b"A: b\r\n c\r\n", b"Content-Length: 0\r\n", b"A: b\r\ntransfer-ENCODING: chunked\r\n",
            b"ETag: x\r\n",
            b"Connection: x\r\n",
        ):  # fmt: skip
            self.assertFalse(are_header_lines(lines), lines)

    def test_header_lines_are_read_in_one_pass(self) -> None:
        """No two adjacent repetitions share a byte that the next one needs: this would last for hours."""
        self.assertTrue(are_header_lines(b"A: a" + b" \t" * 500_000 + b"b\r\n"))
        self.assertFalse(are_header_lines(b"A: " + b"a \t" * 500_000 + b"\x00\r\n"))

    def test_paths_are_canonical_and_of_the_site(self) -> None:
        for path in (b"/", b"/a", b"/a/", b"/a%20b", b"/.well-known/x", b"/.edge"):
            self.assertTrue(is_published_path(path), path)
        for path in (
            b"",
            b"a",
            b"//",
            b"/../a",
            b"/a b",
            b"/%2e",
            b"/\x00",
            b"/\x1b",
            b"/.edge/load",
            b"/a?b",
        ):
            self.assertFalse(is_published_path(path), path)


class EnforcementTests(SynchronousTestCase):
    """Whatever is made from a schema is decoded as it says, or refused in plain words."""

    def test_hostile_messages_are_decoded_or_refused_with_a_plain_word(self) -> None:
        random = Random(16)
        known: list[Any] = ["a", "n2", b"/a", b"A: b\r\n", 1_700_000_000_000]
        for name, decoder in DECODERS.items():
            decoded = refused = 0
            for number in range(MESSAGES):
                data = Attacker(random, known, wrong=(0.0, 0.02, 0.3)[number % 3]).message(decoder.schema)
                try:
                    decoder.decode(data)
                    decoded += 1
                except GossipError as error:
                    self.assertTrue(str(error).isprintable() and str(error).isascii(), error)
                    refused += 1
            self.assertGreater(decoded, 20, name)
            self.assertGreater(refused, 30, name)

    def test_what_breaks_out_of_a_header_line_or_a_name_is_refused(self) -> None:
        item = [b"/a", 1, 2, 3, [[0, bytes(32), 4, 0, 0]]]
        split = b"A: b\r\n\r\nHTTP/1.1 200 OK\r\n"
        for message in (["repair", [split], [["a", item]]], ["repair", [b""], [["a\x1b[2J", item]]]):
            self.assertRaises(GossipError, decode_message, msgspec.msgpack.encode(message))
        for name in ("\x1b]0;x\x07", "a\n", "<b>", "", "a" * 64):
            update = [name, 0, 1, 0, "10.0.0.1", 7000, "http://x"]
            self.assertRaises(GossipError, decode, msgspec.msgpack.encode([None, [update]]))

    def test_a_message_longer_than_any_is_not_even_decoded(self) -> None:
        self.assertRaises(GossipError, decode_message, bytes((1 << 20) + 1))


def _is_limited(leaf: inspect.Type) -> bool:
    if isinstance(leaf, inspect.IntType):
        return (leaf.ge is not None) and (leaf.le is not None or leaf.lt is not None)
    if isinstance(leaf, inspect.FloatType):
        return leaf.ge is not None and leaf.le is not None
    if isinstance(leaf, inspect.StrType):
        return leaf.max_length is not None and leaf.pattern is not None
    if isinstance(leaf, inspect.Metadata):
        return _is_limited(leaf.type)
    if isinstance(leaf, inspect.BytesType | inspect.VarTupleType):
        return leaf.max_length is not None
    return isinstance(leaf, inspect.BoolType | inspect.NoneType)

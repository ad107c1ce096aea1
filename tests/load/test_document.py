"""The load document and the ORCA header."""

from __future__ import annotations

import json
import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.load.document import LoadDocument, decode, encode, node_load
from edge.load.meters import Figures, Shares
from edge.load.orca import orca_line

FIGURES = Figures(Shares(0.11, 0.1834567, 0.02, 0.04), 4123.04, 0.0, 81_000_000.4, 10_233, 0.4)
NODE = node_load("n1", "http://localhost:8001", "alive", FIGURES, 0.8199)
NUMBERS = st.floats(0, 1e12, allow_nan=False)


class LoadDocumentTests(SynchronousTestCase):
    """What clients read."""

    def test_it_is_written_to_the_byte(self) -> None:
        """Names, order and rounding."""
        document = LoadDocument(cluster="staging", seq=1234, at=1763900000123, nodes=(NODE,))
        self.assertEqual(
            encode(document),
            b'{"v":1,"cluster":"staging","seq":1234,"at":1763900000123,"ttl_ms":5000,"nodes":['
            b'{"id":"n1","url":"http://localhost:8001","state":"alive","weight":0.82,"utilization":0.183,'
            b'"rps":4123.0,"eps":0.0,"connections":10233,"egress_bps":81000000,"lag_ms":0.4,"age_ms":0}]}',
        )

    def test_it_is_read_again(self) -> None:
        """With any number of nodes."""
        document = LoadDocument(cluster="c", seq=1, at=2, nodes=(NODE, NODE))
        self.assertEqual(decode(encode(document)), document)

    def test_another_version_or_garbage_is_refused(self) -> None:
        """Clearly."""
        later = json.loads(encode(LoadDocument(cluster="c", seq=1, at=2, nodes=()))) | {"v": 2}
        with self.assertRaisesRegex(msgspec.ValidationError, "version 2"):
            decode(json.dumps(later).encode())
        for garbage in (b"", b"[]", b'{"v":1}', b"\xff"):
            with self.assertRaises(msgspec.DecodeError):
                decode(garbage)

    def test_only_alive_nodes_have_a_weight(self) -> None:
        """A draining one is not chosen any more."""
        self.assertEqual(node_load("n1", "", "draining", FIGURES, 0.8).weight, 0)


class OrcaTests(SynchronousTestCase):
    """The standard header."""

    def test_it_is_written_to_the_byte(self) -> None:
        """Text format, as gRPC's proposal A64 and xDS describe it."""
        self.assertEqual(
            orca_line(FIGURES),
            b"endpoint-load-metrics: TEXT application_utilization=0.183,cpu_utilization=0.11,"
            b"rps_fractional=4123.04,eps=0\r\n",
        )

    @given(NUMBERS, NUMBERS, NUMBERS)
    def test_numbers_are_plain_and_the_line_is_short(self, first: float, second: float, third: float) -> None:
        """No exponents, whatever the figures."""
        line = orca_line(Figures(Shares(first, second, 0, 0), third, first, second, 1, third))
        self.assertTrue(
            re.fullmatch(rb"endpoint-load-metrics: TEXT (?:[a-z_]+=\d+(?:\.\d+)?,?)+\r\n", line), line
        )
        self.assertLess(len(line), 200)

"""The load document and the ORCA header."""

from __future__ import annotations

import json
import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from edge.load.document import TTL_MS, LoadDocument, decode, encode, may_be_chosen, node_load
from edge.load.meters import Measurement, Shares
from edge.load.orca import orca_line
from edge.load.report import LoadReport, unknown

MEASURED = Measurement(Shares(0.11, 0.1834567, 0.02, 0.04), 4123.04, 0.0, 81_000_000.4, 10_233, 0.4)
REPORT = MEASURED.report("n1", 7, 12, 0.8199, draining=False)
DRAINS = MEASURED.report("n1", 7, 13, 0.8199, draining=True)
NODE = node_load(REPORT, "http://localhost:8001")
TTL = TTL_MS / 1000
NUMBERS = st.floats(0, 1e12, allow_nan=False)


class LoadDocumentTests(SynchronousTestCase):
    """What clients read."""

    def test_it_is_written_to_the_byte(self) -> None:
        """Names, order and rounding."""
        document = LoadDocument(cluster="staging", seq=1234, at=1763900000123, nodes=(NODE,), tag="kJ3x")
        self.assertEqual(
            encode(document),
            b'{"v":1,"cluster":"staging","seq":1234,"at":1763900000123,"ttl_ms":5000,"tag":"kJ3x","nodes":['
            b'{"id":"n1","url":"http://localhost:8001","state":"alive","weight":0.82,"utilization":0.183,'
            b'"rps":4123.0,"eps":0.0,"connections":10233,"egress_bps":81000000,"lag_ms":0.4,"age_ms":0}]}',
        )

    def test_it_is_read_again(self) -> None:
        """With any number of nodes."""
        document = LoadDocument(cluster="c", seq=1, at=2, nodes=(NODE, NODE))
        self.assertEqual(decode(encode(document)), document)

    def test_its_choice_is_who_has_a_weight(self) -> None:
        """Whatever else is said of the others."""
        gone = node_load(msgspec.structs.replace(REPORT, name="n2"), "http://n2", "dead")
        document = LoadDocument(cluster="c", seq=1, at=2, nodes=(gone, NODE))
        self.assertEqual(document.choice, ["n1"])

    def test_another_version_or_garbage_is_refused(self) -> None:
        """Clearly."""
        later = json.loads(encode(LoadDocument(cluster="c", seq=1, at=2, nodes=()))) | {"v": 2}
        with self.assertRaisesRegex(msgspec.ValidationError, "version 2"):
            decode(json.dumps(later).encode())
        for garbage in (b"", b"[]", b'{"v":1}', b"\xff"):
            with self.assertRaises(msgspec.DecodeError):
                decode(garbage)

    def test_a_node_that_has_reported_nothing_is_listed_with_zeros(self) -> None:
        """It is known, but not how loaded it is."""
        entry = node_load(unknown("n2"), "http://n2", "alive", TTL)
        self.assertEqual((entry.id, entry.weight, entry.utilization, entry.age_ms), ("n2", 0.0, 0.0, TTL_MS))


class ChoiceTests(SynchronousTestCase):
    """Whether clients may choose a node, and what the document says of it."""

    def says(self, report: LoadReport, state: str, age: float, doubtful: bool) -> tuple[str, float]:
        """(state, weight) of the entry; the weight has to tell what the predicate says."""
        entry = node_load(report, "", state, age, doubtful)
        self.assertEqual(entry.weight > 0, may_be_chosen(report, state, age, doubtful))
        return entry.state, entry.weight

    def test_each_state_of_membership(self) -> None:
        """Only who is alive, and does not drain, is chosen; a doubtful suspicion does not count."""
        for report, state, doubtful, expected in (
            (REPORT, "alive", False, ("alive", 0.82)),
            (REPORT, "alive", True, ("alive", 0.82)),
            (DRAINS, "alive", False, ("draining", 0.0)),
            (REPORT, "suspect", False, ("suspect", 0.0)),
            (REPORT, "suspect", True, ("suspect", 0.82)),
            (DRAINS, "suspect", False, ("suspect", 0.0)),
            (DRAINS, "suspect", True, ("draining", 0.0)),
            (REPORT, "dead", True, ("dead", 0.0)),
            (DRAINS, "left", True, ("left", 0.0)),
        ):
            self.assertEqual(self.says(report, state, 0.0, doubtful), expected, (state, doubtful))

    def test_what_is_older_than_its_time_to_live_says_nothing(self) -> None:
        """At exactly that age it still does."""
        self.assertEqual(self.says(REPORT, "alive", TTL, False), ("alive", 0.82))
        self.assertEqual(self.says(REPORT, "alive", TTL + 0.001, False), ("alive", 0.0))


class OrcaTests(SynchronousTestCase):
    """The standard header."""

    def test_it_is_written_to_the_byte(self) -> None:
        """Text format, as gRPC's proposal A64 and xDS describe it."""
        self.assertEqual(
            orca_line(MEASURED),
            b"endpoint-load-metrics: TEXT application_utilization=0.183,cpu_utilization=0.11,"
            b"rps_fractional=4123.04,eps=0\r\n",
        )

    @given(NUMBERS, NUMBERS, NUMBERS)
    def test_numbers_are_plain_and_the_line_is_short(self, first: float, second: float, third: float) -> None:
        """No exponents, whatever the figures."""
        line = orca_line(Measurement(Shares(first, second, 0, 0), third, first, second, 1, third))
        self.assertTrue(
            re.fullmatch(rb"endpoint-load-metrics: TEXT (?:[a-z_]+=\d+(?:\.\d+)?,?)+\r\n", line), line
        )
        self.assertLess(len(line), 200)

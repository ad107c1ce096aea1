"""The load report: what other nodes, of this and of other versions, read."""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from edge.load.meters import Measurement, Shares
from edge.load.report import LoadReport


class LoadReportTests(SynchronousTestCase):
    """Its form on the wire."""

    def test_it_is_written_to_the_byte(self) -> None:
        """A MessagePack array of twelve, full precision: rounding is for the load document."""
        report = LoadReport("n1", 7, 12, 0.5, 0.25, 1.5, 0.0, 300, 70_000, 2.0, True, False)
        self.assertEqual(
            msgspec.msgpack.encode(report),
            b"\x9c\xa2n1\x07\x0c\xcb?\xe0\x00\x00\x00\x00\x00\x00\xcb?\xd0\x00\x00\x00\x00\x00\x00"
            b"\xcb?\xf8\x00\x00\x00\x00\x00\x00\xcb\x00\x00\x00\x00\x00\x00\x00\x00\xcd\x01,"
            b"\xce\x00\x01\x11p\xcb@\x00\x00\x00\x00\x00\x00\x00\xc3\xc2",
        )

    def test_one_of_a_version_that_knew_nothing_of_publishing_is_read(self) -> None:
        """Positions are append-only."""
        former = msgspec.msgpack.encode(("n1", 7, 12, 0.5, 0.25, 1.5, 0.0, 300, 70_000, 2.0, True))
        self.assertFalse(msgspec.msgpack.decode(former, type=LoadReport).publishing)

    def test_a_measurement_becomes_a_report_unrounded(self) -> None:
        """But bits per second are a whole number."""
        measured = Measurement(Shares(0.1, 0.123456, 0.0, 0.0), 1.23456, 0.0, 10.7, 5, 0.123456)
        report = measured.report("n1", 1, 2, 0.876544, draining=False)
        self.assertEqual(
            report, LoadReport("n1", 1, 2, 0.123456, 0.876544, 1.23456, 0.0, 5, 11, 0.123456, False)
        )
